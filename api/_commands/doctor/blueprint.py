"""What the migrations say the database should be: tables, row security, rights per role, triggers.

Read from the migrations themselves, in their order, so that there is no second list to keep. The few kinds of statement
that matter here are written in one way throughout; a test holds what is read here to what a migrated database has.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

ROLES = ("anon", "authenticated", "service_role")

_COMMENT = re.compile(r"--[^\n]*")
_BODY = re.compile(r"\$(\w*)\$.*?\$\1\$", re.DOTALL)
_TABLE = re.compile(r"create table (?:if not exists )?(\w+\.\w+)")
_DROP_TABLE = re.compile(r"drop table (?:if exists )?(\w+\.\w+)")
_SECURITY = re.compile(r"alter table (\w+\.\w+)\s+enable row level security")
_GRANT = re.compile(r"grant\s+(.+?)\s+on\s+(?:table\s+)?(\w+\.\w+)\s+to\s+(.+)", re.DOTALL)
_REVOKE = re.compile(r"revoke\s+(.+?)\s+on\s+(?:table\s+)?(\w+\.\w+)\s+from\s+(.+)", re.DOTALL)
_VERBS = re.compile(r"(all|select|insert|update|delete)(?: privileges)?\s*(\([^)]*\))?")
_TRIGGER = re.compile(r"create (?:or replace )?(?:constraint )?trigger (\w+)\s.*?\son (\w+\.\w+)", re.DOTALL)
_DROP_TRIGGER = re.compile(r"drop trigger (?:if exists )?(\w+) on (\w+\.\w+)")

Right = tuple[str, str, str]
"""Role, verb, table."""


@dataclass
class Blueprint:
    """What should be there once all migrations are applied."""

    tables: set[str] = field(default_factory=set)
    secured: set[str] = field(default_factory=set)
    """Tables with row security."""

    rights: dict[Right, set[str]] = field(default_factory=dict)
    """The columns that a right covers; an empty set: all of them."""

    triggers: set[tuple[str, str]] = field(default_factory=set)
    """Table and trigger."""

    def public_tables(self) -> list[str]:
        """Name the tables that the data API shows, without their schema."""
        return sorted(name.removeprefix("public.") for name in self.tables if name.startswith("public."))

    def may(self, role: str, verb: str, table: str) -> bool:
        """Tell whether a role has a right, on some columns at least."""
        return (role, verb, table) in self.rights


def read(folder: Path) -> Blueprint:
    """Read all migrations of a folder."""
    found = Blueprint()
    for path in sorted(folder.glob("*.sql")):
        text = _BODY.sub("''", _COMMENT.sub("", path.read_text(encoding="utf-8")))
        for statement in text.split(";"):
            _apply(found, statement.strip())
    return found


def _apply(found: Blueprint, statement: str) -> None:
    if matched := _TABLE.match(statement):
        found.tables.add(matched[1])
    elif matched := _DROP_TABLE.match(statement):
        _forget(found, matched[1])
    elif matched := _SECURITY.match(statement):
        found.secured.add(matched[1])
    elif matched := _TRIGGER.match(statement):
        found.triggers.add((matched[2], matched[1]))
    elif matched := _DROP_TRIGGER.match(statement):
        found.triggers.discard((matched[2], matched[1]))
    elif matched := _GRANT.match(statement):
        for right, columns in _rights(*matched.groups()):
            known = found.rights.get(right)
            is_whole = not columns or known == set()
            found.rights[right] = set() if is_whole else (known or set()) | columns
    elif matched := _REVOKE.match(statement):
        for right, _ in _rights(*matched.groups()):
            found.rights.pop(right, None)


def _forget(found: Blueprint, table: str) -> None:
    found.tables.discard(table)
    found.secured.discard(table)
    found.triggers = {each for each in found.triggers if each[0] != table}
    found.rights = {right: columns for right, columns in found.rights.items() if right[2] != table}


def _rights(verbs: str, table: str, roles: str) -> Iterable[tuple[Right, set[str]]]:
    named = [role.strip() for role in roles.split(",")]
    for verb, columns in _VERBS.findall(verbs):
        each = ("select", "insert", "update", "delete") if verb == "all" else (verb,)
        covered = {column.strip() for column in columns.strip("()").split(",") if column.strip()}
        for role in named:
            if role in ROLES:
                yield from (((role, one, table), covered) for one in each)
