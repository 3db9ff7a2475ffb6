"""Who calls, as far as it was found out, and in whose name the database is asked."""

from typing import Literal, NamedTuple

from api._lib.errors import NotAllowed
from api._lib.store.people import Role
from api._lib.upstream import PUBLIC, Rights


class Caller(NamedTuple):
    """Who is calling, and in whose name the database is asked."""

    kind: Literal["anonymous", "user", "key"]
    user_id: str = ""
    token: str = ""
    expires_at: float = 0.0
    email: str = ""
    role: Role | None = None
    """Of an API key's owner; a person's role is the database's to know."""
    scopes: frozenset[str] = frozenset()
    model_slug: str = ""
    """An API key may be good for one model only."""
    key_id: str = ""
    shared: tuple[str, ...] = ()
    """Models that are shared with an API key's owner, by id."""
    edited: tuple[str, ...] = ()
    """Those of them that its owner may change."""

    @property
    def rights(self) -> Rights:
        """A person's own token, or nobody's. An API key has none: its calls are filtered by its owner instead."""
        if self.kind == "key":
            sees_all = self.role == "admin" and "admin" in self.scopes
            return Rights(
                is_service=True, acting_for=self.user_id, sees_all=sees_all, shared=self.shared, edited=self.edited
            )
        return Rights(token=self.token) if self.token else PUBLIC

    @property
    def audience(self) -> str:
        """Name everything that decides what this caller may see, for what is kept per caller."""
        return f"{self.kind}:{self.user_id}:{self.rights.sees_all}"

    def must_hold(self, scope: str) -> None:
        """Refuse an API key that was not made for this. People hold every scope, and so does a key with `admin`."""
        if self.kind == "key" and not self.scopes & {scope, "admin"}:
            raise NotAllowed(f"This API key does not have the scope {scope!r}")

    def must_reach(self, slug: str = "") -> None:
        """Refuse an API key that was made for another model; without a slug, one that was made for any single model."""
        if self.model_slug not in {"", slug}:
            raise NotAllowed(f"This API key was made for the model {self.model_slug!r} only")


ANONYMOUS = Caller("anonymous")
