-- Looking after what is served: notes on versions, versions whose file goes, models that retire, aliases that are
-- given up, what was live when, and a replay of logged rows before an alias moves.

-- Retired models -----------------------------------------------------------------------------------------

alter table public.models add column archived_at timestamptz;

comment on column public.models.archived_at is
  'Retired since then: not listed, no new versions, no promotions. It still answers whoever asks.';

grant select (archived_at) on public.models to anon;
grant update (archived_at) on public.models to authenticated, service_role;

create trigger check_model_archiving before update of archived_at on public.models
for each row when ((new.archived_at is null) is distinct from (old.archived_at is null))
execute function private.check_model_change();

create function private.refuse_archived(model public.models) returns void
language plpgsql stable set search_path = ''
as $$
begin
  if model.archived_at is not null then
    raise exception 'Model "%" is archived; take it out of the archive first.', model.slug using errcode = 'PT409';
  end if;
end;
$$;

comment on function private.refuse_archived(public.models) is 'Refuse what an archived model does not get any more.';
revoke all on function private.refuse_archived(public.models) from public;

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
  perform private.refuse_archived(model);
end;
$$;

-- What people say about a version, and versions whose file is gone ----------------------------------------

create table public.version_remarks (
  version_id uuid primary key references public.versions (id),
  model_id uuid not null references public.models (id),
  note text not null default '' constraint "note has at most 2000 characters" check (length(note) <= 2000),
  noted_by uuid,
  noted_at timestamptz,
  deleted_by uuid,
  deleted_at timestamptz
);

comment on table public.version_remarks is
  'What may change about an immutable version: a note, and whether its file was deleted. Written by functions only.';

create index version_remarks_model_id_idx on public.version_remarks (model_id);

revoke all on public.version_remarks from public, anon, authenticated, service_role;
grant select (version_id, model_id, note, noted_at, deleted_at) on public.version_remarks to anon;
grant select on public.version_remarks to authenticated, service_role;

alter table public.version_remarks enable row level security;

create policy "whoever reads a model reads the remarks on its versions" on public.version_remarks
for select to anon, authenticated using (model_id in (select model.id from public.models as model));

create function private.editable_version(model public.models, version_number integer) returns public.versions
language plpgsql stable security definer set search_path = ''
as $$
declare
  found_version public.versions;
begin
  select * into found_version from public.versions as version
  where version.model_id = model.id and version.number = version_number;
  if found_version.id is null then
    raise exception 'Model "%" has no version %.', model.slug, version_number using errcode = 'PT404';
  end if;
  return found_version;
end;
$$;

comment on function private.editable_version(public.models, integer) is 'The version of this number, or an error that says so.';
revoke all on function private.editable_version(public.models, integer) from public;

create function private.is_deleted(version_id uuid) returns boolean
language sql stable security definer set search_path = ''
as $$
  select exists (
    select from public.version_remarks as remark
    where remark.version_id = is_deleted.version_id and remark.deleted_at is not null
  );
$$;

comment on function private.is_deleted(uuid) is 'Whether the file of a version was deleted.';
revoke all on function private.is_deleted(uuid) from public;

create function public.describe_version(model_slug text, version_number integer, note text, actor uuid default null)
returns uuid
language plpgsql security definer set search_path = ''
as $$
declare
  author uuid := private.acting_user(describe_version.actor);
  model public.models := private.editable_model(describe_version.model_slug, author);
  version public.versions := private.editable_version(model, describe_version.version_number);
begin
  insert into public.version_remarks as held (version_id, model_id, note, noted_by, noted_at)
  values (version.id, model.id, btrim(coalesce(describe_version.note, '')), author, now())
  on conflict on constraint version_remarks_pkey
  do update set note = excluded.note, noted_by = excluded.noted_by, noted_at = excluded.noted_at;
  return version.id;
end;
$$;

comment on function public.describe_version(text, integer, text, uuid) is
  'Write a note on a version; an empty one takes it away. Owner, editors and admins; actor is for servers.';
revoke all on function public.describe_version(text, integer, text, uuid) from public, anon, authenticated, service_role;
grant execute on function public.describe_version(text, integer, text, uuid) to authenticated, service_role;

-- Replays ------------------------------------------------------------------------------------------------

create table public.replays (
  id uuid primary key default private.uuid_v7(),
  model_id uuid not null references public.models (id),
  version_id uuid not null references public.versions (id),
  against_id uuid not null references public.versions (id),
  dataset_id uuid references public.datasets (id) on delete set null,
  row_limit integer not null default 500
    constraint "a replay has 1 to 5000 rows" check (row_limit between 1 and 5000),
  status text not null default 'queued'
    constraint "replay status is queued, running, succeeded or failed"
    check (status in ('queued', 'running', 'succeeded', 'failed')),
  attempt integer not null default 0,
  heartbeat_at timestamptz,
  reason text,
  result jsonb,
  created_by uuid default auth.uid() references auth.users (id) on delete set null,
  created_at timestamptz not null default now(),
  started_at timestamptz,
  finished_at timestamptz,
  constraint "a replay compares two versions" check (version_id <> against_id),
  constraint "a failed replay has a reason" check (status <> 'failed' or reason is not null),
  constraint "a succeeded replay has a result" check (status <> 'succeeded' or result is not null)
);

comment on table public.replays is
  'Rows through two versions of a model: what would have been answered otherwise. Evidence for a promotion.';
comment on column public.replays.dataset_id is 'Null: the newest logged rows. Otherwise the rows of this dataset.';

create index replays_model_id_idx on public.replays (model_id, id desc);
create index replays_version_id_idx on public.replays (version_id, against_id);
create index replays_against_id_idx on public.replays (against_id);
create index replays_dataset_id_idx on public.replays (dataset_id);
create index replays_created_by_idx on public.replays (created_by);
create index replays_unfinished_idx on public.replays (status) where status in ('queued', 'running');

revoke all on public.replays from public, anon, authenticated, service_role;
grant select on public.replays to authenticated, service_role;
grant insert (id, version_id, against_id, dataset_id, row_limit, created_by) on public.replays to authenticated, service_role;

alter table public.replays enable row level security;

create policy "whoever has a part in a model reads its replays" on public.replays
for select to authenticated using (model_id in (select private.my_models()));

create policy "admins read every replay" on public.replays
for select to authenticated using ((select private.is_admin()));

create policy "people start replays of their own" on public.replays
for insert to authenticated with check (created_by = (select auth.uid()));

create function private.prepare_replay() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
  version public.versions;
  other public.versions;
begin
  if not private.is_system() then
    new.created_by := private.acting_user(new.created_by);
  end if;
  select * into version from public.versions as held where held.id = new.version_id;
  select * into other from public.versions as held where held.id = new.against_id;
  -- The logged rows of a model are shown to those who decide about it, and to nobody else.
  if version.id is null or version.model_id is distinct from other.model_id
    or (new.created_by is not null and not private.may_edit_model(version.model_id, new.created_by)) then
    raise exception 'There are no such two versions of a model that you may promote.' using errcode = 'PT404';
  end if;
  if private.is_deleted(version.id) or private.is_deleted(other.id) then
    raise exception 'The file of one of these versions was deleted.' using errcode = 'PT409';
  end if;
  if new.dataset_id is not null and not exists (
    select from public.datasets as dataset
    where dataset.id = new.dataset_id and dataset.status = 'ready'
      and (new.created_by is null or dataset.owner_id = new.created_by or private.role_of(new.created_by) = 'admin')
  ) then
    raise exception 'There is no such dataset, or it is not ready.' using errcode = 'PT404';
  end if;

  new.model_id := version.model_id;
  new.status := 'queued';
  new.attempt := 0;
  new.created_at := now();
  return new;
end;
$$;

comment on function private.prepare_replay() is
  'Trigger: every replay starts queued, and only if its creator decides about the model.';
revoke all on function private.prepare_replay() from public;

create trigger prepare_replay before insert on public.replays
for each row execute function private.prepare_replay();

create function private.queue_replay() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  perform private.defer_job('chores', 'replay', 'replay:' || new.id, jsonb_build_object('replay_id', new.id));
  perform private.wake_worker(new.id);
  return null;
end;
$$;

comment on function private.queue_replay() is 'Trigger: a new replay gets its job in the same transaction.';
revoke all on function private.queue_replay() from public;

create trigger queue_replay after insert on public.replays
for each row execute function private.queue_replay();

create function private.requeue_lost_replays() returns setof uuid
language plpgsql security definer set search_path = ''
as $$
declare
  lost uuid;
begin
  for lost in
    select replay.id from public.replays as replay
    where replay.status in ('queued', 'running') and not private.has_job('replay', 'replay:' || replay.id)
    for update of replay skip locked
  loop
    perform private.defer_job('chores', 'replay', 'replay:' || lost, jsonb_build_object('replay_id', lost));
    return next lost;
  end loop;
end;
$$;

comment on function private.requeue_lost_replays() is 'Queue again every unfinished replay that no job stands for.';
revoke all on function private.requeue_lost_replays() from public;

-- Moving, and giving up, an alias ------------------------------------------------------------------------

alter table public.promotions alter column to_version_id drop not null;
comment on column public.promotions.to_version_id is 'Null: the alias was given up.';

create or replace function private.move_alias(
  model_id uuid, alias text, version_id uuid, reason text, evidence jsonb, mover uuid, rollback_of uuid default null
) returns public.promotions
language plpgsql security definer set search_path = ''
as $$
declare
  model public.models;
  current_version uuid;
  moved public.promotions;
begin
  -- Whoever moves an alias holds the model: moves of one model happen one after the other.
  select * into model from public.models as held where held.id = move_alias.model_id for update;
  perform private.refuse_archived(model);
  select held.version_id into current_version from public.aliases as held
  where held.model_id = move_alias.model_id and held.name = move_alias.alias;

  if current_version = move_alias.version_id then
    raise exception 'Alias "%" already points at this version.', move_alias.alias using errcode = 'PT409';
  end if;
  if private.is_deleted(move_alias.version_id) then
    raise exception 'The file of that version was deleted.' using errcode = 'PT409';
  end if;

  if move_alias.version_id is null then
    delete from public.aliases as held where held.model_id = move_alias.model_id and held.name = move_alias.alias;
  else
    insert into public.aliases as held (model_id, name, version_id)
    values (move_alias.model_id, move_alias.alias, move_alias.version_id)
    on conflict on constraint aliases_pkey do update set version_id = excluded.version_id, updated_at = now();
  end if;

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

create function private.evidence(to_version public.versions, from_version_id uuid, replay_id uuid) returns jsonb
language plpgsql stable security definer set search_path = ''
as $$
declare
  replay public.replays;
begin
  select * into replay from public.replays as held
  where held.version_id = to_version.id and held.status = 'succeeded'
    and (held.id = evidence.replay_id or (evidence.replay_id is null and held.against_id = evidence.from_version_id))
  order by held.finished_at desc
  limit 1;
  if evidence.replay_id is not null and replay.id is null then
    raise exception 'There is no finished replay of this version with that id.' using errcode = 'PT404';
  end if;
  return jsonb_build_object(
    'metrics', jsonb_build_object(
      'to', to_version.card #> '{evaluation,metrics}',
      'from', (
        select held.card #> '{evaluation,metrics}' from public.versions as held
        where held.id = evidence.from_version_id
      )
    ),
    'parity', (to_version.card -> 'parity') - 'worst_row' - 'kinds',
    'replay', case when replay.id is not null then
      jsonb_build_object(
        'id', replay.id,
        'against', (select held.number from public.versions as held where held.id = replay.against_id),
        'finished_at', replay.finished_at
      ) || (replay.result - 'examples') end
  );
end;
$$;

comment on function private.evidence(public.versions, uuid, uuid) is
  'What is known when an alias moves: scores of both versions, parity, and the replay of one against the other.';
revoke all on function private.evidence(public.versions, uuid, uuid) from public;

create or replace function public.promote(
  model_slug text, alias text, version_number integer, reason text,
  evidence jsonb default '{}', actor uuid default null
) returns public.promotions
language plpgsql security definer set search_path = ''
as $$
declare
  mover uuid := private.acting_user(promote.actor);
  model public.models := private.editable_model(promote.model_slug, mover);
  given jsonb := private.as_object(promote.evidence);
  wanted public.versions;
  current_version uuid;
begin
  if promote.reason is null or btrim(promote.reason) = '' then
    raise exception 'Say why: a promotion needs a reason.' using errcode = '22023';
  end if;
  wanted := private.editable_version(model, promote.version_number);
  select held.version_id into current_version from public.aliases as held
  where held.model_id = model.id and held.name = promote.alias;
  return private.move_alias(
    model.id, promote.alias, wanted.id, btrim(promote.reason),
    (given - 'replay') || private.evidence(wanted, current_version, (given ->> 'replay')::uuid), mover
  );
end;
$$;

comment on function public.promote(text, text, integer, text, jsonb, uuid) is
  'Point an alias at a version, with reason; scores, parity and the newest replay (or the one named in evidence) are '
  'written down beside it. Owner, editors and admins; actor is for servers.';

create function public.remove_alias(model_slug text, alias text, reason text, actor uuid default null)
returns public.promotions
language plpgsql security definer set search_path = ''
as $$
declare
  mover uuid := private.acting_user(remove_alias.actor);
  model public.models := private.editable_model(remove_alias.model_slug, mover);
begin
  if remove_alias.reason is null or btrim(remove_alias.reason) = '' then
    raise exception 'Say why: giving up an alias needs a reason.' using errcode = '22023';
  end if;
  if remove_alias.alias = 'champion' then
    raise exception 'A model keeps its champion; promote another version, or archive the model.' using errcode = 'PT409';
  end if;
  if not exists (select from public.aliases as held where held.model_id = model.id and held.name = remove_alias.alias) then
    raise exception 'Model "%" has no alias "%".', remove_alias.model_slug, remove_alias.alias using errcode = 'PT404';
  end if;
  return private.move_alias(model.id, remove_alias.alias, null, btrim(remove_alias.reason), '{}', mover);
end;
$$;

comment on function public.remove_alias(text, text, text, uuid) is
  'Give up an alias; its history stays, and a rollback brings it back. Owner, editors and admins; actor is for servers.';
revoke all on function public.remove_alias(text, text, text, uuid) from public, anon, authenticated, service_role;
grant execute on function public.remove_alias(text, text, text, uuid) to authenticated, service_role;

create function public.live_aliases(model_id uuid, at timestamptz)
returns table (name text, version integer, since timestamptz, reason text, promoted_by uuid)
language sql stable set search_path = ''
as $$
  select last.alias, version.number, last.promoted_at, last.reason, last.promoted_by
  from (
    select distinct on (done.alias) done.* from public.promotions as done
    where done.model_id = live_aliases.model_id and done.promoted_at <= live_aliases.at
    order by done.alias, done.promoted_at desc, done.id desc
  ) as last
  join public.versions as version on version.id = last.to_version_id
  order by last.alias;
$$;

comment on function public.live_aliases(uuid, timestamptz) is
  'Which version each alias of a model pointed at, at some moment, as far as the caller may read its promotions.';
revoke all on function public.live_aliases(uuid, timestamptz) from public, anon, authenticated, service_role;
grant execute on function public.live_aliases(uuid, timestamptz) to authenticated, service_role;

-- Deleting the file of a version -------------------------------------------------------------------------

create function private.refuse_needed(model public.models, version public.versions) returns void
language plpgsql stable security definer set search_path = ''
as $$
declare
  holder text;
begin
  select held.name into holder from public.aliases as held where held.version_id = version.id limit 1;
  if holder is not null then
    raise exception 'Alias "%" points at version %; move it first.', holder, version.number using errcode = 'PT409';
  end if;
  -- A challenger is whatever was trained last: nobody goes back to an earlier one.
  select done.alias into holder from public.promotions as done
  join public.aliases as held on held.model_id = done.model_id and held.name = done.alias
  where done.from_version_id = version.id and done.alias <> 'challenger' and done.rollback_of is null
    and not exists (select from public.promotions as undo where undo.rollback_of = done.id)
  limit 1;
  if holder is not null then
    raise exception 'A rollback of alias "%" leads to version %; it stays.', holder, version.number using errcode = 'PT409';
  end if;
  if exists (
    select from public.batches as batch where batch.version_id = version.id and batch.status in ('queued', 'running')
  ) or exists (
    select from public.replays as replay
    where version.id in (replay.version_id, replay.against_id) and replay.status in ('queued', 'running')
  ) then
    raise exception 'A batch or replay is using version %; wait for it.', version.number using errcode = 'PT409';
  end if;
end;
$$;

comment on function private.refuse_needed(public.models, public.versions) is
  'Refuse to delete a version that something points at or leads to.';
revoke all on function private.refuse_needed(public.models, public.versions) from public;

create function public.delete_version(model_slug text, version_number integer, actor uuid default null) returns uuid
language plpgsql security definer set search_path = ''
as $$
declare
  remover uuid := private.acting_user(delete_version.actor);
  model public.models := private.editable_model(delete_version.model_slug, remover);
  version public.versions := private.editable_version(model, delete_version.version_number);
begin
  perform from public.models as held where held.id = model.id for update;
  if private.is_deleted(version.id) then
    return version.id;
  end if;
  perform private.refuse_needed(model, version);
  insert into public.version_remarks as held (version_id, model_id, deleted_by, deleted_at)
  values (version.id, model.id, remover, now())
  on conflict on constraint version_remarks_pkey
  do update set deleted_by = excluded.deleted_by, deleted_at = excluded.deleted_at;
  perform private.record_audit(
    'version.deleted', 'model', model.slug, jsonb_build_object('version', version.number, 'digest', version.digest), remover
  );
  perform private.defer_job(
    'chores', 'remove_artefact', 'digest:' || version.digest, jsonb_build_object('digest', version.digest)
  );
  return version.id;
end;
$$;

comment on function public.delete_version(text, integer, uuid) is
  'Delete the file of a version that nothing points at; its line in the history stays. Owner, editors and admins.';
revoke all on function public.delete_version(text, integer, uuid) from public, anon, authenticated, service_role;
grant execute on function public.delete_version(text, integer, uuid) to authenticated, service_role;

create function private.is_artefact_used(digest text) returns boolean
language sql stable security definer set search_path = ''
as $$
  select exists (
    select from public.versions as version
    where version.digest = is_artefact_used.digest and not private.is_deleted(version.id)
  );
$$;

comment on function private.is_artefact_used(text) is 'Whether some version that was not deleted has this file.';
revoke all on function private.is_artefact_used(text) from public;
