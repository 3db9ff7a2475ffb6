-- Ninety days of a busy model are read without waiting: lists of counts are added in place, and each actual is read once
-- for all that is averaged.

create or replace function private.add_counts(one bigint[], other bigint[]) returns bigint[]
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
  for place in 1..greatest(cardinality(one), cardinality(other)) loop
    one[place] := coalesce(one[place], 0) + coalesce(other[place], 0);
  end loop;
  return one;
end;
$$;

create or replace function public.model_traffic(
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
      -- Small enough to be summed again below: a row per step, version and source, not per hour.
      select version.number, held.source, date_bin(step, held.hour, date_trunc('day', since, 'UTC')) as at,
        min(held.hour) as first_hour, max(held.hour) as last_hour,
        sum(held.requests) as requests, sum(held.row_count) as row_count, sum(held.cached) as cached,
        private.sum_counts(held.latency_counts) as latency_counts,
        private.sum_counts(held.inference_counts) as inference_counts,
        sum(held.parse_ms) as parse_ms, sum(held.infer_ms) as infer_ms, sum(held.total_ms) as total_ms
      from public.traffic_hours as held
      join public.versions as version on version.id = held.version_id
      where held.model_id = model.id and held.hour >= date_trunc('hour', since, 'UTC') and held.hour < until
      group by 1, 2, 3
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
            private.sum_counts(latency_counts) as latency, min(first_hour) as first_hour, max(last_hour) as last_hour
          from counted group by number
        ) as each
      ), '[]'),
      'series', coalesce((
        select jsonb_agg(to_jsonb(each) order by each.at)
        from (
          select at, sum(requests) as requests,
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

create or replace function public.model_quality(
  model_slug text, since timestamptz, until timestamptz, step_days integer default 1, actor uuid default null
) returns jsonb
language plpgsql stable security definer set search_path = ''
as $$
declare
  model public.models := private.readable_model(model_slug, private.acting_user(actor));
begin
  return (
    with stepped as materialized (
      select date_bin(make_interval(days => greatest(1, step_days)), held.predicted_at, date_trunc('day', since, 'UTC')) as at,
        held.version_id, count(*) as actuals, count(*) filter (where held.is_right) as right_answers,
        sum(held.loss) as loss, sum(abs(held.error)) as absolute_error, sum(held.error ^ 2) as squared_error,
        count(*) filter (where held.is_covered) as covered, count(*) filter (where held.is_covered is not null) as intervals,
        sum(held.corrections) as corrections
      from public.actuals as held
      where held.model_id = model.id and held.predicted_at >= since and held.predicted_at < until
      group by 1, 2
    )
    select jsonb_build_object(
      'versions', coalesce((
        select jsonb_agg(to_jsonb(each) order by each.number desc)
        from (
          select version.number, summed.actuals, summed.right_answers, summed.loss, summed.absolute_error,
            summed.squared_error, spread.target_variance, summed.covered, summed.intervals, spread.delay_seconds,
            summed.corrections
          from (
            select stepped.version_id, sum(actuals) as actuals, sum(right_answers) as right_answers, sum(loss) as loss,
              sum(absolute_error) as absolute_error, sum(squared_error) as squared_error, sum(covered) as covered,
              sum(intervals) as intervals, sum(corrections) as corrections
            from stepped group by stepped.version_id
          ) as summed
          join public.versions as version on version.id = summed.version_id
          cross join lateral (
            -- What cannot be put together from steps: how long the truth took, and how much it varies.
            select percentile_cont(array[0.5, 0.9]) within group (
                order by date_part('epoch', held.observed_at - held.predicted_at)
              ) as delay_seconds,
              var_pop((held.value #>> '{}')::double precision) filter (where model.task = 'regression') as target_variance
            from public.actuals as held
            where held.version_id = summed.version_id and held.predicted_at >= since and held.predicted_at < until
          ) as spread
        ) as each
      ), '[]'),
      'series', coalesce((
        select jsonb_agg(to_jsonb(each) order by each.at, each.number)
        from (
          select stepped.at, version.number, stepped.actuals, stepped.right_answers, stepped.loss,
            stepped.absolute_error, stepped.squared_error
          from stepped join public.versions as version on version.id = stepped.version_id
        ) as each
      ), '[]'),
      'opinions', (
        select jsonb_build_object('good', count(*) filter (where held.is_good), 'bad', count(*) filter (where not held.is_good))
        from public.opinions as held
        where held.model_id = model.id and held.given_at >= since and held.given_at < until
      )
    )
  );
end;
$$;
