-- {{title}}
--
-- Each insert queues a message in the same transaction; it is signed, sent, and sent again until it was answered. What this
-- needs is made in the schema rowcast, which no data API serves. Applying the file again changes nothing.
-- It holds no secret and no address: both differ per environment and are told once by rowcast.connect (see the end).

do $$
begin
  -- Where they can be had they do the sending; elsewhere a Rowcast worker with DATABASE_URL does it.
  if exists (select from pg_available_extensions where name = 'pg_net') then
    create extension if not exists pg_net;
  end if;
  if exists (select from pg_available_extensions where name = 'pg_cron') then
    create extension if not exists pg_cron;
  end if;
end;
$$;

create schema if not exists rowcast;
revoke all on schema rowcast from public;

create table if not exists rowcast.connections (
  hook_id uuid primary key,
  url text not null,
  secret text,
  updated_at timestamptz not null default now()
);
comment on table rowcast.connections is 'Where the messages of a hook go. The secret is null where Vault keeps it.';

create table if not exists rowcast.attachments (
  hook_id uuid primary key,
  relation regclass not null,
  columns text[] not null,
  key_columns text[] not null,
  prefix text not null default ''
);
comment on table rowcast.attachments is 'Which columns of which table are sent to which hook, and no others.';

create table if not exists rowcast.outbox (
  id uuid primary key default gen_random_uuid(),
  hook_id uuid not null,
  payload jsonb not null,
  state text not null default 'waiting' check (state in ('waiting', 'sent', 'delivered', 'split', 'refused', 'dead')),
  attempts integer not null default 0,
  due_at timestamptz not null default clock_timestamp(),
  request_id bigint,
  status integer,
  reason text,
  created_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz
);
comment on table rowcast.outbox is
  'Messages to hooks: waiting, sent (due_at says when again, unless an answer comes), then delivered, split into rows, '
  'refused by the receiver, or dead after 20 attempts.';
create index if not exists outbox_due_idx on rowcast.outbox (due_at) where state in ('waiting', 'sent');
create index if not exists outbox_ended_at_idx on rowcast.outbox (ended_at) where ended_at is not null;

revoke all on all tables in schema rowcast from public;
alter table rowcast.connections enable row level security;
alter table rowcast.attachments enable row level security;
alter table rowcast.outbox enable row level security;

-- Signing (Standard Webhooks) -----------------------------------------------------------------------------

create or replace function rowcast.hmac_sha256(key bytea, message bytea) returns bytea
language plpgsql immutable set search_path = ''
as $$
declare
  block bytea := case when length(key) > 64 then sha256(key) else key end;
  inner_block bytea;
  outer_block bytea;
begin
  -- RFC 2104 over the built-in hash: the same everywhere, whether or not and in whichever schema pgcrypto is.
  block := block || decode(repeat('00', 64 - length(block)), 'hex');
  inner_block := block;
  outer_block := block;
  for place in 0..63 loop
    inner_block := set_byte(inner_block, place, get_byte(block, place) # 54);
    outer_block := set_byte(outer_block, place, get_byte(block, place) # 92);
  end loop;
  return sha256(outer_block || sha256(inner_block || message));
end;
$$;
comment on function rowcast.hmac_sha256(bytea, bytea) is 'HMAC-SHA256.';

create or replace function rowcast.has_vault() returns boolean
language sql stable set search_path = ''
as $$
  select to_regclass('vault.decrypted_secrets') is not null;
$$;
comment on function rowcast.has_vault() is 'Whether secrets are kept in Supabase Vault.';

create or replace function rowcast.has_net() returns boolean
language sql stable set search_path = ''
as $$
  select to_regprocedure('net.http_post(text, jsonb, jsonb, jsonb, integer)') is not null
    and to_regclass('net._http_response') is not null;
$$;
comment on function rowcast.has_net() is 'Whether the database itself can send (pg_net).';

create or replace function rowcast.secret_of(hook uuid) returns text
language plpgsql stable security definer set search_path = ''
as $$
declare
  secret text;
begin
  if rowcast.has_vault() then
    execute 'select decrypted_secret from vault.decrypted_secrets where name = $1' into secret using 'rowcast_hook_' || hook;
  end if;
  return coalesce(secret, (select held.secret from rowcast.connections as held where held.hook_id = hook));
end;
$$;
comment on function rowcast.secret_of(uuid) is 'What the messages to a hook are signed with.';

create or replace function rowcast.connect(hook uuid, url text, secret text) returns void
language plpgsql security definer set search_path = ''
as $$
declare
  known uuid;
begin
  if secret !~ '^whsec_[A-Za-z0-9+/]+=*$' then
    raise exception 'A secret starts with whsec_.' using errcode = '22023';
  end if;
  insert into rowcast.connections as held (hook_id, url, secret)
  values (connect.hook, connect.url, case when not rowcast.has_vault() then connect.secret end)
  on conflict (hook_id) do update set url = excluded.url, secret = excluded.secret, updated_at = now();
  if rowcast.has_vault() then
    execute 'select id from vault.decrypted_secrets where name = $1' into known using 'rowcast_hook_' || hook;
    if known is null then
      execute 'select vault.create_secret($1, $2)' using connect.secret, 'rowcast_hook_' || hook;
    else
      execute 'select vault.update_secret($1, $2)' using known, connect.secret;
    end if;
  end if;
end;
$$;
comment on function rowcast.connect(uuid, text, text) is 'Tell the database where a hook is and how its messages are signed.';

create or replace function rowcast.signed_headers(message uuid, body text, secret text) returns jsonb
language sql volatile set search_path = ''
as $$
  select jsonb_build_object(
    'content-type', 'application/json',
    'webhook-id', 'msg_' || message,
    'webhook-timestamp', moment.seconds,
    'webhook-signature', 'v1,' || encode(
      rowcast.hmac_sha256(
        decode(substr(secret, 7), 'base64'),
        convert_to('msg_' || message || '.' || moment.seconds || '.' || body, 'UTF8')
      ), 'base64')
  )
  from (select floor(extract(epoch from clock_timestamp()))::bigint::text as seconds) as moment;
$$;
comment on function rowcast.signed_headers(uuid, text, text) is
  'Headers of one attempt: each is signed with its own time under the message''s own id.';

-- Sending -------------------------------------------------------------------------------------------------

create or replace function rowcast.pause_after(attempts integer) returns interval
language sql volatile set search_path = ''
as $$
  select make_interval(secs => least(15 * power(2, greatest(attempts, 1) - 1), 3600) * (0.8 + 0.4 * random()));
$$;
comment on function rowcast.pause_after(integer) is 'When to send again what had no good answer: 15 s, doubling up to an hour.';

create or replace function rowcast.take_messages(most integer, only_these uuid[] default null)
returns table (id uuid, attempt integer, url text, headers jsonb, body text)
language plpgsql security definer set search_path = ''
as $$
#variable_conflict use_column
begin
  return query
    with known as materialized (
      select held.hook_id, held.url, rowcast.secret_of(held.hook_id) as secret from rowcast.connections as held
    ), due as (
      select message.id from rowcast.outbox as message
      where message.state in ('waiting', 'sent') and message.due_at <= clock_timestamp()
        and (only_these is null or message.id = any (only_these))
        and message.hook_id in (select known.hook_id from known where known.secret is not null)
      order by message.due_at limit most for update skip locked
    ), taken as (
      update rowcast.outbox as message
      set state = 'sent', attempts = message.attempts + 1,
          due_at = clock_timestamp() + rowcast.pause_after(message.attempts + 1)
      from due where message.id = due.id
      returning message.id, message.attempts, message.hook_id, message.payload::text as body
    )
    select taken.id, taken.attempts, known.url, rowcast.signed_headers(taken.id, taken.body, known.secret), taken.body
    from taken join known on known.hook_id = taken.hook_id;
end;
$$;
comment on function rowcast.take_messages(integer, uuid[]) is
  'Messages that are due, signed for this attempt. Whoever takes them sends them and says with settle what came back.';

create or replace function rowcast.settle(message uuid, attempt integer, answered integer, told text default null) returns void
language plpgsql security definer set search_path = ''
as $$
declare
  sent rowcast.outbox;
  ending text;
begin
  select * into sent from rowcast.outbox as held
  where held.id = settle.message and held.attempts = settle.attempt and held.state = 'sent' for update;
  if sent.id is null then
    return;
  end if;
  ending := case
    when answered between 200 and 299 then 'delivered'
    -- The receiver read it and cannot use it: the same bytes will not do better. Of many rows one may be at fault.
    when answered in (413, 422) and jsonb_array_length(sent.payload #> '{data,records}') > 1 then 'split'
    when answered in (400, 410, 413, 415, 422) then 'refused'
    when sent.attempts >= 20 then 'dead'
  end;
  update rowcast.outbox as held
  set state = coalesce(ending, 'sent'), status = answered, reason = left(told, 500), request_id = null,
      ended_at = case when ending is not null then clock_timestamp() end,
      due_at = case when answered = 409 then least(held.due_at, clock_timestamp() + interval '5 s') else held.due_at end
  where held.id = sent.id;
  if ending = 'split' then
    insert into rowcast.outbox (hook_id, payload)
    select sent.hook_id, jsonb_set(sent.payload, '{data,records}', jsonb_build_array(record))
    from jsonb_array_elements(sent.payload #> '{data,records}') as record;
  end if;
end;
$$;
comment on function rowcast.settle(uuid, integer, integer, text) is 'Say how an attempt ended: HTTP status, or null for no answer.';

create or replace function rowcast.send_due(most integer default 200, only_these uuid[] default null) returns integer
language plpgsql security definer set search_path = ''
as $$
declare
  taken record;
  request bigint;
  sent integer := 0;
begin
  for taken in select * from rowcast.take_messages(most, only_these) loop
    execute 'select net.http_post(url := $1, body := $2, params := $3, headers := $4, timeout_milliseconds := $5)'
      into request using taken.url, taken.body::jsonb, '{}'::jsonb, taken.headers, 10000;
    update rowcast.outbox as message set request_id = request where message.id = taken.id;
    sent := sent + 1;
  end loop;
  return sent;
end;
$$;
comment on function rowcast.send_due(integer, uuid[]) is 'Hand what is due to pg_net, which sends it after the transaction.';

create or replace function rowcast.sweep() returns integer
language plpgsql security definer set search_path = ''
as $$
declare
  sent integer := 0;
  answer record;
begin
  if rowcast.has_net() then
    for answer in execute
      'select message.id, message.attempts, response.status_code, coalesce(response.error_msg, response.content) as told '
      'from rowcast.outbox as message join net._http_response as response on response.id = message.request_id '
      'where message.state = ''sent'''
    loop
      perform rowcast.settle(
        answer.id, answer.attempts, answer.status_code, case when answer.status_code between 200 and 299 then null else answer.told end
      );
    end loop;
    sent := rowcast.send_due();
  else
    perform pg_notify('rowcast_outbox', '');
  end if;
  delete from rowcast.outbox as old where old.id in (
    select due.id from rowcast.outbox as due
    where due.state in ('delivered', 'split') and due.ended_at < now() - interval '7 days' limit 10000
  );
  return sent;
end;
$$;
comment on function rowcast.sweep() is
  'Read what came back, send again what was lost, forget what was delivered a week ago. Runs every half minute.';

-- Queueing ------------------------------------------------------------------------------------------------

create or replace function rowcast.pick(source jsonb, columns text[]) returns jsonb
language sql immutable set search_path = ''
as $$
  select coalesce(jsonb_object_agg(each.key, each.value), '{}') from jsonb_each(source) as each where each.key = any (columns);
$$;
comment on function rowcast.pick(jsonb, text[]) is 'Some columns of a row.';

create or replace function rowcast.queue(hook uuid, event text, records jsonb[]) returns void
language plpgsql security definer set search_path = ''
as $$
declare
  queued uuid[];
begin
  if cardinality(records) = 0 then
    return;
  end if;
  with made as (
    insert into rowcast.outbox (hook_id, payload)
    select queue.hook, jsonb_build_object(
      'type', event, 'timestamp', to_char(now() at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
      'data', jsonb_build_object('table', held.relation::text, 'records', to_jsonb(records[first : first + 99]))
    )
    from rowcast.attachments as held, generate_series(1, cardinality(records), 100) as first
    where held.hook_id = queue.hook
    returning id
  )
  select array_agg(made.id) into queued from made;
  begin
    if rowcast.has_net() then
      perform rowcast.send_due(cardinality(queued), queued);
    else
      perform pg_notify('rowcast_outbox', '');
    end if;
  exception when others then
    -- It is queued: the sweep sends it.
    raise warning 'Rowcast could not send at once: %', sqlerrm;
  end;
end;
$$;
comment on function rowcast.queue(uuid, text, jsonb[]) is 'Queue rows for a hook, at most a hundred per message, and wake who sends.';

create or replace function rowcast.queue_changes() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
  held rowcast.attachments;
  marker text;
  wanted text[];
begin
  select * into held from rowcast.attachments as known where known.hook_id = tg_argv[0]::uuid;
  marker := held.prefix || 'predicted_at';
  wanted := held.columns || held.key_columns;
  if tg_op = 'INSERT' then
    perform rowcast.queue(held.hook_id, 'rows.inserted', array(
      select rowcast.pick(to_jsonb(fresh), wanted) from inserted as fresh
    ));
  else
    -- Not what a prediction itself has changed, whatever else changed with it; not what the model does not read.
    perform rowcast.queue(held.hook_id, 'rows.updated', array(
      select rowcast.pick(after.content, wanted)
      from (select to_jsonb(fresh) as content from updated as fresh) as after
      left join (select to_jsonb(stale) as content from previous as stale) as before
        on rowcast.pick(before.content, held.key_columns) = rowcast.pick(after.content, held.key_columns)
      where not (
          after.content ->> marker is not null and after.content ->> marker is distinct from before.content ->> marker
        ) and (
          rowcast.pick(before.content, held.columns) is distinct from rowcast.pick(after.content, held.columns)
          or (after.content ->> marker is null and before.content ->> marker is not null)
        )
    ));
  end if;
  return null;
exception when others then
  -- A prediction must never stop the row that it is for. What is missing then is found by rowcast.queue_missing.
  raise warning 'Rowcast did not queue the rows of %: %', tg_relid::regclass, sqlerrm;
  return null;
end;
$$;
comment on function rowcast.queue_changes() is
  'Trigger: rows that are new, or changed in what the model reads, are queued in the transaction of the statement.';

create or replace function rowcast.queue_missing(hook uuid, most integer default 10000) returns integer
language plpgsql security definer set search_path = ''
as $$
declare
  held rowcast.attachments;
  records jsonb[];
begin
  select * into held from rowcast.attachments as known where known.hook_id = queue_missing.hook;
  execute format(
    'select array(select rowcast.pick(to_jsonb(source), $1) from %s as source where source.%I is null limit $2)',
    held.relation, held.prefix || 'predicted_at'
  ) into records using held.columns || held.key_columns, most;
  perform rowcast.queue(held.hook_id, 'rows.missing', records);
  return cardinality(records);
end;
$$;
comment on function rowcast.queue_missing(uuid, integer) is
  'Queue rows that have no prediction, such as those that were there before. For when nothing is on its way.';

revoke all on all functions in schema rowcast from public;

do $$
begin
  if to_regprocedure('cron.schedule(text, text, text)') is not null then
    execute 'select cron.schedule($1, $2, $3)' using 'rowcast-sweep', '30 seconds', 'select rowcast.sweep()';
  end if;
end;
$$;

-- The table -----------------------------------------------------------------------------------------------

do $$
declare
  expected record;
begin
  for expected in
    select * from (values
      ({{prefix_literal}} || 'score', 'double precision'), ({{prefix_literal}} || 'label', 'text'),
      ({{prefix_literal}} || 'version', 'integer'), ({{prefix_literal}} || 'predicted_at', 'timestamp with time zone')
    ) as known (name, type)
  loop
    if exists (
      select from pg_attribute as held
      where held.attrelid = {{table_literal}}::regclass and held.attname = expected.name and not held.attisdropped
        and format_type(held.atttypid, null) <> expected.type
    ) then
      raise exception 'The table has a column "%" of its own that is no %; give the hook a prefix.', expected.name, expected.type;
    end if;
  end loop;
  for expected in select unnest({{wanted}}) as name loop
    if not exists (
      select from pg_attribute as held
      where held.attrelid = {{table_literal}}::regclass and held.attname = expected.name and held.attnum > 0
        and not held.attisdropped
    ) then
      raise exception 'The table % has no column "%", which {{needed_by}}.', {{table_literal}}, expected.name;
    end if;
  end loop;
end;
$$;

alter table {{table}} add column if not exists {{score}} double precision;
alter table {{table}} add column if not exists {{label}} text;
alter table {{table}} add column if not exists {{version}} integer;
alter table {{table}} add column if not exists {{predicted_at}} timestamptz;
create index if not exists {{index}} on {{table}} ({{keys}}) where {{predicted_at}} is null;

insert into rowcast.attachments (hook_id, relation, columns, key_columns, prefix)
values ({{hook}}, {{table_literal}}::regclass, {{columns}}, {{key_array}}, {{prefix_literal}})
on conflict (hook_id) do update
set relation = excluded.relation, columns = excluded.columns, key_columns = excluded.key_columns, prefix = excluded.prefix;

drop trigger if exists {{insert_trigger}} on {{table}};
create trigger {{insert_trigger}} after insert on {{table}}
referencing new table as inserted
for each statement execute function rowcast.queue_changes({{hook}});

drop trigger if exists {{update_trigger}} on {{table}};
{{on_update}}
do $$
begin
  -- In Rowcast's own database this is what allows the hook to write to this table, and to no other; and what takes from it
  -- what turned out to be true.
  if to_regclass('private.hook_targets') is not null then
    execute 'insert into private.hook_targets (hook_id, relation, key_columns, prefix, actual_column, observed_column) '
      'values ($1, $2, $3, $4, $5, $6) '
      'on conflict (hook_id) do update set relation = excluded.relation, key_columns = excluded.key_columns, '
      'prefix = excluded.prefix, actual_column = excluded.actual_column, observed_column = excluded.observed_column'
      using {{hook}}::uuid, {{table_literal}}::regclass, {{key_array}}, {{prefix_literal}}, {{actual}}, {{observed}};
    drop trigger if exists {{actual_trigger}} on {{table}};
    {{on_actual}}
  end if;
end;
$$;

-- Once per environment, by hand and not in a file:
--   {{connect}}
