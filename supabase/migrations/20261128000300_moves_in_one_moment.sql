-- Two people decide about one alias in the same moment: whoever says what the alias pointed at when they looked is refused
-- if it has moved since. Zero stands for nothing; who says nothing moves it whatever it points at, as before.

create function private.refuse_moved(model public.models, alias text, seen integer) returns void
language plpgsql stable security definer set search_path = ''
as $$
declare
  now_at integer;
begin
  if refuse_moved.seen is null then
    return;
  end if;
  select version.number into now_at from public.aliases as held
  join public.versions as version on version.id = held.version_id
  where held.model_id = model.id and held.name = refuse_moved.alias;
  if coalesce(now_at, 0) <> refuse_moved.seen then
    raise exception 'from_version: alias "%" has moved since you looked: it points at % now, not at %; look again.',
      refuse_moved.alias, coalesce('version ' || now_at, 'nothing'),
      coalesce('version ' || nullif(refuse_moved.seen, 0), 'nothing') using errcode = 'PT409';
  end if;
end;
$$;

comment on function private.refuse_moved(public.models, text, integer) is
  'Refuse to move an alias that no longer points where the mover saw it. The caller holds the model.';
revoke all on function private.refuse_moved(public.models, text, integer) from public;

drop function public.promote(text, text, integer, text, jsonb, uuid);

create function public.promote(
  model_slug text, alias text, version_number integer, reason text,
  evidence jsonb default '{}', actor uuid default null, from_version integer default null
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
    raise exception 'reason: say why; a promotion needs a reason.' using errcode = '22023';
  end if;
  wanted := private.editable_version(model, promote.version_number);
  -- Held from the look to the move, so that what was seen is what is replaced.
  perform from public.models as held where held.id = model.id for update;
  perform private.refuse_moved(model, promote.alias, promote.from_version);
  select held.version_id into current_version from public.aliases as held
  where held.model_id = model.id and held.name = promote.alias;
  return private.move_alias(
    model.id, promote.alias, wanted.id, btrim(promote.reason),
    (given - 'replay') || private.evidence(wanted, current_version, (given ->> 'replay')::uuid), mover
  );
end;
$$;

comment on function public.promote(text, text, integer, text, jsonb, uuid, integer) is
  'Point an alias at a version, with reason; scores, parity and the newest replay (or the one named in evidence) are '
  'written down beside it. from_version: only if the alias points there now. Owner, editors and admins; actor is for servers.';
revoke all on function public.promote(text, text, integer, text, jsonb, uuid, integer)
  from public, anon, authenticated, service_role;
grant execute on function public.promote(text, text, integer, text, jsonb, uuid, integer) to authenticated, service_role;

drop function public.rollback_alias(text, text, text, uuid);

create function public.rollback_alias(
  model_slug text, alias text, reason text, actor uuid default null, from_version integer default null
) returns public.promotions
language plpgsql security definer set search_path = ''
as $$
declare
  mover uuid := private.acting_user(rollback_alias.actor);
  model public.models := private.editable_model(rollback_alias.model_slug, mover);
  last_standing public.promotions;
begin
  if rollback_alias.reason is null or btrim(rollback_alias.reason) = '' then
    raise exception 'reason: say why; a rollback needs a reason.' using errcode = '22023';
  end if;
  perform from public.models as held where held.id = model.id for update;
  perform private.refuse_moved(model, rollback_alias.alias, rollback_alias.from_version);

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
    raise exception 'alias: "%" has no earlier version to go back to; promote the one you want.', rollback_alias.alias
      using errcode = 'PT409';
  end if;
  return private.move_alias(
    model.id, rollback_alias.alias, last_standing.from_version_id, btrim(rollback_alias.reason), '{}', mover, last_standing.id
  );
end;
$$;

comment on function public.rollback_alias(text, text, text, uuid, integer) is
  'Undo the newest promotion of an alias that still stands. from_version: only if the alias points there now. '
  'Owner, editors and admins; actor is for servers.';
revoke all on function public.rollback_alias(text, text, text, uuid, integer)
  from public, anon, authenticated, service_role;
grant execute on function public.rollback_alias(text, text, text, uuid, integer) to authenticated, service_role;
