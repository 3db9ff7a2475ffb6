"""Open hooks as receiving needs them: looked up, kept for a moment, and how their callers prove themselves."""

import time
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from api._lib import limits, log, signing
from api._lib.auth import admit, identify
from api._lib.bodies import parse_json
from api._lib.callers import Caller
from api._lib.errors import NotAllowed, NotFound, NotSignedIn, SignatureRejected
from api._lib.hook_mapping import HookMapping
from api._lib.hook_payloads import Delivery, header_id, read_change, read_delivery
from api._lib.lookup import Lookup
from api._lib.store import hooks as store

SECRET_HEADER = b"x-rowcast-secret"


@dataclass(frozen=True, slots=True)
class Door:
    """A hook, with what only the server may know of it."""

    hook_id: str
    owner: Caller
    reference: str
    """The model and the alias or number that answers."""
    kind: str
    mode: str
    is_enabled: bool
    mapping: HookMapping
    secrets: tuple[str, ...]
    table: str | None
    key_columns: tuple[str, ...]
    """Of the table that it may write to; empty until that was allowed."""
    markers: tuple[str, ...]
    prefix: str

    @classmethod
    def read(cls, row: store.Row) -> "Door":
        """Read what the database says of a hook."""
        target: dict[str, Any] = row["target"] or {}
        owner = Caller("key", user_id=row["owner_id"], role=row["owner_role"], scopes=frozenset({"predict"}))
        return cls(
            hook_id=row["id"],
            owner=owner,
            reference=f"{row['model']}@{row['alias']}",
            kind=row["kind"],
            mode=row["mode"],
            is_enabled=row["enabled"],
            mapping=HookMapping.model_validate(row["mapping"]),
            secrets=tuple(row["secrets"]),
            table=row["target_table"],
            key_columns=tuple(target.get("key_columns", ())),
            markers=tuple(row["markers"]),
            prefix=target.get("prefix", ""),
        )


_doors: Lookup[str, Door | None] = Lookup()


async def find(hook_id: str) -> Door:
    """Find a hook by its id.

    Raises:
        NotFound: there is none.
        TooManyRequests: this address has asked for too many that are not.
    """
    door = await _doors.get(hook_id, lambda: _look_up(hook_id))
    if door is None:
        raise NotFound("There is no such hook")
    return door


def forget(hook_id: str) -> None:
    """Ask again about a hook that was just changed through this process."""
    _doors.forget(lambda key: key == hook_id)


async def _look_up(hook_id: str) -> Door | None:
    limits.check_unknown_credential()
    row = await store.find_open(hook_id)
    if row is None:
        limits.note_wrong_credential()
    return Door.read(row) if row else None


async def receive(door: Door, body: bytes) -> Delivery:
    """Let a caller in who proves to be allowed, and read the message.

    Raises:
        ApiError: it is not; or the message is not what this hook takes.
    """
    headers = log.current().headers
    match door.kind:
        case "standard":
            delivery_id = signing.verify(body, headers, door.secrets, now=time.time())
        case "supabase":
            _check_secret(door, headers)
            delivery_id = ""
        case _:
            await _check_key(door, headers)
            delivery_id = header_id(headers) or f"own_{uuid4().hex}"
    if not door.is_enabled:
        raise NotAllowed("This hook is disabled")
    limits.admit_key(f"hook:{door.hook_id}")
    payload = parse_json(body)
    return read_delivery(payload, body, delivery_id) if delivery_id else read_change(payload)


def _check_secret(door: Door, headers: dict[bytes, bytes]) -> None:
    sent = headers.get(SECRET_HEADER) or headers.get(b"authorization", b"").removeprefix(b"Bearer ")
    if not sent:
        raise SignatureRejected(f"Send the hook's secret in the header {SECRET_HEADER.decode()}")
    if not signing.is_same(sent, door.secrets):
        raise SignatureRejected("The secret is not this hook's")


async def _check_key(door: Door, headers: dict[bytes, bytes]) -> None:
    caller = await identify(
        headers.get(b"authorization", b"").decode("latin-1"), headers.get(b"x-api-key", b"").decode("latin-1")
    )
    if caller.kind != "key":
        raise NotSignedIn("Send an API key of the hook's owner in x-api-key")
    admit(caller)
    caller.must_hold("predict")
    model = door.reference.partition("@")[0]
    is_theirs = caller.user_id == door.owner.user_id or caller.rights.sees_all
    if not is_theirs or caller.model_slug not in {"", model}:
        raise NotAllowed("This API key is not for this hook: its owner's is needed")
