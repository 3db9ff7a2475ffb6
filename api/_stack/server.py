"""Every router and the built site in one process and on one origin, as the deployed product shows itself."""

import importlib
import os

from starlette.types import Receive, Scope, Send

from api._lib.app import Api, create_app
from api._stack.agents import AgentRules
from api._stack.auth_door import AuthDoor
from api._stack.settings import REPOSITORY
from api._stack.static import HeaderRules, Site, load_rules


def load_routers() -> Api:
    """Make one app of every `api/<name>.py`; a name with an underscore in front is no URL."""
    names = sorted(path.stem for path in (REPOSITORY / "api").glob("*.py") if not path.stem.startswith("_"))
    return create_app(*(importlib.import_module(f"api.{name}").router for name in names))


class Server:
    """The API for paths its routes begin with, Supabase's sign-in for its own, the site for all others."""

    def __init__(self, api: Api, site: Site, auth: AuthDoor, rules: HeaderRules, agents: AgentRules) -> None:
        self._api = api
        self._site = site
        self._auth = auth
        self._rules = rules
        self._agents = agents
        paths = {getattr(route, "path", "") for route in api.routes}
        self._api_roots = {_root(path) for path in paths if path and not agents.covers(path)} | {"api"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection."""
        if self._auth.takes(scope):
            await self._auth(scope, receive, send)
        elif scope["type"] != "http":
            await self._api(scope, receive, send)
        elif _root(scope["path"]) in self._api_roots or self._agents.takes(scope):
            await self._api(scope, receive, self._rules.sending(scope, send))
        else:
            await self._site(scope, receive, send)


def _root(path: str) -> str:
    return path.lstrip("/").partition("/")[0]


_rules = load_rules(REPOSITORY)
app = Server(
    load_routers(),
    Site(REPOSITORY / "web" / "dist", _rules),
    AuthDoor(os.environ.get("SUPABASE_URL", "")),
    HeaderRules(_rules),
    AgentRules(_rules),
)
