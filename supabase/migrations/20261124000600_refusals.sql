-- Requests for a prediction that were refused: how many, of which kind, and nothing of what was sent. Written with the
-- prediction log, in its batches: one row for each kind in a batch.

create table public.refusals (
  id uuid primary key,
  model_id uuid not null references public.models (id) on delete cascade,
  at timestamptz not null,
  status smallint not null constraint "status is a refusal" check (status between 400 and 599),
  code text not null constraint "code is a short name" check (length(code) <= 64),
  count integer not null constraint "count is positive" check (count > 0)
);

comment on table public.refusals is 'Refused requests for predictions, counted by kind. Append-only; written by log_predictions.';
comment on column public.refusals.code is
  'The fixed name of the failure, as the answer has it; empty where a protocol has names of its own.';
comment on column public.refusals.count is 'So many such requests within one batch of one instance.';

create index refusals_model_id_idx on public.refusals (model_id, at);

revoke all on public.refusals from public, anon, authenticated, service_role;
grant select on public.refusals to authenticated, service_role;

alter table public.refusals enable row level security;

create policy "whoever has a part in a model reads its refusals" on public.refusals
for select to authenticated using (model_id in (select private.my_models()));

create policy "admins read every refusal" on public.refusals
for select to authenticated using ((select private.is_admin()));

create function private.log_refusals(records jsonb) returns void
language sql security definer set search_path = ''
as $$
  insert into public.refusals (id, model_id, at, status, code, count)
  select sent.id, model.id, coalesce(sent.at, now()), sent.status, coalesce(sent.code, ''), sent.count
  from jsonb_path_query(log_refusals.records, '$[*].refusal') as refusal
  cross join jsonb_to_record(refusal) as sent (
    id uuid, model text, at timestamptz, status smallint, code text, count integer
  )
  -- What was asked of a model that does not exist is nobody's.
  join public.models as model on model.slug = sent.model
  on conflict on constraint refusals_pkey do nothing;
$$;

comment on function private.log_refusals(jsonb) is 'Write the records {"refusal": {...}} among those of a batch.';
revoke all on function private.log_refusals(jsonb) from public;

create or replace function public.log_predictions(batch jsonb) returns integer
language plpgsql security definer set search_path = ''
as $$
declare
  records constant jsonb := private.as_object(batch) -> 'predictions';
  written integer;
begin
  insert into public.predictions (
    id, model_id, version_id, at, source, caller_kind, caller_id, status, row_count, rows, outputs, cache,
    parse_ms, infer_ms, total_ms
  )
  select
    sent.id, version.model_id, version.id, coalesce(sent.at, now()), sent.source, sent.caller_kind, sent.caller_id,
    coalesce(sent.status, 200), sent.row_count, case when model.keep_inputs then nullif(sent.rows, 'null') end,
    nullif(sent.outputs, 'null'), sent.cache, sent.parse_ms, sent.infer_ms, sent.total_ms
  from jsonb_to_recordset(records) as sent (
    id uuid, version_id uuid, model text, digest text, at timestamptz, source text, caller_kind text, caller_id uuid,
    status smallint, row_count integer, rows jsonb, outputs jsonb, cache text,
    parse_ms real, infer_ms real, total_ms real
  )
  -- An instance that could not ask the database served a bundled file: it knows the file, not the version's id.
  join public.versions as version on version.id = coalesce(
    sent.version_id,
    (
      select known.id from public.versions as known join public.models as named on named.id = known.model_id
      where known.digest = sent.digest and named.slug = sent.model order by known.number desc limit 1
    )
  )
  join public.models as model on model.id = version.model_id
  on conflict on constraint predictions_pkey do nothing;
  get diagnostics written = row_count;
  if jsonb_path_exists(records, '$[*].refusal') then
    perform private.log_refusals(records);
  end if;
  return written;
end;
$$;

comment on function public.log_predictions(jsonb) is
  'Write a batch {"predictions": [...]} to the log, {"refusal": {...}} among them, and count the new predictions; what '
  'is there already stays. Servers only.';
