-- Whether what comes in or goes out has moved away from training: one row for each thing that was compared, and when.

create table public.drift_checks (
  version_id uuid not null,
  model_id uuid not null,
  feature text not null,
  until date not null,
  since date not null,
  rows bigint not null,
  distance double precision,
  "limit" double precision,
  is_beyond boolean not null,
  checked_at timestamptz not null default clock_timestamp(),
  primary key (version_id, feature, until),
  foreign key (model_id, version_id) references public.versions (model_id, id)
);

comment on table public.drift_checks is 'A window of days beside training, by version and feature. Written by the drift job.';
comment on column public.drift_checks.feature is 'Name of a feature; empty for the predictions.';
comment on column public.drift_checks.until is 'First day after the window; days of UTC.';
comment on column public.drift_checks.distance is 'Jensen-Shannon distance, 0 to 1; null with too few rows.';
comment on column public.drift_checks."limit" is 'What chance alone stays below, at the stated rate of false alarms.';

create index drift_checks_model_id_idx on public.drift_checks (model_id, until desc);

create table public.drift_states (
  version_id uuid not null,
  model_id uuid not null,
  feature text not null,
  state text not null
    constraint "drift state is not_enough_data, stable, moved or drifted"
    check (state in ('not_enough_data', 'stable', 'moved', 'drifted')),
  since timestamptz not null default clock_timestamp(),
  primary key (version_id, feature),
  foreign key (model_id, version_id) references public.versions (model_id, id)
);

comment on table public.drift_states is 'How each feature of a version stands, and since when. Written by set_drift_state.';

create index drift_states_model_id_idx on public.drift_states (model_id);

revoke all on public.drift_checks from public, anon, authenticated, service_role;
revoke all on public.drift_states from public, anon, authenticated, service_role;
grant select on public.drift_checks to authenticated, service_role;
grant select on public.drift_states to authenticated, service_role;

alter table public.drift_checks enable row level security;
alter table public.drift_states enable row level security;

create policy "whoever has a part in a model reads its drift" on public.drift_checks
for select to authenticated using (model_id in (select private.my_models()));

create policy "admins read all drift" on public.drift_checks
for select to authenticated using ((select private.is_admin()));

create policy "whoever has a part in a model reads its drift states" on public.drift_states
for select to authenticated using (model_id in (select private.my_models()));

create policy "admins read all drift states" on public.drift_states
for select to authenticated using ((select private.is_admin()));

create function private.set_drift_states(version uuid, states jsonb) returns void
language plpgsql security definer set search_path = ''
as $$
declare
  model public.models;
  number integer;
  newly jsonb;
begin
  select held.* into model
  from public.models as held join public.versions as known on known.model_id = held.id where known.id = version;
  select known.number into number from public.versions as known where known.id = version;
  with given as (
    select each.key as feature, each.value ->> 'state' as state, each.value as facts from jsonb_each(states) as each
  ),
  before as (
    select held.feature, held.state from public.drift_states as held where held.version_id = version
  ),
  changed as (
    insert into public.drift_states as held (version_id, model_id, feature, state)
    select version, model.id, given.feature, given.state from given
    on conflict on constraint drift_states_pkey do update set state = excluded.state, since = clock_timestamp()
    where held.state <> excluded.state
    returning held.feature, held.state
  )
  select jsonb_agg(given.facts || jsonb_build_object('feature', nullif(given.feature, '')) order by given.feature)
  into newly
  from changed
  join given on given.feature = changed.feature
  left join before on before.feature = changed.feature
  where changed.state = 'drifted' and before.state is distinct from 'drifted';
  -- One event for all that began to drift together: it is one alarm.
  if newly is not null then
    perform private.emit_event(
      'drift.detected', model.id, model.owner_id,
      jsonb_build_object('model', model.slug, 'version', number, 'features', newly)
    );
  end if;
end;
$$;

comment on function private.set_drift_states(uuid, jsonb) is
  'Keep how the features of a version stand, {feature: {state, distance, limit, rows}}; what begins to drift is an event.';
revoke all on function private.set_drift_states(uuid, jsonb) from public;

create function public.model_drift(model_slug text, version_number integer default null, actor uuid default null) returns jsonb
language plpgsql stable security definer set search_path = ''
as $$
declare
  model public.models := private.readable_model(model_slug, private.acting_user(actor));
  chosen public.versions;
begin
  select version.* into chosen from public.versions as version
  where version.model_id = model.id and (
    version.number = version_number
    or version_number is null and version.id = (
      select held.version_id from public.aliases as held where held.model_id = model.id and held.name = 'champion'
    )
  );
  if chosen.id is null then
    raise exception 'There is no such version of "%".', model_slug using errcode = 'PT404';
  end if;
  return jsonb_build_object(
    'version', chosen.number,
    'features', coalesce((
      select jsonb_agg(jsonb_build_object(
        'feature', held.feature, 'state', held.state, 'since', held.since,
        'windows', coalesce((
          select jsonb_agg(jsonb_build_object(
            'since', each.since, 'until', each.until, 'rows', each.rows, 'distance', each.distance,
            'limit', each."limit", 'is_beyond', each.is_beyond
          ) order by each.until)
          from public.drift_checks as each
          where each.version_id = held.version_id and each.feature = held.feature and each.until > current_date - 90
        ), '[]')
      ) order by held.feature)
      from public.drift_states as held where held.version_id = chosen.id
    ), '[]')
  );
end;
$$;

comment on function public.model_drift(text, integer, uuid) is
  'How far each feature of a version (null: the champion) has moved from training, window by window.';
revoke all on function public.model_drift(text, integer, uuid) from public, anon, authenticated, service_role;
grant execute on function public.model_drift(text, integer, uuid) to authenticated, service_role;

-- Retention ----------------------------------------------------------------------------------------------

create function private.drop_old_predictions(older_than timestamptz, at_most integer) returns integer
language plpgsql security definer set search_path = ''
as $$
declare
  dropped integer;
begin
  -- What is not counted yet stays: its counts would be lost with it.
  delete from public.predictions as held
  where held.id in (
    select old.id from public.predictions as old
    where old.at < older_than
      and not exists (select from private.uncounted as waiting where old.id = any (waiting.prediction_ids))
    order by old.at limit at_most
  );
  get diagnostics dropped = row_count;
  return dropped;
end;
$$;

comment on function private.drop_old_predictions(timestamptz, integer) is
  'Delete logged predictions from before a time, so many at once. Counts, actuals and opinions stay.';
revoke all on function private.drop_old_predictions(timestamptz, integer) from public;

create index predictions_at_idx on public.predictions using brin (at);
