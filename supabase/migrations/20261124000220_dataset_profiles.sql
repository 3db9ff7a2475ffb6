-- What a dataset holds: found by a job as soon as the bytes are there, corrected by who knows better.

alter table public.datasets
  add column kind text not null default 'table'
    constraint "dataset kind is table or model" check (kind in ('table', 'model')),
  add column profile_status text not null default 'none'
    constraint "profile status is none, queued, ready or failed"
    check (profile_status in ('none', 'queued', 'ready', 'failed')),
  add column profile_reason text,
  add column corrections jsonb not null default '{"types": {}, "drop": []}';

comment on column public.datasets.kind is 'A table to train on, or a model file that somebody brings.';
comment on column public.datasets.profile is 'What the columns hold, with the corrections; the file stays as it was uploaded.';
comment on column public.datasets.corrections is
  'What the analyst knows better: {"types": {column: type}, "drop": [column]}. Runs go by it.';

grant insert (kind) on public.datasets to authenticated;
grant update (corrections) on public.datasets to authenticated;

-- What may be said about columns -------------------------------------------------------------------------

create function private.is_column_type(type text) returns boolean
language sql immutable set search_path = ''
as $$
  select type in (
    'number', 'number:decimal_comma', 'number:thousands_comma', 'integer', 'boolean', 'category', 'date',
    'date:day_first', 'date:month_first', 'text', 'id'
  );
$$;

comment on function private.is_column_type(text) is 'Whether a column may be said to be of this type.';
revoke all on function private.is_column_type(text) from public;

create function private.check_columns(place text, names jsonb, profile jsonb) returns void
language plpgsql immutable set search_path = ''
as $$
declare
  unknown text;
begin
  if profile -> 'columns' is null then
    return;
  end if;
  select named into unknown from jsonb_array_elements_text(names) as named
  where not exists (
    select from jsonb_array_elements(profile -> 'columns') as held where held ->> 'name' = named
  ) limit 1;
  if unknown is not null then
    raise exception '%: the dataset has no column "%".', place, unknown using errcode = '22023';
  end if;
end;
$$;

comment on function private.check_columns(text, jsonb, jsonb) is
  'Refuse names that are no columns of a profiled dataset; before the profile is there, training refuses them.';
revoke all on function private.check_columns(text, jsonb, jsonb) from public;

create function private.check_types(place text, types jsonb) returns void
language plpgsql immutable set search_path = ''
as $$
declare
  wrong record;
begin
  if jsonb_typeof(types) <> 'object' then
    raise exception '%: an object of column names and types is expected.', place using errcode = '22023';
  end if;
  select * into wrong from jsonb_each(types) as said
  where jsonb_typeof(said.value) <> 'string' or not private.is_column_type(said.value #>> '{}') limit 1;
  if found then
    raise exception '%: % is no type for column "%".', place, wrong.value, wrong.key using errcode = '22023';
  end if;
end;
$$;

comment on function private.check_types(text, jsonb) is 'Refuse types that no column can have.';
revoke all on function private.check_types(text, jsonb) from public;

create function private.check_names(place text, names jsonb) returns void
language plpgsql immutable set search_path = ''
as $$
begin
  if jsonb_typeof(names) <> 'array' or jsonb_path_exists(names, 'strict $[*] ? (@.type() <> "string")') then
    raise exception '%: a list of column names is expected.', place using errcode = '22023';
  end if;
end;
$$;

comment on function private.check_names(text, jsonb) is 'Refuse what is not a list of texts.';
revoke all on function private.check_names(text, jsonb) from public;

create function private.prepare_profile() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  if jsonb_typeof(new.corrections) <> 'object' or (new.corrections - array['types', 'drop']) <> '{}'
    or not new.corrections ?& array['types', 'drop'] then
    raise exception 'corrections: an object with types and drop is expected.' using errcode = '22023';
  end if;
  perform private.check_types('types', new.corrections -> 'types');
  perform private.check_names('drop', new.corrections -> 'drop');
  if tg_op = 'UPDATE' and new.corrections is distinct from old.corrections then
    perform private.check_columns(
      'types', (select coalesce(jsonb_agg(key), '[]') from jsonb_object_keys(new.corrections -> 'types') as key), old.profile
    );
    perform private.check_columns('drop', new.corrections -> 'drop', old.profile);
  end if;
  if new.kind = 'table' and new.status = 'ready' and (
    tg_op = 'INSERT' or old.status <> 'ready' or new.corrections is distinct from old.corrections
  ) then
    new.profile_status := 'queued';
    new.profile_reason := null;
  end if;
  return new;
end;
$$;

comment on function private.prepare_profile() is
  'Trigger: a table that is ready, or was corrected, waits for its profile; corrections name columns and types that exist.';
revoke all on function private.prepare_profile() from public;

create trigger prepare_profile before insert or update of status, corrections on public.datasets
for each row execute function private.prepare_profile();

create function private.queue_profile() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  perform private.defer_job(
    'chores', 'profile_dataset', 'dataset:' || new.id, jsonb_build_object('dataset_id', new.id)
  );
  perform private.wake_worker(new.id);
  return null;
end;
$$;

comment on function private.queue_profile() is 'Trigger: the job of a profile, in the transaction that asks for it.';
revoke all on function private.queue_profile() from public;

create trigger queue_profile after insert or update of status, corrections on public.datasets
for each row when (new.profile_status = 'queued') execute function private.queue_profile();

create function private.requeue_lost_profiles() returns setof uuid
language plpgsql security definer set search_path = ''
as $$
declare
  lost uuid;
begin
  for lost in
    select dataset.id from public.datasets as dataset
    where dataset.profile_status = 'queued' and not private.has_job('profile_dataset', 'dataset:' || dataset.id)
    for update of dataset skip locked
  loop
    perform private.defer_job('chores', 'profile_dataset', 'dataset:' || lost, jsonb_build_object('dataset_id', lost));
    return next lost;
  end loop;
end;
$$;

comment on function private.requeue_lost_profiles() is 'Queue again every awaited profile that no job stands for.';
revoke all on function private.requeue_lost_profiles() from public;

create index datasets_awaited_profile_idx on public.datasets (profile_status) where profile_status = 'queued';

-- Deleting what nothing needs ----------------------------------------------------------------------------

create function private.refuse_needed_dataset() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  if exists (
    select from public.runs as run where run.dataset_id = old.id and run.status in ('queued', 'running')
  ) or exists (
    select from public.batches as batch where batch.dataset_id = old.id and batch.status in ('queued', 'running')
  ) or exists (
    select from public.replays as replay where replay.dataset_id = old.id and replay.status in ('queued', 'running')
  ) then
    raise exception 'A run, batch or replay is using this dataset; wait for it, or cancel it.' using errcode = 'PT409';
  end if;
  return old;
end;
$$;

comment on function private.refuse_needed_dataset() is
  'Trigger: a dataset that is being used stays. With its owner''s account it goes all the same.';
revoke all on function private.refuse_needed_dataset() from public;

create trigger refuse_needed_dataset before delete on public.datasets
for each row when (pg_trigger_depth() = 0) execute function private.refuse_needed_dataset();

-- What is left lying about -------------------------------------------------------------------------------

create function private.forget_uploads() returns setof text
language sql security definer set search_path = ''
as $$
  -- Signed addresses are good for two hours.
  delete from public.datasets as dataset
  where dataset.status = 'pending' and dataset.created_at < now() - interval '1 day'
  returning dataset.object_path;
$$;

comment on function private.forget_uploads() is 'Delete datasets that were announced a day ago and never completed.';
revoke all on function private.forget_uploads() from public;

create function private.stray_objects() returns table (bucket text, name text)
language sql stable security definer set search_path = ''
as $$
  select object.bucket_id, object.name from storage.objects as object
  where object.created_at < now() - interval '1 day' and case object.bucket_id
    when 'datasets' then not exists (select from public.datasets as held where held.object_path = object.name)
    when 'models' then not private.is_artefact_used(split_part(object.name, '/', 1))
    when 'results' then not exists (
      select from public.batches as batch where batch.id::text = split_part(object.name, '/', 2)
    )
    else false
  end
  limit 1000;
$$;

comment on function private.stray_objects() is 'Objects in Storage, older than a day, that no row knows of.';
revoke all on function private.stray_objects() from public;

-- Rows of a table or view --------------------------------------------------------------------------------

create function public.read_table(
  table_name text, row_limit integer, column_names text[] default null, newest_by text default null
) returns jsonb
-- As the caller, never as the owner of this function: grants and row security decide what is read.
language plpgsql stable security invoker set search_path = ''
as $$
declare
  relation regclass;
  kind "char";
  space text;
  found_rows jsonb;
begin
  if coalesce(public.current_user_role(), 'anonymous') in ('anonymous', 'service') then
    raise exception 'Sign in: a table is read with the rights of a person.' using errcode = '42501';
  end if;
  if row_limit is null or row_limit not between 1 and 50000 then
    raise exception 'rows: a number from 1 to 50000 is expected.' using errcode = '22023';
  end if;
  if table_name !~ '^[^.]+\.[^.]+$' then
    raise exception 'table: write schema.name.' using errcode = '22023';
  end if;
  begin
    relation := to_regclass(quote_ident(split_part(table_name, '.', 1)) || '.' || quote_ident(split_part(table_name, '.', 2)));
  exception when insufficient_privilege then
    relation := null;
  end;
  select held.relkind, named.nspname into kind, space
  from pg_catalog.pg_class as held join pg_catalog.pg_namespace as named on named.oid = held.relnamespace
  where held.oid = relation;
  if relation is null or kind not in ('r', 'p', 'v', 'm') or space in ('pg_catalog', 'information_schema')
    or not has_schema_privilege(space, 'usage') or not has_any_column_privilege(relation, 'select') then
    raise exception 'There is no table or view "%" that you may read.', table_name using errcode = 'PT404';
  end if;
  begin
    execute format(
      'select coalesce(jsonb_agg(to_jsonb(held)), ''[]'') from (select %s from %s as source %s limit %s) as held',
      coalesce((select string_agg(format('source.%I', named), ', ') from unnest(column_names) as named), 'source.*'),
      relation,
      case when newest_by is not null then format('order by source.%I desc nulls last', newest_by) else '' end,
      row_limit + 1
    ) into found_rows;
  exception when undefined_column then
    raise exception 'columns: "%" has no such column: %.', table_name, sqlerrm using errcode = '22023';
  end;
  return found_rows;
end;
$$;

comment on function public.read_table(text, integer, text[], text) is
  'Rows of a table or view, in one look, as the caller may see them; one more than asked for where there are more.';
revoke all on function public.read_table(text, integer, text[], text) from public, anon, authenticated, service_role;
grant execute on function public.read_table(text, integer, text[], text) to authenticated, service_role;
