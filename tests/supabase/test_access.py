"""Nobody reads or changes a row that is not theirs: each table, each verb, each role, as the database answers."""

from typing import Any

import psycopg
import pytest

from tests.supabase.access_matrix import MATRIX

OF_MODEL = "model_id = %(model)s"
STATEMENTS = {
    "select datasets": "select id from public.datasets where id = %(dataset)s",
    "insert datasets": "insert into public.datasets (owner_id, name, filename) values (%(owner)s, 'n', 'f.csv')",
    "update datasets": "update public.datasets set name = 'other' where id = %(dataset)s",
    "delete datasets": "delete from public.datasets where id = %(spare)s",
    "select models": "select id from public.models where slug = %(slug)s",
    "select models-owner": "select owner_id from public.models where slug = %(slug)s",
    "insert models": "insert into public.models (slug, title, task, target) values ('new', 'N', 'binary', 't')",
    "update models": "update public.models set title = 'other' where slug = %(slug)s",
    "update models-visibility": "update public.models set visibility = 'public' where slug = %(slug)s",
    "update models-inputs": "update public.models set keep_inputs = false where slug = %(slug)s",
    "update models-slug": "update public.models set slug = 'other' where slug = %(slug)s",
    "delete models": "delete from public.models where slug = %(slug)s",
    "select versions": f"select id from public.versions where {OF_MODEL}",
    "insert versions": "insert into public.versions (number) values (2)",
    "update versions": "update public.versions set size_bytes = 6",
    "delete versions": "delete from public.versions",
    "select aliases": f"select name from public.aliases where {OF_MODEL}",
    "insert aliases": "insert into public.aliases (name) values ('mine')",
    "update aliases": "update public.aliases set name = 'mine'",
    "delete aliases": "delete from public.aliases",
    "select promotions": f"select id from public.promotions where {OF_MODEL}",
    "insert promotions": "insert into public.promotions (alias) values ('champion')",
    "update promotions": "update public.promotions set reason = 'other'",
    "delete promotions": "delete from public.promotions",
    "select runs": "select id from public.runs where id = %(run)s",
    "insert runs": "insert into public.runs (dataset_id, model_slug, target, created_by) "
    "values (%(dataset)s, 'secret', 'species', %(owner)s)",
    "update runs": "update public.runs set status = 'queued' where id = %(run)s",
    "delete runs": "delete from public.runs where id = %(run)s",
    "select run_events": "select seq from public.run_events where run_id = %(run)s",
    "insert run_events": "insert into public.run_events (run_id, seq, kind) values (%(run)s, 99, 'forged')",
    "update run_events": "update public.run_events set kind = 'forged'",
    "delete run_events": "delete from public.run_events",
    "select version_remarks": f"select note from public.version_remarks where {OF_MODEL}",
    "insert version_remarks": "insert into public.version_remarks (version_id, model_id) values (%(rival)s, %(model)s)",
    "update version_remarks": "update public.version_remarks set note = 'other'",
    "delete version_remarks": "delete from public.version_remarks",
    "select replays": "select result from public.replays where id = %(replay)s",
    "insert replays": "insert into public.replays (version_id, against_id, created_by) "
    "values (%(version)s, %(rival)s, %(owner)s)",
    "update replays": "update public.replays set status = 'queued' where id = %(replay)s",
    "delete replays": "delete from public.replays where id = %(replay)s",
    "select batches": "select id from public.batches where id = %(batch)s",
    "insert batches": "insert into public.batches (dataset_id, version_id, created_by) "
    "values (%(dataset)s, %(version)s, %(owner)s)",
    "update batches": "update public.batches set status = 'queued' where id = %(batch)s",
    "delete batches": "delete from public.batches where id = %(batch)s",
    "select predictions": f"select rows from public.predictions where {OF_MODEL}",
    "insert predictions": "insert into public.predictions (id) values (gen_random_uuid())",
    "update predictions": "update public.predictions set outputs = null",
    "delete predictions": "delete from public.predictions",
    "log predictions": "select public.log_predictions('{}')",
    "select refusals": f"select count from public.refusals where {OF_MODEL}",
    "insert refusals": "insert into public.refusals (id) values (gen_random_uuid())",
    "update refusals": "update public.refusals set count = 1",
    "delete refusals": "delete from public.refusals",
    "select api_keys": "select id from public.api_keys where id = %(key)s",
    "select api_keys-hash": "select hash from public.api_keys where id = %(key)s",
    "insert api_keys": "insert into public.api_keys (owner_id, name, prefix, hash) "
    "values (%(owner)s, 'k', 'forged1', repeat('f', 64))",
    "update api_keys": "update public.api_keys set revoked_at = now() where id = %(key)s",
    "delete api_keys": "delete from public.api_keys where id = %(key)s",
    "rotate api_keys": "select public.rotate_api_key(%(key)s, 'rotated1', repeat('e', 64), 1)",
    "select members": "select user_id from public.members where model_id = %(model)s and role = 'viewer'",
    "insert members": "insert into public.members (model_id, user_id, role) values (%(model)s, %(owner)s, 'editor')",
    "update members": "update public.members set role = 'editor' where model_id = %(model)s",
    "delete members": "delete from public.members where model_id = %(model)s",
    "share members": "select public.set_member(%(slug)s, 'stranger@x.test', 'viewer')",
    "select audit_log": "select id from public.audit_log where subject_id = %(slug)s",
    "insert audit_log": "insert into public.audit_log (action, subject_type, subject_id) values ('a.b', 'c', 'd')",
    "update audit_log": "update public.audit_log set data = '{}'",
    "delete audit_log": "delete from public.audit_log",
    "select subscriptions": "select url from public.subscriptions where id = %(subscription)s",
    "insert subscriptions": "insert into public.subscriptions (owner_id, event_types, url) "
    "values (%(owner)s, '{run.failed}', 'https://x.test')",
    "update subscriptions": "update public.subscriptions set is_enabled = false where id = %(subscription)s",
    "update subscriptions-health": "update public.subscriptions set failing_since = null",
    "delete subscriptions": "delete from public.subscriptions where id = %(subscription)s",
    "select subscription_secrets": "select secret from private.subscription_secrets",
    "select events": "select data from public.events where owner_id = %(owner)s",
    "insert events": "insert into public.events (type, data) values ('run.failed', '{}')",
    "update events": "update public.events set data = '{}'",
    "delete events": "delete from public.events",
    "select deliveries": "select id from public.deliveries where subscription_id = %(subscription)s",
    "insert deliveries": "insert into public.deliveries (id) values (gen_random_uuid())",
    "update deliveries": "update public.deliveries set state = 'pending'",
    "delete deliveries": "delete from public.deliveries",
    "select delivery_attempts": "select url from public.delivery_attempts where delivery_id = %(delivery)s",
    "insert delivery_attempts": "insert into public.delivery_attempts (number) values (1)",
    "update delivery_attempts": "update public.delivery_attempts set reason = 'forged'",
    "delete delivery_attempts": "delete from public.delivery_attempts",
    "claim deliveries": "select public.claim_deliveries(1, 1, 1)",
    "record deliveries": "select public.record_attempts('{}')",
    "select traffic_hours": f"select 1 from public.traffic_hours where {OF_MODEL}",
    "insert traffic_hours": "insert into public.traffic_hours (source) values ('api')",
    "update traffic_hours": "update public.traffic_hours set requests = 0",
    "delete traffic_hours": "delete from public.traffic_hours",
    "select value_days": f"select 1 from public.value_days where {OF_MODEL}",
    "insert value_days": "insert into public.value_days (feature) values ('f')",
    "update value_days": "update public.value_days set seen = 0",
    "delete value_days": "delete from public.value_days",
    "select actuals": f"select 1 from public.actuals where {OF_MODEL}",
    "insert actuals": "insert into public.actuals (row_index) values (0)",
    "update actuals": "update public.actuals set is_right = true",
    "delete actuals": "delete from public.actuals",
    "select opinions": f"select 1 from public.opinions where {OF_MODEL}",
    "insert opinions": "insert into public.opinions (row_index) values (0)",
    "update opinions": "update public.opinions set is_good = true",
    "delete opinions": "delete from public.opinions",
    "select drift_checks": f"select 1 from public.drift_checks where {OF_MODEL}",
    "insert drift_checks": "insert into public.drift_checks (feature) values ('f')",
    "update drift_checks": "update public.drift_checks set rows = 0",
    "delete drift_checks": "delete from public.drift_checks",
    "select drift_states": f"select 1 from public.drift_states where {OF_MODEL}",
    "insert drift_states": "insert into public.drift_states (feature) values ('f')",
    "update drift_states": "update public.drift_states set state = 'stable'",
    "delete drift_states": "delete from public.drift_states",
    "record actuals": "select public.record_actuals('{}', null)",
    "select hooks": "select id from public.hooks where id = %(hook)s",
    "insert hooks": "insert into public.hooks (owner_id, model_id, name, kind) values (%(owner)s, %(model)s, 'h', 'standard')",
    "update hooks": "update public.hooks set enabled = false where id = %(hook)s",
    "update hooks-owner": "update public.hooks set owner_id = %(owner)s where id = %(hook)s",
    "delete hooks": "delete from public.hooks where id = %(hook)s",
    "select hook_deliveries": "select answer from public.hook_deliveries where hook_id = %(hook)s",
    "insert hook_deliveries": "insert into public.hook_deliveries (id) values (gen_random_uuid())",
    "update hook_deliveries": "update public.hook_deliveries set answer = 'forged'",
    "delete hook_deliveries": "delete from public.hook_deliveries",
    "find hooks": "select public.find_hook(%(hook)s)",
    "set hook_secrets": "select public.set_hook_secret(%(hook)s, 'whsec_bWluZQ==')",
    "claim hook_deliveries": "select public.claim_hook_delivery('{}')",
    "complete hook_deliveries": "select public.complete_hook_delivery('{}')",
    "release hook_deliveries": "select public.release_hook_delivery(%(hook)s, 1)",
    "count hooks": "select public.count_hook_requests('{}')",
    "select hook_secrets": "select secret from private.hook_secrets",
    "select hook_targets": "select relation from private.hook_targets",
    "select user_roles": "select role from private.user_roles",
    "update user_roles": "update private.user_roles set role = 'admin'",
    "select settings": "select value from private.settings",
    "select jobs": "select args from procrastinate.procrastinate_jobs",
    "insert jobs": "insert into procrastinate.procrastinate_jobs (task_name) values ('train')",
}

_HEAD, *_ROWS = [line.rsplit(maxsplit=8) for line in MATRIX.strip().splitlines()]
CASES = [(what, role, cell) for what, *cells in _ROWS for role, cell in zip(_HEAD[1:], cells, strict=True)]


@pytest.mark.parametrize("what", [row[0] for row in _ROWS])
def test_access_is_as_designed(world: Any, things: Any, what: str) -> None:
    """One line of the matrix: what each role gets when it tries."""
    slug = "shown" if what.endswith("-shown") else "secret"
    statement = STATEMENTS[what.removesuffix("-shown")]
    model = world.value("select id from public.models where slug = %s", slug)
    values = {**vars(things), "slug": slug, "model": model, "owner": world.people["owner"]}

    answers = {role: _attempt(world, role, statement, values) for _, role, _ in _of(what)}

    assert answers == {role: cell for _, role, cell in _of(what)}


def test_matrix_covers_every_table(world: Any) -> None:
    """A table that is added later cannot be forgotten here."""
    tables = world.column("select tablename from pg_tables where schemaname = 'public'")

    verbs = {what.split("-")[0] for what, _, _ in CASES}

    assert {f"{verb} {table}" for table in tables for verb in ("select", "insert", "update", "delete")} <= verbs


def _of(what: str) -> list[tuple[str, str, str]]:
    return [case for case in CASES if case[0] == what]


def _attempt(world: Any, role: str, statement: str, values: dict[str, Any]) -> str:
    outcome = "undecided"
    with world.connection.transaction(force_rollback=True):
        try:
            with world.acting_as(role):
                outcome = "done" if world.connection.execute(statement, values).rowcount else "none"
        except psycopg.Error as refusal:
            outcome = {"42501": "denied", "PT404": "missing"}[refusal.sqlstate or ""]
    return outcome
