"""Who is calling, as the API sees it."""

from typing import Literal

from fastapi import APIRouter
from pydantic import Field

from api._lib.app import create_app
from api._lib.auth import AnyCaller
from api._lib.late import LateRoute
from api._lib.openapi import ANYONE
from api._lib.problems import problems
from api._lib.schema import Schema
from api._lib.store import people

router = APIRouter(tags=["me"], route_class=LateRoute)


class Me(Schema):
    """The caller."""

    kind: Literal["anonymous", "user", "key"] = Field(description="Nobody, a signed-in person, or an API key")
    id: str | None = Field(description="Id of the user; of the key's owner for a key")
    email: str | None = Field(description="Of a signed-in person")
    role: Literal["anonymous", "viewer", "analyst", "admin"]
    scopes: list[str] = Field(description="Of an API key; empty for people, who hold them all")
    model: str | None = Field(description="The only model an API key works for")


@router.get("/api/me", responses=problems(401, 503), openapi_extra=ANYONE)
async def get_me(caller: AnyCaller) -> Me:
    """Say who is calling and with which role."""
    role = caller.role or await people.find_role(caller.rights)
    return Me(
        kind=caller.kind,
        id=caller.user_id or None,
        email=caller.email or None,
        role=role,
        scopes=sorted(caller.scopes),
        model=caller.model_slug or None,
    )


app = create_app(router)
