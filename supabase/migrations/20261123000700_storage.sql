-- Buckets: uploads of people in their own folder, artefacts for servers only.

insert into storage.buckets (id, name, public, file_size_limit)
values ('datasets', 'datasets', false, 52428800), ('models', 'models', false, 52428800)
on conflict (id) do update set public = excluded.public, file_size_limit = excluded.file_size_limit;

create policy "analysts upload into their own folder" on storage.objects
for insert to authenticated
with check (
  bucket_id = 'datasets'
  and (storage.foldername(name))[1] = (select auth.uid())::text
  and (select private.is_analyst())
);

create policy "owners read their own uploads" on storage.objects
for select to authenticated
using (bucket_id = 'datasets' and (storage.foldername(name))[1] = (select auth.uid())::text);

create policy "admins read every upload" on storage.objects
for select to authenticated
using (bucket_id = 'datasets' and (select private.is_admin()));

create policy "owners delete their own uploads" on storage.objects
for delete to authenticated
using (bucket_id = 'datasets' and (storage.foldername(name))[1] = (select auth.uid())::text);

-- The bucket models has no policy on purpose: artefacts are written by the worker and read through the API.
