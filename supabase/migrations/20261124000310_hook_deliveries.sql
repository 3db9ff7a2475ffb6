-- What came in by a hook. A delivery is claimed by its id before any work is done and completed in one transaction with
-- everything that it causes, so that it counts once, however often it arrives and whatever dies on the way.

create table public.hook_deliveries (
  id uuid primary key default private.uuid_v7(),
  hook_id uuid not null references public.hooks (id) on delete cascade,
  delivery_id text not null
    constraint "delivery id has 1 to 256 characters" check (length(delivery_id) between 1 and 256),
  payload_hash text not null
    constraint "payload hash is 64 lower-case hexadecimal digits" check (payload_hash ~ '^[0-9a-f]{64}$'),
  event text,
  state text not null default 'claimed'
    constraint "delivery state is claimed or answered" check (state in ('claimed', 'answered')),
  attempt integer not null default 1,
  claimed_until timestamptz not null,
  prediction_id uuid not null,
  version integer,
  row_count integer,
  written_count integer,
  answer text,
  duplicate_count integer not null default 0,
  total_ms real,
  received_at timestamptz not null default now(),
  answered_at timestamptz,
  expires_at timestamptz not null,
  constraint hook_deliveries_delivery_id_key unique (hook_id, delivery_id),
  constraint "an answered delivery has an answer" check (state <> 'answered' or answer is not null)
);

comment on table public.hook_deliveries is 'What came in by hooks: claimed before work, answered once. Written by servers only.';
comment on column public.hook_deliveries.event is 'What the sender calls it, such as INSERT or order.created.';
comment on column public.hook_deliveries.claimed_until is 'After this a claim without an answer may be taken over: its process died.';
comment on column public.hook_deliveries.prediction_id is 'Id in the answer and in the log; whoever takes a claim over goes on with it.';
comment on column public.hook_deliveries.answer is 'The answer as it was sent, byte by byte: duplicates get the same.';
comment on column public.hook_deliveries.expires_at is 'Until when a repeated delivery is known as one; long after its signature is stale.';

create index hook_deliveries_hook_id_idx on public.hook_deliveries (hook_id, id desc);
create index hook_deliveries_expires_at_idx on public.hook_deliveries (expires_at);

revoke all on public.hook_deliveries from public, anon, authenticated, service_role;
grant select on public.hook_deliveries to authenticated, service_role;

alter table public.hook_deliveries enable row level security;

create policy "whoever reads a hook reads its deliveries" on public.hook_deliveries
for select to authenticated using (hook_id in (select hook.id from public.hooks as hook));

-- Claim, complete, release -------------------------------------------------------------------------------

create function public.claim_hook_delivery(claim jsonb) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
  asked record;
  held public.hook_deliveries;
begin
  select * into asked from jsonb_to_record(private.as_object(claim)) as sent (
    hook_id uuid, delivery_id text, payload_hash text, event text, prediction_id uuid, lease_seconds integer,
    keep_seconds integer
  );
  delete from public.hook_deliveries as old
  where old.hook_id = asked.hook_id and old.delivery_id = asked.delivery_id and old.expires_at <= now();
  insert into public.hook_deliveries as known
    (hook_id, delivery_id, payload_hash, event, prediction_id, claimed_until, expires_at)
  select hook.id, asked.delivery_id, asked.payload_hash, left(asked.event, 100), asked.prediction_id,
    now() + make_interval(secs => asked.lease_seconds), now() + make_interval(secs => asked.keep_seconds)
  from public.hooks as hook where hook.id = asked.hook_id and hook.enabled
  on conflict on constraint hook_deliveries_delivery_id_key do update
    set attempt = known.attempt + 1, claimed_until = excluded.claimed_until
    where known.state = 'claimed' and known.payload_hash = excluded.payload_hash
      and (known.claimed_until <= now() or known.prediction_id = excluded.prediction_id)
  returning * into held;
  if held.id is not null then
    return jsonb_build_object(
      'state', 'claimed', 'id', held.id, 'attempt', held.attempt, 'prediction_id', held.prediction_id
    );
  end if;
  update public.hook_deliveries as known set duplicate_count = known.duplicate_count + 1
  where known.hook_id = asked.hook_id and known.delivery_id = asked.delivery_id returning * into held;
  if held.id is null then
    return jsonb_build_object('state', 'closed');
  elsif held.payload_hash <> asked.payload_hash then
    return jsonb_build_object('state', 'changed');
  elsif held.state = 'answered' then
    return jsonb_build_object('state', 'answered', 'answer', held.answer);
  end if;
  return jsonb_build_object('state', 'running');
end;
$$;

comment on function public.claim_hook_delivery(jsonb) is
  'Claim a delivery before working on it. State: claimed (go on), answered (with the answer), running (another process is '
  'at it), changed (same id, other payload), closed (no such hook, or it is disabled). Servers only.';
revoke all on function public.claim_hook_delivery(jsonb) from public, anon, authenticated, service_role;
grant execute on function public.claim_hook_delivery(jsonb) to service_role;

create function public.release_hook_delivery(delivery uuid, attempt integer) returns void
language sql security definer set search_path = ''
as $$
  delete from public.hook_deliveries as held
  where held.id = release_hook_delivery.delivery and held.attempt = release_hook_delivery.attempt
    and held.state = 'claimed';
$$;

comment on function public.release_hook_delivery(uuid, integer) is
  'Give a claim back whose payload cannot be used, as if it had never come. Servers only.';
revoke all on function public.release_hook_delivery(uuid, integer) from public, anon, authenticated, service_role;
grant execute on function public.release_hook_delivery(uuid, integer) to service_role;

create function private.expire_hook_deliveries(most integer) returns integer
language plpgsql security definer set search_path = ''
as $$
declare
  gone integer;
begin
  delete from public.hook_deliveries as old where old.id in (
    select due.id from public.hook_deliveries as due where due.expires_at <= now()
    order by due.expires_at limit expire_hook_deliveries.most for update skip locked
  );
  get diagnostics gone = row_count;
  return gone;
end;
$$;

comment on function private.expire_hook_deliveries(integer) is 'Delete deliveries whose time is over, the oldest first, and count them.';
revoke all on function private.expire_hook_deliveries(integer) from public;

create function private.write_back(hook public.hooks, writes jsonb) returns integer
language plpgsql security definer set search_path = ''
as $$
declare
  target private.hook_targets := private.writable_target(hook);
  condition text;
  written integer;
begin
  if target.hook_id is null then
    raise exception 'This hook may not write to "%" yet: apply the migration of that table.', hook.target_table
      using errcode = 'PT409';
  end if;
  select string_agg(
    format(
      'target.%I = (sent.key ->> %L)::%s', held.attname, held.attname, format_type(held.atttypid, held.atttypmod)
    ), ' and '
  ) into condition
  from pg_catalog.pg_attribute as held
  where held.attrelid = target.relation and held.attname = any (target.key_columns) and not held.attisdropped;
  -- predicted_at is new in each writing: by that a webhook of the table knows our hand and does not call us again.
  execute format(
    'update %1$s as target set %2$I = sent.score, %3$I = sent.label, %4$I = sent.version, %5$I = clock_timestamp() '
    'from jsonb_to_recordset($1) as sent (key jsonb, score double precision, label text, version integer) where %6$s',
    target.relation, target.prefix || 'score', target.prefix || 'label', target.prefix || 'version',
    target.prefix || 'predicted_at', condition
  ) using writes;
  get diagnostics written = row_count;
  return written;
exception
  when sqlstate 'PT409' then
    raise;
  when others then
    raise exception 'Writing to "%" failed: %', hook.target_table, sqlerrm using errcode = 'PT409';
end;
$$;

comment on function private.write_back(public.hooks, jsonb) is
  'Write predictions [{key, score, label, version}] into the rows of a hook''s table and count them.';
revoke all on function private.write_back(public.hooks, jsonb) from public;

create function public.complete_hook_delivery(completion jsonb) returns jsonb
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

comment on function public.complete_hook_delivery(jsonb) is
  'End a claim in one transaction: the prediction logged, the rows written, the answer kept for duplicates. State lost: '
  'another process took the claim over, and nothing was done. Servers only.';
revoke all on function public.complete_hook_delivery(jsonb) from public, anon, authenticated, service_role;
grant execute on function public.complete_hook_delivery(jsonb) to service_role;
