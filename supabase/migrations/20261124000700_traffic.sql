-- Traffic by the hour and values by the day: what pages and monitors read, so that nobody counts millions of rows.
--
-- The log names what is new in the transaction that writes it; a job takes those names and counts each prediction
-- exactly once, however late it was logged. Counts outlive the rows they were made from.

create table private.uncounted (
  id bigint generated always as identity primary key,
  prediction_ids uuid[] not null
);

comment on table private.uncounted is 'Predictions that the counts do not hold yet: one row per batch of the log.';
revoke all on private.uncounted from public, anon, authenticated, service_role;

create function private.note_uncounted() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  insert into private.uncounted (prediction_ids)
  select array_agg(each.id) from written as each having count(*) > 0;
  return null;
end;
$$;

comment on function private.note_uncounted() is 'Trigger: what was logged waits to be counted.';
revoke all on function private.note_uncounted() from public;

create trigger note_uncounted after insert on public.predictions
referencing new table as written
for each statement execute function private.note_uncounted();

insert into private.uncounted (prediction_ids)
select array_agg(numbered.id)
from (select known.id, row_number() over (order by known.id) / 500 as part from public.predictions as known) as numbered
group by numbered.part;

-- Counting -----------------------------------------------------------------------------------------------

create function private.latency_edges() returns double precision[]
language sql immutable parallel safe set search_path = ''
as $$
  select array[
    0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700,
    1000, 1500, 2000, 3000, 5000, 10000
  ]::double precision[];
$$;

comment on function private.latency_edges() is
  'Upper edges in milliseconds of the buckets that latencies are counted in; one more bucket lies above the last.';
revoke all on function private.latency_edges() from public;

create function private.add_counts(one bigint[], other bigint[]) returns bigint[]
language sql immutable parallel safe set search_path = ''
as $$
  select coalesce(array_agg(coalesce(pair.one, 0) + coalesce(pair.other, 0) order by pair.place), '{}')
  from unnest(one, other) with ordinality as pair (one, other, place);
$$;

comment on function private.add_counts(bigint[], bigint[]) is 'Sum of two lists of counts, place by place; the shorter is filled up with zeros.';
revoke all on function private.add_counts(bigint[], bigint[]) from public;

create aggregate private.sum_counts(bigint[]) (sfunc = private.add_counts, stype = bigint[], initcond = '{}');

comment on aggregate private.sum_counts(bigint[]) is 'Sum of many lists of counts, place by place.';
revoke all on function private.sum_counts(bigint[]) from public;

create function private.bucket_counts(sizes real[]) returns bigint[]
language sql immutable parallel safe set search_path = ''
as $$
  select array_agg(coalesce(counted.count, 0) order by bucket)
  from generate_series(0, cardinality(private.latency_edges())) as bucket
  left join (
    select width_bucket(size::double precision, private.latency_edges()) as place, count(*) as count
    from unnest(sizes) as size where size is not null group by 1
  ) as counted on counted.place = bucket;
$$;

comment on function private.bucket_counts(real[]) is 'How many of these latencies, in milliseconds, fall into each bucket.';
revoke all on function private.bucket_counts(real[]) from public;

create table public.traffic_hours (
  model_id uuid not null,
  version_id uuid not null,
  hour timestamptz not null,
  source text not null,
  requests bigint not null,
  row_count bigint not null,
  cached bigint not null,
  latency_counts bigint[] not null,
  inference_counts bigint[] not null,
  parse_ms double precision not null,
  infer_ms double precision not null,
  total_ms double precision not null,
  primary key (model_id, version_id, hour, source),
  foreign key (model_id, version_id) references public.versions (model_id, id)
);

comment on table public.traffic_hours is 'Answered requests by model, version, hour (UTC) and source. Written by count_predictions.';
comment on column public.traffic_hours.cached is 'Of these requests, how many were answered from a cache.';
comment on column public.traffic_hours.latency_counts is
  'Requests by the time that the function took, in the buckets of private.latency_edges().';
comment on column public.traffic_hours.inference_counts is 'Requests that ran the model, by the time that took.';
comment on column public.traffic_hours.parse_ms is 'Sum over the requests, like infer_ms and total_ms.';

create index traffic_hours_version_id_idx on public.traffic_hours (version_id, hour);

create table public.value_days (
  model_id uuid not null,
  version_id uuid not null,
  day date not null,
  feature text not null,
  seen bigint not null,
  missing bigint not null,
  unseen bigint not null,
  counts bigint[] not null,
  fine_counts bigint[] not null,
  confidence double precision,
  primary key (model_id, version_id, day, feature),
  foreign key (model_id, version_id) references public.versions (model_id, id)
);

comment on table public.value_days is
  'What came in and went out by version and day (UTC): one row per feature, and one for the predictions themselves.';
comment on column public.value_days.feature is 'Name of a feature of the card; empty for what was predicted.';
comment on column public.value_days.seen is 'Rows that were counted, missing ones included.';
comment on column public.value_days.unseen is 'Rows with a category that training did not know, or a number outside its range.';
comment on column public.value_days.counts is
  'In the order of the card: its categories or classes and then all others; or the bins of its histogram, with one below '
  'and one above.';
comment on column public.value_days.fine_counts is
  'Numbers between the quantiles of the card, with one bin below and one above; empty where quantiles coincide.';
comment on column public.value_days.confidence is
  'Of predictions of a class: the sum of the probabilities that were stated for it.';

create index value_days_version_id_idx on public.value_days (version_id, day);

revoke all on public.traffic_hours from public, anon, authenticated, service_role;
revoke all on public.value_days from public, anon, authenticated, service_role;
grant select on public.traffic_hours to authenticated, service_role;
grant select on public.value_days to authenticated, service_role;

alter table public.traffic_hours enable row level security;
alter table public.value_days enable row level security;

create policy "whoever has a part in a model reads its traffic" on public.traffic_hours
for select to authenticated using (model_id in (select private.my_models()));

create policy "admins read all traffic" on public.traffic_hours
for select to authenticated using ((select private.is_admin()));

create policy "whoever has a part in a model reads its values" on public.value_days
for select to authenticated using (model_id in (select private.my_models()));

create policy "admins read all values" on public.value_days
for select to authenticated using ((select private.is_admin()));

create function private.count_traffic(prediction_ids uuid[]) returns void
language sql set search_path = ''
as $$
  insert into public.traffic_hours as held (
    model_id, version_id, hour, source, requests, row_count, cached, latency_counts, inference_counts, parse_ms,
    infer_ms, total_ms
  )
  select
    known.model_id, known.version_id, date_trunc('hour', known.at, 'UTC'), known.source, count(*), sum(known.row_count),
    count(*) filter (where known.cache in ('hit-local', 'hit-kv')),
    private.bucket_counts(array_agg(known.total_ms)),
    private.bucket_counts(array_agg(known.infer_ms) filter (where known.cache is distinct from 'hit-local')),
    coalesce(sum(known.parse_ms), 0), coalesce(sum(known.infer_ms), 0), coalesce(sum(known.total_ms), 0)
  from public.predictions as known
  where known.id = any (prediction_ids)
  group by known.model_id, known.version_id, date_trunc('hour', known.at, 'UTC'), known.source
  order by known.model_id, known.version_id, date_trunc('hour', known.at, 'UTC'), known.source
  on conflict (model_id, version_id, hour, source) do update set
    requests = held.requests + excluded.requests,
    row_count = held.row_count + excluded.row_count,
    cached = held.cached + excluded.cached,
    latency_counts = private.add_counts(held.latency_counts, excluded.latency_counts),
    inference_counts = private.add_counts(held.inference_counts, excluded.inference_counts),
    parse_ms = held.parse_ms + excluded.parse_ms,
    infer_ms = held.infer_ms + excluded.infer_ms,
    total_ms = held.total_ms + excluded.total_ms;
$$;

comment on function private.count_traffic(uuid[]) is 'Add these predictions to the traffic of their hours. Once each.';
revoke all on function private.count_traffic(uuid[]) from public;

-- Reading ------------------------------------------------------------------------------------------------

create function private.readable_model(model_slug text, reader uuid) returns public.models
language plpgsql stable security definer set search_path = ''
as $$
declare
  found_model public.models;
begin
  select * into found_model from public.models as model where model.slug = model_slug;
  if found_model.id is not null and (
    (private.is_system() and reader is null)
    or found_model.owner_id = reader
    or private.role_of(reader) = 'admin'
    or exists (
      select from public.members as member where member.model_id = found_model.id and member.user_id = reader
    )
  ) then
    return found_model;
  end if;
  if private.may_see_model(found_model.id, reader) then
    raise exception 'Only the owner of "%", its members and admins may read how it is used.', model_slug
      using errcode = '42501';
  end if;
  raise exception 'There is no model "%".', model_slug using errcode = 'PT404';
end;
$$;

comment on function private.readable_model(text, uuid) is
  'The model of this slug for somebody who may read its traffic: a part in it is needed, seeing it is not enough.';
revoke all on function private.readable_model(text, uuid) from public;

create function public.model_traffic(
  model_slug text, since timestamptz, until timestamptz, step_hours integer, actor uuid default null
) returns jsonb
language plpgsql stable security definer set search_path = ''
as $$
declare
  model public.models := private.readable_model(model_slug, private.acting_user(actor));
  step interval := make_interval(hours => greatest(1, step_hours));
begin
  return (
    with counted as materialized (
      select held.*, version.number
      from public.traffic_hours as held
      join public.versions as version on version.id = held.version_id
      where held.model_id = model.id and held.hour >= date_trunc('hour', since, 'UTC') and held.hour < until
    ),
    summed as (
      select coalesce(sum(requests), 0) as requests, coalesce(sum(row_count), 0) as rows, coalesce(sum(cached), 0) as cached,
        private.sum_counts(latency_counts) as latency, private.sum_counts(inference_counts) as inference,
        coalesce(sum(parse_ms), 0) as parse_ms, coalesce(sum(infer_ms), 0) as infer_ms, coalesce(sum(total_ms), 0) as total_ms
      from counted
    )
    select jsonb_build_object(
      'edges_ms', private.latency_edges(),
      'counted_until', (select max(known.at) from public.predictions as known where known.model_id = model.id),
      'totals', (select to_jsonb(summed) from summed),
      'sources', coalesce((
        select jsonb_object_agg(each.source, each.requests)
        from (select source, sum(requests) as requests from counted group by source) as each
      ), '{}'),
      'versions', coalesce((
        select jsonb_agg(to_jsonb(each) order by each.number desc)
        from (
          select number, sum(requests) as requests, sum(row_count) as rows, sum(cached) as cached,
            private.sum_counts(latency_counts) as latency, min(hour) as first_hour, max(hour) as last_hour
          from counted group by number
        ) as each
      ), '[]'),
      'series', coalesce((
        select jsonb_agg(to_jsonb(each) order by each.at)
        from (
          select date_bin(step, hour, date_trunc('day', since, 'UTC')) as at, sum(requests) as requests,
            sum(row_count) as rows, sum(cached) as cached, private.sum_counts(latency_counts) as latency
          from counted group by 1
        ) as each
      ), '[]'),
      'refusals', coalesce((
        select jsonb_agg(to_jsonb(each) order by each.count desc, each.code)
        from (
          select refused.status, refused.code, sum(refused.count) as count
          from public.refusals as refused
          where refused.model_id = model.id and refused.at >= since and refused.at < until
          group by refused.status, refused.code
        ) as each
      ), '[]')
    )
  );
end;
$$;

comment on function public.model_traffic(text, timestamptz, timestamptz, integer, uuid) is
  'Traffic of a model between two times, in total and in steps of whole hours: counts of latencies by bucket, not averages.';
revoke all on function public.model_traffic(text, timestamptz, timestamptz, integer, uuid)
from public, anon, authenticated, service_role;
grant execute on function public.model_traffic(text, timestamptz, timestamptz, integer, uuid) to authenticated, service_role;

create function public.model_values(
  model_slug text, since date, until date, version_number integer default null, actor uuid default null
) returns jsonb
language plpgsql stable security definer set search_path = ''
as $$
declare
  model public.models := private.readable_model(model_slug, private.acting_user(actor));
begin
  return coalesce((
    select jsonb_agg(to_jsonb(each) order by each.number desc, each.feature, each.day)
    from (
      select version.number, held.feature, held.day, held.seen, held.missing, held.unseen, held.counts, held.confidence
      from public.value_days as held
      join public.versions as version on version.id = held.version_id
      where held.model_id = model.id and held.day >= since and held.day < until
        and (version_number is null or version.number = version_number)
    ) as each
  ), '[]');
end;
$$;

comment on function public.model_values(text, date, date, integer, uuid) is
  'What came in and went out, by version, feature and day, counted in the bins of the card.';
revoke all on function public.model_values(text, date, date, integer, uuid) from public, anon, authenticated, service_role;
grant execute on function public.model_values(text, date, date, integer, uuid) to authenticated, service_role;

create function public.traffic_totals(actor uuid default null) returns jsonb
language plpgsql stable security definer set search_path = ''
as $$
declare
  reader uuid := private.acting_user(actor);
  is_house boolean := private.is_system() and actor is null;
begin
  return jsonb_build_object('edges_ms', private.latency_edges(), 'totals', coalesce((
    select jsonb_agg(to_jsonb(each) order by each.slug, each.number, each.source)
    from (
      select model.slug, version.number, held.source, sum(held.requests) as requests, sum(held.row_count) as rows,
        sum(held.cached) as cached, private.sum_counts(held.latency_counts) as latency, sum(held.total_ms) as total_ms
      from public.traffic_hours as held
      join public.versions as version on version.id = held.version_id
      join public.models as model on model.id = held.model_id
      where is_house or private.role_of(reader) = 'admin' or model.owner_id = reader or exists (
        select from public.members as member where member.model_id = model.id and member.user_id = reader
      )
      group by model.slug, version.number, held.source
    ) as each
  ), '[]'));
end;
$$;

comment on function public.traffic_totals(uuid) is
  'All traffic ever counted of the models that the caller has a part in: totals that only grow, as monitors want them.';
revoke all on function public.traffic_totals(uuid) from public, anon, authenticated, service_role;
grant execute on function public.traffic_totals(uuid) to authenticated, service_role;

create function public.public_traffic() returns jsonb
language sql stable security definer set search_path = ''
as $$
  select coalesce(jsonb_object_agg(each.slug, to_jsonb(each) - 'slug'), '{}')
  from (
    select model.slug, sum(held.requests) as requests, sum(held.row_count) as rows,
      private.sum_counts(held.latency_counts) filter (where held.hour > now() - interval '30 days') as latency
    from public.traffic_hours as held
    join public.models as model on model.id = held.model_id
    where model.visibility = 'public'
    group by model.slug
  ) as each;
$$;

comment on function public.public_traffic() is
  'How often the public models were asked and how fast they answered in the last 30 days: figures for their pages.';
revoke all on function public.public_traffic() from public, anon, authenticated, service_role;
grant execute on function public.public_traffic() to anon, authenticated, service_role;
