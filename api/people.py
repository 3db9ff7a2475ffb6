"""People: who may sign in and with which role, with whom a model is shared, and the log of what was done to access."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import Field

from api._lib.app import create_app
from api._lib.auth import Administrator, Person, Somebody, Trainer
from api._lib.callers import Caller
from api._lib.errors import NotAllowed, NotFound
from api._lib.late import LateRoute
from api._lib.openapi import PERSON, SOMEBODY
from api._lib.problems import problems
from api._lib.schema import Schema, Sent
from api._lib.store import people as store
from api._lib.times import Time
from api._lib.upstream import SERVICE, Rights
from api._lib.uuids import Uuid

router = APIRouter(tags=["people"], route_class=LateRoute)

_EMAIL = r"^[^@\s]+@[^@\s]+$"

Slug = Annotated[str, Path(description="Slug of the model", examples=["penguins"])]
UserId = Annotated[Uuid, Path(description="Id of the person")]


class PersonSeen(Schema):
    """Somebody who can sign in."""

    id: str
    email: str | None = Field(examples=["ada@example.com"])
    role: Literal["viewer", "analyst", "admin"]
    created_at: Time


class PersonList(Schema):
    """Everybody who can sign in, the earliest first."""

    people: list[PersonSeen]


class RoleOrder(Sent):
    """What somebody shall be."""

    role: Literal["viewer", "analyst", "admin"] = Field(
        description="viewer looks and predicts, analyst brings data and trains, admin does everything"
    )


class Member(Schema):
    """Somebody with a part in a model."""

    id: str
    email: str | None = Field(examples=["ada@example.com"])
    role: Literal["owner", "viewer", "editor"]
    since: Time


class MemberList(Schema):
    """The owner, then with whom the model is shared."""

    members: list[Member]


class MemberOrder(Sent):
    """With whom a model shall be shared, and what they may do."""

    email: str = Field(pattern=_EMAIL, max_length=320, examples=["ada@example.com"])
    role: Literal["viewer", "editor"] = Field(
        description="viewer: sees the model, its traffic and its history, and predicts; editor: trains, promotes and "
        "describes it as well"
    )


class Actor(Schema):
    """Who did it."""

    id: str
    email: str | None = Field(description="The address at that time")


class Subject(Schema):
    """What it was done to."""

    type: str = Field(examples=["model"])
    id: str = Field(description="Slug of a model, id of everything else", examples=["penguins"])


class Entry(Schema):
    """One act that changed access or what is served."""

    id: str
    at: Time
    actor: Actor | None = Field(description="null: a server, or somebody at the database")
    action: str = Field(examples=["promotion.made"])
    subject: Subject
    data: dict[str, Any]


class EntryList(Schema):
    """A page of the audit log, newest first."""

    entries: list[Entry]
    next: str | None = Field(description="Send it as `before` for the page that follows; null: there is none")


async def _list_rights(caller: Caller) -> Rights:
    """Take the rights to read about everybody: a person's own, judged by the database, or those of an admin's key."""
    if caller.kind == "key":
        if not caller.rights.sees_all:
            raise NotAllowed("This takes an admin, or an admin's API key with the scope 'admin'")
        return SERVICE
    if await store.find_role(caller.rights) != "admin":
        raise NotAllowed("Only admins see this")
    return caller.rights


@router.get("/api/people", responses=problems(401, 403, 503), openapi_extra=SOMEBODY)
async def list_people(caller: Somebody) -> PersonList:
    """List everybody who can sign in. For admins."""
    found = await store.list_people(await _list_rights(caller))
    return PersonList(people=[PersonSeen(**row) for row in found])


@router.put("/api/people/{user_id}/role", responses=problems(400, 401, 403, 404, 409, 422, 503), openapi_extra=PERSON)
async def set_role(user_id: UserId, order: RoleOrder, caller: Person) -> PersonSeen:
    """Give somebody a role. For admins; the last admin stays one."""
    return PersonSeen(**await store.set_role(user_id, order.role, caller.rights))


@router.get("/api/models/{slug}/members", responses=problems(401, 403, 404, 422, 503), openapi_extra=SOMEBODY)
async def list_members(slug: Slug, caller: Trainer) -> MemberList:
    """List the owner of a model and with whom it is shared. For whoever has a part in it, and admins."""
    return MemberList(members=[_member(row) for row in await store.list_members(slug, caller.rights)])


@router.put("/api/models/{slug}/members", responses=problems(400, 401, 403, 404, 409, 422, 503), openapi_extra=SOMEBODY)
async def set_member(slug: Slug, order: MemberOrder, caller: Administrator) -> Member:
    """Share a model with somebody who has an account, or change what they may do. For its owner and admins."""
    return _member(await store.set_member(slug, order.email, order.role, caller.rights))


@router.delete(
    "/api/models/{slug}/members/{user_id}",
    status_code=204,
    responses=problems(401, 403, 404, 422, 503),
    openapi_extra=SOMEBODY,
)
async def remove_member(slug: Slug, user_id: UserId, caller: Administrator) -> Response:
    """End a membership. For the model's owner and admins; everybody may leave by themselves."""
    if not await store.remove_member(slug, user_id, caller.rights):
        raise NotFound(f"{slug!r} is not shared with {user_id}")
    return Response(status_code=204)


@router.get("/api/audit", responses=problems(401, 403, 422, 503), openapi_extra=SOMEBODY)
async def list_entries(
    caller: Somebody,
    before: Annotated[Uuid | None, Query(description="Entries older than this one")] = None,
    limit: Annotated[int, Query(ge=1, le=500, description="Entries per page")] = 50,
    action: Annotated[
        str | None,
        Query(pattern=r"^[a-z_]+(\.[a-z_]*)*$", description="An action, or how it begins", examples=["key."]),
    ] = None,
    subject: Annotated[
        str | None,
        Query(pattern=r"^[a-z_]+:[A-Za-z0-9-]{1,200}$", description="What it was done to", examples=["model:penguins"]),
    ] = None,
    actor: Annotated[Uuid | None, Query(description="Who did it")] = None,
) -> EntryList:
    """Read what was done to access and to what is served, newest first. For admins."""
    filters = {"action": f"like.{action}*"} if action else {}
    if subject:
        kind, _, name = subject.partition(":")
        filters |= {"subject_type": f"eq.{kind}", "subject_id": f"eq.{name}"}
    if actor:
        filters["actor_id"] = f"eq.{actor}"
    found = await store.list_entries(filters, await _list_rights(caller), before=before or "", limit=limit + 1)
    entries = [_entry(row) for row in found[:limit]]
    return EntryList(entries=entries, next=entries[-1].id if len(found) > limit else None)


def _member(row: store.Row) -> Member:
    return Member(id=row["user_id"], email=row["email"], role=row["role"], since=row["created_at"])


def _entry(row: store.Row) -> Entry:
    return Entry(
        id=row["id"],
        at=row["at"],
        actor=Actor(id=row["actor_id"], email=row["actor_email"]) if row["actor_id"] else None,
        action=row["action"],
        subject=Subject(type=row["subject_type"], id=row["subject_id"]),
        data=row["data"],
    )


app = create_app(router)
