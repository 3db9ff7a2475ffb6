-- Sending, as the sender sees it: claim what is due, write down how it went, send again what was given up.

create function private.due_deliveries(wanted integer, per_receiver integer) returns setof uuid
language sql volatile security definer set search_path = ''
as $$
  -- Each receiver has its own small share of the sender, and one that fails a share of one: however much waits for a
  -- slow receiver, the others are served at once.
  select due.id
  from public.subscriptions as receiver
  cross join lateral (
    select waiting.id, waiting.next_attempt_at from public.deliveries as waiting
    where waiting.subscription_id = receiver.id and waiting.state in ('pending', 'failed')
      and waiting.next_attempt_at <= now() and (waiting.leased_until is null or waiting.leased_until <= now())
    order by waiting.next_attempt_at, waiting.id
    limit greatest(0, case when receiver.failing_since is null then due_deliveries.per_receiver else 1 end - (
      select count(*) from public.deliveries as sent
      where sent.subscription_id = receiver.id and sent.leased_until > now() and sent.state in ('pending', 'failed')
    ))
    for update skip locked
  ) as due
  where receiver.is_enabled and (receiver.resume_at is null or receiver.resume_at <= now())
  order by due.next_attempt_at
  limit due_deliveries.wanted;
$$;

comment on function private.due_deliveries(integer, integer) is 'What may be sent now, locked; a fair share for each receiver.';
revoke all on function private.due_deliveries(integer, integer) from public;

create function private.next_due_seconds() returns double precision
language sql stable security definer set search_path = ''
as $$
  select extract(epoch from min(greatest(first.at, receiver.resume_at)) - now())
  from public.subscriptions as receiver
  cross join lateral (
    select greatest(waiting.next_attempt_at, waiting.leased_until) as at from public.deliveries as waiting
    where waiting.subscription_id = receiver.id and waiting.state in ('pending', 'failed')
    order by waiting.next_attempt_at
    limit 1
  ) as first
  where receiver.is_enabled;
$$;

comment on function private.next_due_seconds() is 'In how many seconds something is due; null when nothing waits.';
revoke all on function private.next_due_seconds() from public;

create function public.claim_deliveries(
  wanted integer, lease_seconds integer, per_receiver integer, delivery_id uuid default null
) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
  chosen uuid[];
  claimed jsonb;
begin
  if claim_deliveries.delivery_id is null then
    chosen := array(select private.due_deliveries(claim_deliveries.wanted, claim_deliveries.per_receiver));
  else
    -- Somebody waits for this one: it is sent whatever else waits for its receiver.
    chosen := array(
      select held.id from public.deliveries as held
      where held.id = claim_deliveries.delivery_id and held.state in ('pending', 'failed')
        and (held.leased_until is null or held.leased_until <= now())
      for update skip locked
    );
  end if;
  with leased as (
    update public.deliveries as held
    set lease_id = gen_random_uuid(), leased_until = now() + make_interval(secs => claim_deliveries.lease_seconds)
    where held.id = any (chosen)
    returning held.*
  )
  select jsonb_agg(jsonb_build_object(
    'delivery_id', leased.id, 'lease_id', leased.lease_id, 'failures', leased.failures,
    'subscription_id', leased.subscription_id, 'url', receiver.url,
    'secrets', array(
      select held.secret from private.subscription_secrets as held
      where held.subscription_id = receiver.id and (held.expires_at is null or held.expires_at > now())
      order by held.created_at desc, held.id desc
    ),
    'event_id', event.id, 'body', private.event_body(event)
  ) order by event.id) into claimed
  from leased
  join public.events as event on event.id = leased.event_id
  join public.subscriptions as receiver on receiver.id = leased.subscription_id;
  return jsonb_build_object(
    'due', coalesce(claimed, '[]'), 'next_seconds', case when claimed is null then private.next_due_seconds() end
  );
end;
$$;

comment on function public.claim_deliveries(integer, integer, integer, uuid) is
  'Lease what is due: {"due": [...], "next_seconds": when to ask again if nothing is}. A lease that runs out is another '
  'sender''s to take. Servers only.';
revoke all on function public.claim_deliveries(integer, integer, integer, uuid)
  from public, anon, authenticated, service_role;
grant execute on function public.claim_deliveries(integer, integer, integer, uuid) to service_role;

-- How it went --------------------------------------------------------------------------------------------

create function private.note_receiver(receiver uuid, outcome jsonb, is_dead boolean) returns void
language plpgsql security definer set search_path = ''
as $$
declare
  pause interval := make_interval(secs => coalesce((outcome ->> 'pause_seconds')::double precision, 0));
begin
  if (outcome ->> 'is_delivered')::boolean then
    update public.subscriptions as held set failing_since = null, resume_at = null
    where held.id = receiver and (held.failing_since is not null or held.resume_at is not null);
    return;
  end if;
  update public.subscriptions as held
  set failing_since = coalesce(held.failing_since, now()),
      resume_at = case when pause > interval '0' then greatest(held.resume_at, now() + pause) else held.resume_at end
  where held.id = receiver and (held.failing_since is null or pause > interval '0');
  update public.subscriptions as held
  set is_enabled = false,
      disabled_reason = case
        when (outcome ->> 'is_gone')::boolean then 'The receiver answered 410 Gone'
        else 'No delivery has succeeded for five days'
      end
  where held.id = receiver and held.is_enabled
    and ((outcome ->> 'is_gone')::boolean or (is_dead and held.failing_since < now() - interval '5 days'));
end;
$$;

comment on function private.note_receiver(uuid, jsonb, boolean) is
  'Keep a receiver''s health: failing or not, a pause it asked for, switched off for good reason.';
revoke all on function private.note_receiver(uuid, jsonb, boolean) from public;

create function private.record_attempt(outcome jsonb) returns void
language plpgsql security definer set search_path = ''
as $$
#variable_conflict use_column
declare
  delivered boolean := (outcome ->> 'is_delivered')::boolean;
  retry_seconds double precision := (outcome ->> 'retry_seconds')::double precision;
  delivery public.deliveries;
begin
  select * into delivery from public.deliveries as held where held.id = (outcome ->> 'delivery_id')::uuid;
  insert into public.delivery_attempts
    (delivery_id, number, at, url, request_headers, status, response_headers, response_body, ms, reason)
  values (
    delivery.id, delivery.attempts + 1, (outcome ->> 'at')::timestamptz, outcome ->> 'url',
    coalesce(outcome -> 'request_headers', '{}'), (outcome ->> 'status')::smallint,
    nullif(outcome -> 'response_headers', 'null'), outcome ->> 'response_body', (outcome ->> 'ms')::real,
    outcome ->> 'reason'
  );
  -- A sender whose lease ran out speaks for itself only; that something arrived is true whoever says it.
  if delivery.state not in ('pending', 'failed')
    or (not delivered and delivery.lease_id is distinct from (outcome ->> 'lease_id')::uuid) then
    update public.deliveries as held set attempts = held.attempts + 1 where held.id = delivery.id;
    return;
  end if;
  update public.deliveries as held
  set state = case when delivered then 'delivered' when retry_seconds is null then 'dead' else 'failed' end,
      attempts = held.attempts + 1, failures = held.failures + case when delivered then 0 else 1 end,
      next_attempt_at = case when not delivered then now() + make_interval(secs => retry_seconds) end,
      ended_at = case when delivered or retry_seconds is null then now() end,
      reason = outcome ->> 'reason', lease_id = null, leased_until = null
  where held.id = delivery.id;
  perform private.note_receiver(delivery.subscription_id, outcome, not delivered and retry_seconds is null);
end;
$$;

comment on function private.record_attempt(jsonb) is 'Write down one attempt at a locked delivery, and what follows from it.';
revoke all on function private.record_attempt(jsonb) from public;

create function private.lock_deliveries(chosen uuid[]) returns setof uuid
language plpgsql security definer set search_path = ''
as $$
declare
  receivers uuid[];
begin
  receivers := array(
    select held.id from public.subscriptions as held
    where held.id in (select each.subscription_id from public.deliveries as each where each.id = any (chosen))
    for key share skip locked
  );
  return query
    select each.id from public.deliveries as each
    where each.id = any (chosen) and each.subscription_id = any (receivers)
    order by each.subscription_id, each.id
    for update;
end;
$$;

comment on function private.lock_deliveries(uuid[]) is
  'Lock deliveries, so that nobody waits for anybody in a ring: always in the same order, before any change to their '
  'subscriptions, whose deletion then waits. A subscription that is being deleted is passed by, with its deliveries.';
revoke all on function private.lock_deliveries(uuid[]) from public;

create function public.record_attempts(batch jsonb) returns integer
language plpgsql security definer set search_path = ''
as $$
declare
  attempts jsonb := private.as_object(record_attempts.batch) -> 'attempts';
  recorded integer := 0;
  locked uuid[];
  outcome jsonb;
begin
  locked := array(
    select private.lock_deliveries(
      array(select (value ->> 'delivery_id')::uuid from jsonb_array_elements(attempts) as value)
    )
  );
  for outcome in
    select value from jsonb_array_elements(attempts) as value
    where (value ->> 'delivery_id')::uuid = any (locked)
    order by value ->> 'subscription_id', value ->> 'delivery_id'
  loop
    perform private.record_attempt(outcome);
    recorded := recorded + 1;
  end loop;
  return recorded;
end;
$$;

comment on function public.record_attempts(jsonb) is
  'Write down {"attempts": [...]}, in one transaction, and what follows from each. Servers only.';
revoke all on function public.record_attempts(jsonb) from public, anon, authenticated, service_role;
grant execute on function public.record_attempts(jsonb) to service_role;

create function public.release_deliveries(batch jsonb) returns integer
language plpgsql security definer set search_path = ''
as $$
declare
  leases uuid[] := array(
    select jsonb_array_elements_text(private.as_object(release_deliveries.batch) -> 'leases')::uuid
  );
  released integer;
begin
  update public.deliveries as held set lease_id = null, leased_until = null
  where held.lease_id = any (leases) and held.id = any (array(
    select private.lock_deliveries(array(
      select leased.id from public.deliveries as leased
      where leased.leased_until is not null and leased.lease_id = any (leases)
    ))
  ));
  get diagnostics released = row_count;
  return released;
end;
$$;

comment on function public.release_deliveries(jsonb) is
  'Give leases back, {"leases": [...]}, of a sender that has to stop; they are due at once. Servers only.';
revoke all on function public.release_deliveries(jsonb) from public, anon, authenticated, service_role;
grant execute on function public.release_deliveries(jsonb) to service_role;

-- Reading how it went ------------------------------------------------------------------------------------

create function public.read_delivery(delivery_id uuid, actor uuid default null) returns jsonb
language plpgsql stable security definer set search_path = ''
as $$
declare
  found_one public.deliveries;
begin
  select * into found_one from public.deliveries as held where held.id = read_delivery.delivery_id;
  if found_one.id is null then
    raise exception 'There is no delivery % that you may see.', read_delivery.delivery_id using errcode = 'PT404';
  end if;
  perform private.editable_subscription(found_one.subscription_id, private.acting_user(read_delivery.actor));
  return (
    select to_jsonb(found_one) - 'lease_id' || jsonb_build_object(
      'type', event.type, 'body', private.event_body(event),
      'log', coalesce(
        (
          select jsonb_agg(to_jsonb(attempt) - 'delivery_id' order by attempt.number)
          from public.delivery_attempts as attempt where attempt.delivery_id = found_one.id
        ),
        '[]'
      )
    )
    from public.events as event where event.id = found_one.event_id
  );
end;
$$;

comment on function public.read_delivery(uuid, uuid) is
  'A delivery with what was sent and every attempt. Owner of the subscription and admins; actor is for servers.';
revoke all on function public.read_delivery(uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function public.read_delivery(uuid, uuid) to authenticated, service_role;

grant execute on function private.as_object(jsonb) to authenticated, service_role;

create function public.subscription_activity(subscriptions jsonb) returns jsonb
language sql stable set search_path = ''
as $$
  -- As the caller: row security decides what is counted. Counting ends at a thousand.
  select coalesce(jsonb_object_agg(held.id, jsonb_build_object(
    'waiting', (
      select count(*) from (
        select from public.deliveries as each
        where each.subscription_id = held.id and each.state in ('pending', 'failed') limit 1000
      ) as counted
    ),
    'dead', (
      select count(*) from (
        select from public.deliveries as each
        where each.subscription_id = held.id and each.state = 'dead' and each.ended_at is not null limit 1000
      ) as counted
    ),
    'last_delivered_at', (
      select max(each.ended_at) from public.deliveries as each
      where each.subscription_id = held.id and each.state = 'delivered' and each.ended_at is not null
    )
  )), '{}')
  from public.subscriptions as held
  where held.id = any (array(
    select jsonb_array_elements_text(private.as_object(subscription_activity.subscriptions) -> 'ids')::uuid
  ));
$$;

comment on function public.subscription_activity(jsonb) is
  'For each of {"ids": [...]}: how many deliveries wait or were given up, and when one last arrived.';
revoke all on function public.subscription_activity(jsonb) from public, anon, authenticated, service_role;
grant execute on function public.subscription_activity(jsonb) to authenticated, service_role;

-- By hand ------------------------------------------------------------------------------------------------

create function public.test_subscription(subscription_id uuid, actor uuid default null) returns uuid
language plpgsql security definer set search_path = ''
as $$
declare
  tested public.subscriptions := private.editable_subscription(
    test_subscription.subscription_id, private.acting_user(test_subscription.actor)
  );
  event_id uuid;
  delivery_id uuid;
begin
  if (
    select count(*) from public.deliveries as held join public.events as event on event.id = held.event_id
    where held.subscription_id = tested.id and held.created_at > now() - interval '1 minute'
      and event.type = 'subscription.test'
  ) >= 10 then
    raise exception 'Ten tests within a minute are enough; wait a moment.' using errcode = 'PT409';
  end if;
  insert into public.events (type, model_id, owner_id, data)
  values (
    'subscription.test', tested.model_id, tested.owner_id,
    jsonb_build_object('message', 'A test from Rowcast', 'subscription_id', tested.id)
  )
  returning id into event_id;
  -- Whoever asked sends it at once; if they cannot, the next sweep does.
  insert into public.deliveries (event_id, subscription_id, next_attempt_at)
  values (event_id, tested.id, now() + interval '40 seconds')
  returning id into delivery_id;
  return delivery_id;
end;
$$;

comment on function public.test_subscription(uuid, uuid) is
  'Make a test event for one subscription and return its delivery. Owner and admins; actor is for servers.';
revoke all on function public.test_subscription(uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function public.test_subscription(uuid, uuid) to authenticated, service_role;

create function public.replay_deliveries(subscription_id uuid, wanted jsonb, actor uuid default null) returns integer
language plpgsql security definer set search_path = ''
as $$
declare
  asked jsonb := private.as_object(replay_deliveries.wanted);
  replayed public.subscriptions := private.editable_subscription(
    replay_deliveries.subscription_id, private.acting_user(replay_deliveries.actor)
  );
  counted integer;
begin
  if not replayed.is_enabled then
    raise exception 'The subscription is switched off; switch it on first.' using errcode = 'PT409';
  end if;
  -- A deletion waits until this is done.
  perform from public.subscriptions as held where held.id = replayed.id for key share;
  -- The same event, so the same webhook-id: a receiver that has it already can tell.
  update public.deliveries as held
  set state = 'pending', failures = 0, next_attempt_at = now(), ended_at = null, reason = null
  where held.id in (
    select each.id from public.deliveries as each
    where each.subscription_id = replayed.id and (each.leased_until is null or each.leased_until <= now())
      and case
        when asked -> 'deliveries' is not null
          then each.id = any (array(select jsonb_array_elements_text(asked -> 'deliveries')::uuid))
        else each.state = 'dead' and each.ended_at >= (asked ->> 'dead_since')::timestamptz
      end
    order by each.id
    for update
  );
  get diagnostics counted = row_count;
  if counted > 0 then
    perform private.wake_sender();
  end if;
  return counted;
end;
$$;

comment on function public.replay_deliveries(uuid, jsonb, uuid) is
  'Send again: {"deliveries": [ids]} whatever became of them, or {"dead_since": time} all that were given up since. '
  'Owner and admins; actor is for servers.';
revoke all on function public.replay_deliveries(uuid, jsonb, uuid) from public, anon, authenticated, service_role;
grant execute on function public.replay_deliveries(uuid, jsonb, uuid) to authenticated, service_role;

-- Keeping --------------------------------------------------------------------------------------------------

create function public.prune_deliveries() returns integer
language plpgsql security definer set search_path = ''
as $$
declare
  pruned integer;
begin
  with old as (
    delete from public.deliveries as held
    where held.id in (
      select ended.id
      from public.subscriptions as receiver
      cross join unnest(array['delivered', 'dead']) as final
      cross join lateral (
        select each.id from public.deliveries as each
        where each.subscription_id = receiver.id and each.state = final
          and each.ended_at < now() - interval '30 days'
        order by each.ended_at
        limit 1000
        for update skip locked
      ) as ended
      limit 5000
    )
    returning held.event_id
  )
  select count(*) into pruned from old;
  delete from public.events as held
  where held.id in (
    select told.id from public.events as told
    where told.created_at < now() - interval '30 days'
      and not exists (select from public.deliveries as kept where kept.event_id = told.id)
    order by told.created_at limit 5000
  );
  return pruned;
end;
$$;

comment on function public.prune_deliveries() is
  'Forget deliveries that ended more than 30 days ago, and events that nothing is left of; a bounded bite each call. '
  'Servers only.';
revoke all on function public.prune_deliveries() from public, anon, authenticated, service_role;
grant execute on function public.prune_deliveries() to service_role;

do $$
begin
  -- Where the database can keep time itself, it looks every minute whether something is due.
  if to_regprocedure('cron.schedule(text, text, text)') is not null then
    execute $job$select cron.schedule(
      'rowcast-deliveries', '* * * * *', 'select private.wake_sender() where private.next_due_seconds() <= 0'
    )$job$;
  end if;
end;
$$;
