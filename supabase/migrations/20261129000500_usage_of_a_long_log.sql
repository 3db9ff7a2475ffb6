-- The meter of a log of millions of rows is read without walking through it: what came in is taken from the counts, and
-- the oldest row from the index of each model.

-- Some versions of Storage keep the facts about a file as a text that holds JSON, others as JSON: its size is read from both.

create function private.stored_bytes() returns bigint
language sql stable security definer set search_path = ''
as $$
  select coalesce(sum(
    case jsonb_typeof(held.metadata)
      when 'string' then ((held.metadata #>> '{}')::jsonb ->> 'size')::bigint
      else (held.metadata ->> 'size')::bigint
    end
  ), 0)
  from storage.objects as held;
$$;

comment on function private.stored_bytes() is 'How many bytes the files in Storage take.';
revoke all on function private.stored_bytes() from public;

create or replace function public.usage() returns jsonb
language plpgsql stable security definer set search_path = ''
as $$
declare
  month timestamptz := date_trunc('month', now(), 'UTC');
  waiting bigint;
  oldest timestamptz;
begin
  if not (private.is_system() or private.is_admin()) then
    raise exception 'Only admins read what the deployment has used.' using errcode = '42501';
  end if;
  select coalesce(sum(cardinality(held.prediction_ids)), 0) into waiting from private.uncounted as held;
  -- Model by model, each with one look into its index: the log itself has no order by time.
  select min(first.at) into oldest
  from public.models as model
  cross join lateral (select min(known.at) as at from public.predictions as known where known.model_id = model.id) as first;
  return jsonb_build_object(
    'database_bytes', pg_database_size(current_database()),
    'log_bytes', pg_total_relation_size('public.predictions'),
    'log_bytes_per_day', (
      -- A full week, or what there is of it; the indexes of a row take some 100 bytes.
      select (asked.counted + waiting) * coalesce((
        select avg(pg_column_size(sample.*)) + 100
        from (select known.* from public.predictions as known order by known.id desc limit 200) as sample
      ), 0) / greatest(1, least(7, extract(epoch from now() - oldest) / 86400))
      from (
        select coalesce(sum(held.requests), 0) as counted
        from public.traffic_hours as held where held.hour >= now() - interval '7 days'
      ) as asked
    ),
    'storage_bytes', private.stored_bytes(),
    'requests_this_month', (
      select coalesce(sum(held.requests), 0) from public.traffic_hours as held where held.hour >= month
    ),
    'oldest_prediction_at', oldest,
    'waiting_to_be_counted', waiting,
    'tables', (
      select coalesce(jsonb_agg(to_jsonb(each) order by each.bytes desc), '[]')
      from (
        select format('%I.%I', place.nspname, held.relname) as name, pg_total_relation_size(held.oid) as bytes,
          greatest(0, held.reltuples)::bigint as rows
        from pg_catalog.pg_class as held join pg_catalog.pg_namespace as place on place.oid = held.relnamespace
        where held.relkind in ('r', 'p') and place.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
        order by 2 desc limit 10
      ) as each
    ),
    'statements', private.slow_statements()
  );
end;
$$;

comment on function public.usage() is
  'Sizes of database, log, tables and storage, requests of this month (UTC), slow statements. Admins and servers only.';
