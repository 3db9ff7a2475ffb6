-- What the gallery says of each public model: the traffic of the last thirty days alone, summed without a function call
-- per row, so that two hundred busy models are read in a fraction of a second.

create or replace function public.public_traffic() returns jsonb
language plpgsql stable security definer set search_path = ''
as $$
declare
  edges double precision[] := private.latency_edges();
  sums text := (
    select string_agg(format('sum(held.latency_counts[%s])', place), ', ' order by place)
    from generate_series(1, cardinality(edges) + 1) as place
  );
  found jsonb;
begin
  execute format($query$
    select jsonb_object_agg(summed.slug, to_jsonb(summed) - 'slug')
    from (
      select model.slug, sum(held.requests) as requests, sum(held.row_count) as rows, array[%s] as latency
      from public.traffic_hours as held
      join public.models as model on model.id = held.model_id
      where model.visibility = 'public' and model.archived_at is null and held.hour >= $1
      group by model.id, model.slug
    ) as summed
  $query$, sums) into found using date_trunc('hour', now()) - interval '30 days';
  return jsonb_build_object('edges_ms', edges, 'models', coalesce(found, '{}'));
end;
$$;

comment on function public.public_traffic() is
  'How often the public models in use were asked in the last 30 days, and in what time they answered: for their pages.';
