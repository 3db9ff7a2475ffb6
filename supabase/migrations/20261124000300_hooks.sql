-- Hooks: doors that webhooks come in by. Each is bound to a model and an alias, knows how a payload becomes rows, and
-- handles a delivery once, however often it arrives.

create table public.hooks (
  id uuid primary key default private.uuid_v7(),
  owner_id uuid not null default auth.uid() references auth.users (id) on delete cascade,
  model_id uuid not null references public.models (id),
  alias text not null default 'champion'
    constraint "alias is an alias or a number of a version" check (alias ~ '^([a-z][a-z0-9-]{0,31}|[1-9][0-9]{0,8})$'),
  name text not null
    constraint "hook name has 1 to 80 characters" check (length(btrim(name)) between 1 and 80),
  kind text not null
    constraint "hook kind is standard, supabase or key" check (kind in ('standard', 'supabase', 'key')),
  mode text not null default 'answer'
    constraint "hook mode is answer, write_back or event" check (mode in ('answer', 'write_back', 'event')),
  mapping jsonb not null default '{}'
    constraint "mapping is a small object" check (jsonb_typeof(mapping) = 'object' and length(mapping::text) <= 20000),
  target_table text
    constraint "target table has at most 200 characters" check (length(target_table) between 1 and 200),
  column_prefix text not null default ''
    constraint "column prefix is at most 40 of a-z, 0-9 and _" check (column_prefix ~ '^([a-z_][a-z0-9_]{0,39})?$'),
  enabled boolean not null default true,
  refused_count bigint not null default 0,
  refused_at timestamptz,
  refused_reason text,
  ignored_count bigint not null default 0,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint "a hook that writes back names a table" check (mode <> 'write_back' or target_table is not null)
);

comment on table public.hooks is 'Doors that webhooks come in by. What a caller proves itself with lies in private.hook_secrets.';
comment on column public.hooks.kind is
  'standard: signed after Standard Webhooks; supabase: Database Webhooks with a shared secret; key: JSON with an API key.';
comment on column public.hooks.mapping is 'How a payload becomes rows: {"rows": path, "features": {name: path or {"constant": …}}, "key": {column: path}}.';
comment on column public.hooks.target_table is 'Where predictions go; written only once private.hook_targets lists it for this hook.';
comment on column public.hooks.column_prefix is 'In front of the columns score, label, version and predicted_at of that table.';
comment on column public.hooks.refused_count is 'Requests that were turned away. Nothing else of them is kept but the last reason.';
comment on column public.hooks.ignored_count is 'Changes that need no prediction: deleted rows, and our own writing back.';

create index hooks_owner_id_idx on public.hooks (owner_id, created_at desc);
create index hooks_model_id_idx on public.hooks (model_id);

create trigger touch_updated_at before update of alias, name, mode, mapping, target_table, column_prefix, enabled on public.hooks
for each row execute function private.touch_updated_at();

revoke all on public.hooks from public, anon, authenticated, service_role;
grant select, delete on public.hooks to authenticated, service_role;
grant insert (id, owner_id, model_id, alias, name, kind, mode, mapping, target_table, column_prefix, enabled) on public.hooks
  to authenticated, service_role;
grant update (alias, name, mode, mapping, target_table, column_prefix, enabled) on public.hooks to authenticated, service_role;

alter table public.hooks enable row level security;

create policy "people read their own hooks" on public.hooks
for select to authenticated using (owner_id = (select auth.uid()));

create policy "admins read every hook" on public.hooks
for select to authenticated using ((select private.is_admin()));

create policy "analysts create hooks of their own" on public.hooks
for insert to authenticated with check (owner_id = (select auth.uid()) and (select private.is_analyst()));

create policy "people change their own hooks" on public.hooks
for update to authenticated using (owner_id = (select auth.uid())) with check (owner_id = (select auth.uid()));

create policy "admins change every hook" on public.hooks
for update to authenticated using ((select private.is_admin())) with check ((select private.is_admin()));

create policy "people delete their own hooks" on public.hooks
for delete to authenticated using (owner_id = (select auth.uid()));

create policy "admins delete every hook" on public.hooks
for delete to authenticated using ((select private.is_admin()));

create function private.check_hook() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  if private.role_of(new.owner_id) not in ('analyst', 'admin') then
    raise exception 'A hook needs an owner with the role analyst.' using errcode = '42501';
  end if;
  if not private.may_see_model(new.model_id, new.owner_id) then
    raise exception 'There is no such model.' using errcode = 'PT404';
  end if;
  return new;
end;
$$;

comment on function private.check_hook() is 'Trigger: a hook''s owner is an analyst who may use the model.';
revoke all on function private.check_hook() from public;

create trigger check_hook before insert on public.hooks
for each row execute function private.check_hook();

create function private.audit_hook() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
  hook public.hooks := case tg_op when 'DELETE' then old else new end;
begin
  perform private.record_audit(
    case tg_op when 'INSERT' then 'hook.created' else 'hook.deleted' end, 'hook', hook.id::text,
    jsonb_build_object('name', hook.name, 'kind', hook.kind, 'mode', hook.mode, 'table', hook.target_table),
    case tg_op when 'INSERT' then hook.owner_id end
  );
  return null;
end;
$$;

comment on function private.audit_hook() is 'Trigger: doors that were opened and closed.';
revoke all on function private.audit_hook() from public;

create trigger audit_hook after insert or delete on public.hooks
for each row execute function private.audit_hook();

-- What callers prove themselves with ---------------------------------------------------------------------

create table private.hook_secrets (
  hook_id uuid not null references public.hooks (id) on delete cascade,
  secret text not null constraint "a secret starts with whsec_" check (secret ~ '^whsec_[A-Za-z0-9+/]+=*$'),
  ends_at timestamptz,
  created_at timestamptz not null default clock_timestamp(),
  primary key (hook_id, secret)
);

comment on table private.hook_secrets is
  'Signing secrets of hooks: the newest, and while a rotation lasts the one before, which then has an end.';
revoke all on private.hook_secrets from public, anon, authenticated, service_role;

create function public.set_hook_secret(hook_id uuid, secret text, overlap_seconds integer default 0) returns void
language plpgsql security definer set search_path = ''
as $$
begin
  perform from public.hooks as hook where hook.id = set_hook_secret.hook_id for update;
  if not found then
    raise exception 'There is no such hook.' using errcode = 'PT404';
  end if;
  -- Two are good at a time: what was being replaced before goes at once.
  delete from private.hook_secrets as held
  where held.hook_id = set_hook_secret.hook_id
    and (held.ends_at is not null or overlap_seconds <= 0) and held.secret <> set_hook_secret.secret;
  update private.hook_secrets as held set ends_at = now() + make_interval(secs => overlap_seconds)
  where held.hook_id = set_hook_secret.hook_id and held.secret <> set_hook_secret.secret;
  insert into private.hook_secrets as held (hook_id, secret) values (set_hook_secret.hook_id, set_hook_secret.secret)
  on conflict on constraint hook_secrets_pkey do update set ends_at = null;
end;
$$;

comment on function public.set_hook_secret(uuid, text, integer) is
  'Give a hook its secret; the one before goes on for some seconds. Servers only, for whoever may change the hook.';
revoke all on function public.set_hook_secret(uuid, text, integer) from public, anon, authenticated, service_role;
grant execute on function public.set_hook_secret(uuid, text, integer) to service_role;

-- Where predictions may be written -----------------------------------------------------------------------

create table private.hook_targets (
  hook_id uuid primary key references public.hooks (id) on delete cascade,
  relation regclass not null,
  key_columns text[] not null constraint "a target has a key" check (cardinality(key_columns) between 1 and 8),
  prefix text not null default '',
  created_at timestamptz not null default now()
);

comment on table private.hook_targets is
  'The tables that hooks may write to, one per hook: put here by whoever may run SQL, with the migration of the table.';
comment on column private.hook_targets.prefix is 'In front of the columns score, label, version, predicted_at.';
revoke all on private.hook_targets from public, anon, authenticated, service_role;

create function private.writable_target(hook public.hooks) returns private.hook_targets
language sql stable security definer set search_path = ''
as $$
  select held.* from private.hook_targets as held
  where held.hook_id = hook.id and held.relation = to_regclass(hook.target_table);
$$;

comment on function private.writable_target(public.hooks) is 'The table of a hook, if it is listed for it; else null.';
revoke all on function private.writable_target(public.hooks) from public;

create function public.find_hook(hook_id uuid) returns jsonb
language sql stable security definer set search_path = ''
as $$
  select to_jsonb(hook) || jsonb_build_object(
    'model', model.slug,
    'owner_role', private.role_of(hook.owner_id),
    'secrets', coalesce((
      select jsonb_agg(held.secret order by held.created_at desc) from private.hook_secrets as held
      where held.hook_id = hook.id and (held.ends_at is null or held.ends_at > now())
    ), '[]'),
    'target', to_jsonb(private.writable_target(hook)),
    -- Which columns of that table change when some hook writes to it: by them such a change is known.
    'markers', coalesce((
      select jsonb_agg(distinct held.prefix || 'predicted_at') from private.hook_targets as held
      where held.relation = to_regclass(hook.target_table)
    ), '[]')
  )
  from public.hooks as hook join public.models as model on model.id = hook.model_id
  where hook.id = find_hook.hook_id;
$$;

comment on function public.find_hook(uuid) is
  'A hook with its secrets and the table it may write to; null if there is none. Servers only.';
revoke all on function public.find_hook(uuid) from public, anon, authenticated, service_role;
grant execute on function public.find_hook(uuid) to service_role;

create function public.count_hook_requests(counts jsonb) returns void
language sql security definer set search_path = ''
as $$
  update public.hooks as hook
  set refused_count = hook.refused_count + sent.refused, ignored_count = hook.ignored_count + sent.ignored,
      refused_at = case when sent.refused > 0 then now() else hook.refused_at end,
      refused_reason = coalesce(left(sent.reason, 300), hook.refused_reason)
  from jsonb_to_recordset(private.as_object(counts) -> 'hooks')
    as sent (hook_id uuid, refused integer, ignored integer, reason text)
  where hook.id = sent.hook_id;
$$;

comment on function public.count_hook_requests(jsonb) is
  'Count what was refused or ignored: {"hooks": [{hook_id, refused, ignored, reason}]}. Servers only.';
revoke all on function public.count_hook_requests(jsonb) from public, anon, authenticated, service_role;
grant execute on function public.count_hook_requests(jsonb) to service_role;
