-- What the deployment has used up of what its plans give: for the meter, and for the event before something runs out.

create function public.usage() returns jsonb
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
    'storage_bytes', (
      select coalesce(sum((held.metadata ->> 'size')::bigint), 0) from storage.objects as held
    ),
    'requests_this_month', (
      select coalesce(sum(held.requests), 0) from public.traffic_hours as held where held.hour >= month
    ),
    'oldest_prediction_at', (select min(held.at) from public.predictions as held),
    'waiting_to_be_counted', (select coalesce(sum(cardinality(held.prediction_ids)), 0) from private.uncounted as held)
  );
end;
$$;

comment on function public.usage() is 'Sizes of database and storage, and requests of this month (UTC). Admins and servers only.';
revoke all on function public.usage() from public, anon, authenticated, service_role;
grant execute on function public.usage() to authenticated, service_role;

create function private.warn_of_quota(quota text, used double precision, allowance double precision) returns boolean
language plpgsql security definer set search_path = ''
as $$
begin
  -- Once a month for each quota.
  perform pg_advisory_xact_lock(hashtext('quota.near ' || quota));
  if exists (
    select from public.events as held
    where held.type = 'quota.near' and held.data ->> 'quota' = quota
      and held.created_at >= date_trunc('month', now(), 'UTC')
  ) then
    return false;
  end if;
  perform private.emit_event(
    'quota.near', null, null,
    jsonb_build_object('quota', quota, 'used', used, 'limit', allowance, 'share', round((used / allowance)::numeric, 3))
  );
  return true;
end;
$$;

comment on function private.warn_of_quota(text, double precision, double precision) is
  'Emit quota.near for a quota that is nearly used up, once a month; tells whether it was emitted.';
revoke all on function private.warn_of_quota(text, double precision, double precision) from public;

create function private.drop_predictions_above(allowed_bytes bigint, at_most integer) returns integer
language plpgsql security definer set search_path = ''
as $$
declare
  row_bytes double precision;
  too_many bigint;
  dropped integer;
begin
  select avg(pg_column_size(sample.*)) into row_bytes
  from (select known.* from public.predictions as known order by known.id desc limit 1000) as sample;
  if row_bytes is null then
    return 0;
  end if;
  -- The indexes of a row take about as much as its head: some 100 bytes. What is deleted is used again by new rows.
  too_many := (select count(*) from public.predictions) - floor(allowed_bytes / (row_bytes + 100))::bigint;
  if too_many <= 0 then
    return 0;
  end if;
  delete from public.predictions as held
  where held.id in (
    select old.id from public.predictions as old
    where not exists (select from private.uncounted as waiting where old.id = any (waiting.prediction_ids))
    order by old.at limit least(too_many, at_most)
  );
  get diagnostics dropped = row_count;
  return dropped;
end;
$$;

comment on function private.drop_predictions_above(bigint, integer) is
  'Delete the oldest logged predictions, so many at once, where all together take more than they may.';
revoke all on function private.drop_predictions_above(bigint, integer) from public;
