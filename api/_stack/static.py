"""Serves the built site the way the hosting platform does: same files, same headers, same caching, same answers.

`vercel.json` is read for all of it, so that what works here, under its content security policy, works there.
"""

import gzip
import json
import os
import posixpath
import re
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Message, Receive, Scope, Send

from api._lib.compression import accepts_gzip

_NOT_BUILT = "The site is not built yet: ./rowcast up builds it, ./rowcast build does only that.\n"


_PACKED_SUFFIXES = {".css", ".html", ".js", ".json", ".svg", ".webmanifest"}
"""What the platform packs. Fonts and WebAssembly are left: the one is packed already, the other takes long."""


class HeaderRules:
    """The headers that the hosting platform adds to answers, by path: to files and functions alike."""

    def __init__(self, rules: dict[str, Any]) -> None:
        self._rules = [
            (re.compile(rule["source"]), {each["key"].lower(): _localise(each["value"]) for each in rule["headers"]})
            for rule in rules.get("headers", [])
        ]

    def of(self, path: str) -> dict[str, str]:
        """Collect the headers for a path; a later rule wins."""
        found: dict[str, str] = {}
        for pattern, headers in self._rules:
            if pattern.fullmatch(path):
                found |= headers
        return found

    def sending(self, scope: Scope, send: Send) -> Send:
        """Wrap `send` so that an answer leaves with the headers for its path."""
        added = self.of(scope["path"])

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(added)
            await send(message)

        return send_with_headers


class Site:
    """The files of one folder, under the rules of the hosting platform."""

    def __init__(self, folder: Path, rules: dict[str, Any]) -> None:
        self._folder = folder
        self._files = StaticFiles(directory=folder, check_dir=False, html=False)
        self._rules = HeaderRules(rules)
        self._pages = [
            (re.compile(rule["source"]), rule["destination"].lstrip("/"))
            for rule in rules.get("rewrites", [])
            if rule["destination"].endswith(".html") and "has" not in rule
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        response = _pack(await self._respond(scope), scope)
        response.headers.setdefault("cache-control", "public, max-age=0, must-revalidate")
        await response(scope, receive, self._rules.sending(scope, send))

    async def _respond(self, scope: Scope) -> Response:
        if not (self._folder / "index.html").exists():
            return PlainTextResponse(_NOT_BUILT, status_code=HTTPStatus.NOT_FOUND)
        if scope["method"] not in {"GET", "HEAD"}:
            refused = HTTPStatus.METHOD_NOT_ALLOWED
            return PlainTextResponse("The site is read only.\n", status_code=refused, headers={"allow": "GET, HEAD"})
        path = posixpath.normpath(scope["path"].lstrip("/"))
        rewritten = [page for pattern, page in self._pages if pattern.fullmatch(scope["path"])]
        for candidate in (path, posixpath.join(path, "index.html"), *rewritten):
            try:
                return await self._files.get_response(candidate, scope)
            except HTTPException as error:
                if error.status_code != HTTPStatus.NOT_FOUND:
                    return PlainTextResponse(f"{error.detail}\n", status_code=error.status_code)
        return self._not_found()

    def _not_found(self) -> Response:
        page = self._folder / "404.html"
        if page.exists():
            return FileResponse(page, status_code=HTTPStatus.NOT_FOUND)
        return PlainTextResponse("There is no such page.\n", status_code=HTTPStatus.NOT_FOUND)


def _pack(response: Response, scope: Scope) -> Response:
    """Send a whole text file packed to who can unpack it."""
    if not isinstance(response, FileResponse) or Path(response.path).suffix not in _PACKED_SUFFIXES:
        return response
    response.headers["vary"] = "accept-encoding"
    asked = dict(scope["headers"])
    if scope["method"] != "GET" or b"range" in asked or not accepts_gzip(asked.get(b"accept-encoding", b"")):
        return response
    content = _packed(str(response.path), Path(response.path).stat().st_mtime_ns)
    kept = {name: value for name, value in response.headers.items() if name not in {"content-length", "accept-ranges"}}
    return Response(content, response.status_code, headers={**kept, "content-encoding": "gzip"})


@lru_cache(maxsize=128)
def _packed(path: str, changed_at: int) -> bytes:  # noqa: ARG001  the time is part of the key
    return gzip.compress(Path(path).read_bytes(), mtime=0)


def load_rules(repository: Path) -> dict[str, Any]:
    """Read the hosting platform's rules."""
    rules: dict[str, Any] = json.loads((repository / "vercel.json").read_text(encoding="utf-8"))
    return rules


def _localise(value: str) -> str:
    """Let a content security policy that names hosted Supabase projects reach this machine's one as well."""
    address = os.environ.get("SUPABASE_URL", "")
    return value.replace("https://*.supabase.co", f"https://*.supabase.co {address}".rstrip())
