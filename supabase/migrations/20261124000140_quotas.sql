-- Before a caller is refused, its owner is told: an event when four fifths of a minute's quota are used up.

create function public.warn_of_limit(owner_id uuid, quota text, allowance integer) returns boolean
language plpgsql security definer set search_path = ''
as $$
begin
  -- Once an hour for each owner and quota, however many servers notice.
  perform pg_advisory_xact_lock(hashtext('quota.near ' || warn_of_limit.owner_id || warn_of_limit.quota));
  if exists (
    select from public.events as held
    where held.owner_id = warn_of_limit.owner_id and held.type = 'quota.near'
      and held.data ->> 'quota' = warn_of_limit.quota and held.created_at > now() - interval '1 hour'
  ) then
    return false;
  end if;
  perform private.emit_event(
    'quota.near', null, warn_of_limit.owner_id,
    jsonb_build_object('quota', warn_of_limit.quota, 'limit', warn_of_limit.allowance, 'share', 0.8)
  );
  return true;
end;
$$;

comment on function public.warn_of_limit(uuid, text, integer) is
  'Emit quota.near to the owner of a caller that nears its limit, once an hour; tells whether it was emitted. Servers only.';
revoke all on function public.warn_of_limit(uuid, text, integer) from public, anon, authenticated, service_role;
grant execute on function public.warn_of_limit(uuid, text, integer) to service_role;
