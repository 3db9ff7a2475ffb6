-- How all models of a person stand, in one look: what an overview shows of each without asking for one after the other.

create function public.models_health(since timestamptz, until timestamptz, step_hours integer, actor uuid default null)
returns jsonb
language plpgsql stable security definer set search_path = ''
as $$
declare
  reader uuid := private.acting_user(actor);
  is_house boolean := private.is_system() and actor is null;
  sees_all boolean := is_house or coalesce(private.role_of(reader) = 'admin', false);
  step interval := make_interval(hours => greatest(1, step_hours));
  first_hour timestamptz := date_trunc('hour', since, 'UTC');
begin
  return jsonb_build_object('edges_ms', private.latency_edges(), 'models', coalesce((
    with mine as materialized (
      select model.id, model.slug, model.title, model.task
      from public.models as model
      where model.archived_at is null and (
        sees_all or model.owner_id = reader
        or exists (select from public.members as member where member.model_id = model.id and member.user_id = reader)
      )
    ),
    counted as materialized (
      select held.model_id, date_bin(step, held.hour, first_hour) as at, sum(held.requests) as requests,
        sum(held.row_count) as rows, sum(held.cached) as cached, private.sum_counts(held.latency_counts) as latency
      from public.traffic_hours as held
      where held.model_id in (select mine.id from mine) and held.hour >= first_hour and held.hour < until
      group by held.model_id, date_bin(step, held.hour, first_hour)
    )
    select jsonb_agg(jsonb_build_object(
      'slug', mine.slug, 'title', mine.title, 'task', mine.task,
      'requests', coalesce(used.requests, 0), 'rows', coalesce(used.rows, 0), 'cached', coalesce(used.cached, 0),
      'latency', coalesce(to_jsonb(used.latency), '[]'), 'series', coalesce(used.series, '[]'),
      'refused', refused.count, 'failed', refused.failed,
      'drift', coalesce(drift.features, '[]'),
      'actuals', quality.actuals, 'right_answers', quality.right_answers, 'errors', quality.errors,
      'absolute_error', quality.absolute_error, 'squared_error', quality.squared_error
    ) order by mine.slug)
    from mine
    left join (
      select counted.model_id, sum(counted.requests) as requests, sum(counted.rows) as rows, sum(counted.cached) as cached,
        private.sum_counts(counted.latency) as latency,
        jsonb_agg(jsonb_build_object('at', counted.at, 'requests', counted.requests) order by counted.at) as series
      from counted group by counted.model_id
    ) as used on used.model_id = mine.id
    cross join lateral (
      select coalesce(sum(each.count), 0) as count, coalesce(sum(each.count) filter (where each.status >= 500), 0) as failed
      from public.refusals as each
      where each.model_id = mine.id and each.at >= first_hour and each.at < until
    ) as refused
    cross join lateral (
      select jsonb_agg(jsonb_build_object('feature', each.feature, 'state', each.state, 'since', each.since) order by each.feature)
        as features
      from public.drift_states as each
      join public.aliases as held on held.version_id = each.version_id and held.name = 'champion'
      where held.model_id = mine.id
    ) as drift
    cross join lateral (
      select count(*) as actuals, count(*) filter (where each.is_right) as right_answers, count(each.error) as errors,
        sum(abs(each.error)) as absolute_error, sum(each.error ^ 2) as squared_error
      from public.actuals as each
      where each.model_id = mine.id and each.predicted_at >= first_hour and each.predicted_at < until
    ) as quality
  ), '[]'));
end;
$$;

comment on function public.models_health(timestamptz, timestamptz, integer, uuid) is
  'Traffic, refusals, drift and live quality of every model in use that the caller has a part in, between two times.';
revoke all on function public.models_health(timestamptz, timestamptz, integer, uuid)
from public, anon, authenticated, service_role;
grant execute on function public.models_health(timestamptz, timestamptz, integer, uuid) to authenticated, service_role;
