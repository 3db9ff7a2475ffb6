-- Batch scoring: a dataset through a version of a model, as a job; the result is a file in the private bucket results.

insert into storage.buckets (id, name, public, file_size_limit)
values ('results', 'results', false, 52428800)
on conflict (id) do update set public = excluded.public, file_size_limit = excluded.file_size_limit;

-- The bucket results has no policy on purpose: who may read the row gets a signed address from the API.

create table public.batches (
  id uuid primary key default private.uuid_v7(),
  dataset_id uuid references public.datasets (id) on delete set null,
  model_id uuid not null references public.models (id),
  version_id uuid not null references public.versions (id),
  status text not null default 'queued'
    constraint "batch status is queued, running, succeeded, failed or cancelled"
    check (status in ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
  attempt integer not null default 0,
  heartbeat_at timestamptz,
  reason text,
  rows_total integer constraint "rows_total is not negative" check (rows_total >= 0),
  rows_done integer not null default 0,
  rows_failed integer not null default 0,
  parts integer not null default 0,
  progress real not null
    generated always as (case when rows_total > 0 then rows_done::real / rows_total else 0 end) stored,
  result_path text,
  result_bytes bigint,
  result_sha256 text,
  created_by uuid default auth.uid() references auth.users (id) on delete set null,
  created_at timestamptz not null default now(),
  started_at timestamptz,
  finished_at timestamptz,
  constraint "no more rows are done than there are" check (rows_failed <= rows_done and rows_done <= rows_total),
  constraint "a failed batch has a reason" check (status <> 'failed' or reason is not null),
  constraint "a succeeded batch has a result" check (status <> 'succeeded' or result_path is not null)
);

comment on table public.batches is 'Datasets scored by a version: queued, running, then succeeded, failed or cancelled.';
comment on column public.batches.model_id is 'The model of the version, filled in by the database.';
comment on column public.batches.rows_failed is 'Rows whose cells the model cannot read; the result says why, row by row.';
comment on column public.batches.parts is
  'How many parts of the result are kept in Storage: where a worker goes on that takes the batch over.';
comment on column public.batches.created_by is 'Null: a batch of the house, seen by admins only.';

create index batches_created_by_idx on public.batches (created_by, created_at desc);
create index batches_dataset_id_idx on public.batches (dataset_id);
create index batches_model_id_idx on public.batches (model_id);
create index batches_version_id_idx on public.batches (version_id);
create index batches_unfinished_idx on public.batches (status) where status in ('queued', 'running');

revoke all on public.batches from public, anon, authenticated, service_role;
grant select on public.batches to authenticated, service_role;
grant insert (id, dataset_id, version_id, created_by) on public.batches to authenticated, service_role;

alter table public.batches enable row level security;

create policy "people read the batches they started" on public.batches
for select to authenticated using (created_by = (select auth.uid()));

create policy "admins read every batch" on public.batches
for select to authenticated using ((select private.is_admin()));

create policy "analysts start batches of their own" on public.batches
for insert to authenticated
with check (created_by = (select auth.uid()) and (select private.is_analyst()));

-- What may be asked for ----------------------------------------------------------------------------------

create function private.prepare_batch() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
  dataset public.datasets;
  model public.models;
  role text;
begin
  select * into dataset from public.datasets as held where held.id = new.dataset_id;
  if private.is_system() then
    -- A plain SQL insert names nobody: the batch belongs to whoever owns the dataset.
    new.created_by := coalesce(new.created_by, dataset.owner_id);
  else
    new.created_by := private.acting_user(new.created_by);
  end if;
  role := coalesce(private.role_of(new.created_by), 'house');
  if role = 'viewer' then
    raise exception 'Scoring a dataset needs the role analyst.' using errcode = '42501';
  end if;
  if dataset.id is null or (role = 'analyst' and dataset.owner_id is distinct from new.created_by) then
    raise exception 'There is no such dataset.' using errcode = 'PT404';
  end if;
  if dataset.status <> 'ready' then
    raise exception 'The dataset is not ready: %.', coalesce(dataset.reason, 'its upload is not complete')
      using errcode = 'PT409';
  end if;
  select named.* into model from public.models as named
  join public.versions as version on version.model_id = named.id
  where version.id = new.version_id;
  if model.id is null
    or (role = 'analyst' and model.visibility <> 'public' and model.owner_id is distinct from new.created_by) then
    raise exception 'There is no such version.' using errcode = 'PT404';
  end if;

  new.model_id := model.id;
  new.status := 'queued';
  new.attempt := 0;
  new.created_at := now();
  return new;
end;
$$;

comment on function private.prepare_batch() is
  'Trigger: every batch starts queued, and only if its creator may use the dataset and the version.';
revoke all on function private.prepare_batch() from public;

create trigger prepare_batch before insert on public.batches
for each row execute function private.prepare_batch();

-- Jobs ---------------------------------------------------------------------------------------------------

create function private.defer_scoring(batch_id uuid) returns void
language plpgsql security definer
-- procrastinate's own functions and triggers name their tables without a schema.
set search_path = procrastinate, pg_catalog, pg_temp
as $$
begin
  if to_regclass('procrastinate.procrastinate_jobs') is null then
    raise exception 'The queue is not installed yet: start a worker once, it installs it.' using errcode = 'PT503';
  end if;
  perform procrastinate.procrastinate_defer_jobs_v1(array[
    row(
      'scoring', 'score_batch', 0, 'batch:' || batch_id, 'batch:' || batch_id,
      jsonb_build_object('batch_id', batch_id), null
    )::procrastinate.procrastinate_job_to_defer_v1
  ]);
end;
$$;

comment on function private.defer_scoring(uuid) is
  'Queue the job of a batch. Its locks are the batch: two workers never score the same one.';
revoke all on function private.defer_scoring(uuid) from public;

create function private.queue_batch() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  perform private.defer_scoring(new.id);
  perform private.wake_worker(new.id);
  return null;
end;
$$;

comment on function private.queue_batch() is 'Trigger: a new batch gets its job in the same transaction.';
revoke all on function private.queue_batch() from public;

create trigger queue_batch after insert on public.batches
for each row execute function private.queue_batch();

create function private.requeue_lost_batches() returns setof uuid
language plpgsql security definer set search_path = ''
as $$
declare
  lost uuid;
begin
  for lost in
    select batch.id from public.batches as batch
    where batch.status in ('queued', 'running')
      and not exists (
        select from procrastinate.procrastinate_jobs as job
        where job.task_name = 'score_batch' and job.status in ('todo', 'doing') and job.lock = 'batch:' || batch.id
      )
    for update of batch skip locked
  loop
    perform private.defer_scoring(lost);
    return next lost;
  end loop;
end;
$$;

comment on function private.requeue_lost_batches() is
  'Queue again every unfinished batch that no job stands for. Workers call it, so that no batch is stuck in silence.';
revoke all on function private.requeue_lost_batches() from public;

-- States -------------------------------------------------------------------------------------------------

create function private.check_batch_status() returns trigger
language plpgsql set search_path = ''
as $$
begin
  raise exception 'This batch has already %.', case old.status when 'cancelled' then 'been cancelled' else old.status end
    using errcode = 'PT409';
end;
$$;

comment on function private.check_batch_status() is 'Trigger: an ended batch stays as it ended.';
revoke all on function private.check_batch_status() from public;

create trigger check_batch_status before update of status on public.batches
for each row when (old.status in ('succeeded', 'failed', 'cancelled') and old.status is distinct from new.status)
execute function private.check_batch_status();

create function public.cancel_batch(batch_id uuid, actor uuid default null) returns public.batches
language plpgsql security definer set search_path = ''
as $$
declare
  canceller uuid := private.acting_user(cancel_batch.actor);
  may_cancel_any boolean := (private.is_system() and canceller is null) or private.role_of(canceller) = 'admin';
  batch public.batches;
begin
  select * into batch from public.batches as held where held.id = cancel_batch.batch_id for update;
  if batch.id is null or not coalesce(may_cancel_any or batch.created_by = canceller, false) then
    raise exception 'There is no such batch.' using errcode = 'PT404';
  end if;
  if batch.status = 'cancelled' then
    return batch;
  end if;
  update public.batches as held set status = 'cancelled', finished_at = now()
  where held.id = batch.id
  returning * into batch;
  return batch;
end;
$$;

comment on function public.cancel_batch(uuid, uuid) is
  'Cancel a queued or running batch; a running one stops within seconds. Creator and admins; actor is for servers.';
revoke all on function public.cancel_batch(uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function public.cancel_batch(uuid, uuid) to authenticated, service_role;
