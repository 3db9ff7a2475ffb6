"""Rules for every table, policy and function, present and future; and each rule finds the flaw it is there for."""

from typing import Any

import pytest

OURS = "pronamespace in ('public'::regnamespace, 'private'::regnamespace)"
TABLES = "select oid::regclass::text from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm')"
_HELD = "select from aclexplode(relacl) as held where held.grantee = {}"
_ANYBODY = "select from aclexplode(coalesce(proacl, acldefault('f', proowner))) as held where held.grantee = 0"
_CALLS = r"auth\.uid\(\)|private\.(is|my)_\w+\(\)"

RULES = {
    "every table has row security": f"{TABLES} and not (relkind = 'r' and relrowsecurity)",
    "every table is granted to the service by name": f"{TABLES} and not exists ({_HELD.format("'service_role'::regrole")})",
    "no table is granted to everybody": f"{TABLES} and exists ({_HELD.format(0)})",
    "visitors only read": """
        select table_name || ' ' || privilege_type from information_schema.column_privileges
        where grantee = 'anon' and table_schema in ('public', 'private') and privilege_type <> 'SELECT'
    """,
    "what is private is granted to nobody": """
        select table_name || ' ' || grantee from information_schema.column_privileges
        where table_schema = 'private' and grantee in ('PUBLIC', 'anon', 'authenticated')
    """,
    "each granted verb is decided by a policy": """
        select held.table_name || ' ' || held.privilege_type || ' ' || held.grantee
        from (
          select table_name, privilege_type, grantee from information_schema.column_privileges
          where table_schema = 'public' and grantee in ('anon', 'authenticated') and privilege_type <> 'REFERENCES'
          union
          select table_name, privilege_type, grantee from information_schema.table_privileges
          where table_schema = 'public' and grantee in ('anon', 'authenticated')
        ) as held
        where not exists (
          select from pg_policies as policy
          where policy.schemaname = 'public' and policy.tablename = held.table_name
            and policy.cmd = held.privilege_type and held.grantee::name = any (policy.roles)
        )
    """,
    "policies are for named roles and one verb": """
        select policyname from pg_policies
        where not roles <@ '{anon,authenticated}'::name[] or cmd = 'ALL' or array_length(string_to_array(policyname, ' '), 1) < 4
    """,
    "policies ask for the caller once per statement": f"""
        select policyname from pg_policies, lateral (select concat_ws(' ', qual, with_check)) as said (term)
        where regexp_count(term, '{_CALLS}') <> regexp_count(term, '(SELECT|FROM) ({_CALLS})')
    """,
    "columns of policies lead an index": """
        select distinct held.attrelid::regclass::text || '.' || held.attname
        from pg_depend as link
        join pg_attribute as held on held.attrelid = link.refobjid and held.attnum = link.refobjsubid
        join pg_class as owner on owner.oid = held.attrelid and owner.relnamespace = 'public'::regnamespace
        where link.classid = 'pg_policy'::regclass and link.refobjsubid > 0
          and not exists (select from pg_index as found where found.indrelid = held.attrelid and found.indkey[0] = held.attnum)
    """,
    "foreign keys are indexed": """
        select held.conrelid::regclass::text || ' ' || held.conname
        from pg_constraint as held
        where held.contype = 'f' and held.connamespace = 'public'::regnamespace
          and not exists (
            select from pg_index as found
            where found.indrelid = held.conrelid and found.indpred is null and found.indkey[0] = any (held.conkey)
          )
    """,
    "no function is everybody's to call": f"select proname from pg_proc where {OURS} and exists ({_ANYBODY})",
    "functions have a fixed search path": f"""
        select proname from pg_proc where {OURS} and prokind <> 'a' and not coalesce(proconfig::text like '%%search_path=%%', false)
    """,
    "new tables and functions are granted to nobody by default": """
        select held.grantee::regrole::text || ' ' || held.privilege_type
        from pg_default_acl, aclexplode(defaclacl) as held
        where defaclrole = current_user::regrole and defaclnamespace in ('public'::regnamespace, 'private'::regnamespace)
          and held.grantee in (0, 'anon'::regrole, 'authenticated'::regrole, 'service_role'::regrole)
    """,
    "buckets are private": "select id from storage.buckets where public",
}

_TABLE = "create table public.flaw (id integer primary key);"
_POLICY = "create policy {name} on public.models for {verb} {roles} using ({term})"
FLAWS = {
    "every table has row security": _TABLE,
    "every table is granted to the service by name": _TABLE,
    "no table is granted to everybody": "grant select on public.models to public",
    "visitors only read": "grant update (title) on public.models to anon",
    "what is private is granted to nobody": "grant select (role) on private.user_roles to authenticated",
    "each granted verb is decided by a policy": "grant delete on public.models to authenticated",
    "policies are for named roles and one verb": _POLICY.format(
        name='"everybody sees all of it"', verb="select", roles="", term="true"
    ),
    "policies ask for the caller once per statement": _POLICY.format(
        name='"owners see what is theirs"', verb="select", roles="to authenticated", term="owner_id = auth.uid()"
    ),
    "columns of policies lead an index": _POLICY.format(
        name='"people see models by title"', verb="select", roles="to authenticated", term="title = 'x'"
    ),
    "foreign keys are indexed": "alter table public.members add column twin uuid references public.models (id)",
    "no function is everybody's to call": "create function public.flaw() returns int language sql as 'select 1'",
    "functions have a fixed search path": "create function private.flaw() returns int language sql as 'select 1'",
    "new tables and functions are granted to nobody by default": "alter default privileges in schema public "
    "grant select on tables to anon",
    "buckets are private": "update storage.buckets set public = true where id = 'models'",
}

PRIVATE_FUNCTIONS = {
    "anon": {"can_edit_model", "can_see_model", "is_admin", "is_analyst", "is_system", "uuid_v7"},
    "authenticated": {
        "as_object",
        "can_edit_model",
        "can_see_model",
        "is_admin",
        "is_analyst",
        "is_event_type",
        "is_system",
        "my_editable_models",
        "my_models",
        "uuid_v7",
    },
}
"""What policies and defaults call in the name of a client: it says something about the caller, or about nothing."""


@pytest.mark.parametrize("rule", RULES)
def test_rule_is_kept(world: Any, rule: str) -> None:
    """What is listed here breaks the rule."""
    assert world.column(RULES[rule]) == []


@pytest.mark.parametrize("rule", RULES)
def test_rule_finds_its_flaw(world: Any, rule: str) -> None:
    """A rule that nothing can break proves nothing: a planted flaw is found."""
    world.connection.execute(FLAWS[rule])

    assert world.column(RULES[rule]) != []


@pytest.mark.parametrize("role", sorted(PRIVATE_FUNCTIONS))
def test_policies_call_only_what_is_listed(world: Any, role: str) -> None:
    """The functions behind the policies that a client's role may execute are few and known."""
    statement = "select distinct proname from pg_proc where pronamespace = 'private'::regnamespace "
    found = world.column(statement + "and has_function_privilege(%s, oid, 'execute')", role)

    assert set(found) == PRIVATE_FUNCTIONS[role]


def test_service_may_call_what_servers_need_and_triggers_nobody(world: Any) -> None:
    """A trigger function is called by its trigger alone, and each function of the exposed schema by servers at least."""
    triggers = f"select proname from pg_proc where {OURS} and prorettype = 'trigger'::regtype"
    exposed = "select proname from pg_proc where pronamespace = 'public'::regnamespace"

    for role in ("anon", "authenticated", "service_role"):
        assert world.column(f"{triggers} and has_function_privilege(%s, oid, 'execute')", role) == []
    assert world.column(f"{exposed} and not has_function_privilege('service_role', oid, 'execute')") == []
