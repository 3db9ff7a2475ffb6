-- The prediction log: what was asked, what was answered, how long it took. Written in batches by the API, after the
-- answers; never changed. An id may arrive twice (a batch whose confirmation was lost): it is written once.

alter table public.models add column keep_inputs boolean not null default true;

comment on column public.models.keep_inputs is
  'Whether the rows that people send are kept with their predictions. Off: no new ones are; earlier ones stay.';

grant select (keep_inputs) on public.models to anon;
grant update (keep_inputs) on public.models to authenticated, service_role;

create table public.predictions (
  id uuid primary key,
  model_id uuid not null,
  version_id uuid not null,
  at timestamptz not null,
  source text not null
    constraint "source is api, site, hook, batch, v2 or mlflow"
    check (source in ('api', 'site', 'hook', 'batch', 'v2', 'mlflow')),
  caller_kind text not null
    constraint "caller is anonymous, user, key or house" check (caller_kind in ('anonymous', 'user', 'key', 'house')),
  caller_id uuid,
  status smallint not null default 200
    constraint "status is an HTTP status" check (status between 200 and 599),
  row_count integer not null constraint "row_count is not negative" check (row_count >= 0),
  rows jsonb constraint "rows are a list" check (jsonb_typeof(rows) = 'array'),
  outputs jsonb constraint "outputs are a list" check (jsonb_typeof(outputs) = 'array'),
  cache text,
  parse_ms real,
  infer_ms real,
  total_ms real,
  foreign key (model_id, version_id) references public.versions (model_id, id)
);

comment on table public.predictions is 'One row per answered request. Append-only; written by log_predictions.';
comment on column public.predictions.id is 'The id in the answer: UUIDv7, made by the API.';
comment on column public.predictions.caller_id is
  'The user, or the owner of the API key. No foreign key: history outlives accounts.';
comment on column public.predictions.rows is
  'The features as they were sent, one object per row; null where the model keeps none, and above 1000 rows.';
comment on column public.predictions.outputs is
  'The predictions as they were answered; null above 1000 rows, and for batches, whose results are files.';
comment on column public.predictions.cache is 'Where the answer came from: hit-local, hit-kv, miss or skip.';

create index predictions_model_id_idx on public.predictions (model_id, at);

revoke all on public.predictions from public, anon, authenticated, service_role;
grant select on public.predictions to authenticated, service_role;

alter table public.predictions enable row level security;

create policy "owners read the predictions of their own models" on public.predictions
for select to authenticated
using (model_id in (select model.id from public.models as model where model.owner_id = (select auth.uid())));

create policy "admins read every prediction" on public.predictions
for select to authenticated using ((select private.is_admin()));

create function public.log_predictions(batch jsonb) returns integer
language plpgsql security definer set search_path = ''
as $$
declare
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
  from jsonb_to_recordset(private.as_object(batch) -> 'predictions') as sent (
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
  return written;
end;
$$;

comment on function public.log_predictions(jsonb) is
  'Write a batch {"predictions": [...]} to the log and count the new ones; what is there already stays. Servers only.';
revoke all on function public.log_predictions(jsonb) from public, anon, authenticated, service_role;
grant execute on function public.log_predictions(jsonb) to service_role;
