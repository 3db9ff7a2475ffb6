-- The audit log: who moved which alias, gave which role, made which key, opened which model. Read by admins.

create table public.audit_log (
  id uuid primary key default private.uuid_v7(),
  at timestamptz not null default clock_timestamp(),
  actor_id uuid,
  actor_email text,
  action text not null
    constraint "action is two or more words with dots" check (action ~ '^[a-z_]+(\.[a-z_]+)+$' and length(action) <= 60),
  subject_type text not null
    constraint "subject type is one word" check (subject_type ~ '^[a-z_]{1,40}$'),
  subject_id text not null
    constraint "subject id has 1 to 200 characters" check (length(subject_id) between 1 and 200),
  data jsonb not null default '{}'
    constraint "audit data is an object" check (jsonb_typeof(data) = 'object')
);

comment on table public.audit_log is 'Append-only: what was done to access and to what is served. Written by record_audit.';
comment on column public.audit_log.actor_id is
  'Who did it; null: a server or somebody at the database. No foreign key: history outlives accounts.';
comment on column public.audit_log.actor_email is 'The address at that time.';
comment on column public.audit_log.data is 'What changed. Never a secret, never a row of data.';

create index audit_log_at_idx on public.audit_log (at desc, id desc);
create index audit_log_subject_idx on public.audit_log (subject_type, subject_id, at desc);
create index audit_log_actor_id_idx on public.audit_log (actor_id, at desc);

create trigger refuse_change before update or delete on public.audit_log
for each row execute function private.refuse_change();

create trigger refuse_truncate before truncate on public.audit_log
for each statement execute function private.refuse_change();

revoke all on public.audit_log from public, anon, authenticated, service_role;
grant select on public.audit_log to authenticated, service_role;

alter table public.audit_log enable row level security;

create policy "admins read the audit log" on public.audit_log
for select to authenticated using ((select private.is_admin()));

create function private.record_audit(
  action text, subject_type text, subject_id text, data jsonb default '{}', actor uuid default null
) returns void
language sql security definer set search_path = ''
as $$
  insert into public.audit_log (actor_id, actor_email, action, subject_type, subject_id, data)
  select who.id, (select person.email from auth.users as person where person.id = who.id),
    record_audit.action, record_audit.subject_type, record_audit.subject_id,
    jsonb_strip_nulls(coalesce(record_audit.data, '{}'))
  from (select coalesce(record_audit.actor, auth.uid())) as who (id);
$$;

comment on function private.record_audit(text, text, text, jsonb, uuid) is
  'Write to the audit log in the transaction of the caller. The actor is the caller unless one is named.';
revoke all on function private.record_audit(text, text, text, jsonb, uuid) from public;

-- What is recorded ---------------------------------------------------------------------------------------

create function private.audit_promotion() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  perform private.record_audit(
    case when new.rollback_of is null then 'promotion.made' else 'promotion.rolled_back' end,
    'model', (select model.slug from public.models as model where model.id = new.model_id),
    jsonb_build_object(
      'promotion_id', new.id, 'alias', new.alias, 'reason', new.reason,
      'from_version', (select held.number from public.versions as held where held.id = new.from_version_id),
      'to_version', (select held.number from public.versions as held where held.id = new.to_version_id)
    ),
    new.promoted_by
  );
  return null;
end;
$$;

comment on function private.audit_promotion() is 'Trigger: each move of an alias.';
revoke all on function private.audit_promotion() from public;

create trigger audit_promotion after insert on public.promotions
for each row execute function private.audit_promotion();

create function private.audit_role() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
  person uuid := case tg_op when 'DELETE' then old.user_id else new.user_id end;
begin
  perform private.record_audit('role.changed', 'user', person::text, jsonb_build_object(
    'email', (select held.email from auth.users as held where held.id = person),
    'from', case tg_op when 'INSERT' then 'viewer' else old.role end,
    'to', case tg_op when 'DELETE' then 'viewer' else new.role end
  ));
  return null;
end;
$$;

comment on function private.audit_role() is 'Trigger: each change of what a person may do.';
revoke all on function private.audit_role() from public;

create trigger audit_role after insert or delete on private.user_roles
for each row execute function private.audit_role();

create trigger audit_role_change after update of role on private.user_roles
for each row when (old.role is distinct from new.role) execute function private.audit_role();

create function private.audit_visibility() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  if tg_op = 'INSERT' then
    perform private.record_audit(
      'visibility.changed', 'model', new.slug, jsonb_build_object('from', 'private', 'to', new.visibility), new.owner_id
    );
    return null;
  end if;
  if new.visibility <> old.visibility then
    perform private.record_audit(
      'visibility.changed', 'model', new.slug, jsonb_build_object('from', old.visibility, 'to', new.visibility)
    );
  end if;
  if new.keep_inputs <> old.keep_inputs then
    perform private.record_audit('inputs.changed', 'model', new.slug, jsonb_build_object('kept', new.keep_inputs));
  end if;
  return null;
end;
$$;

comment on function private.audit_visibility() is 'Trigger: who may see a model, and whether what people send is kept.';
revoke all on function private.audit_visibility() from public;

create trigger audit_publication after insert on public.models
for each row when (new.visibility = 'public') execute function private.audit_visibility();

create trigger audit_visibility after update of visibility, keep_inputs on public.models
for each row execute function private.audit_visibility();

create function private.audit_member() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
  member public.members := case tg_op when 'DELETE' then old else new end;
begin
  perform private.record_audit(
    case tg_op when 'INSERT' then 'member.added' when 'UPDATE' then 'member.changed' else 'member.removed' end,
    'model', coalesce((select model.slug from public.models as model where model.id = member.model_id), member.model_id::text),
    jsonb_build_object(
      'user_id', member.user_id, 'role', member.role,
      'email', (select person.email from auth.users as person where person.id = member.user_id)
    ),
    case tg_op when 'INSERT' then member.added_by end
  );
  return null;
end;
$$;

comment on function private.audit_member() is 'Trigger: with whom a model is shared.';
revoke all on function private.audit_member() from public;

create trigger audit_member after insert or delete on public.members
for each row execute function private.audit_member();

create trigger audit_member_change after update of role on public.members
for each row when (old.role is distinct from new.role) execute function private.audit_member();
