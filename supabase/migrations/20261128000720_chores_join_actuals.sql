-- The hourly join of actuals out of tables is one of the chores.

create or replace function private.queue_chores() returns void
language sql security definer set search_path = ''
as $$
  -- In this order: drift reads what was counted; what is forgotten has been counted, and joined to its truth, before.
  select private.defer_chore(chore.task) from unnest(
    array['count_predictions', 'join_actuals', 'watch_drift', 'watch_quotas', 'drop_old_predictions', 'sweep']
  ) with ordinality as chore (task, place) order by chore.place;
$$;

comment on function private.queue_chores() is
  'Ask for everything that a worker does from time to time: count traffic, join actuals, watch drift and quotas, forget, sweep.';
