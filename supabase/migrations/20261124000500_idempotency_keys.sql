-- Creating calls that may be sent again: what was claimed under an Idempotency-Key, and the answer it got.
--
-- Servers only. Neither key nor answer can be read here: the key is a hash, the answer is sealed with it.

create table private.idempotency_keys (
  caller_id uuid not null references auth.users (id) on delete cascade,
  key_hash text not null
    constraint "key_hash is 64 lower-case hexadecimal digits" check (key_hash ~ '^[0-9a-f]{64}$'),
  fingerprint text not null
    constraint "fingerprint is 64 lower-case hexadecimal digits" check (fingerprint ~ '^[0-9a-f]{64}$'),
  made_id uuid not null default private.uuid_v7(),
  claim_id uuid not null default private.uuid_v7(),
  locked_until timestamptz not null,
  status smallint constraint "status is an HTTP status" check (status between 200 and 599),
  answer text constraint "answer has at most 1 MB" check (length(answer) <= 1000000),
  created_at timestamptz not null default now(),
  expires_at timestamptz not null default now() + interval '24 hours',
  primary key (caller_id, key_hash),
  constraint "a status comes with its answer" check ((status is null) = (answer is null))
);

comment on table private.idempotency_keys is
  'Creating calls by the key that their caller gave them: running until locked_until, or ended with an answer.';
comment on column private.idempotency_keys.made_id is
  'Id of what the call makes. The same for every attempt, so that it cannot be made twice.';
comment on column private.idempotency_keys.claim_id is 'The attempt that may write the answer.';

create unique index idempotency_keys_claim_id_idx on private.idempotency_keys (claim_id);
create index idempotency_keys_expires_at_idx on private.idempotency_keys (expires_at);

revoke all on private.idempotency_keys from public, anon, authenticated, service_role;

create function public.claim_idempotency_key(caller uuid, key_hash text, fingerprint text, lease_seconds integer)
returns table (
  state text, claim_id uuid, made_id uuid, is_repeated boolean, status smallint, answer text, wait_seconds integer
)
language plpgsql security definer set search_path = ''
as $$
declare
  held private.idempotency_keys;
  lease interval := make_interval(secs => least(greatest(lease_seconds, 1), 900));
begin
  delete from private.idempotency_keys as old where old.expires_at < now() and old.locked_until < now();

  insert into private.idempotency_keys as made (caller_id, key_hash, fingerprint, locked_until)
  values (caller, claim_idempotency_key.key_hash, claim_idempotency_key.fingerprint, now() + lease)
  on conflict on constraint idempotency_keys_pkey do nothing
  returning made.* into held;
  if found then
    return query select 'claimed', held.claim_id, held.made_id, false, null::smallint, null::text, 0;
    return;
  end if;

  select * into held from private.idempotency_keys as known
  where known.caller_id = caller and known.key_hash = claim_idempotency_key.key_hash for update;
  if held.fingerprint <> claim_idempotency_key.fingerprint then
    return query select 'other', null::uuid, null::uuid, true, null::smallint, null::text, 0;
  elsif held.status is not null then
    return query select 'ended', null::uuid, held.made_id, true, held.status, held.answer, 0;
  elsif held.locked_until > now() then
    return query select 'running', null::uuid, null::uuid, true, null::smallint, null::text,
      ceil(extract(epoch from held.locked_until - now()))::integer;
  else
    update private.idempotency_keys as known set claim_id = private.uuid_v7(), locked_until = now() + lease
    where known.caller_id = caller and known.key_hash = claim_idempotency_key.key_hash
    returning known.* into held;
    return query select 'claimed', held.claim_id, held.made_id, true, null::smallint, null::text, 0;
  end if;
end;
$$;

comment on function public.claim_idempotency_key(uuid, text, text, integer) is
  'Begin a creating call under a key, or say what became of it: claimed, running, ended, or other (another payload). '
  'Servers only.';
revoke all on function public.claim_idempotency_key(uuid, text, text, integer)
from public, anon, authenticated, service_role;
grant execute on function public.claim_idempotency_key(uuid, text, text, integer) to service_role;

create function public.end_idempotent_call(claim uuid, outcome text, status integer, answer text) returns boolean
language plpgsql security definer set search_path = ''
as $$
begin
  case outcome
    when 'answered' then
      update private.idempotency_keys as held
      set status = end_idempotent_call.status, answer = end_idempotent_call.answer, locked_until = now()
      where held.claim_id = claim and held.status is null;
    when 'refused' then
      -- Nothing was made: the key is as good as new.
      delete from private.idempotency_keys as held where held.claim_id = claim and held.status is null;
    when 'unknown' then
      -- Something may have been made: another attempt may begin at once, for the same thing under the same id.
      update private.idempotency_keys as held set locked_until = now()
      where held.claim_id = claim and held.status is null;
  end case;
  return found;
end;
$$;

comment on function public.end_idempotent_call(uuid, text, integer, text) is
  'End a claimed call: answered (kept for who asks again), refused (forgotten) or unknown (may be tried again). Servers only.';
revoke all on function public.end_idempotent_call(uuid, text, integer, text)
from public, anon, authenticated, service_role;
grant execute on function public.end_idempotent_call(uuid, text, integer, text) to service_role;
