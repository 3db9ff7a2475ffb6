-- What happened, and who is to be told: an event is written in the transaction of its cause, and so are its deliveries.

create table public.events (
  id uuid primary key default private.uuid_v7(),
  type text not null
    constraint "event type is two lower-case words with a dot between" check (type ~ '^[a-z]{1,40}\.[a-z]{1,40}$'),
  model_id uuid references public.models (id),
  owner_id uuid,
  data jsonb not null constraint "event data is an object" check (jsonb_typeof(data) = 'object'),
  created_at timestamptz not null default clock_timestamp()
);

comment on table public.events is 'What happened. Its id is the webhook-id of every message about it.';
comment on column public.events.owner_id is
  'Owner of what it happened to; null: the house. No foreign key: history outlives accounts.';

create index events_owner_id_idx on public.events (owner_id, id desc);
create index events_model_id_idx on public.events (model_id);
create index events_created_at_idx on public.events (created_at);

revoke all on public.events from public, anon, authenticated, service_role;
grant select on public.events to authenticated, service_role;

alter table public.events enable row level security;

create table public.deliveries (
  id uuid primary key default private.uuid_v7(),
  event_id uuid not null references public.events (id) on delete cascade,
  subscription_id uuid not null references public.subscriptions (id) on delete cascade,
  state text not null default 'pending'
    constraint "delivery state is pending, delivered, failed or dead"
    check (state in ('pending', 'delivered', 'failed', 'dead')),
  attempts integer not null default 0,
  failures integer not null default 0,
  next_attempt_at timestamptz default now(),
  lease_id uuid,
  leased_until timestamptz,
  reason text,
  created_at timestamptz not null default now(),
  ended_at timestamptz,
  constraint "a delivery that is not over has a next attempt"
    check ((state in ('pending', 'failed')) = (next_attempt_at is not null)),
  unique (event_id, subscription_id)
);

comment on table public.deliveries is
  'One event on its way to one receiver: pending, failed (and tried again), then delivered or dead.';
comment on column public.deliveries.attempts is 'How often it was sent; numbers its delivery_attempts.';
comment on column public.deliveries.failures is 'Failed attempts since it began, or since it was replayed: decides how long to wait.';
comment on column public.deliveries.leased_until is 'A sender has it until then; after that it is another one''s.';

create index deliveries_subscription_id_idx on public.deliveries (subscription_id, id desc);
create index deliveries_due_idx on public.deliveries (subscription_id, next_attempt_at)
where state in ('pending', 'failed');
create index deliveries_leased_idx on public.deliveries (subscription_id) where leased_until is not null;
create index deliveries_state_idx on public.deliveries (subscription_id, state, ended_at) where ended_at is not null;

revoke all on public.deliveries from public, anon, authenticated, service_role;
grant select on public.deliveries to authenticated, service_role;

alter table public.deliveries enable row level security;

create policy "whoever reads a subscription reads its deliveries" on public.deliveries
for select to authenticated using (subscription_id in (select held.id from public.subscriptions as held));

create policy "owners read their own events" on public.events
for select to authenticated using (owner_id = (select auth.uid()));

create policy "whoever has a part in a model reads its events" on public.events
for select to authenticated using (model_id in (select private.my_models()));

create policy "admins read every event" on public.events
for select to authenticated using ((select private.is_admin()));

create table public.delivery_attempts (
  delivery_id uuid not null references public.deliveries (id) on delete cascade,
  number integer not null,
  at timestamptz not null,
  url text not null,
  request_headers jsonb not null default '{}',
  status smallint,
  response_headers jsonb,
  response_body text constraint "response_body is capped" check (length(response_body) <= 4096),
  ms real,
  reason text,
  primary key (delivery_id, number)
);

comment on table public.delivery_attempts is 'Every attempt: what was sent, what came back, how long it took.';
comment on column public.delivery_attempts.status is 'HTTP status of the answer; null when there was none.';
comment on column public.delivery_attempts.reason is 'Why it failed, in one line; null when it was delivered.';

revoke all on public.delivery_attempts from public, anon, authenticated, service_role;
grant select on public.delivery_attempts to authenticated, service_role;

alter table public.delivery_attempts enable row level security;

create policy "whoever reads a delivery reads its attempts" on public.delivery_attempts
for select to authenticated using (delivery_id in (select held.id from public.deliveries as held));

create function private.event_body(event public.events) returns text
language sql stable set search_path = ''
as $$
  -- Put together as text, so that every attempt sends, and every log shows, the same bytes.
  select format(
    '{"type": %s, "timestamp": %s, "data": %s}', to_json(event.type),
    to_json(to_char(event.created_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')), event.data
  );
$$;

comment on function private.event_body(public.events) is 'The body of every message about an event (Standard Webhooks).';
revoke all on function private.event_body(public.events) from public;

-- Waking who sends ---------------------------------------------------------------------------------------

create function private.wake_sender() returns void
language plpgsql security definer set search_path = ''
as $$
declare
  address text;
  token text;
begin
  perform pg_notify('rowcast_deliveries', '');
  if to_regclass('vault.decrypted_secrets') is null
    or to_regprocedure('net.http_get(text, jsonb, jsonb, integer)') is null then
    return;
  end if;
  execute 'select decrypted_secret from vault.decrypted_secrets where name = $1' into address using 'rowcast_cron_url';
  execute 'select decrypted_secret from vault.decrypted_secrets where name = $1' into token using 'rowcast_cron_secret';
  if address is null or token is null then
    return;
  end if;
  execute 'select net.http_get(url := $1, params := $2, headers := $3, timeout_milliseconds := 60000)'
    using address, '{}'::jsonb, jsonb_build_object('Authorization', 'Bearer ' || token);
exception when others then
  -- What is due stays due: the next sweep finds it without being woken.
  raise warning 'The sender was not woken: %', sqlerrm;
end;
$$;

comment on function private.wake_sender() is
  'Tell a listening worker that something is due; where pg_net is, also call the address in the Vault secret '
  'rowcast_cron_url (…/api/cron) with the secret rowcast_cron_secret. Never stops the transaction.';
revoke all on function private.wake_sender() from public;

-- Emitting -----------------------------------------------------------------------------------------------

create function private.emit_event(event_type text, model_id uuid, owner_id uuid, data jsonb) returns uuid
language plpgsql security definer set search_path = ''
as $$
#variable_conflict use_column
declare
  emitted uuid;
begin
  insert into public.events (type, model_id, owner_id, data)
  values (emit_event.event_type, emit_event.model_id, emit_event.owner_id, emit_event.data)
  returning id into emitted;
  insert into public.deliveries (event_id, subscription_id)
  select emitted, listener
  from private.listeners(emit_event.event_type, emit_event.model_id, emit_event.owner_id) as listener;
  if found then
    perform private.wake_sender();
  end if;
  return emitted;
end;
$$;

comment on function private.emit_event(text, uuid, uuid, jsonb) is
  'Write an event and a delivery for each subscription that hears it, in the transaction of the caller.';
revoke all on function private.emit_event(text, uuid, uuid, jsonb) from public;

create function private.emit_run() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  perform private.emit_event(
    'run.' || new.status, new.model_id, new.created_by,
    jsonb_build_object(
      'run_id', new.id, 'model', new.model_slug, 'target', new.target, 'status', new.status, 'reason', new.reason,
      'version', (select version.number from public.versions as version where version.id = new.version_id),
      'started_at', new.started_at, 'finished_at', new.finished_at
    )
  );
  return null;
end;
$$;

comment on function private.emit_run() is 'Trigger: a run that ended well or badly is an event.';
revoke all on function private.emit_run() from public;

create trigger emit_run after update of status on public.runs
for each row when (new.status in ('succeeded', 'failed') and old.status is distinct from new.status)
execute function private.emit_run();

create function private.emit_promotion() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
  model public.models;
begin
  select * into model from public.models as held where held.id = new.model_id;
  perform private.emit_event(
    'version.promoted', model.id, model.owner_id,
    jsonb_build_object(
      'model', model.slug, 'alias', new.alias,
      'from_version', (select version.number from public.versions as version where version.id = new.from_version_id),
      'to_version', (select version.number from public.versions as version where version.id = new.to_version_id),
      'reason', new.reason, 'is_rollback', new.rollback_of is not null, 'promotion_id', new.id,
      'promoted_by', new.promoted_by, 'promoted_at', new.promoted_at
    )
  );
  return null;
end;
$$;

comment on function private.emit_promotion() is 'Trigger: an alias that moved is an event.';
revoke all on function private.emit_promotion() from public;

create trigger emit_promotion after insert on public.promotions
for each row execute function private.emit_promotion();

-- Predictions --------------------------------------------------------------------------------------------

create function private.emit_predictions() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
  bundle record;
begin
  -- The log is written many times a second and mostly nobody listens: this is all it then costs.
  if not exists (
    select from public.subscriptions as listening
    where listening.is_enabled and 'prediction.created' = any (listening.event_types)
  ) then
    return null;
  end if;
  -- Bundles of some 12 kB; outputs that would not fit are left out, the receiver asks for them by id.
  for bundle in
    with heard as materialized (
      select model.id, model.owner_id, model.slug from public.models as model
      where model.id in (select each.model_id from written as each)
        and exists (select from private.listeners('prediction.created', model.id, model.owner_id))
    )
    select sized.model_id, sized.owner_id, sized.slug, sized.bundle, jsonb_agg(
      jsonb_build_object(
        'id', sized.id, 'version', sized.number, 'at', sized.at, 'source', sized.source, 'row_count', sized.row_count,
        'outputs', case when sized.bytes <= 4000 then sized.outputs end
      ) order by sized.id
    ) as predictions
    from (
      select each.id, each.model_id, each.at, each.source, each.row_count, each.outputs, heard.owner_id, heard.slug,
        version.number, size.bytes,
        sum(200 + case when size.bytes <= 4000 then size.bytes else 0 end)
          over (partition by each.model_id order by each.id) / 12000 as bundle
      from written as each
      join heard on heard.id = each.model_id
      join public.versions as version on version.id = each.version_id
      cross join lateral (select coalesce(octet_length(each.outputs::text), 0) as bytes) as size
      where each.status < 400
    ) as sized
    group by sized.model_id, sized.owner_id, sized.slug, sized.bundle
  loop
    perform private.emit_event(
      'prediction.created', bundle.model_id, bundle.owner_id,
      jsonb_build_object('model', bundle.slug, 'predictions', bundle.predictions)
    );
  end loop;
  return null;
end;
$$;

comment on function private.emit_predictions() is
  'Trigger: predictions that somebody listens for become events, many in one, in the transaction of the log.';
revoke all on function private.emit_predictions() from public;

create trigger emit_predictions after insert on public.predictions
referencing new table as written
for each statement execute function private.emit_predictions();
