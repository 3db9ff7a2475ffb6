-- Everything that may be asked of a training run, checked at every door; runs that several workers search for, and
-- runs that certify a model which somebody brings.

alter table public.runs
  add column kind text not null default 'train'
    constraint "run kind is train or import" check (kind in ('train', 'import'));

comment on column public.runs.kind is 'train: from a table. import: the certificate of a model file that somebody brings.';
grant insert (kind) on public.runs to authenticated, service_role;

create function private.check_option(options jsonb, name text, is_good boolean, expected text) returns void
language plpgsql immutable set search_path = ''
as $$
begin
  if options ? name and not coalesce(is_good, false) then
    raise exception 'options.%: % is expected.', name, expected using errcode = '22023';
  end if;
end;
$$;

comment on function private.check_option(jsonb, text, boolean, text) is 'Refuse one option that is there and not good.';
revoke all on function private.check_option(jsonb, text, boolean, text) from public;

create or replace function private.check_run_options(options jsonb) returns void
language plpgsql immutable set search_path = ''
as $$
declare
  known constant text[] := array[
    'class_weights', 'drop', 'holdout', 'metric', 'seed', 'task', 'time_budget_seconds', 'types', 'workers'
  ];
  holdout jsonb := options -> 'holdout';
  weights jsonb := options -> 'class_weights';
begin
  if jsonb_typeof(options) <> 'object' then
    raise exception 'options: an object is expected.' using errcode = '22023';
  end if;
  if options - known <> '{}' then
    raise exception 'options: % not known; known are %.',
      (select string_agg('"' || key || '"', ', ') from jsonb_object_keys(options - known) as key),
      array_to_string(known, ', ') using errcode = '22023';
  end if;
  perform private.check_option(options, 'time_budget_seconds', case
    when jsonb_typeof(options -> 'time_budget_seconds') = 'number'
    then (options ->> 'time_budget_seconds')::numeric between 1 and 3600 end, 'a number from 1 to 3600');
  perform private.check_option(options, 'seed',
    jsonb_typeof(options -> 'seed') = 'number' and (options ->> 'seed') ~ '^[0-9]{1,9}$',
    'a whole number from 0 to 999999999');
  perform private.check_option(options, 'workers',
    jsonb_typeof(options -> 'workers') = 'number' and (options ->> 'workers') ~ '^[1-8]$', 'a whole number from 1 to 8');
  perform private.check_option(options, 'task', (options ->> 'task') in ('binary', 'multiclass', 'regression'),
    'binary, multiclass or regression');
  perform private.check_option(options, 'metric', (options ->> 'metric') in (
    'log_loss', 'accuracy', 'balanced_accuracy', 'f1', 'roc_auc', 'r2', 'rmse', 'mae'
  ), 'log_loss, accuracy, balanced_accuracy, f1, roc_auc, r2, rmse or mae');
  perform private.check_option(options, 'class_weights', case jsonb_typeof(weights)
    when 'string' then weights #>> '{}' = 'balanced'
    when 'object' then weights <> '{}' and not jsonb_path_exists(
      weights, 'strict $.* ? (@.type() <> "number" || @ <= 0 || @ > 1000000)'
    ) end, '"balanced", or an object of classes and positive weights,');
  perform private.check_option(options, 'holdout',
    jsonb_typeof(holdout) = 'object' and holdout - array['by', 'column', 'share'] = '{}'
    and (holdout ->> 'by') in ('time', 'group') and jsonb_typeof(holdout -> 'column') = 'string'
    and (not holdout ? 'share' or case when jsonb_typeof(holdout -> 'share') = 'number'
      then (holdout ->> 'share')::numeric between 0.05 and 0.5 end),
    '{"by": "time" or "group", "column": a name, "share": 0.05 to 0.5}');
  if options ? 'drop' then
    perform private.check_names('options.drop', options -> 'drop');
  end if;
  if options ? 'types' then
    perform private.check_types('options.types', options -> 'types');
  end if;
end;
$$;

create function private.check_import_options(options jsonb) returns void
language plpgsql immutable set search_path = ''
as $$
begin
  if jsonb_typeof(options -> 'schema') is distinct from 'object' or options - 'schema' <> '{}'
    or length(options::text) > 500000 then
    raise exception 'options.schema: an object that describes features and answers is expected.' using errcode = '22023';
  end if;
end;
$$;

comment on function private.check_import_options(jsonb) is 'Refuse the import of a model that nothing describes.';
revoke all on function private.check_import_options(jsonb) from public;

create or replace function private.check_run_dataset(run public.runs) returns void
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
  if (run.kind = 'import') <> (dataset.kind = 'model') then
    raise exception 'dataset_id: that is a %.',
      case dataset.kind when 'model' then 'model file, not a table' else 'table, not a model file' end
      using errcode = '22023';
  end if;
  if run.kind = 'train' then
    perform private.check_columns('target', jsonb_build_array(run.target), dataset.profile);
    perform private.check_columns('options.drop', coalesce(run.options -> 'drop', '[]'), dataset.profile);
    perform private.check_columns(
      'options.types',
      (select coalesce(jsonb_agg(key), '[]') from jsonb_object_keys(coalesce(run.options -> 'types', '{}')) as key),
      dataset.profile
    );
    if run.options ? 'holdout' then
      perform private.check_columns(
        'options.holdout.column', jsonb_build_array(run.options #> '{holdout,column}'), dataset.profile
      );
    end if;
  end if;
end;
$$;

create or replace function private.prepare_run() returns trigger
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
  new.options := private.as_object(new.options);
  if new.kind = 'import' then
    perform private.check_import_options(new.options);
  else
    perform private.check_run_options(new.options);
  end if;
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

create or replace function private.queue_run() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  perform private.defer_training(new.id);
  -- Whoever has nothing else to do helps; a run of its own comes first.
  perform private.defer_job(
    'training', 'assist', 'run:' || new.id || ':' || helper, jsonb_build_object('run_id', new.id, 'helper', helper),
    priority => -1
  )
  from generate_series(1, coalesce((new.options ->> 'workers')::integer, 1) - 1) as helper;
  perform private.wake_worker(new.id);
  return null;
end;
$$;
