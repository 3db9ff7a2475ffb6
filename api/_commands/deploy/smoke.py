"""`rowcast deploy smoke URL`: is what was just deployed what visitors and programs expect.

Asks as a stranger does, with nothing but the header that opens a protected deployment.
"""

import os
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api._commands.deploy import answers
from api._commands.errors import CliError

if TYPE_CHECKING:
    import httpx

WAIT_SECONDS = 90.0
"""A new deployment answers after some seconds, its first function after some more."""

ANSWER_SECONDS = 20.0
READY_SECONDS = 20.0
PAUSE_SECONDS = 2.0

Url = Annotated[str, typer.Argument(metavar="URL", help="Address of the deployment.")]
Commit = Annotated[str, typer.Option("--commit", help="The commit that must answer there.")]
Wait = Annotated[float, typer.Option("--wait", min=0, help="Seconds to wait for the first answer.")]


class _Wrong(Exception):
    """Something is not as it should be."""


def smoke(url: Url, *, commit: Commit = "", wait: Wait = WAIT_SECONDS) -> int:
    """Try a deployment as a stranger: pages, health, a prediction, refusals. Exit code 1 if anything is not as it should be.

    A protected deployment is opened with VERCEL_AUTOMATION_BYPASS_SECRET.
    """
    import httpx

    if not url.startswith(("https://", "http://127.0.0.1:", "http://localhost:")):
        raise CliError(f"{url} is no address of a deployment: it begins with https://")
    secret = answers.load(os.environ).get("VERCEL_AUTOMATION_BYPASS_SECRET", "")
    headers = {"x-vercel-protection-bypass": secret} if secret else {}
    is_here = url.startswith("http://")
    failed = 0
    with httpx.Client(
        base_url=url.rstrip("/"), timeout=ANSWER_SECONDS, headers=headers, trust_env=not is_here
    ) as client:
        _await(client, wait)
        for name, check in _checks(client, commit):
            started = time.perf_counter()
            try:
                said = check()
            except _Wrong as wrong:
                failed += 1
                print(f"  FAIL  {name}: {wrong}")
            except httpx.HTTPError as error:
                failed += 1
                print(f"  FAIL  {name}: no answer ({type(error).__name__})")
            else:
                print(f"  ok    {name}: {said} ({(time.perf_counter() - started) * 1e3:.0f} ms)")
    print(f"{failed} of what was tried fails at {url}." if failed else f"{url} is as it should be.")
    return 1 if failed else 0


def _await(client: "httpx.Client", seconds: float) -> None:
    """Wait until something answers that is not the platform's own page."""
    import httpx

    deadline = time.monotonic() + seconds
    while True:
        try:
            answer = client.get("/api/health")
            if answer.status_code in {401, 403} and "x-request-id" not in answer.headers:
                raise CliError(
                    "the deployment is protected: set VERCEL_AUTOMATION_BYPASS_SECRET (Vercel → Settings → Deployment "
                    "Protection → Protection Bypass for Automation)"
                )
            if answer.is_success:
                return
            said = f"status {answer.status_code}"
        except httpx.HTTPError as error:
            said = type(error).__name__
        if time.monotonic() > deadline:
            raise CliError(f"{client.base_url} does not answer ({said})")
        time.sleep(PAUSE_SECONDS)


def _checks(client: "httpx.Client", commit: str) -> Iterator[tuple[str, Callable[[], str]]]:
    yield "page", lambda: _check_page(client)
    yield "health", lambda: _check_health(client, commit)
    yield "ready", lambda: _check_ready(client)
    yield "refusals", lambda: _check_refusals(client)
    yield "description", lambda: _check_description(client)
    yield "prediction", lambda: _check_prediction(client)


def _check_page(client: "httpx.Client") -> str:
    page = _expect(client.get("/"), 200)
    if "<html" not in page.text:
        raise _Wrong("the root is no page")
    policy = page.headers.get("content-security-policy", "")
    if "script-src 'self'" not in policy:
        raise _Wrong("the page comes without its Content-Security-Policy")
    return "served with its policy"


def _check_health(client: "httpx.Client", commit: str) -> str:
    told = _expect(client.get("/api/health"), 200).json()
    if commit and told.get("commit") != commit:
        raise _Wrong(f"commit {told.get('commit')} answers, {commit} was deployed")
    return f"Rowcast {told['version']} on Python {told['python']}" + (
        f" in {told['region']}" if told.get("region") else ""
    )


def _check_ready(client: "httpx.Client") -> str:
    """See whether every part answers; a part that was asleep is given time to wake up."""
    deadline = time.monotonic() + READY_SECONDS
    answer = client.get("/api/ready")
    while not answer.is_success and time.monotonic() < deadline:
        time.sleep(PAUSE_SECONDS)
        answer = client.get("/api/ready")
    checks = answer.json().get("checks", {})
    failing = [f"{name} ({each.get('detail')})" for name, each in checks.items() if each["status"] == "fail"]
    if failing or not answer.is_success:
        raise _Wrong(f"not ready: {', '.join(failing) or answer.status_code}; ./rowcast doctor tells more")
    noted = [f"{name}: {each['detail']}" for name, each in checks.items() if each["status"] == "warn"]
    return "; ".join(noted) or "every part answers"


def _check_refusals(client: "httpx.Client") -> str:
    for answer, status in (
        (client.get("/api/models/no-such-model-here"), 404),
        (client.get("/api/runs"), 401),
        (client.get("/api/cron"), 401),
        (client.get("/api/keys", headers={"authorization": "Bearer rc_nobody"}), 401),
    ):
        problem = _expect(answer, status).json()
        if not problem.get("detail") or "problem+json" not in answer.headers["content-type"]:
            raise _Wrong(f"{answer.url.path} refuses without a readable reason")
    return "strangers are refused, with a reason"


def _check_description(client: "httpx.Client") -> str:
    paths = _expect(client.get("/api/openapi.json"), 200).json()["paths"]
    return f"{len(paths)} paths"


def _check_prediction(client: "httpx.Client") -> str:
    models: list[dict[str, Any]] = _expect(client.get("/api/models"), 200).json()["models"]
    served = next((each["slug"] for each in models if each["champion"]), "")
    if not served:
        return "no model is published yet: nothing to ask"
    card = _expect(client.get(f"/api/models/{served}/card"), 200).json()
    row = card["examples"][0] if card["examples"] else {each["name"]: each["default"] for each in card["features"]}
    answer = _expect(client.post(f"/api/predict/{served}", json=row), 200)
    if len(answer.json()["predictions"]) != 1:
        raise _Wrong(f"{served} does not answer one row with one prediction")
    wrong = client.post(f"/api/predict/{served}", content=b"{", headers={"content-type": "application/json"})
    _expect(wrong, 400)
    degraded = answer.headers.get("x-rowcast-degraded")
    return f"{served} answers" + (f", without {degraded}" if degraded else "")


def _expect(answer: "httpx.Response", status: int) -> "httpx.Response":
    if answer.status_code != status:
        raise _Wrong(f"{answer.url.path} answers {answer.status_code}, not {status}")
    return answer
