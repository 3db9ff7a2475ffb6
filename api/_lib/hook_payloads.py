"""What came in by a hook: which delivery it is, what it tells of, and whether that asks for a prediction at all.

A change of a row that we made ourselves, by writing a prediction into it, asks for none. It is known by the column
`predicted_at`, which each writing changes and nobody else does; so our own hand cannot call us again, whatever other
triggers the table has.
"""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from api._lib.errors import RequestInvalid
from api._lib.hook_mapping import Mapper

KEEP_SECONDS = 7 * 86_400
"""How long the id of a delivery is remembered; a signature is stale after five minutes."""

DERIVED_KEEP_SECONDS = 600
"""How long a delivery without an id is known by its content: the same content may be meant again later."""

_CHANGES = frozenset({"INSERT", "UPDATE", "DELETE"})
_EVENT_CHARACTERS = 100


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message: its id, its bytes' hash, and what it holds."""

    delivery_id: str
    payload: Any
    payload_hash: str
    event: str | None
    keep_seconds: int = KEEP_SECONDS


def read_delivery(payload: Any, body: bytes, delivery_id: str) -> Delivery:
    """Read a message that came with an id."""
    event = payload.get("type") if isinstance(payload, dict) else None
    named = event.replace("\0", "")[:_EVENT_CHARACTERS] if isinstance(event, str) else None
    return Delivery(delivery_id, payload, hashlib.sha256(body).hexdigest(), named)


def read_change(payload: Any) -> Delivery:
    """Read a Supabase Database Webhook, which has no id: it gets one of its table, its row and its content.

    Raises:
        RequestInvalid: it is not of that form.
    """
    check_change(payload)
    told = {name: payload.get(name) for name in ("type", "schema", "table", "record", "old_record")}
    content = orjson.dumps(told, option=orjson.OPT_SORT_KEYS)
    digest = hashlib.sha256(content).hexdigest()
    return Delivery(f"derived_{digest[:40]}", payload, digest, payload["type"], DERIVED_KEEP_SECONDS)


def check_change(payload: Any) -> None:
    """Refuse what is no Supabase Database Webhook."""
    errors = []
    if not isinstance(payload, dict):
        errors.append(("#", "a database webhook is an object with type, table, schema, record and old_record"))
    else:
        kind = payload.get("type")
        if kind not in _CHANGES:
            errors.append(("#/type", "expected INSERT, UPDATE or DELETE"))
        errors += [(f"#/{name}", "expected a text") for name in ("table", "schema") if not _is_text(payload.get(name))]
        needed = {"INSERT": ("record",), "UPDATE": ("record", "old_record"), "DELETE": ("old_record",)}
        for name in needed.get(str(kind), ()):
            if not isinstance(payload.get(name), dict):
                errors.append((f"#/{name}", "expected the columns of the row"))
    if errors:
        raise RequestInvalid(f"{errors[0][0]}: {errors[0][1]}", errors=errors)


def why_ignored(payload: Any, markers: Collection[str]) -> str | None:
    """Say why a change asks for no prediction, as far as the payload alone tells; None: it does, so far."""
    match payload:
        case {"type": "DELETE", "old_record": dict()}:
            return "a deleted row gets no prediction"
        case {"type": "UPDATE", "record": dict(new), "old_record": dict(old)}:
            if any(new.get(name) is not None and new.get(name) != old.get(name) for name in markers):
                return "the change is a prediction that was written back"
    return None


def is_unchanged(payload: Any, mapper: Mapper, markers: Collection[str]) -> bool:
    """Tell whether an update changed nothing that the model reads, in a row that has its prediction."""
    match payload:
        case {"type": "UPDATE", "record": dict(new), "old_record": dict(old)}:
            is_predicted = not markers or any(new.get(name) is not None for name in markers)
            return is_predicted and mapper.reads_same(payload, {**payload, "record": old})
    return False


def header_id(headers: Mapping[bytes, bytes]) -> str:
    """Return the id that a sender without a signature gave its message; empty if none."""
    given = headers.get(b"idempotency-key") or headers.get(b"webhook-id") or b""
    return given.decode("latin-1").strip().strip('"')[:256]


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)
