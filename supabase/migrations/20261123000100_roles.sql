-- Who somebody is: roles in a private table, read through security-definer functions.
--
-- The schema `private` is never exposed by the data API. Policies and defaults call its functions as the
-- client's role, so that role may use the schema and execute exactly the functions granted below.

create schema if not exists private;
comment on schema private is 'Helpers of policies and triggers. Never exposed by the data API.';
revoke all on schema private from public;
grant usage on schema private to anon, authenticated, service_role;

-- Ids ----------------------------------------------------------------------------------------------------

create or replace function private.uuid_v7() returns uuid
language sql volatile parallel safe set search_path = ''
as $$
  -- 48 bits of Unix milliseconds over a random UUID, then version 7; the variant bits are already right.
  select encode(
    set_bit(set_bit(
      overlay(
        uuid_send(gen_random_uuid())
        placing substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3)
        from 1 for 6
      ), 52, 1), 53, 1),
    'hex')::uuid;
$$;

do $$
begin
  if to_regprocedure('pg_catalog.uuidv7()') is not null then
    create or replace function private.uuid_v7() returns uuid
    language sql volatile parallel safe set search_path = ''
    as 'select pg_catalog.uuidv7()';
  end if;
end;
$$;

comment on function private.uuid_v7() is 'Time-ordered id (RFC 9562 version 7); the built-in one from Postgres 18 on.';
revoke all on function private.uuid_v7() from public;
grant execute on function private.uuid_v7() to anon, authenticated, service_role;

-- Times --------------------------------------------------------------------------------------------------

create function private.touch_updated_at() returns trigger
language plpgsql set search_path = ''
as $$
begin
  new.updated_at := now();
  return new;
end;
$$;

comment on function private.touch_updated_at() is 'Trigger: keeps updated_at true.';
revoke all on function private.touch_updated_at() from public;

-- Arguments ----------------------------------------------------------------------------------------------

create function private.as_object(argument jsonb) returns jsonb
language sql immutable set search_path = ''
as $$
  -- The embedded data API hands an object over as a JSON string that holds it.
  select case jsonb_typeof(argument) when 'string' then (argument #>> '{}')::jsonb else coalesce(argument, '{}') end;
$$;

comment on function private.as_object(jsonb) is 'A jsonb argument as it was meant, whichever data API passed it on.';
revoke all on function private.as_object(jsonb) from public;

-- Roles --------------------------------------------------------------------------------------------------

create table private.user_roles (
  user_id uuid primary key references auth.users (id) on delete cascade,
  role text not null constraint "role is viewer, analyst or admin" check (role in ('viewer', 'analyst', 'admin')),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

comment on table private.user_roles is 'What a signed-in user may do. No row means viewer.';
revoke all on private.user_roles from public, anon, authenticated, service_role;

create trigger touch_updated_at before update on private.user_roles
for each row execute function private.touch_updated_at();

create function private.role_of(subject uuid) returns text
language sql stable security definer set search_path = ''
as $$
  select coalesce(
    (select held.role from private.user_roles as held where held.user_id = subject),
    case when exists (select from auth.users as person where person.id = subject) then 'viewer' end
  );
$$;

comment on function private.role_of(uuid) is 'Role of a user; null when there is no such user.';
revoke all on function private.role_of(uuid) from public;

create function private.is_admin() returns boolean
language sql stable security definer set search_path = ''
as $$
  select exists (
    select from private.user_roles as held where held.user_id = (select auth.uid()) and held.role = 'admin'
  );
$$;

comment on function private.is_admin() is 'Whether the caller is an admin.';
revoke all on function private.is_admin() from public;
grant execute on function private.is_admin() to anon, authenticated, service_role;

create function private.is_analyst() returns boolean
language sql stable security definer set search_path = ''
as $$
  select exists (
    select from private.user_roles as held
    where held.user_id = (select auth.uid()) and held.role in ('analyst', 'admin')
  );
$$;

comment on function private.is_analyst() is 'Whether the caller may bring data and train: analysts and admins.';
revoke all on function private.is_analyst() from public;
grant execute on function private.is_analyst() to anon, authenticated, service_role;

create function private.is_system() returns boolean
language sql stable set search_path = ''
as $$
  -- The role that was set by the data API, or else the one that logged in. Unlike current_user these do not
  -- change inside a security-definer function, so a client cannot borrow the owner's rights.
  select exists (
    select from pg_catalog.pg_roles as held
    where held.rolname = coalesce(nullif(current_setting('role', true), 'none'), session_user)
      and (held.rolbypassrls or held.rolsuper)
  );
$$;

comment on function private.is_system() is 'Whether the caller is a server with full rights (secret key, worker, owner of the database).';
revoke all on function private.is_system() from public;
grant execute on function private.is_system() to anon, authenticated, service_role;

create function private.acting_user(asserted uuid) returns uuid
language plpgsql stable security definer set search_path = ''
as $$
begin
  if private.is_system() then
    return asserted;
  end if;
  if asserted is not null and asserted is distinct from auth.uid() then
    raise exception 'Only a server may act in the name of somebody else.' using errcode = '42501';
  end if;
  return auth.uid();
end;
$$;

comment on function private.acting_user(uuid) is
  'In whose name a call is made: the caller, or whom a server says it acts for (null: for the house itself).';
revoke all on function private.acting_user(uuid) from public;

-- Functions that clients call ----------------------------------------------------------------------------

create function public.current_user_role() returns text
language sql stable security definer set search_path = ''
as $$
  select case
    when (select auth.uid()) is not null then private.role_of((select auth.uid()))
    when private.is_system() then 'service'
    else 'anonymous'
  end;
$$;

comment on function public.current_user_role() is 'anonymous, viewer, analyst, admin or service.';
revoke all on function public.current_user_role() from public, anon, authenticated, service_role;
grant execute on function public.current_user_role() to anon, authenticated, service_role;

create function public.set_user_role(user_email text, new_role text) returns text
language plpgsql security definer set search_path = ''
as $$
declare
  person uuid;
begin
  if not (private.is_system() or private.is_admin()) then
    raise exception 'Only admins give roles.' using errcode = '42501';
  end if;
  if new_role is null or new_role not in ('viewer', 'analyst', 'admin') then
    raise exception 'A role is viewer, analyst or admin, not "%".', new_role using errcode = '22023';
  end if;
  select held.id into person from auth.users as held where lower(held.email) = lower(btrim(user_email));
  if person is null then
    raise exception 'There is no user "%".', user_email using errcode = 'PT404';
  end if;

  -- One change at a time, so that two admins cannot remove each other in the same moment.
  lock table private.user_roles in share row exclusive mode;
  insert into private.user_roles as held (user_id, role) values (person, new_role)
  on conflict on constraint user_roles_pkey do update set role = excluded.role;

  if not private.is_system() and not exists (select from private.user_roles as held where held.role = 'admin') then
    raise exception 'Somebody has to stay admin.' using errcode = 'PT409';
  end if;
  return new_role;
end;
$$;

comment on function public.set_user_role(text, text) is 'Give a user a role. Admins and servers only; the last admin stays.';
revoke all on function public.set_user_role(text, text) from public, anon, authenticated, service_role;
grant execute on function public.set_user_role(text, text) to authenticated, service_role;

create function public.list_users() returns table (id uuid, email text, role text, created_at timestamptz)
language plpgsql stable security definer set search_path = ''
as $$
begin
  if not (private.is_system() or private.is_admin()) then
    raise exception 'Only admins list users.' using errcode = '42501';
  end if;
  return query
    select person.id, person.email::text, coalesce(held.role, 'viewer'), person.created_at
    from auth.users as person
    left join private.user_roles as held on held.user_id = person.id
    order by person.created_at, person.id;
end;
$$;

comment on function public.list_users() is 'Everybody who can sign in, with role. Admins and servers only.';
revoke all on function public.list_users() from public, anon, authenticated, service_role;
grant execute on function public.list_users() to authenticated, service_role;
