-- Training runs and what happened in them. A run is a row: inserted by the API, the dashboard or plain SQL.

create table public.runs (
  id uuid primary key default private.uuid_v7(),
  dataset_id uuid references public.datasets (id) on delete set null,
  model_slug text not null
    constraint "model slug is 2 to 63 of a-z, 0-9 and inner dashes"
    check (model_slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])$'),
  title text not null default ''
    constraint "title has at most 120 characters" check (length(title) <= 120),
  description text not null default ''
    constraint "description has at most 2000 characters" check (length(description) <= 2000),
  target text not null
    constraint "target has 1 to 200 characters" check (length(target) between 1 and 200),
  options jsonb not null default '{}',
  visibility text not null default 'private'
    constraint "visibility is private or public" check (visibility in ('private', 'public')),
  status text not null default 'queued'
    constraint "run status is queued, running, succeeded, failed or cancelled"
    check (status in ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
  attempt integer not null default 0,
  heartbeat_at timestamptz,
  reason text,
  progress real not null default 0
    constraint "progress is between 0 and 1" check (progress between 0 and 1),
  message text not null default '',
  last_seq integer not null default 0,
  model_id uuid references public.models (id) on delete set null,
  version_id uuid references public.versions (id),
  created_by uuid default auth.uid() references auth.users (id) on delete set null,
  created_at timestamptz not null default now(),
  started_at timestamptz,
  finished_at timestamptz,
  constraint "a failed run has a reason" check (status <> 'failed' or reason is not null),
  constraint "a succeeded run has a version" check (status <> 'succeeded' or version_id is not null)
);

comment on table public.runs is 'Training runs: queued, running, then succeeded, failed or cancelled.';
comment on column public.runs.attempt is 'How often a worker took the run up. A worker of an older attempt cannot write any more.';
comment on column public.runs.last_seq is 'Number of the newest run event.';
comment on column public.runs.created_by is 'Null: a run of the house, seen by admins only.';

create index runs_created_by_idx on public.runs (created_by, created_at desc);
create index runs_dataset_id_idx on public.runs (dataset_id);
create index runs_model_id_idx on public.runs (model_id);
create index runs_version_id_idx on public.runs (version_id);
create index runs_unfinished_idx on public.runs (status) where status in ('queued', 'running');

alter table public.versions
  add constraint versions_run_id_fkey foreign key (run_id) references public.runs (id),
  add constraint versions_run_id_key unique (run_id);

revoke all on public.runs from public, anon, authenticated, service_role;
grant select on public.runs to authenticated, service_role;
grant insert (id, dataset_id, model_slug, title, description, target, options, visibility, created_by)
  on public.runs to authenticated, service_role;

alter table public.runs enable row level security;

create policy "people read the runs they started" on public.runs
for select to authenticated using (created_by = (select auth.uid()));

create policy "admins read every run" on public.runs
for select to authenticated using ((select private.is_admin()));

create policy "analysts start runs of their own" on public.runs
for insert to authenticated
with check (created_by = (select auth.uid()) and (select private.is_analyst()));

-- Events -------------------------------------------------------------------------------------------------

create table public.run_events (
  run_id uuid not null references public.runs (id) on delete cascade,
  seq integer not null,
  at timestamptz not null default clock_timestamp(),
  kind text not null constraint "kind has 1 to 40 characters" check (length(kind) between 1 and 40),
  data jsonb not null default '{}' constraint "event data is an object" check (jsonb_typeof(data) = 'object'),
  primary key (run_id, seq)
);

comment on table public.run_events is 'What happened in a run, numbered from 1 without gaps. Written by the database and the worker.';

revoke all on public.run_events from public, anon, authenticated, service_role;
grant select on public.run_events to authenticated, service_role;

alter table public.run_events enable row level security;

create policy "whoever reads a run reads its events" on public.run_events
for select to authenticated using (run_id in (select run.id from public.runs as run));

-- What may be asked for ----------------------------------------------------------------------------------

create function private.check_run_options(options jsonb) returns void
language plpgsql immutable set search_path = ''
as $$
declare
  unknown text;
begin
  if jsonb_typeof(options) <> 'object' then
    raise exception 'options: an object is expected.' using errcode = '22023';
  end if;
  select string_agg('"' || key || '"', ', ') into unknown from jsonb_object_keys(options) as key
  where key not in ('time_budget_seconds', 'seed', 'drop', 'task');
  if unknown is not null then
    raise exception 'options: % not known; known are drop, seed, task and time_budget_seconds.', unknown
      using errcode = '22023';
  end if;
  if options ? 'time_budget_seconds' and not (
    jsonb_typeof(options -> 'time_budget_seconds') = 'number'
    and (options ->> 'time_budget_seconds')::numeric between 1 and 3600
  ) then
    raise exception 'options.time_budget_seconds: a number from 1 to 3600 is expected.' using errcode = '22023';
  end if;
  if options ? 'seed' and not (
    jsonb_typeof(options -> 'seed') = 'number' and (options ->> 'seed') ~ '^[0-9]{1,9}$'
  ) then
    raise exception 'options.seed: a whole number from 0 to 999999999 is expected.' using errcode = '22023';
  end if;
  if options ? 'drop' and not (
    jsonb_typeof(options -> 'drop') = 'array'
    and not jsonb_path_exists(options -> 'drop', 'strict $[*] ? (@.type() <> "string")')
  ) then
    raise exception 'options.drop: a list of column names is expected.' using errcode = '22023';
  end if;
  if options ? 'task' and coalesce(options ->> 'task', '') not in ('binary', 'multiclass', 'regression') then
    raise exception 'options.task: binary, multiclass or regression is expected.' using errcode = '22023';
  end if;
end;
$$;

comment on function private.check_run_options(jsonb) is 'Refuse options that the trainer would not understand.';
revoke all on function private.check_run_options(jsonb) from public;

create function private.check_run_dataset(run public.runs) returns void
language plpgsql stable security definer set search_path = ''
as $$
declare
  dataset public.datasets;
  role text := coalesce(private.role_of(run.created_by), 'house');
begin
  if role = 'viewer' then
    raise exception 'Training needs the role analyst.' using errcode = '42501';
  end if;
  select * into dataset from public.datasets as held where held.id = run.dataset_id;
  if dataset.id is null or (role = 'analyst' and dataset.owner_id is distinct from run.created_by) then
    raise exception 'There is no such dataset.' using errcode = 'PT404';
  end if;
  if dataset.status <> 'ready' then
    raise exception 'The dataset is not ready: %.', coalesce(dataset.reason, 'its upload is not complete')
      using errcode = 'PT409';
  end if;
end;
$$;

comment on function private.check_run_dataset(public.runs) is
  'Refuse a run whose creator may not train or may not use the dataset.';
revoke all on function private.check_run_dataset(public.runs) from public;

create function private.check_run_model(run public.runs) returns void
language plpgsql stable security definer set search_path = ''
as $$
declare
  model public.models;
begin
  select * into model from public.models as held where held.slug = run.model_slug;
  if model.id is null then
    return;
  end if;
  if run.created_by is not null and model.owner_id is distinct from run.created_by
    and private.role_of(run.created_by) is distinct from 'admin' then
    raise exception 'The model name "%" is taken; choose another one.', run.model_slug using errcode = 'PT409';
  end if;
  if model.target <> run.target then
    raise exception 'Model "%" predicts "%"; choose another model name to predict "%".',
      run.model_slug, model.target, run.target using errcode = 'PT409';
  end if;
end;
$$;

comment on function private.check_run_model(public.runs) is
  'Refuse a run whose creator may not add versions to the model, or that predicts something else.';
revoke all on function private.check_run_model(public.runs) from public;

create function private.prepare_run() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  if private.is_system() then
    -- A plain SQL insert names nobody: the run belongs to whoever owns the dataset.
    new.created_by := coalesce(
      new.created_by, (select held.owner_id from public.datasets as held where held.id = new.dataset_id)
    );
  else
    new.created_by := private.acting_user(new.created_by);
  end if;
  perform private.check_run_options(new.options);
  perform private.check_run_dataset(new);
  perform private.check_run_model(new);

  new.status := 'queued';
  new.attempt := 0;
  new.heartbeat_at := null;
  new.reason := null;
  new.progress := 0;
  new.message := 'Waiting for a worker';
  new.last_seq := 1;
  new.model_id := (select held.id from public.models as held where held.slug = new.model_slug);
  new.version_id := null;
  new.created_at := now();
  new.started_at := null;
  new.finished_at := null;
  return new;
end;
$$;

comment on function private.prepare_run() is 'Trigger: every run starts queued, and only if its creator may have it.';
revoke all on function private.prepare_run() from public;

create trigger prepare_run before insert on public.runs
for each row execute function private.prepare_run();

-- States -------------------------------------------------------------------------------------------------

create function private.note_queued() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  insert into public.run_events (run_id, seq, kind, data)
  values (new.id, new.last_seq, 'queued', jsonb_build_object('message', new.message, 'progress', 0));
  return null;
end;
$$;

comment on function private.note_queued() is 'Trigger: the first event of every run.';
revoke all on function private.note_queued() from public;

create trigger note_queued after insert on public.runs
for each row execute function private.note_queued();

create function private.note_status() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  if old.status in ('succeeded', 'failed', 'cancelled') then
    raise exception 'This run has already %.', case old.status when 'cancelled' then 'been cancelled' else old.status end
      using errcode = 'PT409';
  end if;
  new.last_seq := new.last_seq + 1;
  insert into public.run_events (run_id, seq, kind, data) values (
    new.id, new.last_seq, new.status,
    jsonb_strip_nulls(jsonb_build_object(
      'message', new.message, 'progress', new.progress, 'attempt', new.attempt,
      'reason', new.reason, 'version_id', new.version_id
    ))
  );
  return new;
end;
$$;

comment on function private.note_status() is 'Trigger: each change of status is an event, and an ended run stays as it ended.';
revoke all on function private.note_status() from public;

create trigger note_status before update of status on public.runs
for each row when (old.status is distinct from new.status) execute function private.note_status();

create function public.cancel_run(run_id uuid, actor uuid default null) returns public.runs
language plpgsql security definer set search_path = ''
as $$
declare
  canceller uuid := private.acting_user(cancel_run.actor);
  may_cancel_any boolean := (private.is_system() and canceller is null) or private.role_of(canceller) = 'admin';
  run public.runs;
begin
  select * into run from public.runs as held where held.id = cancel_run.run_id for update;
  if run.id is null or not coalesce(may_cancel_any or run.created_by = canceller, false) then
    raise exception 'There is no such run.' using errcode = 'PT404';
  end if;
  if run.status = 'cancelled' then
    return run;
  end if;
  update public.runs as held
  set status = 'cancelled', message = 'Cancelled', finished_at = now()
  where held.id = run.id
  returning * into run;
  return run;
end;
$$;

comment on function public.cancel_run(uuid, uuid) is
  'Cancel a queued or running run; a running one stops within seconds. Creator and admins; actor is for servers.';
revoke all on function public.cancel_run(uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function public.cancel_run(uuid, uuid) to authenticated, service_role;
