"""Row security, role by role: what the database grants beside what the migrations say, and what each role really sees."""

import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from api._commands.doctor import blueprint
from api._commands.doctor.blueprint import Blueprint
from api._commands.doctor.finding import Finding, fail, ok, skip
from api._commands.doctor.subject import Away, Subject

if TYPE_CHECKING:
    import psycopg

SHOWN = 4
"""Names in one line; the rest is counted."""

_STRANGER = "00000000-0000-7000-8000-000000000000"
_APPLY = "./rowcast deploy migrate applies what is missing"
_SECURITY = """
select n.nspname || '.' || c.relname as name, c.relrowsecurity as is_secured
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname in ('public', 'private') and c.relkind in ('r', 'p')
"""
_RIGHTS = """
select r.role, v.verb, t.name,
  has_table_privilege(r.role, t.name, v.verb) as is_whole,
  case when v.verb = 'delete' then false else has_any_column_privilege(r.role, t.name, v.verb) end as is_partial
from unnest(%s::text[]) as t(name), unnest(%s::text[]) as r(role),
  unnest(array['select', 'insert', 'update', 'delete']) as v(verb)
"""


_GRANTED = """
select t.name from unnest(%s::text[]) as t(name)
where has_any_column_privilege('anon', t.name, 'select, insert, update')
  or has_any_column_privilege('authenticated', t.name, 'select, insert, update')
"""


def check_tables(subject: Subject) -> Iterator[Finding]:
    """Hold row security and the rights of each role to the migrations, then try the doors as strangers would."""
    plan = blueprint.read(subject.root / "supabase" / "migrations")
    try:
        with subject.database() as connection:
            yield from _check_inside(connection, plan)
    except Away as away:
        yield skip("row security", str(away))
    yield from _check_door(subject, plan)


def _check_inside(connection: "psycopg.Connection[dict[str, Any]]", plan: Blueprint) -> Iterator[Finding]:
    secured = {row["name"]: row["is_secured"] for row in connection.execute(_SECURITY).fetchall()}
    there = sorted(plan.tables & secured.keys())
    if absent := sorted(plan.tables - secured.keys()):
        yield fail("tables", f"not there: {_list(absent)}", fix=_APPLY)
    bare = sorted(name for name in there if name in plan.secured and not secured[name])
    own = sorted(
        name for name, is_on in secured.items() if name.startswith("public.") and not is_on and name not in there
    )
    bare += [row["name"] for row in connection.execute(_GRANTED, [own]).fetchall()]
    if bare:
        orders = "; ".join(f"alter table {name} enable row level security" for name in bare[:SHOWN])
        yield fail(
            "row security", f"off for {_list(bare)}: whoever has a right there sees every row", fix=f"run: {orders};"
        )
    else:
        count = sum(secured[name] for name in there)
        yield ok("row security", f"on for all {count} tables that need it")
    rights = connection.execute(_RIGHTS, [there, list(blueprint.ROLES)]).fetchall()
    for role in blueprint.ROLES:
        yield _compare(role, [row for row in rights if row["role"] == role], plan)
    yield from _try_stranger(connection, [name for name in there if name.startswith("public.")], plan)


def _compare(role: str, rows: Iterable[dict[str, Any]], plan: Blueprint) -> Finding:
    missing, extra, held = [], [], 0
    for row in rows:
        right = (role, row["verb"], row["name"])
        has = row["is_whole"] or row["is_partial"]
        held += has
        if plan.may(*right) and not has:
            missing.append(right)
        elif has and (not plan.may(*right) or (row["is_whole"] and plan.rights[right])):
            extra.append(right)
    name = f"rights of {role}"
    if extra:
        orders = "; ".join(f"revoke {verb} on {table} from {role}" for _, verb, table in extra[:SHOWN])
        said = _list(f"{verb} on {table}" for _, verb, table in extra)
        return fail(name, f"more than the migrations give: {said}", fix=f"run: {orders};")
    if missing:
        orders = "; ".join(_grant(right, plan) for right in missing[:SHOWN])
        said = _list(f"{verb} on {table}" for _, verb, table in missing)
        return fail(name, f"missing: {said}; the API answers 42501 there", fix=f"run: {orders};")
    return ok(name, f"{held} rights, exactly those of the migrations")


def _grant(right: blueprint.Right, plan: Blueprint) -> str:
    role, verb, table = right
    columns = f" ({', '.join(sorted(plan.rights[right]))})" if plan.rights[right] else ""
    return f"grant {verb}{columns} on {table} to {role}"


def _try_stranger(
    connection: "psycopg.Connection[dict[str, Any]]", tables: Iterable[str], plan: Blueprint
) -> Iterator[Finding]:
    """Look at each table as somebody who is signed in and owns nothing; only what visitors may read may show rows."""
    import psycopg

    seen, looked = [], 0
    for table in tables:
        if not plan.may("authenticated", "select", table) or plan.may("anon", "select", table):
            continue
        columns = ", ".join(sorted(plan.rights["authenticated", "select", table])) or "1"
        try:
            with connection.transaction(force_rollback=True):
                claims = json.dumps({"sub": _STRANGER, "role": "authenticated"})
                connection.execute("set local role authenticated")
                connection.execute("select set_config('request.jwt.claims', %s, true)", [claims])
                connection.execute("select set_config('request.jwt.claim.sub', %s, true)", [_STRANGER])
                # Names from our own migrations.
                row = connection.execute(f"select {columns} from {table} limit 1".encode()).fetchone()  # noqa: S608
        except psycopg.Error:
            continue  # a missing right, which is reported above
        looked += 1
        if row is not None:
            seen.append(table)
    if seen:
        yield fail(
            "strangers",
            f"somebody who is signed in and owns nothing sees rows of {_list(seen)}",
            fix=f"\\d {seen[0]} in psql lists its policies: drop the one that no migration makes",
        )
    else:
        yield ok("strangers", f"see no row of {looked} closed tables")


def _check_door(subject: Subject, plan: Blueprint) -> Iterator[Finding]:
    """Ask the data API for every table as a visitor does: with the publishable key and nothing else."""
    known = subject.settings
    if not (known.supabase_url and known.supabase_publishable_key):
        yield skip("visitors", "no data API is configured")
        return

    def knock(table: str) -> tuple[str, bool]:
        columns = ",".join(sorted(plan.rights.get(("anon", "select", f"public.{table}"), ()))) or "*"
        url = f"{known.supabase_url}/rest/v1/{table}?select={columns}&limit=1"
        return table, subject.ask("GET", url, headers={"apikey": known.supabase_publishable_key}).is_success

    try:
        with ThreadPoolExecutor(8) as pool:
            answers = dict(pool.map(knock, plan.public_tables()))
    except Away as away:
        yield skip("visitors", str(away))
        return
    open_ones = [name for name in answers if answers[name] and not plan.may("anon", "select", f"public.{name}")]
    shut = [name for name in answers if not answers[name] and plan.may("anon", "select", f"public.{name}")]
    if open_ones:
        orders = [f"revoke select on table public.{name} from anon" for name in open_ones[:SHOWN]]  # noqa: S608  text
        fix = f"run: {'; '.join(orders)};"
        yield fail("visitors", f"may read {_list(open_ones)} without an account", fix=fix)
    elif shut:
        yield fail("visitors", f"cannot read {_list(shut)}, where published models are listed", fix=_APPLY)
    else:
        told = sum(answers.values())
        yield ok("visitors", f"read {told} tables and are refused at the other {len(answers) - told}")


def _list(names: Iterable[str]) -> str:
    each = list(names)
    more = f" and {len(each) - SHOWN} more" if len(each) > SHOWN else ""
    return ", ".join(each[:SHOWN]) + more
