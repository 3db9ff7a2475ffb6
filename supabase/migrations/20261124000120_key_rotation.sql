-- API keys that are replaced while both work for a while, never outlive what was said, and leave a trace.

alter table public.api_keys
  add column rotated_from uuid references public.api_keys (id) on delete set null;

comment on column public.api_keys.rotated_from is 'The key that this one replaces.';

create unique index api_keys_rotated_from_key on public.api_keys (rotated_from);

grant select (rotated_from) on public.api_keys to authenticated;

create or replace function private.check_api_key() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
  role text := coalesce(private.role_of(new.owner_id), '');
begin
  if tg_op = 'UPDATE' then
    if (new.id, new.owner_id, new.prefix, new.hash, new.scopes, new.model_id)
      is distinct from (old.id, old.owner_id, old.prefix, old.hash, old.scopes, old.model_id) then
      raise exception 'A key keeps its owner and its rights; create a new one.' using errcode = 'PT409';
    end if;
    if old.revoked_at is not null and new.revoked_at is distinct from old.revoked_at then
      raise exception 'A revoked key stays revoked.' using errcode = 'PT409';
    end if;
    if coalesce(new.expires_at, 'infinity') > coalesce(old.expires_at, 'infinity') then
      raise exception 'A key does not live longer than was said; create a new one.' using errcode = 'PT409';
    end if;
    return new;
  end if;

  if 'admin' = any (new.scopes) and role <> 'admin' then
    raise exception 'Only admins create keys with the scope admin.' using errcode = '42501';
  end if;
  if 'train' = any (new.scopes) and role not in ('analyst', 'admin') then
    raise exception 'A key with the scope train needs the role analyst.' using errcode = '42501';
  end if;
  if new.model_id is not null and not private.may_see_model(new.model_id, new.owner_id) then
    raise exception 'There is no such model.' using errcode = 'PT404';
  end if;
  return new;
end;
$$;

create function public.rotate_api_key(key_id uuid, new_prefix text, new_hash text, overlap_hours integer)
returns uuid
language plpgsql security definer set search_path = ''
as $$
declare
  old_key public.api_keys;
  new_id uuid;
begin
  if rotate_api_key.overlap_hours is null or rotate_api_key.overlap_hours not between 0 and 720 then
    raise exception 'Both keys work for 0 to 720 hours.' using errcode = '22023';
  end if;
  select * into old_key from public.api_keys as held
  where held.id = rotate_api_key.key_id and (held.owner_id = auth.uid() or private.is_system())
  for update;
  if old_key.id is null or old_key.revoked_at is not null or old_key.expires_at <= now() then
    raise exception 'You have no working key %.', rotate_api_key.key_id using errcode = 'PT404';
  end if;
  if exists (select from public.api_keys as held where held.rotated_from = old_key.id) then
    raise exception 'This key has been replaced already.' using errcode = 'PT409';
  end if;

  insert into public.api_keys (owner_id, name, prefix, hash, scopes, model_id, expires_at, rotated_from)
  values (
    old_key.owner_id, old_key.name, rotate_api_key.new_prefix, rotate_api_key.new_hash, old_key.scopes, old_key.model_id,
    -- The new key lives as long as the old one was meant to.
    now() + (old_key.expires_at - old_key.created_at), old_key.id
  )
  returning id into new_id;
  update public.api_keys as held
  set expires_at = least(old_key.expires_at, now() + make_interval(hours => rotate_api_key.overlap_hours))
  where held.id = old_key.id;
  return new_id;
end;
$$;

comment on function public.rotate_api_key(uuid, text, text, integer) is
  'Replace a working key by one of the same rights; returns its id. The old one ends after the overlap. For its owner.';
revoke all on function public.rotate_api_key(uuid, text, text, integer) from public, anon, authenticated, service_role;
grant execute on function public.rotate_api_key(uuid, text, text, integer) to authenticated, service_role;

-- What a server asks about a key -------------------------------------------------------------------------

drop function public.find_api_key(text);

create function public.find_api_key(key_hash text)
returns table (
  id uuid, owner_id uuid, owner_role text, scopes text[], model_slug text, expires_at timestamptz,
  revoked_at timestamptz, shared_models uuid[], edited_models uuid[]
)
language sql stable security definer set search_path = ''
as $$
  select held.id, held.owner_id, private.role_of(held.owner_id), held.scopes, model.slug, held.expires_at,
    held.revoked_at, coalesce(part.shared, '{}'), coalesce(part.edited, '{}')
  from public.api_keys as held
  left join public.models as model on model.id = held.model_id
  cross join lateral (
    select array_agg(newest.model_id) as shared,
      array_agg(newest.model_id) filter (where newest.role = 'editor') as edited
    from (
      -- A server names these models in an address, whose length is bounded.
      select member.model_id, member.role from public.members as member
      where member.user_id = held.owner_id order by member.created_at desc limit 100
    ) as newest
  ) as part
  where held.hash = key_hash;
$$;

comment on function public.find_api_key(text) is
  'The key of this hash, the role of its owner and the models shared with its owner, if there is one. Servers only.';
revoke all on function public.find_api_key(text) from public, anon, authenticated, service_role;
grant execute on function public.find_api_key(text) to service_role;

create function public.note_key_used(key_id uuid) returns boolean
language plpgsql security definer set search_path = ''
as $$
begin
  -- To the minute, however many servers see the key.
  update public.api_keys as held set last_used_at = now()
  where held.id = note_key_used.key_id
    and (held.last_used_at is null or held.last_used_at < now() - interval '1 minute');
  return found;
end;
$$;

comment on function public.note_key_used(uuid) is
  'Note that a key was used, at most once a minute; says whether it was noted. Servers only.';
revoke all on function public.note_key_used(uuid) from public, anon, authenticated, service_role;
grant execute on function public.note_key_used(uuid) to service_role;

-- The trace ----------------------------------------------------------------------------------------------

create function private.audit_key() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
  key public.api_keys := case tg_op when 'DELETE' then old else new end;
  action text := case tg_op when 'INSERT' then 'key.created' when 'DELETE' then 'key.deleted' else 'key.shortened' end;
begin
  if tg_op = 'INSERT' and new.rotated_from is not null then
    action := 'key.rotated';
  elsif tg_op = 'UPDATE' and new.revoked_at is distinct from old.revoked_at then
    action := 'key.revoked';
  end if;
  perform private.record_audit(action, 'key', key.id::text, jsonb_build_object(
    'name', key.name, 'prefix', key.prefix, 'scopes', key.scopes, 'owner_id', key.owner_id,
    'expires_at', key.expires_at, 'rotated_from', key.rotated_from,
    'model', (select model.slug from public.models as model where model.id = key.model_id)
  ));
  return null;
end;
$$;

comment on function private.audit_key() is 'Trigger: the life of a key, without its hash.';
revoke all on function private.audit_key() from public;

create trigger audit_key after insert or delete on public.api_keys
for each row execute function private.audit_key();

create trigger audit_key_change after update of revoked_at, expires_at on public.api_keys
for each row when ((old.revoked_at, old.expires_at) is distinct from (new.revoked_at, new.expires_at))
execute function private.audit_key();
