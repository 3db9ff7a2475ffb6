-- From a run to a worker: the job is queued in the transaction of the insert, so a run that exists has a job.
--
-- The queue is procrastinate's; its tables live in the schema procrastinate and come from the installed package,
-- before or after this file.

create schema if not exists procrastinate;
revoke all on schema procrastinate from public;

create table private.settings (
  name text primary key
    constraint "known settings are dispatch_repository and dispatch_event"
    check (name in ('dispatch_repository', 'dispatch_event')),
  value text not null,
  updated_at timestamptz not null default now()
);

comment on table private.settings is
  'Settings of the database itself. dispatch_repository (owner/name) wakes a GitHub Actions worker for each new run; '
  'its token is the Vault secret rowcast_dispatch_token. dispatch_event is the event type, by default "rowcast-train".';
revoke all on private.settings from public, anon, authenticated, service_role;

create trigger touch_updated_at before update on private.settings
for each row execute function private.touch_updated_at();

create function private.defer_training(run_id uuid) returns void
language plpgsql security definer
-- procrastinate's own functions and triggers name their tables without a schema.
set search_path = procrastinate, pg_catalog, pg_temp
as $$
begin
  if to_regclass('procrastinate.procrastinate_jobs') is null then
    raise exception 'The training queue is not installed yet: start a worker once, it installs it.'
      using errcode = 'PT503';
  end if;
  perform procrastinate.procrastinate_defer_jobs_v1(array[
    row(
      'training', 'train', 0, 'run:' || run_id, 'run:' || run_id, jsonb_build_object('run_id', run_id), null
    )::procrastinate.procrastinate_job_to_defer_v1
  ]);
end;
$$;

comment on function private.defer_training(uuid) is
  'Queue the job of a run. Its locks are the run: two workers never run the same one.';
revoke all on function private.defer_training(uuid) from public;

create function private.wake_worker(run_id uuid) returns void
language plpgsql security definer set search_path = ''
as $$
declare
  repository text := (select held.value from private.settings as held where held.name = 'dispatch_repository');
  event_type text := coalesce(
    (select held.value from private.settings as held where held.name = 'dispatch_event'), 'rowcast-train'
  );
  token text;
begin
  if repository is null
    or to_regclass('vault.decrypted_secrets') is null
    or to_regprocedure('net.http_post(text, jsonb, jsonb, jsonb, integer)') is null then
    return;
  end if;
  execute 'select decrypted_secret from vault.decrypted_secrets where name = $1'
    into token using 'rowcast_dispatch_token';
  if token is null then
    return;
  end if;
  execute 'select net.http_post(url := $1, body := $2, headers := $3, timeout_milliseconds := 5000)' using
    'https://api.github.com/repos/' || repository || '/dispatches',
    jsonb_build_object('event_type', event_type, 'client_payload', jsonb_build_object('run_id', run_id)),
    jsonb_build_object(
      'Accept', 'application/vnd.github+json', 'Authorization', 'Bearer ' || token,
      'Content-Type', 'application/json', 'X-GitHub-Api-Version', '2022-11-28'
    );
exception when others then
  -- The job is queued either way: a worker finds it without being woken.
  raise warning 'The worker was not woken for run %: %', run_id, sqlerrm;
end;
$$;

comment on function private.wake_worker(uuid) is
  'Ask GitHub to start a worker, where pg_net, a repository and a token exist. Never stops the insert.';
revoke all on function private.wake_worker(uuid) from public;

create function private.queue_run() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  perform private.defer_training(new.id);
  perform private.wake_worker(new.id);
  return null;
end;
$$;

comment on function private.queue_run() is 'Trigger: a new run gets its job in the same transaction.';
revoke all on function private.queue_run() from public;

create trigger queue_run after insert on public.runs
for each row execute function private.queue_run();

create function private.requeue_lost_runs() returns setof uuid
language plpgsql security definer set search_path = ''
as $$
declare
  lost uuid;
begin
  for lost in
    select run.id from public.runs as run
    where run.status in ('queued', 'running')
      and not exists (
        select from procrastinate.procrastinate_jobs as job
        where job.task_name = 'train' and job.status in ('todo', 'doing') and job.lock = 'run:' || run.id
      )
    for update of run skip locked
  loop
    perform private.defer_training(lost);
    return next lost;
  end loop;
end;
$$;

comment on function private.requeue_lost_runs() is
  'Queue again every unfinished run that no job stands for. Workers call it, so that no run is stuck in silence.';
revoke all on function private.requeue_lost_runs() from public;

-- The end of a successful run ----------------------------------------------------------------------------

create function public.register_version(run_id uuid, attempt integer, digest text, card jsonb, size_bytes bigint)
returns public.versions
language plpgsql security definer set search_path = ''
as $$
#variable_conflict use_variable
declare
  card jsonb := private.as_object(register_version.card);
  run public.runs;
  model public.models;
  version public.versions;
begin
  select * into run from public.runs as held where held.id = register_version.run_id for update;
  if run.status is distinct from 'running' or run.attempt <> register_version.attempt then
    raise exception 'The run was cancelled or taken up by another worker.' using errcode = 'PT410';
  end if;
  if (card ->> 'digest', card ->> 'name', card ->> 'target', (card ->> 'size_bytes')::bigint)
    is distinct from (register_version.digest, run.model_slug, run.target, register_version.size_bytes) then
    raise exception 'The card describes another file or another run.' using errcode = '22023';
  end if;

  insert into public.models as held (slug, title, description, task, target, owner_id, visibility)
  values (
    run.model_slug, coalesce(nullif(run.title, ''), card ->> 'title'), run.description, card ->> 'task', run.target,
    run.created_by, run.visibility
  )
  on conflict on constraint models_slug_key do nothing;
  select * into model from public.models as held where held.slug = run.model_slug for update;
  -- Between the insert of the run and now somebody else may have taken the name.
  perform private.check_run_model(run);
  if model.task <> card ->> 'task' then
    raise exception 'Model "%" is %, this data is %; choose another model name.', model.slug, model.task, card ->> 'task'
      using errcode = 'PT409';
  end if;

  insert into public.versions (model_id, number, digest, card, size_bytes, run_id)
  values (
    model.id, (select coalesce(max(held.number), 0) + 1 from public.versions as held where held.model_id = model.id),
    register_version.digest, card, register_version.size_bytes, run.id
  )
  returning * into version;

  perform private.move_alias(model.id, 'challenger', version.id, 'newest certified version', '{}', run.created_by);
  if not exists (select from public.aliases as held where held.model_id = model.id and held.name = 'champion') then
    perform private.move_alias(model.id, 'champion', version.id, 'first certified version', '{}', run.created_by);
  end if;

  update public.runs as held
  set status = 'succeeded', progress = 1, message = 'Certified version ' || version.number, reason = null,
      model_id = model.id, version_id = version.id, heartbeat_at = now(), finished_at = now()
  where held.id = run.id;
  return version;
end;
$$;

comment on function public.register_version(uuid, integer, text, jsonb, bigint) is
  'End a run with a certified version: model, version, aliases and run in one transaction. Servers only.';
revoke all on function public.register_version(uuid, integer, text, jsonb, bigint)
  from public, anon, authenticated, service_role;
grant execute on function public.register_version(uuid, integer, text, jsonb, bigint) to service_role;
