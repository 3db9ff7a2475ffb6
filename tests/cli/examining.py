"""How tests put a deployment before the doctor, and read what it says."""

from collections.abc import Callable
from typing import Any

import httpx
import jwt

from api._commands.doctor.command import CHECKS, examine
from api._commands.doctor.finding import Finding
from api._commands.doctor.subject import Subject

HOSTED = {
    "SUPABASE_URL": "https://abcdefghijklmnopqrst.supabase.co",
    "SUPABASE_PUBLISHABLE_KEY": "sb_publishable_x",
    "SUPABASE_SECRET_KEY": "sb_secret_x",
    "ROWCAST_SITE_URL": "https://rowcast.example",
    "KV_REST_API_URL": "https://kv.example",
    "KV_REST_API_TOKEN": "t",
    "CRON_SECRET": "c",
}
LEGACY = jwt.encode({"role": "service_role", "iss": "supabase"}, "x" * 32)

type Answer = Callable[[httpx.Request], httpx.Response]


def look(subject: Subject, *checks: str) -> dict[str, Finding]:
    """Run some checks and return their findings by name."""
    found = {each.name: each for each in examine(subject, {name: CHECKS[name] for name in checks}, lambda _: None)}
    subject.close()
    for each in found.values():
        assert bool(each.fix) == (each.state in {"warn", "fail"}), each
        assert "\n" not in each.fact + each.fix
        assert not [secret for secret in ("sb_secret_x", LEGACY) if secret in each.fact + each.fix]
    return found


def hosted(answer: Answer | None = None, **environ: str) -> Subject:
    """Describe a hosted deployment whose servers answer as told."""
    return Subject({**HOSTED, **environ}, "hosted", transport=httpx.MockTransport(answer) if answer else None)


def answers(**paths: Any) -> Answer:
    """Answer by the end of the path with a status or with JSON; everything else with 404."""

    def answer(request: httpx.Request) -> httpx.Response:
        name = request.url.path.rstrip("/").rpartition("/")[2].replace(".", "_").replace("-", "_")
        told = paths.get(name, 404)
        return httpx.Response(told) if isinstance(told, int) else httpx.Response(200, json=told)

    return answer
