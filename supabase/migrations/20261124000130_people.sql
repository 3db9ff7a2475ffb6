-- Admins give roles by id as well as by address, and end accounts. The last admin stays, whatever the way.

create function private.give_role(person uuid, new_role text) returns text
language plpgsql security definer set search_path = ''
as $$
begin
  if not (private.is_system() or private.is_admin()) then
    raise exception 'Only admins give roles.' using errcode = '42501';
  end if;
  if new_role is null or new_role not in ('viewer', 'analyst', 'admin') then
    raise exception 'A role is viewer, analyst or admin, not "%".', new_role using errcode = '22023';
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

comment on function private.give_role(uuid, text) is 'Give a known user a role. Admins and servers only; the last admin stays.';
revoke all on function private.give_role(uuid, text) from public;

create or replace function public.set_user_role(user_email text, new_role text) returns text
language plpgsql security definer set search_path = ''
as $$
declare
  person uuid;
begin
  if not (private.is_system() or private.is_admin()) then
    raise exception 'Only admins give roles.' using errcode = '42501';
  end if;
  select held.id into person from auth.users as held where lower(held.email) = lower(btrim(user_email));
  if person is null and new_role in ('viewer', 'analyst', 'admin') then
    raise exception 'There is no user "%".', user_email using errcode = 'PT404';
  end if;
  return private.give_role(person, new_role);
end;
$$;

create function public.set_person_role(person_id uuid, new_role text)
returns table (id uuid, email text, role text, created_at timestamptz)
language plpgsql security definer set search_path = ''
as $$
#variable_conflict use_column
begin
  if not (private.is_system() or private.is_admin()) then
    raise exception 'Only admins give roles.' using errcode = '42501';
  end if;
  if not exists (select from auth.users as person where person.id = set_person_role.person_id) then
    raise exception 'There is no user %.', set_person_role.person_id using errcode = 'PT404';
  end if;
  perform private.give_role(set_person_role.person_id, set_person_role.new_role);
  return query
    select person.id, person.email::text, private.role_of(person.id), person.created_at
    from auth.users as person where person.id = set_person_role.person_id;
end;
$$;

comment on function public.set_person_role(uuid, text) is 'Give a user a role, by id. Admins and servers only; the last admin stays.';
revoke all on function public.set_person_role(uuid, text) from public, anon, authenticated, service_role;
grant execute on function public.set_person_role(uuid, text) to authenticated, service_role;

create function public.remove_user(user_email text) returns uuid
language plpgsql security definer set search_path = ''
as $$
declare
  person uuid;
begin
  if not private.is_system() then
    raise exception 'Only the operator ends accounts.' using errcode = '42501';
  end if;
  select held.id into person from auth.users as held where lower(held.email) = lower(btrim(user_email));
  if person is null then
    raise exception 'There is no user "%".', user_email using errcode = 'PT404';
  end if;
  perform private.record_audit('user.removed', 'user', person::text, jsonb_build_object('email', lower(btrim(user_email))));
  delete from auth.users as held where held.id = person;
  return person;
end;
$$;

comment on function public.remove_user(text) is
  'End an account: its keys, memberships and datasets go, its models become the house''s. Servers only.';
revoke all on function public.remove_user(text) from public, anon, authenticated, service_role;
grant execute on function public.remove_user(text) to service_role;
