-- What is served: models, their immutable versions, the aliases that point at them, and who moved what when.
--
-- Nobody writes versions, aliases or promotions by hand, servers included: versions come from
-- register_version, aliases move with promote and rollback_alias, and each move leaves a promotion.

create function private.refuse_change() returns trigger
language plpgsql set search_path = ''
as $$
begin
  raise exception '% is append-only: rows are neither changed nor deleted.', tg_table_name
    using errcode = 'PT409', hint = 'A new version or a new promotion says what changed.';
end;
$$;

comment on function private.refuse_change() is 'Trigger: keeps a table append-only for everybody, servers included.';
revoke all on function private.refuse_change() from public;

-- Models -------------------------------------------------------------------------------------------------

create table public.models (
  id uuid primary key default private.uuid_v7(),
  slug text not null unique
    constraint "slug is 2 to 63 of a-z, 0-9 and inner dashes" check (slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])$'),
  title text not null
    constraint "title has 1 to 120 characters" check (length(btrim(title)) between 1 and 120),
  description text not null default ''
    constraint "description has at most 2000 characters" check (length(description) <= 2000),
  task text not null
    constraint "task is binary, multiclass or regression" check (task in ('binary', 'multiclass', 'regression')),
  target text not null
    constraint "target has 1 to 200 characters" check (length(target) between 1 and 200),
  owner_id uuid references auth.users (id) on delete set null,
  visibility text not null default 'private'
    constraint "visibility is private or public" check (visibility in ('private', 'public')),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

comment on table public.models is 'A named thing with a target. Created by its first certified version.';
comment on column public.models.owner_id is 'Null: a model of the house, edited by admins only.';

create index models_owner_id_idx on public.models (owner_id);
create index models_visibility_idx on public.models (visibility);

create trigger touch_updated_at before update on public.models
for each row execute function private.touch_updated_at();

revoke all on public.models from public, anon, authenticated, service_role;
grant select (id, slug, title, description, task, target, visibility, created_at, updated_at) on public.models to anon;
grant select on public.models to authenticated, service_role;
grant update (title, description, visibility) on public.models to authenticated, service_role;

alter table public.models enable row level security;

create policy "anyone reads public models" on public.models
for select to anon, authenticated using (visibility = 'public');

create policy "owners read their own models" on public.models
for select to authenticated using (owner_id = (select auth.uid()));

create policy "admins read every model" on public.models
for select to authenticated using ((select private.is_admin()));

create policy "owners edit their own models" on public.models
for update to authenticated
using (owner_id = (select auth.uid())) with check (owner_id = (select auth.uid()));

create policy "admins edit every model" on public.models
for update to authenticated
using ((select private.is_admin())) with check ((select private.is_admin()));

-- Versions -----------------------------------------------------------------------------------------------

create table public.versions (
  id uuid primary key default private.uuid_v7(),
  model_id uuid not null references public.models (id),
  number integer not null constraint "version numbers start at 1" check (number >= 1),
  digest text not null
    constraint "digest is 64 lower-case hexadecimal digits" check (digest ~ '^[0-9a-f]{64}$'),
  card jsonb not null
    constraint "a version has a card with a passed parity certificate"
    check (jsonb_typeof(card) = 'object' and card -> 'parity' ->> 'passed' is not distinct from 'true'),
  size_bytes bigint not null constraint "a version has bytes" check (size_bytes > 0),
  run_id uuid,
  created_at timestamptz not null default now(),
  unique (model_id, number),
  unique (model_id, id)
);

comment on table public.versions is
  'Immutable: the digest of model.onnx (bucket models, object <digest>/model.onnx) and its card.';

create index versions_digest_idx on public.versions (digest);

create trigger refuse_change before update or delete on public.versions
for each row execute function private.refuse_change();

create trigger refuse_truncate before truncate on public.versions
for each statement execute function private.refuse_change();

revoke all on public.versions from public, anon, authenticated, service_role;
grant select on public.versions to anon, authenticated, service_role;

alter table public.versions enable row level security;

create policy "whoever reads a model reads its versions" on public.versions
for select to anon, authenticated using (model_id in (select model.id from public.models as model));

-- Aliases ------------------------------------------------------------------------------------------------

create table public.aliases (
  model_id uuid not null references public.models (id),
  name text not null
    constraint "alias is 1 to 32 of a-z, 0-9 and -, from a letter on" check (name ~ '^[a-z][a-z0-9-]{0,31}$'),
  version_id uuid not null,
  updated_at timestamptz not null default now(),
  primary key (model_id, name),
  foreign key (model_id, version_id) references public.versions (model_id, id)
);

comment on table public.aliases is 'Names that point at one version of a model: champion, challenger, free names.';

create index aliases_version_id_idx on public.aliases (version_id);

revoke all on public.aliases from public, anon, authenticated, service_role;
grant select on public.aliases to anon, authenticated, service_role;

alter table public.aliases enable row level security;

create policy "whoever reads a model reads its aliases" on public.aliases
for select to anon, authenticated using (model_id in (select model.id from public.models as model));

-- Promotions ---------------------------------------------------------------------------------------------

create table public.promotions (
  id uuid primary key default private.uuid_v7(),
  model_id uuid not null references public.models (id),
  alias text not null,
  from_version_id uuid,
  to_version_id uuid not null,
  reason text not null
    constraint "reason has 1 to 500 characters" check (length(btrim(reason)) between 1 and 500),
  evidence jsonb not null default '{}'
    constraint "evidence is an object" check (jsonb_typeof(evidence) = 'object'),
  rollback_of uuid unique references public.promotions (id),
  promoted_by uuid,
  promoted_at timestamptz not null default clock_timestamp(),
  foreign key (model_id, from_version_id) references public.versions (model_id, id),
  foreign key (model_id, to_version_id) references public.versions (model_id, id)
);

comment on table public.promotions is 'Append-only: every move of an alias, with who, when and why.';
comment on column public.promotions.promoted_by is
  'User id, or null for the house. No foreign key: history outlives accounts.';
comment on column public.promotions.rollback_of is 'The promotion that this one undid.';

create index promotions_model_id_idx on public.promotions (model_id, alias, promoted_at desc);
create index promotions_from_version_id_idx on public.promotions (from_version_id);
create index promotions_to_version_id_idx on public.promotions (to_version_id);

create trigger refuse_change before update or delete on public.promotions
for each row execute function private.refuse_change();

create trigger refuse_truncate before truncate on public.promotions
for each statement execute function private.refuse_change();

revoke all on public.promotions from public, anon, authenticated, service_role;
grant select on public.promotions to authenticated, service_role;

alter table public.promotions enable row level security;

create policy "owners read the promotions of their own models" on public.promotions
for select to authenticated
using (model_id in (select model.id from public.models as model where model.owner_id = (select auth.uid())));

create policy "admins read every promotion" on public.promotions
for select to authenticated using ((select private.is_admin()));

-- Moving an alias ----------------------------------------------------------------------------------------

create function private.move_alias(
  model_id uuid, alias text, version_id uuid, reason text, evidence jsonb, mover uuid, rollback_of uuid default null
) returns public.promotions
language plpgsql security definer set search_path = ''
as $$
declare
  current_version uuid;
  moved public.promotions;
begin
  -- Whoever moves an alias holds the model: moves of one model happen one after the other.
  perform from public.models as model where model.id = move_alias.model_id for update;
  select held.version_id into current_version from public.aliases as held
  where held.model_id = move_alias.model_id and held.name = move_alias.alias;

  if current_version = move_alias.version_id then
    raise exception 'Alias "%" already points at this version.', move_alias.alias using errcode = 'PT409';
  end if;

  insert into public.aliases as held (model_id, name, version_id)
  values (move_alias.model_id, move_alias.alias, move_alias.version_id)
  on conflict on constraint aliases_pkey do update set version_id = excluded.version_id, updated_at = now();

  insert into public.promotions
    (model_id, alias, from_version_id, to_version_id, reason, evidence, rollback_of, promoted_by)
  values (
    move_alias.model_id, move_alias.alias, current_version, move_alias.version_id,
    move_alias.reason, move_alias.evidence, move_alias.rollback_of, move_alias.mover
  )
  returning * into moved;
  return moved;
end;
$$;

comment on function private.move_alias(uuid, text, uuid, text, jsonb, uuid, uuid) is
  'Point an alias at a version and write the promotion, in the transaction of the caller.';
revoke all on function private.move_alias(uuid, text, uuid, text, jsonb, uuid, uuid) from public;

create function private.editable_model(model_slug text, editor uuid) returns public.models
language plpgsql stable security definer set search_path = ''
as $$
declare
  found_model public.models;
  is_house boolean := private.is_system() and editor is null;
begin
  select * into found_model from public.models as model where model.slug = model_slug;
  if is_house or found_model.owner_id = editor or private.role_of(editor) = 'admin' then
    if found_model.id is not null then
      return found_model;
    end if;
  elsif found_model.visibility = 'public' then
    raise exception 'Only the owner of "%" or an admin may do this.', model_slug using errcode = '42501';
  end if;
  raise exception 'There is no model "%".', model_slug using errcode = 'PT404';
end;
$$;

comment on function private.editable_model(text, uuid) is
  'The model, if this user may change it; otherwise an error that does not tell private models apart from none.';
revoke all on function private.editable_model(text, uuid) from public;

create function public.promote(
  model_slug text, alias text, version_number integer, reason text,
  evidence jsonb default '{}', actor uuid default null
) returns public.promotions
language plpgsql security definer set search_path = ''
as $$
declare
  mover uuid := private.acting_user(promote.actor);
  model public.models := private.editable_model(promote.model_slug, mover);
  wanted uuid;
begin
  if promote.reason is null or btrim(promote.reason) = '' then
    raise exception 'Say why: a promotion needs a reason.' using errcode = '22023';
  end if;
  select version.id into wanted from public.versions as version
  where version.model_id = model.id and version.number = promote.version_number;
  if wanted is null then
    raise exception 'Model "%" has no version %.', promote.model_slug, promote.version_number using errcode = 'PT404';
  end if;
  return private.move_alias(
    model.id, promote.alias, wanted, btrim(promote.reason), private.as_object(promote.evidence), mover
  );
end;
$$;

comment on function public.promote(text, text, integer, text, jsonb, uuid) is
  'Point an alias at a version, with reason and evidence. Owner and admins; actor is for servers.';
revoke all on function public.promote(text, text, integer, text, jsonb, uuid) from public, anon, authenticated, service_role;
grant execute on function public.promote(text, text, integer, text, jsonb, uuid) to authenticated, service_role;

create function public.rollback_alias(model_slug text, alias text, reason text, actor uuid default null)
returns public.promotions
language plpgsql security definer set search_path = ''
as $$
declare
  mover uuid := private.acting_user(rollback_alias.actor);
  model public.models := private.editable_model(rollback_alias.model_slug, mover);
  last_standing public.promotions;
begin
  if rollback_alias.reason is null or btrim(rollback_alias.reason) = '' then
    raise exception 'Say why: a rollback needs a reason.' using errcode = '22023';
  end if;
  perform from public.models as held where held.id = model.id for update;

  -- The newest promotion that has not been undone: rolling back twice goes two steps back, never forward again.
  select * into last_standing from public.promotions as done
  where done.model_id = model.id and done.alias = rollback_alias.alias and done.rollback_of is null
    and not exists (select from public.promotions as undo where undo.rollback_of = done.id)
  order by done.promoted_at desc, done.id desc
  limit 1;
  if last_standing.id is null then
    raise exception 'Model "%" has no alias "%".', rollback_alias.model_slug, rollback_alias.alias using errcode = 'PT404';
  end if;
  if last_standing.from_version_id is null then
    raise exception 'Alias "%" has no earlier version to go back to.', rollback_alias.alias using errcode = 'PT409';
  end if;
  return private.move_alias(
    model.id, rollback_alias.alias, last_standing.from_version_id, btrim(rollback_alias.reason), '{}', mover, last_standing.id
  );
end;
$$;

comment on function public.rollback_alias(text, text, text, uuid) is
  'Undo the newest promotion of an alias that still stands. Owner and admins; actor is for servers.';
revoke all on function public.rollback_alias(text, text, text, uuid) from public, anon, authenticated, service_role;
grant execute on function public.rollback_alias(text, text, text, uuid) to authenticated, service_role;
