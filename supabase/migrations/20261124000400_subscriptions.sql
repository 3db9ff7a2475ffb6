-- Who is told of what: subscriptions, and the secrets that their messages are signed with.

create function private.is_event_type(name text) returns boolean
language sql immutable set search_path = ''
as $$
  select name in (
    'run.succeeded', 'run.failed', 'version.promoted', 'drift.detected', 'prediction.created', 'quota.near', 'hook.answered'
  );
$$;

comment on function private.is_event_type(text) is 'Whether one can subscribe to events of this type.';
revoke all on function private.is_event_type(text) from public;
grant execute on function private.is_event_type(text) to authenticated, service_role;

create table public.subscriptions (
  id uuid primary key default private.uuid_v7(),
  owner_id uuid references auth.users (id) on delete cascade,
  model_id uuid references public.models (id),
  event_types text[] not null
    constraint "event types: at least one is expected" check (cardinality(event_types) between 1 and 20),
  url text not null
    constraint "url begins with https:// and has at most 2000 characters"
    check (length(url) <= 2000 and url ~ '^https?://[^[:space:]/?#]+'),
  description text not null default ''
    constraint "description has at most 200 characters" check (length(description) <= 200),
  is_enabled boolean not null default true,
  disabled_at timestamptz,
  disabled_reason text,
  failing_since timestamptz,
  resume_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

comment on table public.subscriptions is 'Receivers of outgoing webhooks: which events go to which address.';
comment on column public.subscriptions.owner_id is 'Whose events these are. Null: a subscription of the house.';
comment on column public.subscriptions.model_id is 'Only events of this model; null: of every model of the owner.';
comment on column public.subscriptions.failing_since is 'Since when no delivery has succeeded; null while all is well.';
comment on column public.subscriptions.resume_at is 'The receiver asked for a pause until then.';

create index subscriptions_owner_id_idx on public.subscriptions (owner_id, created_at desc);
create index subscriptions_model_id_idx on public.subscriptions (model_id);
create index subscriptions_predictions_idx on public.subscriptions (model_id)
where is_enabled and 'prediction.created' = any (event_types);

create trigger touch_updated_at before update of url, event_types, description, is_enabled on public.subscriptions
for each row execute function private.touch_updated_at();

revoke all on public.subscriptions from public, anon, authenticated, service_role;
grant select, delete on public.subscriptions to authenticated, service_role;
grant update (event_types, url, description, is_enabled) on public.subscriptions to authenticated, service_role;

alter table public.subscriptions enable row level security;

create policy "owners read their own subscriptions" on public.subscriptions
for select to authenticated using (owner_id = (select auth.uid()));

create policy "admins read every subscription" on public.subscriptions
for select to authenticated using ((select private.is_admin()));

create policy "owners edit their own subscriptions" on public.subscriptions
for update to authenticated
using (owner_id = (select auth.uid())) with check (owner_id = (select auth.uid()));

create policy "admins edit every subscription" on public.subscriptions
for update to authenticated
using ((select private.is_admin())) with check ((select private.is_admin()));

create policy "owners delete their own subscriptions" on public.subscriptions
for delete to authenticated using (owner_id = (select auth.uid()));

create policy "admins delete every subscription" on public.subscriptions
for delete to authenticated using ((select private.is_admin()));

create table private.subscription_secrets (
  id uuid primary key default private.uuid_v7(),
  subscription_id uuid not null references public.subscriptions (id) on delete cascade,
  secret text not null constraint "a secret starts with whsec_" check (secret ~ '^whsec_[A-Za-z0-9+/]+=*$'),
  created_at timestamptz not null default now(),
  expires_at timestamptz
);

comment on table private.subscription_secrets is
  'What messages are signed with. During a rotation there are two: the older one signs too until it expires.';
create index subscription_secrets_subscription_id_idx on private.subscription_secrets (subscription_id);
revoke all on private.subscription_secrets from public, anon, authenticated, service_role;

-- Who may hear of what -----------------------------------------------------------------------------------

create function private.may_follow(listener uuid, followed_model uuid) returns boolean
language sql stable security definer set search_path = ''
as $$
  select case
    when listener is null then true
    when private.role_of(listener) = 'admin' then true
    else exists (
      select from public.models as model where model.id = followed_model and model.owner_id = listener
      union all
      select from public.members as member where member.model_id = followed_model and member.user_id = listener
    )
  end;
$$;

comment on function private.may_follow(uuid, uuid) is
  'Whether somebody (null: the house) may be told what happens to a model, its predictions included: its owner, its '
  'members, admins.';
revoke all on function private.may_follow(uuid, uuid) from public;

create function private.listeners(event_type text, model_id uuid, owner_id uuid) returns setof uuid
language sql stable security definer set search_path = ''
as $$
  select listening.id from public.subscriptions as listening
  where listening.is_enabled and listeners.event_type = any (listening.event_types)
    and case
      when listening.model_id is not null
        then listening.model_id = listeners.model_id and private.may_follow(listening.owner_id, listeners.model_id)
      when listeners.owner_id is null
        then listening.owner_id is null or private.role_of(listening.owner_id) = 'admin'
      else listening.owner_id = listeners.owner_id
    end;
$$;

comment on function private.listeners(text, uuid, uuid) is
  'The subscriptions that an event goes to, given its type, its model and the owner of what it happened to.';
revoke all on function private.listeners(text, uuid, uuid) from public;

create function private.check_subscription() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
  unknown text;
begin
  select string_agg('"' || name || '"', ', ') into unknown
  from unnest(new.event_types) as name where not private.is_event_type(name);
  if unknown is not null then
    raise exception 'event_types: % not known.', unknown using errcode = '22023';
  end if;
  new.event_types := array(select distinct name from unnest(new.event_types) as name order by name);
  if tg_op = 'INSERT' or new.is_enabled is not distinct from old.is_enabled then
    return new;
  end if;
  if new.is_enabled then
    new.disabled_at := null;
    new.disabled_reason := null;
    new.failing_since := null;
    new.resume_at := null;
  else
    new.disabled_at := now();
    new.disabled_reason := coalesce(new.disabled_reason, 'Switched off');
  end if;
  return new;
end;
$$;

comment on function private.check_subscription() is
  'Trigger: only events that exist are subscribed to, and switching a subscription on forgets why it was off.';
revoke all on function private.check_subscription() from public;

create trigger check_subscription before insert or update on public.subscriptions
for each row execute function private.check_subscription();

create function private.editable_subscription(subscription_id uuid, editor uuid) returns public.subscriptions
language plpgsql stable security definer set search_path = ''
as $$
declare
  found_one public.subscriptions;
  is_house boolean := private.is_system() and editor is null;
begin
  select * into found_one from public.subscriptions as held where held.id = subscription_id;
  if found_one.id is not null and (is_house or found_one.owner_id = editor or private.role_of(editor) = 'admin') then
    return found_one;
  end if;
  raise exception 'There is no subscription % that you may use.', subscription_id using errcode = 'PT404';
end;
$$;

comment on function private.editable_subscription(uuid, uuid) is 'The subscription, if this user may change it.';
revoke all on function private.editable_subscription(uuid, uuid) from public;

-- Making one, and rotating its secret --------------------------------------------------------------------

create function public.create_subscription(subscription jsonb, secret text, actor uuid default null)
returns public.subscriptions
language plpgsql security definer set search_path = ''
as $$
declare
  asked jsonb := private.as_object(create_subscription.subscription);
  owner uuid := private.acting_user(create_subscription.actor);
  followed uuid;
  made public.subscriptions;
begin
  if asked ->> 'model' is not null then
    select model.id into followed from public.models as model where model.slug = asked ->> 'model';
    if followed is null or not private.may_follow(owner, followed) then
      raise exception 'There is no model "%" whose events you may have.', asked ->> 'model' using errcode = 'PT404';
    end if;
  end if;
  if followed is null and owner is not null and private.role_of(owner) not in ('analyst', 'admin') then
    raise exception 'Subscribing needs the role analyst, or a model that is shared with you.' using errcode = '42501';
  end if;
  if owner is not null and (select count(*) from public.subscriptions as held where held.owner_id = owner) >= 100 then
    raise exception 'You have 100 subscriptions; delete one first.' using errcode = 'PT409';
  end if;
  insert into public.subscriptions (id, owner_id, model_id, event_types, url, description)
  values (
    coalesce((asked ->> 'id')::uuid, private.uuid_v7()), owner, followed, array(select jsonb_array_elements_text(asked -> 'event_types')), asked ->> 'url',
    coalesce(asked ->> 'description', '')
  )
  returning * into made;
  insert into private.subscription_secrets (subscription_id, secret) values (made.id, create_subscription.secret);
  perform private.record_audit(
    'subscription.created', 'subscription', made.id::text,
    jsonb_build_object('url', made.url, 'event_types', made.event_types, 'model', asked ->> 'model'), owner
  );
  return made;
end;
$$;

comment on function public.create_subscription(jsonb, text, uuid) is
  'Subscribe an address to events, with the secret that its messages are signed with; actor is for servers.';
revoke all on function public.create_subscription(jsonb, text, uuid) from public, anon, authenticated, service_role;
grant execute on function public.create_subscription(jsonb, text, uuid) to authenticated, service_role;

create function public.rotate_subscription(
  subscription_id uuid, secret text, overlap_seconds integer, actor uuid default null
) returns timestamptz
language plpgsql security definer set search_path = ''
as $$
declare
  rotated public.subscriptions := private.editable_subscription(
    rotate_subscription.subscription_id, private.acting_user(rotate_subscription.actor)
  );
  ends_at timestamptz := now() + make_interval(secs => rotate_subscription.overlap_seconds);
begin
  -- At most two sign: whoever rotates twice in a row has given up the one before.
  delete from private.subscription_secrets as held where held.subscription_id = rotated.id and held.expires_at is not null;
  update private.subscription_secrets as held set expires_at = ends_at where held.subscription_id = rotated.id;
  insert into private.subscription_secrets (subscription_id, secret) values (rotated.id, rotate_subscription.secret);
  return ends_at;
end;
$$;

comment on function public.rotate_subscription(uuid, text, integer, uuid) is
  'Give a subscription a new secret; the old one signs beside it for a while. Returns when that ends.';
revoke all on function public.rotate_subscription(uuid, text, integer, uuid) from public, anon, authenticated, service_role;
grant execute on function public.rotate_subscription(uuid, text, integer, uuid) to authenticated, service_role;
