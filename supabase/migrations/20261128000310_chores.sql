-- What is done from time to time, also where no worker lives long: a call of the platform's cron, or a worker that drains the
-- queue, asks for all of it once. And the bytes of a dataset go with its row, whoever deletes it and why.

create function private.defer_chore(task text) returns void
language plpgsql security definer
-- procrastinate's own functions and triggers name their tables without a schema.
set search_path = procrastinate, pg_catalog, pg_temp
as $$
begin
  perform procrastinate.procrastinate_defer_jobs_v1(array[
    row(
      'chores', defer_chore.task, -1, 'chore:' || defer_chore.task, defer_chore.task,
      jsonb_build_object('timestamp', extract(epoch from now())::bigint), null
    )::procrastinate.procrastinate_job_to_defer_v1
  ]);
exception when unique_violation then
  return; -- it waits already
end;
$$;

comment on function private.defer_chore(text) is 'Queue one periodic task now, unless it waits already.';
revoke all on function private.defer_chore(text) from public;

create function private.queue_chores() returns void
language sql security definer set search_path = ''
as $$
  -- In this order: drift reads what was counted; what is forgotten has been counted before.
  select private.defer_chore(chore.task) from unnest(
    array['count_predictions', 'watch_drift', 'watch_quotas', 'drop_old_predictions', 'sweep']
  ) with ordinality as chore (task, place) order by chore.place;
$$;

comment on function private.queue_chores() is
  'Ask for everything that a worker does from time to time: count traffic, watch drift and quotas, forget, sweep.';
revoke all on function private.queue_chores() from public;

create function public.request_chores() returns integer
language plpgsql security definer set search_path = ''
as $$
declare
  waiting integer;
begin
  if to_regclass('procrastinate.procrastinate_jobs') is null then
    return 0; -- no worker has been here yet; its first visit does all of it
  end if;
  perform private.queue_chores();
  perform private.wake_worker(private.uuid_v7());
  select count(*) into waiting from procrastinate.procrastinate_jobs as job where job.status = 'todo';
  return waiting;
end;
$$;

comment on function public.request_chores() is
  'Ask for the periodic chores and wake a worker, where one can be woken; returns how many jobs wait. Servers only.';
revoke all on function public.request_chores() from public, anon, authenticated, service_role;
grant execute on function public.request_chores() to service_role;

-- The bytes of a dataset ---------------------------------------------------------------------------------

create function private.queue_upload_removal() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  -- Without a queue the hourly sweep finds them, a day later.
  if to_regclass('procrastinate.procrastinate_jobs') is not null then
    perform private.defer_job(
      'chores', 'remove_upload', 'upload:' || old.id, jsonb_build_object('path', old.object_path)
    );
  end if;
  return null;
end;
$$;

comment on function private.queue_upload_removal() is
  'Trigger: a dataset that goes, with its owner''s account or alone, takes its bytes along.';
revoke all on function private.queue_upload_removal() from public;

create trigger queue_upload_removal after delete on public.datasets
for each row execute function private.queue_upload_removal();
