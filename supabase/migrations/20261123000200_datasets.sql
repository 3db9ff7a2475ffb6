-- Tables that people bring. The bytes lie in Storage; this is what is known about them.

create table public.datasets (
  id uuid primary key default private.uuid_v7(),
  owner_id uuid default auth.uid() references auth.users (id) on delete cascade,
  name text not null
    constraint "dataset name has 1 to 120 characters" check (length(btrim(name)) between 1 and 120),
  filename text not null
    constraint "filename has 1 to 120 characters, no slash, one letter or digit"
    check (length(filename) <= 120 and filename ~ '[A-Za-z0-9]' and filename !~ '[/\\[:cntrl:]]'),
  -- Derived, so that nobody can point a row at the object of somebody else.
  object_path text not null unique generated always as (
    coalesce(owner_id::text, 'rowcast') || '/' || id::text || '/'
    || ltrim(regexp_replace(filename, '[^A-Za-z0-9._-]+', '_', 'g'), '.')
  ) stored,
  size_bytes bigint
    constraint "dataset is not empty and at most 50 MiB" check (size_bytes between 1 and 52428800),
  sha256 text
    constraint "sha256 is 64 lower-case hexadecimal digits" check (sha256 ~ '^[0-9a-f]{64}$'),
  status text not null default 'pending'
    constraint "dataset status is pending, ready or failed" check (status in ('pending', 'ready', 'failed')),
  reason text,
  rows bigint constraint "rows is not negative" check (rows >= 0),
  columns integer constraint "columns is not negative" check (columns >= 0),
  profile jsonb,
  source text constraint "source has at most 500 characters" check (length(source) <= 500),
  licence text constraint "licence has at most 120 characters" check (length(licence) <= 120),
  created_at timestamptz not null default now(),
  constraint "a ready dataset has a size and a sha256"
    check (status <> 'ready' or (size_bytes is not null and sha256 is not null)),
  constraint "a failed dataset has a reason" check (status <> 'failed' or reason is not null)
);

comment on table public.datasets is 'Uploaded tables. The bytes are in the bucket datasets at object_path.';
comment on column public.datasets.owner_id is 'Null: a dataset of the house, seen by admins only.';

create index datasets_owner_id_idx on public.datasets (owner_id, created_at desc);

revoke all on public.datasets from public, anon, authenticated, service_role;
grant select, delete on public.datasets to authenticated;
grant insert (id, owner_id, name, filename, size_bytes, sha256, source, licence) on public.datasets to authenticated;
grant update (name, size_bytes, sha256, status, source, licence) on public.datasets to authenticated;
grant select, insert, update, delete on public.datasets to service_role;

alter table public.datasets enable row level security;

create policy "owners read their own datasets" on public.datasets
for select to authenticated using (owner_id = (select auth.uid()));

create policy "admins read every dataset" on public.datasets
for select to authenticated using ((select private.is_admin()));

create policy "analysts add datasets of their own" on public.datasets
for insert to authenticated
with check (owner_id = (select auth.uid()) and (select private.is_analyst()));

create policy "owners edit their own datasets" on public.datasets
for update to authenticated
using (owner_id = (select auth.uid())) with check (owner_id = (select auth.uid()));

create policy "owners delete their own datasets" on public.datasets
for delete to authenticated using (owner_id = (select auth.uid()));

create policy "admins delete every dataset" on public.datasets
for delete to authenticated using ((select private.is_admin()));

create function private.check_dataset() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  if tg_op = 'INSERT' then
    if new.owner_id is not null and coalesce(private.role_of(new.owner_id), '') not in ('analyst', 'admin') then
      raise exception 'Adding datasets needs the role analyst.' using errcode = '42501';
    end if;
    return new;
  end if;
  if new.owner_id is distinct from old.owner_id then
    raise exception 'A dataset keeps its owner.' using errcode = '23514';
  end if;
  -- Runs and model cards refer to these bytes by digest.
  if old.status = 'ready' and (new.status, new.sha256, new.size_bytes, new.filename)
    is distinct from (old.status, old.sha256, old.size_bytes, old.filename) then
    raise exception 'An uploaded dataset does not change; upload the new table as a new dataset.'
      using errcode = 'PT409';
  end if;
  return new;
end;
$$;

comment on function private.check_dataset() is 'Trigger: only analysts own datasets, and uploaded bytes stay what they are.';
revoke all on function private.check_dataset() from public;

create trigger check_dataset before insert or update on public.datasets
for each row execute function private.check_dataset();
