-- One way from a row to a job, for everything that is done in the background.

create function private.defer_job(
  queue text, task text, lock text, args jsonb, scheduled_at timestamptz default null, priority integer default 0
) returns void
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
      defer_job.queue, defer_job.task, defer_job.priority, defer_job.lock, defer_job.lock, defer_job.args, defer_job.scheduled_at
    )::procrastinate.procrastinate_job_to_defer_v1
  ]);
exception when unique_violation then
  -- A job with this lock waits already; it will find whatever there is to do.
  return;
end;
$$;

comment on function private.defer_job(text, text, text, jsonb, timestamptz, integer) is
  'Queue a job in the transaction of the caller. Its lock names the row it is for: no two workers are at one row.';
revoke all on function private.defer_job(text, text, text, jsonb, timestamptz, integer) from public;

create function private.has_job(task text, lock text) returns boolean
language plpgsql stable security definer set search_path = ''
as $$
begin
  return exists (
    select from procrastinate.procrastinate_jobs as job
    where job.task_name = has_job.task and job.status in ('todo', 'doing') and job.lock = has_job.lock
  );
end;
$$;

comment on function private.has_job(text, text) is 'Whether a job with this lock waits or is being done.';
revoke all on function private.has_job(text, text) from public;

create or replace function private.defer_training(run_id uuid) returns void
language sql security definer set search_path = ''
as $$
  select private.defer_job('training', 'train', 'run:' || run_id, jsonb_build_object('run_id', run_id));
$$;

create or replace function private.defer_scoring(batch_id uuid) returns void
language sql security definer set search_path = ''
as $$
  select private.defer_job('scoring', 'score_batch', 'batch:' || batch_id, jsonb_build_object('batch_id', batch_id));
$$;

create or replace function private.requeue_lost_runs() returns setof uuid
language plpgsql security definer set search_path = ''
as $$
declare
  lost uuid;
begin
  for lost in
    select run.id from public.runs as run
    where run.status in ('queued', 'running') and not private.has_job('train', 'run:' || run.id)
    for update of run skip locked
  loop
    perform private.defer_training(lost);
    return next lost;
  end loop;
end;
$$;

create or replace function private.requeue_lost_batches() returns setof uuid
language plpgsql security definer set search_path = ''
as $$
declare
  lost uuid;
begin
  for lost in
    select batch.id from public.batches as batch
    where batch.status in ('queued', 'running') and not private.has_job('score_batch', 'batch:' || batch.id)
    for update of batch skip locked
  loop
    perform private.defer_scoring(lost);
    return next lost;
  end loop;
end;
$$;
