"""Serves the built site the way the hosting platform does: same files, same headers, same caching.

The headers come from `vercel.json`, so that a page that works here under its content security policy works there.
"""

import json
import os
import posixpath
import re
from http import HTTPStatus
from pathlib import Path

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Message, Receive, Scope, Send

from api._stack.settings import REPOSITORY

_NOT_BUILT = "The site is not built yet: ./rowcast up builds it, `npm run build` in web/ does it by hand.\n"


class Site:
    """The files of one folder; `/a` may be answered by `a.html`, and an unknown page by the site's own shell."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files = StaticFiles(directory=folder, check_dir=False)
        self._rules = load_header_rules()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("cache-control", "public, max-age=0, must-revalidate")
                for name, value in self._headers(scope["path"]):
                    headers[name] = value
            await send(message)

        response = await self._respond(scope)
        await response(scope, receive, send_with_headers)

    async def _respond(self, scope: Scope) -> Response:
        if not (self._folder / "index.html").exists():
            return PlainTextResponse(_NOT_BUILT, status_code=HTTPStatus.NOT_FOUND)
        if scope["method"] not in {"GET", "HEAD"}:
            return PlainTextResponse(
                "The site is read only.\n", status_code=HTTPStatus.METHOD_NOT_ALLOWED, headers={"allow": "GET, HEAD"}
            )
        path = posixpath.normpath(scope["path"].lstrip("/") or "index.html")
        candidates = [path, f"{path}.html", f"{path}/index.html"]
        if wants_page(Headers(scope=scope), path):
            candidates.append("index.html")
        for candidate in candidates:
            try:
                return await self._files.get_response(candidate, scope)
            except HTTPException as error:
                if error.status_code != HTTPStatus.NOT_FOUND:
                    return PlainTextResponse(f"{error.detail}\n", status_code=error.status_code)
        return PlainTextResponse("There is no such page.\n", status_code=HTTPStatus.NOT_FOUND)

    def _headers(self, path: str) -> list[tuple[str, str]]:
        return [pair for pattern, pairs in self._rules if pattern.fullmatch(path) for pair in pairs]


def wants_page(headers: Headers, path: str) -> bool:
    """Tell whether a person's browser asks for a page, which the site's own router then answers."""
    return "text/html" in headers.get("accept", "") and "." not in path.rpartition("/")[2]


def load_header_rules() -> list[tuple[re.Pattern[str], list[tuple[str, str]]]]:
    """Read the headers that the hosting platform adds, by path."""
    rules = json.loads((REPOSITORY / "vercel.json").read_text(encoding="utf-8")).get("headers", [])
    return [
        (re.compile(rule["source"]), [(each["key"].lower(), localise(each["value"])) for each in rule["headers"]])
        for rule in rules
    ]


def localise(value: str) -> str:
    """Let a content security policy that names hosted Supabase projects reach this machine's one as well."""
    address = os.environ.get("SUPABASE_URL", "")
    return value.replace("connect-src 'self'", f"connect-src 'self' {address}".rstrip())
