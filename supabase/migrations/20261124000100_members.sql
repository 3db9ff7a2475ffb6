-- Models shared with people: a viewer sees a private model and uses it, an editor trains and promotes it as well.
--
-- Whether somebody may see or edit a model is decided here, once; policies and functions about anything that hangs
-- on a model ask these functions.

create table public.members (
  model_id uuid not null references public.models (id) on delete cascade,
  user_id uuid not null references auth.users (id) on delete cascade,
  role text not null constraint "member role is viewer or editor" check (role in ('viewer', 'editor')),
  added_by uuid,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (model_id, user_id)
);

comment on table public.members is
  'With whom a model is shared: viewers see and use it, editors train, promote and describe it. Written by set_member.';
comment on column public.members.added_by is
  'Who shared it, or null for the house. No foreign key: history outlives accounts.';

create index members_user_id_idx on public.members (user_id, model_id);

create trigger touch_updated_at before update on public.members
for each row execute function private.touch_updated_at();

revoke all on public.members from public, anon, authenticated, service_role;
grant select on public.members to authenticated, service_role;

alter table public.members enable row level security;

-- One model at a time ------------------------------------------------------------------------------------

create function private.may_edit_model(model_id uuid, person uuid) returns boolean
language sql stable security definer set search_path = ''
as $$
  select exists (
    select from public.models as model
    where model.id = may_edit_model.model_id and (
      model.owner_id = may_edit_model.person
      or private.role_of(may_edit_model.person) = 'admin'
      or exists (
        select from public.members as member
        where member.model_id = model.id and member.user_id = may_edit_model.person and member.role = 'editor'
      )
    )
  );
$$;

comment on function private.may_edit_model(uuid, uuid) is
  'Whether a person may train, promote and describe a model: its owner, editors it is shared with, admins.';
revoke all on function private.may_edit_model(uuid, uuid) from public;

create function private.may_see_model(model_id uuid, person uuid) returns boolean
language sql stable security definer set search_path = ''
as $$
  select exists (
    select from public.models as model
    where model.id = may_see_model.model_id and (
      model.visibility = 'public'
      or model.owner_id = may_see_model.person
      or private.role_of(may_see_model.person) = 'admin'
      or exists (
        select from public.members as member
        where member.model_id = model.id and member.user_id = may_see_model.person
      )
    )
  );
$$;

comment on function private.may_see_model(uuid, uuid) is
  'Whether a person may read about a model and use it: anybody a public one, else its owner, its members, admins.';
revoke all on function private.may_see_model(uuid, uuid) from public;

create function private.can_edit_model(model_id uuid) returns boolean
language sql stable security definer set search_path = ''
as $$
  select private.may_edit_model(can_edit_model.model_id, (select auth.uid()));
$$;

comment on function private.can_edit_model(uuid) is 'Whether the caller may train, promote and describe a model.';
revoke all on function private.can_edit_model(uuid) from public;
grant execute on function private.can_edit_model(uuid) to anon, authenticated, service_role;

create function private.can_see_model(model_id uuid) returns boolean
language sql stable security definer set search_path = ''
as $$
  select private.may_see_model(can_see_model.model_id, (select auth.uid()));
$$;

comment on function private.can_see_model(uuid) is 'Whether the caller may read about a model and use it.';
revoke all on function private.can_see_model(uuid) from public;
grant execute on function private.can_see_model(uuid) to anon, authenticated, service_role;

-- All at once: a policy on a long table asks this once per statement, not once per row --------------------

create function private.my_models() returns setof uuid
language sql stable security definer set search_path = ''
as $$
  select model.id from public.models as model where model.owner_id = (select auth.uid())
  union
  select member.model_id from public.members as member where member.user_id = (select auth.uid());
$$;

comment on function private.my_models() is
  'The models that the caller owns or that are shared with the caller. Public ones of others are not among them.';
revoke all on function private.my_models() from public;
grant execute on function private.my_models() to authenticated, service_role;

create function private.my_editable_models() returns setof uuid
language sql stable security definer set search_path = ''
as $$
  select model.id from public.models as model where model.owner_id = (select auth.uid())
  union
  select member.model_id from public.members as member
  where member.user_id = (select auth.uid()) and member.role = 'editor';
$$;

comment on function private.my_editable_models() is 'The models that the caller owns or is an editor of.';
revoke all on function private.my_editable_models() from public;
grant execute on function private.my_editable_models() to authenticated, service_role;

-- Who sees whom ------------------------------------------------------------------------------------------

create policy "people read their own memberships" on public.members
for select to authenticated using (user_id = (select auth.uid()));

create policy "whoever has a part in a model reads its members" on public.members
for select to authenticated using (model_id in (select private.my_models()));

create policy "admins read every membership" on public.members
for select to authenticated using ((select private.is_admin()));

-- What members see and do --------------------------------------------------------------------------------

create policy "members read the models shared with them" on public.models
for select to authenticated using (id in (select private.my_models()));

create policy "editors edit the models shared with them" on public.models
for update to authenticated
using (id in (select private.my_editable_models())) with check (id in (select private.my_editable_models()));

create function private.check_model_change() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  if private.is_system() or private.is_admin() or old.owner_id = auth.uid() then
    return new;
  end if;
  raise exception 'Only the owner of "%" or an admin decides who may see it and what is kept.', old.slug
    using errcode = '42501';
end;
$$;

comment on function private.check_model_change() is
  'Trigger: editors describe a model; who may see it and whether inputs are kept is its owner''s to say.';
revoke all on function private.check_model_change() from public;

create trigger check_model_change before update of visibility, keep_inputs on public.models
for each row
when ((new.visibility, new.keep_inputs) is distinct from (old.visibility, old.keep_inputs))
execute function private.check_model_change();

drop policy "owners read the promotions of their own models" on public.promotions;

create policy "whoever has a part in a model reads its promotions" on public.promotions
for select to authenticated using (model_id in (select private.my_models()));

drop policy "owners read the predictions of their own models" on public.predictions;

create policy "whoever has a part in a model reads its predictions" on public.predictions
for select to authenticated using (model_id in (select private.my_models()));

create policy "whoever has a part in a model reads its runs" on public.runs
for select to authenticated using (model_id in (select private.my_models()));

-- A batch stays its creator's alone: it is made of a dataset that nobody shared.

create or replace function private.editable_model(model_slug text, editor uuid) returns public.models
language plpgsql stable security definer set search_path = ''
as $$
declare
  found_model public.models;
  is_house boolean := private.is_system() and editor is null;
begin
  select * into found_model from public.models as model where model.slug = model_slug;
  if found_model.id is not null and (is_house or private.may_edit_model(found_model.id, editor)) then
    return found_model;
  end if;
  if private.may_see_model(found_model.id, editor) then
    raise exception 'Only the owner of "%", its editors and admins may do this.', model_slug using errcode = '42501';
  end if;
  raise exception 'There is no model "%".', model_slug using errcode = 'PT404';
end;
$$;

create or replace function private.check_run_model(run public.runs) returns void
language plpgsql stable security definer set search_path = ''
as $$
declare
  model public.models;
begin
  select * into model from public.models as held where held.slug = run.model_slug;
  if model.id is null then
    return;
  end if;
  if run.created_by is not null and not private.may_edit_model(model.id, run.created_by) then
    raise exception 'The model name "%" is taken; choose another one.', run.model_slug using errcode = 'PT409';
  end if;
  if model.target <> run.target then
    raise exception 'Model "%" predicts "%"; choose another model name to predict "%".',
      run.model_slug, model.target, run.target using errcode = 'PT409';
  end if;
end;
$$;

create or replace function private.prepare_batch() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
  dataset public.datasets;
  owning_model uuid;
  role text;
begin
  select * into dataset from public.datasets as held where held.id = new.dataset_id;
  if private.is_system() then
    -- A plain SQL insert names nobody: the batch belongs to whoever owns the dataset.
    new.created_by := coalesce(new.created_by, dataset.owner_id);
  else
    new.created_by := private.acting_user(new.created_by);
  end if;
  role := coalesce(private.role_of(new.created_by), 'house');
  if role = 'viewer' then
    raise exception 'Scoring a dataset needs the role analyst.' using errcode = '42501';
  end if;
  if dataset.id is null or (role = 'analyst' and dataset.owner_id is distinct from new.created_by) then
    raise exception 'There is no such dataset.' using errcode = 'PT404';
  end if;
  if dataset.status <> 'ready' then
    raise exception 'The dataset is not ready: %.', coalesce(dataset.reason, 'its upload is not complete')
      using errcode = 'PT409';
  end if;
  owning_model := (select version.model_id from public.versions as version where version.id = new.version_id);
  if owning_model is null or (role <> 'house' and not private.may_see_model(owning_model, new.created_by)) then
    raise exception 'There is no such version.' using errcode = 'PT404';
  end if;

  new.model_id := owning_model;
  new.status := 'queued';
  new.attempt := 0;
  new.created_at := now();
  return new;
end;
$$;

-- Sharing ------------------------------------------------------------------------------------------------

create function private.shareable_model(model_slug text, sharer uuid) returns public.models
language plpgsql stable security definer set search_path = ''
as $$
declare
  found_model public.models;
begin
  select * into found_model from public.models as model where model.slug = model_slug;
  if found_model.id is not null and (
    (private.is_system() and sharer is null) or found_model.owner_id = sharer or private.role_of(sharer) = 'admin'
  ) then
    return found_model;
  end if;
  if private.may_see_model(found_model.id, sharer) then
    raise exception 'Only the owner of "%" or an admin may share it.', model_slug using errcode = '42501';
  end if;
  raise exception 'There is no model "%".', model_slug using errcode = 'PT404';
end;
$$;

comment on function private.shareable_model(text, uuid) is
  'The model, if this user may share it; otherwise an error that does not tell private models apart from none.';
revoke all on function private.shareable_model(text, uuid) from public;

create function public.set_member(model_slug text, user_email text, member_role text, actor uuid default null)
returns table (user_id uuid, email text, role text, created_at timestamptz)
language plpgsql security definer set search_path = ''
as $$
#variable_conflict use_column
declare
  sharer uuid := private.acting_user(set_member.actor);
  model public.models := private.shareable_model(set_member.model_slug, sharer);
  person uuid;
begin
  if coalesce(set_member.member_role, '') not in ('viewer', 'editor') then
    raise exception 'A member is viewer or editor, not "%".', set_member.member_role using errcode = '22023';
  end if;
  select held.id into person from auth.users as held where lower(held.email) = lower(btrim(set_member.user_email));
  if person is null then
    raise exception 'There is no user "%".', set_member.user_email using errcode = 'PT404';
  end if;
  if person = model.owner_id then
    raise exception 'The model is theirs already.' using errcode = 'PT409';
  end if;
  insert into public.members as held (model_id, user_id, role, added_by)
  values (model.id, person, set_member.member_role, sharer)
  on conflict on constraint members_pkey do update set role = excluded.role;
  return query
    select held.user_id, known.email::text, held.role, held.created_at
    from public.members as held join auth.users as known on known.id = held.user_id
    where held.model_id = model.id and held.user_id = person;
end;
$$;

comment on function public.set_member(text, text, text, uuid) is
  'Share a model with somebody, or change what a member may do. Owner and admins; actor is for servers.';
revoke all on function public.set_member(text, text, text, uuid) from public, anon, authenticated, service_role;
grant execute on function public.set_member(text, text, text, uuid) to authenticated, service_role;

create function public.remove_member(model_slug text, member_id uuid, actor uuid default null) returns boolean
language plpgsql security definer set search_path = ''
as $$
declare
  remover uuid := private.acting_user(remove_member.actor);
  model public.models;
begin
  select * into model from public.models as held where held.slug = remove_member.model_slug;
  -- Anybody may leave.
  if remover is distinct from remove_member.member_id or not private.may_see_model(model.id, remover) then
    model := private.shareable_model(remove_member.model_slug, remover);
  end if;
  delete from public.members as held where held.model_id = model.id and held.user_id = remove_member.member_id;
  return found;
end;
$$;

comment on function public.remove_member(text, uuid, uuid) is
  'End a membership, and say whether there was one. Owner, admins, and members themselves; actor is for servers.';
revoke all on function public.remove_member(text, uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function public.remove_member(text, uuid, uuid) to authenticated, service_role;

create function public.list_members(model_slug text, actor uuid default null)
returns table (user_id uuid, email text, role text, created_at timestamptz)
language plpgsql stable security definer set search_path = ''
as $$
#variable_conflict use_column
declare
  reader uuid := private.acting_user(list_members.actor);
  is_house boolean := private.is_system() and reader is null;
  model public.models;
begin
  select * into model from public.models as held where held.slug = list_members.model_slug;
  if model.id is null or not (is_house or private.may_see_model(model.id, reader)) then
    raise exception 'There is no model "%".', list_members.model_slug using errcode = 'PT404';
  end if;
  if not (
    is_house or private.may_edit_model(model.id, reader)
    or exists (select from public.members as held where held.model_id = model.id and held.user_id = reader)
  ) then
    raise exception 'Only people who have a part in "%" see with whom it is shared.', list_members.model_slug
      using errcode = '42501';
  end if;
  return query
    select person.id, person.email::text, 'owner', model.created_at
    from auth.users as person where person.id = model.owner_id
    union all
    (
      select held.user_id, person.email::text, held.role, held.created_at
      from public.members as held join auth.users as person on person.id = held.user_id
      where held.model_id = model.id
      order by held.created_at, held.user_id
    );
end;
$$;

comment on function public.list_members(text, uuid) is
  'The owner of a model and with whom it is shared. Whoever has a part in it; actor is for servers.';
revoke all on function public.list_members(text, uuid) from public, anon, authenticated, service_role;
grant execute on function public.list_members(text, uuid) to authenticated, service_role;
