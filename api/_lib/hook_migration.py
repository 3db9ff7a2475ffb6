"""One SQL file that attaches a table to a hook: rows in, predictions back. Text in, text out; nothing is executed here.

The file is `hook_attach.sql` with the table's parts put in. Whatever comes from people is quoted, as a name or as a text.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from api._lib.errors import RequestInvalid
from api._lib.hook_mapping import WRITTEN_COLUMNS, Mapper

_TEMPLATE = Path(__file__).with_name("hook_attach.sql")
_PART = re.compile(r"\{\{(\w+)\}\}")
_NAME = re.compile(r'[A-Za-z_][A-Za-z0-9_$]*|"(?:[^"\0]|"")+"')
_MAX_NAME_BYTES = 63
_BLANK = "whsec_…"
"""Stands where people put the secret."""

_ON_UPDATE = """create trigger {{update_trigger}} after update on {{table}}
referencing old table as previous new table as updated
for each statement execute function rowcast.queue_changes({{hook}});
"""

_ON_ACTUAL = """create trigger {{actual_trigger}} after update on {{table}}
    referencing old table as previous new table as updated
    for each statement execute function private.take_actuals({{hook}});"""


def write_migration(
    hook: dict[str, str],
    table: str,
    key: Sequence[str],
    mapper: Mapper,
    *,
    on_update: bool,
    actual: str | None = None,
    observed_at: str | None = None,
) -> str:
    """Write the file for one hook (its `id`, `name`, `url`, `prefix`) and one table.

    `actual` and `observed_at` are the columns where the truth, and since when it is known, will stand.

    Raises:
        RequestInvalid: the table's name cannot be read, or the mapping takes features from elsewhere than the row.
    """
    schema, name = read_table(table)
    columns, needed = _columns(mapper)
    short = hook["id"].replace("-", "")[-12:]
    parts = {
        "title": f"Rows of {schema}.{name} go to the hook “{_line(hook['name'])}”, and predictions come back into them.",
        "table": f"{quote_name(schema)}.{quote_name(name)}",
        "table_literal": quote_text(f"{quote_name(schema)}.{quote_name(name)}"),
        "prefix_literal": quote_text(hook["prefix"]),
        "wanted": _array([*needed, *key, *filter(None, (actual, observed_at))]),
        "needed_by": "the model or the key needs",
        "columns": _array(columns),
        "key_array": _array(key),
        "keys": ", ".join(map(quote_name, key)),
        "hook": quote_text(hook["id"]),
        "index": quote_name(f"rowcast_missing_{short}"),
        "insert_trigger": quote_name(f"rowcast_insert_{short}"),
        "update_trigger": quote_name(f"rowcast_update_{short}"),
        "actual_trigger": quote_name(f"rowcast_actual_{short}"),
        "actual": _optional(actual),
        "observed": _optional(observed_at),
        "connect": connect_call(hook["id"], hook["url"]),
        **{column: quote_name(hook["prefix"] + column) for column in WRITTEN_COLUMNS},
    }
    parts["on_update"] = _fill(_ON_UPDATE, parts) if on_update else ""
    parts["on_actual"] = _fill(_ON_ACTUAL, parts) if actual else ""
    return _fill(_TEMPLATE.read_text(encoding="utf-8"), parts)


def file_name(table: str, at: datetime | None = None) -> str:
    """Name the file as the Supabase CLI does: the moment, then what it is about."""
    _, name = read_table(table)
    word = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "table"
    return f"{at or datetime.now(UTC):%Y%m%d%H%M%S}_rowcast_{word}.sql"


def connect_call(hook_id: str, url: str, secret: str = _BLANK) -> str:
    """Write the call that tells a database where the hook is and what its messages are signed with."""
    return f"select rowcast.connect({quote_text(hook_id)}, {quote_text(url)}, {quote_text(secret)});"


def read_table(text: str) -> tuple[str, str]:
    """Read `table` or `schema.table`, each plain or in double quotes; a plain name is lower-case, as in SQL.

    Raises:
        RequestInvalid: it is neither.
    """
    parts = _NAME.findall(text)
    names = [part[1:-1].replace('""', '"') if part.startswith('"') else part.lower() for part in parts]
    match names if ".".join(parts) == text.strip() else ():
        case [name] if len(name.encode()) <= _MAX_NAME_BYTES:
            return "public", name
        case [schema, name] if max(len(schema.encode()), len(name.encode())) <= _MAX_NAME_BYTES:
            return schema, name
    raise RequestInvalid(f"{text!r} is no table; write schema.table", errors=[("#/table", "write schema.table")])


def quote_name(name: str) -> str:
    """Quote an identifier."""
    return '"' + name.replace('"', '""') + '"'


def quote_text(text: str) -> str:
    """Quote a text; a backslash stays one, whatever the server's settings say."""
    escaped = text.replace("'", "''")
    return "E'" + escaped.replace("\\", "\\\\") + "'" if "\\" in text else f"'{escaped}'"


def _columns(mapper: Mapper) -> tuple[list[str], list[str]]:
    """List the columns of the row that features are taken from, and those that must be there."""
    errors = []
    columns: dict[str, bool] = {}
    for name, path in mapper.all_paths().items():
        if path.start != "@" or not path.steps:
            why = "an attached table sends its rows: take the feature from a column, as in @.column"
            errors.append((f"#/mapping/features/{name}", why))
        else:
            column = str(path.steps[0])
            columns[column] = columns.get(column, False) or mapper.needs(name)
    if errors:
        raise RequestInvalid(f"{errors[0][0]}: {errors[0][1]}", errors=errors)
    return list(columns), [column for column, is_needed in columns.items() if is_needed]


def _array(names: Sequence[str]) -> str:
    return f"array[{', '.join(map(quote_text, names))}]::text[]"


def _optional(name: str | None) -> str:
    return "null::text" if name is None else f"{quote_text(name)}::text"


def _fill(template: str, parts: dict[str, str]) -> str:
    """Put the parts in; a part is never searched for further ones."""
    return _PART.sub(lambda found: parts[found[1]], template)


def _line(text: str) -> str:
    """Keep a name on its line of a comment."""
    return " ".join(text.split())
