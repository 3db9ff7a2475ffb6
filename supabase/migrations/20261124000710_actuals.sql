-- What turned out to be true, and what people thought of an answer: by the id of the prediction.
--
-- An actual keeps the prediction it belongs to, so that quality can be told long after the log is gone. It may come
-- late, twice, or be corrected: the newest observation stands.

create table public.actuals (
  prediction_id uuid not null,
  row_index integer not null constraint "row counts from 0" check (row_index >= 0),
  model_id uuid not null,
  version_id uuid not null,
  value jsonb not null
    constraint "an actual is a text or a number" check (jsonb_typeof(value) in ('string', 'number')),
  predicted jsonb not null,
  is_right boolean,
  loss double precision,
  error double precision,
  is_covered boolean,
  predicted_at timestamptz not null,
  observed_at timestamptz not null,
  received_at timestamptz not null default clock_timestamp(),
  corrections integer not null default 0,
  source text not null constraint "actuals come from api or table" check (source in ('api', 'table')),
  sent_by uuid,
  primary key (prediction_id, row_index),
  foreign key (model_id, version_id) references public.versions (model_id, id)
);

comment on table public.actuals is 'The true value of a predicted row, beside what was predicted. Written by record_actuals.';
comment on column public.actuals.row_index is 'Which row of the request, from 0.';
comment on column public.actuals.loss is 'Of a class: minus the logarithm of the probability that was stated for the true one.';
comment on column public.actuals.error is 'Of a number: predicted minus true.';
comment on column public.actuals.is_covered is 'Of a number: whether it lies in the interval that was stated.';
comment on column public.actuals.observed_at is 'When the truth was known, as far as the sender said; else when it arrived.';

create index actuals_version_id_idx on public.actuals (version_id, predicted_at);
create index actuals_model_id_idx on public.actuals (model_id, predicted_at);

create table public.opinions (
  prediction_id uuid not null,
  row_index integer not null constraint "row counts from 0" check (row_index >= 0),
  model_id uuid not null,
  version_id uuid not null,
  is_good boolean not null,
  comment text not null default '' constraint "comment has at most 500 characters" check (length(comment) <= 500),
  given_at timestamptz not null default clock_timestamp(),
  primary key (prediction_id, row_index),
  foreign key (model_id, version_id) references public.versions (model_id, id)
);

comment on table public.opinions is 'Thumbs up or down on an answer, by whoever got it. The last one stands.';

create index opinions_version_id_idx on public.opinions (version_id, given_at);
create index opinions_model_id_idx on public.opinions (model_id, given_at);

revoke all on public.actuals from public, anon, authenticated, service_role;
revoke all on public.opinions from public, anon, authenticated, service_role;
grant select on public.actuals to authenticated, service_role;
grant select on public.opinions to authenticated, service_role;

alter table public.actuals enable row level security;
alter table public.opinions enable row level security;

create policy "whoever has a part in a model reads its actuals" on public.actuals
for select to authenticated using (model_id in (select private.my_models()));

create policy "admins read every actual" on public.actuals
for select to authenticated using ((select private.is_admin()));

create policy "whoever has a part in a model reads its opinions" on public.opinions
for select to authenticated using (model_id in (select private.my_models()));

create policy "admins read every opinion" on public.opinions
for select to authenticated using ((select private.is_admin()));

-- Writing ------------------------------------------------------------------------------------------------

create function private.class_named(classes jsonb, sent jsonb) returns text
language sql immutable parallel safe set search_path = ''
as $$
  -- A class "1" is meant by 1, 1.0 and "1"; texts are compared as they are.
  select coalesce(
    (select named.label from jsonb_array_elements_text(classes) as named (label) where named.label = sent #>> '{}' limit 1),
    (
      select named.label from jsonb_array_elements_text(classes) as named (label)
      where named.label ~ '^-?\d{1,15}(\.\d{1,15})?$' and sent #>> '{}' ~ '^-?\d{1,15}(\.\d{1,15})?$'
        and named.label::numeric = (sent #>> '{}')::numeric
      limit 1
    )
  );
$$;

comment on function private.class_named(jsonb, jsonb) is 'The class of a card that a sent value means; null if it means none.';
revoke all on function private.class_named(jsonb, jsonb) from public;

create function public.record_actuals(
  actuals jsonb, actor uuid, origin text default 'api', only_model text default null
) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
  sent record;
  known record;
  said jsonb;
  truth jsonb;
  label text;
  number double precision;
  stated double precision;
  before public.actuals;
  accepted integer := 0;
  corrected integer := 0;
  unchanged integer := 0;
  refused jsonb := '[]';
  may_write jsonb := '{}';
begin
  for sent in
    select each.place::integer - 1 as place, item.prediction_id, coalesce(item."row", 0) as row_index, item.value, item.observed_at
    from jsonb_array_elements(private.as_object(actuals) -> 'actuals') with ordinality as each (content, place)
    cross join lateral jsonb_to_record(each.content)
      as item (prediction_id uuid, "row" integer, value jsonb, observed_at timestamptz)
  loop
    select model.slug, prediction.model_id, prediction.version_id, prediction.at, prediction.caller_id,
      prediction.outputs -> sent.row_index as output, prediction.row_count, prediction.outputs is null as is_bare,
      version.card -> 'classes' as classes, version.card ->> 'task' as task
    into known
    from public.predictions as prediction
    join public.versions as version on version.id = prediction.version_id
    join public.models as model on model.id = prediction.model_id
    where prediction.id = sent.prediction_id;
    if known.model_id is not null and not may_write ? known.model_id::text then
      may_write := may_write || jsonb_build_object(
        known.model_id::text, actor is null or private.may_edit_model(known.model_id, actor)
      );
    end if;
    -- Somebody else's prediction and one that never was look the same from outside.
    if known.model_id is null or known.slug <> only_model or not (
      (may_write ->> known.model_id::text)::boolean or (actor is not null and known.caller_id is not distinct from actor)
    ) then
      refused := refused || jsonb_build_object('index', sent.place, 'code', 'unknown', 'detail', 'There is no such prediction');
      continue;
    end if;
    said := known.output;
    if said is null then
      refused := refused || jsonb_build_object('index', sent.place, 'code', 'no_row', 'detail', case
        when known.is_bare then 'The outputs of this request were not kept, so nothing can be compared'
        else format('The request had %s row(s), counted from 0', known.row_count) end);
      continue;
    end if;

    if known.task = 'regression' then
      number := case when jsonb_typeof(sent.value) = 'number' or sent.value #>> '{}' ~ '^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,3})?\s*$'
        then (sent.value #>> '{}')::double precision end;
      truth := to_jsonb(number);
      stated := (said ->> 'value')::double precision - number;
    else
      label := private.class_named(known.classes, sent.value);
      truth := to_jsonb(label);
      stated := -ln(greatest(1e-15, coalesce((said -> 'probabilities' ->> label)::double precision, 0)));
    end if;
    if truth is null then
      refused := refused || jsonb_build_object('index', sent.place, 'code', 'not_a_value', 'detail', case
        when known.task = 'regression' then 'The model predicts a number'
        else 'The model knows the classes ' || (
          select string_agg(few.label, ', ')
          from (select named.label from jsonb_array_elements_text(known.classes) as named (label) limit 20) as few
        ) end);
      continue;
    end if;

    select * into before from public.actuals as held
    where held.prediction_id = sent.prediction_id and held.row_index = sent.row_index for update;
    if before.prediction_id is not null and (before.value = truth or sent.observed_at < before.observed_at) then
      unchanged := unchanged + 1;
      continue;
    end if;
    insert into public.actuals as held (
      prediction_id, row_index, model_id, version_id, value, predicted, is_right, loss, error, is_covered, predicted_at,
      observed_at, source, sent_by
    )
    values (
      sent.prediction_id, sent.row_index, known.model_id, known.version_id, truth, said,
      case when known.task <> 'regression' then said ->> 'label' = label end,
      case when known.task <> 'regression' then stated end,
      case when known.task = 'regression' then stated end,
      case when known.task = 'regression' and said ? 'interval' and said -> 'interval' <> 'null' then
        number between (said -> 'interval' ->> 'low')::double precision and (said -> 'interval' ->> 'high')::double precision
      end,
      known.at, coalesce(sent.observed_at, now()), origin, actor
    )
    on conflict on constraint actuals_pkey do update set
      value = excluded.value, is_right = excluded.is_right, loss = excluded.loss, error = excluded.error,
      is_covered = excluded.is_covered, observed_at = excluded.observed_at, received_at = clock_timestamp(),
      source = excluded.source, sent_by = excluded.sent_by, corrections = held.corrections + 1;
    if before.prediction_id is null then
      accepted := accepted + 1;
    else
      corrected := corrected + 1;
    end if;
  end loop;
  return jsonb_build_object('accepted', accepted, 'corrected', corrected, 'unchanged', unchanged, 'refused', refused);
end;
$$;

comment on function public.record_actuals(jsonb, uuid, text, text) is
  'Take {"actuals": [{prediction_id, row, value, observed_at}]} in the name of somebody (null: the house), who must be an '
  'editor of the model or have asked for the prediction; only_model narrows it to one model. Sending the same again '
  'changes nothing. Servers only.';
revoke all on function public.record_actuals(jsonb, uuid, text, text) from public, anon, authenticated, service_role;
grant execute on function public.record_actuals(jsonb, uuid, text, text) to service_role;

create function public.record_opinion(prediction_id uuid, row_index integer, is_good boolean, comment text, actor uuid)
returns boolean
language plpgsql security definer set search_path = ''
as $$
declare
  known public.predictions;
begin
  select * into known from public.predictions as held where held.id = record_opinion.prediction_id;
  if known.id is null or record_opinion.row_index >= known.row_count
    or not (
      private.may_see_model(known.model_id, actor)
      or (actor is not null and known.caller_id is not distinct from actor)
    )
  then
    raise exception 'There is no such prediction.' using errcode = 'PT404';
  end if;
  insert into public.opinions as held (prediction_id, row_index, model_id, version_id, is_good, comment)
  values (
    known.id, record_opinion.row_index, known.model_id, known.version_id, record_opinion.is_good,
    coalesce(record_opinion.comment, '')
  )
  on conflict on constraint opinions_pkey do update set
    is_good = excluded.is_good, comment = excluded.comment, given_at = clock_timestamp();
  return true;
end;
$$;

comment on function public.record_opinion(uuid, integer, boolean, text, uuid) is
  'Keep a thumb up or down on one predicted row, for whoever may see the model. Servers only.';
revoke all on function public.record_opinion(uuid, integer, boolean, text, uuid) from public, anon, authenticated, service_role;
grant execute on function public.record_opinion(uuid, integer, boolean, text, uuid) to service_role;

-- Reading ------------------------------------------------------------------------------------------------

create function public.model_quality(
  model_slug text, since timestamptz, until timestamptz, step_days integer default 1, actor uuid default null
) returns jsonb
language plpgsql stable security definer set search_path = ''
as $$
declare
  model public.models := private.readable_model(model_slug, private.acting_user(actor));
begin
  return jsonb_build_object(
    'versions', coalesce((
      select jsonb_agg(to_jsonb(each) order by each.number desc)
      from (
        select version.number, count(*) as actuals, count(*) filter (where held.is_right) as right_answers,
          sum(held.loss) as loss, sum(abs(held.error)) as absolute_error, sum(held.error ^ 2) as squared_error,
          var_pop((held.value #>> '{}')::double precision) filter (where model.task = 'regression') as target_variance,
          count(*) filter (where held.is_covered) as covered, count(*) filter (where held.is_covered is not null) as intervals,
          percentile_cont(array[0.5, 0.9]) within group (
            order by extract(epoch from held.observed_at - held.predicted_at)
          ) as delay_seconds,
          sum(held.corrections) as corrections
        from public.actuals as held join public.versions as version on version.id = held.version_id
        where held.model_id = model.id and held.predicted_at >= since and held.predicted_at < until
        group by version.number
      ) as each
    ), '[]'),
    'series', coalesce((
      select jsonb_agg(to_jsonb(each) order by each.at, each.number)
      from (
        select date_bin(make_interval(days => greatest(1, step_days)), held.predicted_at, date_trunc('day', since, 'UTC')) as at,
          version.number, count(*) as actuals, count(*) filter (where held.is_right) as right_answers,
          sum(held.loss) as loss, sum(abs(held.error)) as absolute_error, sum(held.error ^ 2) as squared_error
        from public.actuals as held join public.versions as version on version.id = held.version_id
        where held.model_id = model.id and held.predicted_at >= since and held.predicted_at < until
        group by 1, 2
      ) as each
    ), '[]'),
    'opinions', (
      select jsonb_build_object('good', count(*) filter (where held.is_good), 'bad', count(*) filter (where not held.is_good))
      from public.opinions as held
      where held.model_id = model.id and held.given_at >= since and held.given_at < until
    )
  );
end;
$$;

comment on function public.model_quality(text, timestamptz, timestamptz, integer, uuid) is
  'How right a model was between two times, by version and by step of days, from actuals; and what people thought.';
revoke all on function public.model_quality(text, timestamptz, timestamptz, integer, uuid)
from public, anon, authenticated, service_role;
grant execute on function public.model_quality(text, timestamptz, timestamptz, integer, uuid) to authenticated, service_role;
