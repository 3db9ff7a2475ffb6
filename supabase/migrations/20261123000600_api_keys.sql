-- Keys for machines. The key is shown once; kept are its prefix, to recognise it, and its hash, to check it.

create table public.api_keys (
  id uuid primary key default private.uuid_v7(),
  owner_id uuid not null default auth.uid() references auth.users (id) on delete cascade,
  name text not null
    constraint "key name has 1 to 80 characters" check (length(btrim(name)) between 1 and 80),
  prefix text not null unique
    constraint "prefix is 6 to 16 letters or digits" check (prefix ~ '^[A-Za-z0-9]{6,16}$'),
  hash text not null unique
    constraint "hash is 64 lower-case hexadecimal digits" check (hash ~ '^[0-9a-f]{64}$'),
  scopes text[] not null default '{predict}'
    constraint "scopes are some of predict, feedback, train, admin"
    check (cardinality(scopes) >= 1 and scopes <@ array['predict', 'feedback', 'train', 'admin']),
  model_id uuid references public.models (id) on delete cascade,
  expires_at timestamptz,
  revoked_at timestamptz,
  last_used_at timestamptz,
  created_at timestamptz not null default now()
);

comment on table public.api_keys is 'Keys for machines, kept as SHA-256. A key never has more rights than its owner.';
comment on column public.api_keys.model_id is 'When set, the key works for this model only.';

create index api_keys_owner_id_idx on public.api_keys (owner_id, created_at desc);
create index api_keys_model_id_idx on public.api_keys (model_id);

revoke all on public.api_keys from public, anon, authenticated, service_role;
-- Nobody but servers reads the hash back.
grant select (id, owner_id, name, prefix, scopes, model_id, expires_at, revoked_at, last_used_at, created_at)
  on public.api_keys to authenticated;
grant insert (id, owner_id, name, prefix, hash, scopes, model_id, expires_at) on public.api_keys to authenticated;
grant update (name, expires_at, revoked_at) on public.api_keys to authenticated;
grant select, insert, update on public.api_keys to service_role;

alter table public.api_keys enable row level security;

create policy "owners read their own keys" on public.api_keys
for select to authenticated using (owner_id = (select auth.uid()));

create policy "admins read every key" on public.api_keys
for select to authenticated using ((select private.is_admin()));

create policy "people create keys of their own" on public.api_keys
for insert to authenticated with check (owner_id = (select auth.uid()));

create policy "owners revoke their own keys" on public.api_keys
for update to authenticated
using (owner_id = (select auth.uid())) with check (owner_id = (select auth.uid()));

create policy "admins revoke every key" on public.api_keys
for update to authenticated
using ((select private.is_admin())) with check ((select private.is_admin()));

create function private.check_api_key() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
  role text := coalesce(private.role_of(new.owner_id), '');
  model public.models;
begin
  if tg_op = 'UPDATE' then
    if (new.id, new.owner_id, new.prefix, new.hash, new.scopes, new.model_id)
      is distinct from (old.id, old.owner_id, old.prefix, old.hash, old.scopes, old.model_id) then
      raise exception 'A key keeps its owner and its rights; create a new one.' using errcode = 'PT409';
    end if;
    if old.revoked_at is not null and new.revoked_at is distinct from old.revoked_at then
      raise exception 'A revoked key stays revoked.' using errcode = 'PT409';
    end if;
    return new;
  end if;

  if 'admin' = any (new.scopes) and role <> 'admin' then
    raise exception 'Only admins create keys with the scope admin.' using errcode = '42501';
  end if;
  if 'train' = any (new.scopes) and role not in ('analyst', 'admin') then
    raise exception 'A key with the scope train needs the role analyst.' using errcode = '42501';
  end if;
  if new.model_id is not null then
    select * into model from public.models as held where held.id = new.model_id;
    if not coalesce(model.visibility = 'public' or model.owner_id = new.owner_id or role = 'admin', false) then
      raise exception 'There is no such model.' using errcode = 'PT404';
    end if;
  end if;
  return new;
end;
$$;

comment on function private.check_api_key() is 'Trigger: a key never exceeds its owner, never changes its rights, never comes back.';
revoke all on function private.check_api_key() from public;

create trigger check_api_key before insert or update on public.api_keys
for each row execute function private.check_api_key();

create function public.find_api_key(key_hash text)
returns table (
  id uuid, owner_id uuid, owner_role text, scopes text[], model_slug text, expires_at timestamptz, revoked_at timestamptz
)
language plpgsql security definer set search_path = ''
as $$
begin
  -- To the minute: a busy key must not cost a write per request.
  update public.api_keys as held set last_used_at = now()
  where held.hash = key_hash and held.revoked_at is null
    and (held.last_used_at is null or held.last_used_at < now() - interval '1 minute');
  return query
    select held.id, held.owner_id, private.role_of(held.owner_id), held.scopes, model.slug, held.expires_at, held.revoked_at
    from public.api_keys as held
    left join public.models as model on model.id = held.model_id
    where held.hash = key_hash;
end;
$$;

comment on function public.find_api_key(text) is
  'The key of this hash with the role of its owner, if there is one; notes that it was used. Servers only.';
revoke all on function public.find_api_key(text) from public, anon, authenticated, service_role;
grant execute on function public.find_api_key(text) to service_role;
