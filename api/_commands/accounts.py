"""`rowcast user …` and `rowcast key …`: who may use this Rowcast, and with which keys programs come.

Passwords and keys are made here or on the server, printed once and kept nowhere in readable form.
"""

import json
import secrets
import sys
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated

import typer

from api._commands.client import Client
from api._commands.errors import CliError, RequestRefused
from api._commands.listing import AsJson, show_list

PASSWORD_BYTES = 18
NO_OPERATOR_DOOR = {HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND}


class Role(StrEnum):
    """What a signed-in user may do."""

    VIEWER = "viewer"
    ANALYST = "analyst"
    ADMIN = "admin"


class Scope(StrEnum):
    """What a key may do."""

    PREDICT = "predict"
    FEEDBACK = "feedback"
    TRAIN = "train"
    ADMIN = "admin"


Email = Annotated[str, typer.Argument(metavar="EMAIL", help="Address the person signs in with.")]
ItsRole = Annotated[Role, typer.Option("--role", help="viewer looks, analyst trains, admin does everything.")]
Scopes = Annotated[list[Scope], typer.Option("--scope", help="What the key may do; may be repeated.")]
KeyName = Annotated[str, typer.Option("--name", help="A name to recognise it by.")]
OneModel = Annotated[str, typer.Option("--model", metavar="SLUG", help="Only for this model.")]
Days = Annotated[int | None, typer.Option("--expires-days", min=1, help="End after so many days; never by default.")]
Overlap = Annotated[int, typer.Option("--overlap-hours", min=0, max=720, help="So long the old key goes on.")]
Sure = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
KeyId = Annotated[str, typer.Argument(metavar="KEY", help="Id of the key, as `rowcast key list` shows it.")]


def user_add(email: Email, *, role: ItsRole = Role.ANALYST) -> None:
    """Add a person, or give one who is there another role. A new password is printed once."""
    with Client() as client:
        try:
            _give_role(client, email, role)
        except RequestRefused as refusal:
            if refusal.status != HTTPStatus.NOT_FOUND:
                raise
        else:
            print(f"{email} was here already and is {role} now; the password stays as it was.")
            return
        password = secrets.token_urlsafe(PASSWORD_BYTES)
        _create_user(client, email, password)
        _give_role(client, email, role)
    print(f"{email} is {role} now. Password, shown this once: {password}")


def user_role(email: Email, role: Annotated[Role, typer.Argument(help="What the person may do from now on.")]) -> None:
    """Change what a person may do."""
    with Client() as client:
        _give_role(client, email, role)
    print(f"{email} is {role} now.")


def user_remove(email: Email, *, is_sure: Sure = False) -> None:
    """End an account with its keys, memberships and datasets. Its models stay, as the house's."""
    if not is_sure and not (sys.stdin.isatty() and typer.confirm(f"End the account of {email} for good?")):
        raise CliError(f"nothing was done; --yes ends the account of {email} without asking")
    with Client() as client:
        client.supabase("POST", "/rest/v1/rpc/remove_user", secret=True, json={"user_email": email})
    print(f"The account of {email} has ended.")


def user_list(*, as_json: AsJson = False) -> None:
    """List the people who may sign in."""
    with Client() as client:
        users = client.supabase("POST", "/rest/v1/rpc/list_users", secret=True, json={})
    show_list(users, {"email": "email", "role": "role", "since": "created_at"}, as_json=as_json, empty="Nobody yet.")


def key_create(
    *,
    scope: Scopes,
    name: KeyName = "",
    model: OneModel = "",
    expires_days: Days = None,
    as_json: AsJson = False,
) -> None:
    """Make a key for a program. It is printed once: keep it where the program reads it."""
    expires_at = None if expires_days is None else (datetime.now(UTC) + timedelta(days=expires_days)).isoformat()
    asked = {"name": name or "+".join(scope), "scopes": list(scope), "model": model or None, "expires_at": expires_at}
    with Client() as client:
        made = client.call("POST", "/api/keys", json=asked)
        url = client.place.api_url
    if as_json:
        print(json.dumps(made, indent=2))
        return
    print(made["key"])
    # Beside the key, not behind it: KEY=$(./rowcast key create …) holds the key alone.
    print(f"\nShown this once. Send it to {url} as the header x-api-key, or as Authorization: Bearer.", file=sys.stderr)


def key_list(*, as_json: AsJson = False) -> None:
    """List your keys, without their secrets."""
    with Client() as client:
        keys = client.call("GET", "/api/keys")["keys"]
    columns = {"id": "id", "name": "name", "prefix": "prefix", "scopes": "scopes", "expires": "expires_at"}
    columns |= {"revoked": "revoked_at", "last used": "last_used_at"}
    show_list(keys, columns, as_json=as_json, empty="No keys yet. Make one with ./rowcast key create --scope predict")


def key_rotate(key_id: KeyId, *, overlap_hours: Overlap = 24, as_json: AsJson = False) -> None:
    """Replace a key by a new one of the same rights. Both work for a while; the new one is printed once."""
    with Client() as client:
        made = client.call("POST", f"/api/keys/{key_id}/rotate", json={"overlap_hours": overlap_hours})
    if as_json:
        print(json.dumps(made, indent=2))
        return
    print(made["key"])
    ends = f"ends in {overlap_hours} hour{'s' if overlap_hours > 1 else ''}" if overlap_hours else "has ended"
    print(f"\nShown this once. The old key {ends}.", file=sys.stderr)


def key_revoke(key_id: KeyId) -> None:
    """End a key at once."""
    with Client() as client:
        client.call("DELETE", f"/api/keys/{key_id}")
    print(f"Key {key_id} is revoked.")


def _give_role(client: Client, email: str, role: Role) -> None:
    asked = {"user_email": email, "new_role": role}
    client.supabase("POST", "/rest/v1/rpc/set_user_role", secret=True, json=asked)


def _create_user(client: Client, email: str, password: str) -> None:
    """Create a confirmed account. A Supabase without the operator's door (the embedded one) takes a sign-up instead."""
    account = {"email": email, "password": password}
    try:
        confirmed = {**account, "email_confirm": True}
        client.supabase("POST", "/auth/v1/admin/users", secret=True, json=confirmed)
    except RequestRefused as refusal:
        if refusal.status not in NO_OPERATOR_DOOR:
            raise
        client.supabase("POST", "/auth/v1/signup", json=account)
