-- Actuals out of the table that the rows came from: when the true value arrives there, it is joined to the prediction
-- that was last written back into that row.

alter table private.hook_targets
  add column actual_column text,
  add column observed_column text;

comment on column private.hook_targets.actual_column is 'Where the table holds what turned out to be true; null: actuals are not taken from it.';
comment on column private.hook_targets.observed_column is 'Where it says since when that is known; null: when it was written.';

create table private.predicted_rows (
  hook_id uuid not null references public.hooks (id) on delete cascade,
  key text[] not null,
  prediction_id uuid not null references public.predictions (id) on delete cascade,
  row_index integer not null,
  primary key (hook_id, key)
);

comment on table private.predicted_rows is
  'Which prediction stands in a row of a hook''s table: the newest one. Goes with the logged prediction.';
comment on column private.predicted_rows.key is 'The row''s key columns as text, in the order of the target.';

create index predicted_rows_prediction_id_idx on private.predicted_rows (prediction_id);
revoke all on private.predicted_rows from public, anon, authenticated, service_role;

create function private.key_of(content jsonb, columns text[]) returns text[]
language sql immutable parallel safe set search_path = ''
as $$
  select array_agg(content ->> each.name order by each.place) from unnest(columns) with ordinality as each (name, place);
$$;

comment on function private.key_of(jsonb, text[]) is 'The key of a row, each column as text.';
revoke all on function private.key_of(jsonb, text[]) from public;

-- Joining ------------------------------------------------------------------------------------------------

create function private.join_actuals(
  target private.hook_targets, only_prediction uuid default null, most integer default 10000
) returns integer
language plpgsql security definer set search_path = ''
as $$
declare
  condition text;
  found jsonb;
begin
  if target.actual_column is null then
    return 0;
  end if;
  -- Typed by the column, so that the table's own index on its key is used.
  select string_agg(
    format(
      'source.%I = (known.key)[%s]::%s', held.attname, array_position(target.key_columns, held.attname::text),
      format_type(held.atttypid, held.atttypmod)
    ), ' and '
  ) into condition
  from pg_catalog.pg_attribute as held
  where held.attrelid = target.relation and held.attname = any (target.key_columns) and not held.attisdropped;
  execute format(
    'select jsonb_agg(to_jsonb(joined)) from ('
    '  select known.prediction_id, known.row_index as "row", to_jsonb(source.%1$I) as value, %2$s as observed_at'
    '  from private.predicted_rows as known'
    '  join %3$s as source on %4$s'
    '  left join public.actuals as held on held.prediction_id = known.prediction_id and held.row_index = known.row_index'
    '  where known.hook_id = $1 and ($2 is null or known.prediction_id = $2) and source.%1$I is not null'
    '    and held.prediction_id is null'
    '  order by known.prediction_id desc limit $3'
    ') as joined',
    target.actual_column,
    case when target.observed_column is null then 'null::timestamptz' else format('source.%I', target.observed_column) end,
    target.relation, condition
  ) into found using target.hook_id, only_prediction, most;
  return (public.record_actuals(jsonb_build_object('actuals', coalesce(found, '[]')), null, 'table') ->> 'accepted')::integer;
end;
$$;

comment on function private.join_actuals(private.hook_targets, uuid, integer) is
  'Take actuals of predictions that have none from the rows of a hook''s table; of one prediction, or the newest. Counts the new ones.';
revoke all on function private.join_actuals(private.hook_targets, uuid, integer) from public;

create function private.take_actuals() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
  target private.hook_targets;
  found jsonb;
begin
  select * into target from private.hook_targets as held where held.hook_id = tg_argv[0]::uuid;
  if target.actual_column is null then
    return null;
  end if;
  select jsonb_agg(jsonb_build_object(
    'prediction_id', known.prediction_id, 'row', known.row_index, 'value', fresh.content -> target.actual_column,
    'observed_at', fresh.content ->> target.observed_column
  )) into found
  from (select to_jsonb(updated) as content from updated) as fresh
  join private.predicted_rows as known
    on known.hook_id = target.hook_id and known.key = private.key_of(fresh.content, target.key_columns)
  left join (select to_jsonb(previous) as content from previous) as stale
    on private.key_of(stale.content, target.key_columns) = known.key
  where fresh.content -> target.actual_column <> 'null'
    and fresh.content -> target.actual_column is distinct from stale.content -> target.actual_column;
  if found is not null then
    perform public.record_actuals(jsonb_build_object('actuals', found), null, 'table');
  end if;
  return null;
exception when others then
  -- Watching must never stop the row that is watched. What is missing then is found by the hourly join.
  raise warning 'Rowcast did not take actuals from %: %', tg_relid::regclass, sqlerrm;
  return null;
end;
$$;

comment on function private.take_actuals() is
  'Trigger: true values that a statement has written are joined to the predictions in their rows.';
revoke all on function private.take_actuals() from public;

create function private.join_all_actuals(most integer default 10000) returns integer
language plpgsql security definer set search_path = ''
as $$
declare
  target private.hook_targets;
  total integer := 0;
begin
  for target in select held.* from private.hook_targets as held where held.actual_column is not null loop
    begin
      total := total + private.join_actuals(target, most => join_all_actuals.most);
    exception when others then
      -- A table that was changed or dropped must not keep the others from being joined.
      raise warning 'Rowcast did not take actuals from %: %', target.relation, sqlerrm;
    end;
  end loop;
  return total;
end;
$$;

comment on function private.join_all_actuals(integer) is 'Join what triggers have missed, table by table. Counts the new ones.';
revoke all on function private.join_all_actuals(integer) from public;

-- With the writing back ----------------------------------------------------------------------------------

create function private.remember_rows(hook public.hooks, prediction uuid, writes jsonb) returns void
language plpgsql security definer set search_path = ''
as $$
declare
  target private.hook_targets := private.writable_target(hook);
begin
  if target.actual_column is null or not exists (select from public.predictions as held where held.id = prediction) then
    return;
  end if;
  insert into private.predicted_rows as known (hook_id, key, prediction_id, row_index)
  select distinct on (keyed.key) hook.id, keyed.key, prediction, keyed.row_index
  from (
    select private.key_of(each.content -> 'key', target.key_columns) as key, each.place::integer - 1 as row_index
    from jsonb_array_elements(writes) with ordinality as each (content, place)
  ) as keyed
  order by keyed.key, keyed.row_index desc
  -- Ids grow with time: a message that was late does not take the place of a newer one.
  on conflict on constraint predicted_rows_pkey do update
    set prediction_id = excluded.prediction_id, row_index = excluded.row_index
    where known.prediction_id < excluded.prediction_id;
  perform private.join_actuals(target, prediction);
end;
$$;

comment on function private.remember_rows(public.hooks, uuid, jsonb) is
  'Note which rows a prediction was written into, and take the actuals that are already there.';
revoke all on function private.remember_rows(public.hooks, uuid, jsonb) from public;

create or replace function public.complete_hook_delivery(completion jsonb) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
  done record;
  held public.hook_deliveries;
  hook public.hooks;
  written integer;
begin
  select * into done from jsonb_to_record(private.as_object(completion)) as sent (
    id uuid, attempt integer, version integer, row_count integer, answer text, total_ms real, prediction jsonb,
    writes jsonb
  );
  select * into held from public.hook_deliveries as known
  where known.id = done.id and known.attempt = done.attempt and known.state = 'claimed' for update;
  if held.id is null then
    return jsonb_build_object('state', 'lost');
  end if;
  select * into hook from public.hooks as known where known.id = held.hook_id;
  if hook.mode = 'write_back' then
    written := private.write_back(hook, done.writes);
    done.answer := left(done.answer, -1) || ',"written":' || written || '}';
  end if;
  perform public.log_predictions(jsonb_build_object('predictions', jsonb_build_array(done.prediction)));
  if hook.mode = 'write_back' then
    perform private.remember_rows(hook, held.prediction_id, done.writes);
  end if;
  if hook.mode = 'event' then
    perform private.emit_event(
      'hook.answered', null, hook.owner_id,
      jsonb_build_object(
        'hook_id', hook.id, 'hook', hook.name, 'delivery_id', held.delivery_id, 'event', held.event,
        'model', done.prediction -> 'model', 'version', done.version, 'prediction_id', held.prediction_id,
        -- A message stays below some 20 kB; whoever needs more asks for the prediction by its id.
        'predictions', case when length(done.answer) <= 15000 then done.prediction -> 'outputs' end
      )
    );
  end if;
  update public.hook_deliveries as known
  set state = 'answered', answer = done.answer, answered_at = clock_timestamp(), version = done.version,
      row_count = done.row_count, written_count = written, total_ms = done.total_ms
  where known.id = held.id;
  -- Old deliveries go with new ones, so that this needs no clock of its own.
  if random() < 0.02 then
    perform private.expire_hook_deliveries(500);
  end if;
  return jsonb_build_object('state', 'answered', 'answer', done.answer);
end;
$$;
