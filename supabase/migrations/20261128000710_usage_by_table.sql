-- What takes the space and the time: the largest tables, how fast the log grows, and the slowest statements where the
-- database keeps count of them.

create function private.slow_statements(most integer default 10) returns jsonb
language plpgsql stable security definer set search_path = ''
as $$
declare
  counted text := coalesce(
    to_regclass('extensions.pg_stat_statements')::text, to_regclass('public.pg_stat_statements')::text
  );
  found jsonb;
begin
  if counted is null then
    return null;
  end if;
  -- Constants stand as $1 there, so no value of a row is told. One slow run is chance; ten are a missing index.
  execute format(
    'select coalesce(jsonb_agg(to_jsonb(each) order by each.mean_ms desc), ''[]'') from ('
    '  select left(regexp_replace(held.query, ''\s+'', '' '', ''g''), 300) as statement, held.calls,'
    '    round(held.mean_exec_time::numeric, 1) as mean_ms, round(held.total_exec_time::numeric) as total_ms'
    '  from %s as held where held.calls >= 10 and held.mean_exec_time >= 100'
    '  order by held.mean_exec_time desc limit $1'
    ') as each', counted
  ) into found using most;
  return found;
exception when others then
  -- The extension is there and not loaded, or not ours to read.
  return null;
end;
$$;

comment on function private.slow_statements(integer) is
  'The statements that took longest on average, 100 ms at least; null where the database does not count them.';
revoke all on function private.slow_statements(integer) from public;

create or replace function public.usage() returns jsonb
language plpgsql stable security definer set search_path = ''
as $$
declare
  month timestamptz := date_trunc('month', now(), 'UTC');
begin
  if not (private.is_system() or private.is_admin()) then
    raise exception 'Only admins read what the deployment has used.' using errcode = '42501';
  end if;
  return jsonb_build_object(
    'database_bytes', pg_database_size(current_database()),
    'log_bytes', pg_total_relation_size('public.predictions'),
    'log_bytes_per_day', (
      -- A full week, or what there is of it; the indexes of a row take some 100 bytes.
      select count(*) * coalesce((
        select avg(pg_column_size(sample.*)) + 100
        from (select known.* from public.predictions as known order by known.id desc limit 200) as sample
      ), 0) / greatest(1, least(7, extract(epoch from now() - min(held.at)) / 86400))
      from public.predictions as held where held.at >= now() - interval '7 days'
    ),
    'storage_bytes', (
      select coalesce(sum((held.metadata ->> 'size')::bigint), 0) from storage.objects as held
    ),
    'requests_this_month', (
      select coalesce(sum(held.requests), 0) from public.traffic_hours as held where held.hour >= month
    ),
    'oldest_prediction_at', (select min(held.at) from public.predictions as held),
    'waiting_to_be_counted', (select coalesce(sum(cardinality(held.prediction_ids)), 0) from private.uncounted as held),
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
