-- A number that a double cannot hold, or whose square it cannot, is no value, and one too small for it is nought: neither
-- may stop those beside it, nor the sums of squared errors.

create function private.number_meant(sent text) returns double precision
language sql immutable parallel safe set search_path = ''
as $$
  select case
    when sent !~ '^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,3})?\s*$' then null
    when abs(sent::numeric) > 1e100 then null
    when abs(sent::numeric) < 2.3e-308 then 0
    else sent::double precision
  end;
$$;

comment on function private.number_meant(text) is
  'The number that a text means as a double; null if it means none, or one beyond 1e100.';
revoke all on function private.number_meant(text) from public;

create or replace function public.record_actuals(
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
      number := private.number_meant(sent.value #>> '{}');
      truth := to_jsonb(number);
      stated := (said ->> 'value')::double precision - number;
    else
      label := private.class_named(known.classes, sent.value);
      truth := to_jsonb(label);
      stated := -ln(greatest(1e-15, coalesce((said -> 'probabilities' ->> label)::double precision, 0)));
    end if;
    if truth is null then
      refused := refused || jsonb_build_object('index', sent.place, 'code', 'not_a_value', 'detail', case
        when known.task = 'regression' then 'The model predicts a number, none beyond 1e100'
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
