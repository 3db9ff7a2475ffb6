-- Refusals of runs begin with the field they are about, so that every door can point at it.

create or replace function private.check_run_model(run public.runs) returns void
language plpgsql stable security definer set search_path = ''
as $$
declare
  model public.models;
begin
  select * into model from public.models as held where held.slug = run.model_slug;
  if model.id is null then
    return;
  end if;
  if run.created_by is not null and not private.may_edit_model(model.id, run.created_by) then
    raise exception 'model_slug: The model name "%" is taken; choose another one.', run.model_slug using errcode = 'PT409';
  end if;
  if model.target <> run.target then
    raise exception 'target: Model "%" predicts "%"; choose another model name to predict "%".',
      run.model_slug, model.target, run.target using errcode = 'PT409';
  end if;
  perform private.refuse_archived(model);
end;
$$;

create or replace function private.refuse_archived(model public.models) returns void
language plpgsql stable set search_path = ''
as $$
begin
  if model.archived_at is not null then
    raise exception 'model_slug: Model "%" is archived; take it out of the archive first.', model.slug using errcode = 'PT409';
  end if;
end;
$$;

create or replace function private.check_run_dataset(run public.runs) returns void
language plpgsql stable security definer set search_path = ''
as $$
declare
  dataset public.datasets;
  role text := coalesce(private.role_of(run.created_by), 'house');
begin
  if role = 'viewer' then
    raise exception 'Training needs the role analyst; ask an admin for it.' using errcode = '42501';
  end if;
  select * into dataset from public.datasets as held where held.id = run.dataset_id;
  if dataset.id is null or (role = 'analyst' and dataset.owner_id is distinct from run.created_by) then
    raise exception 'dataset_id: There is no such dataset of yours; upload one first.' using errcode = 'PT404';
  end if;
  if dataset.status <> 'ready' then
    raise exception 'dataset_id: The dataset is not ready: %.', coalesce(dataset.reason, 'its upload is not complete')
      using errcode = 'PT409';
  end if;
  if (run.kind = 'import') <> (dataset.kind = 'model') then
    raise exception 'dataset_id: that is a %.',
      case dataset.kind when 'model' then 'model file, not a table: import it' else 'table, not a model file: train on it' end
      using errcode = '22023';
  end if;
  if run.kind = 'train' then
    perform private.check_columns('target', jsonb_build_array(run.target), dataset.profile);
    perform private.check_columns('options.drop', coalesce(run.options -> 'drop', '[]'), dataset.profile);
    perform private.check_columns(
      'options.types',
      (select coalesce(jsonb_agg(key), '[]') from jsonb_object_keys(coalesce(run.options -> 'types', '{}')) as key),
      dataset.profile
    );
    if run.options ? 'holdout' then
      perform private.check_columns(
        'options.holdout.column', jsonb_build_array(run.options #> '{holdout,column}'), dataset.profile
      );
    end if;
  end if;
end;
$$;
