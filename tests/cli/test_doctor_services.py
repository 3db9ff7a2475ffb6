"""Faults of what lies around the database: the doctor finds each and names what puts it right."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import httpx

from api._commands.doctor.subject import Subject
from tests.cli.examining import HOSTED, answers, hosted, look


class Through(httpx.BaseTransport):
    """Passes calls on to the real servers, late, or with their clock put wrong."""

    def __init__(self, *, delay: float = 0.0, skew: timedelta = timedelta(0)) -> None:
        self._real = httpx.HTTPTransport()
        self._delay, self._skew = delay, skew

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Pass one call on."""
        time.sleep(self._delay)
        answer = self._real.handle_request(request)
        answer.read()
        answer.headers["date"] = format_datetime(datetime.now(UTC) + self._skew, usegmt=True)
        return answer

    def close(self) -> None:
        """Let go of the connections."""
        self._real.close()


def test_faults_of_the_key_value_store(embedded: Callable[..., Subject]):
    """A wrong token, a slow store, a spent budget, none there."""
    wrong = look(embedded(KV_REST_API_TOKEN="wrong"), "kv")["kv"]
    assert (wrong.state, "the token is refused" in wrong.fact, "console.upstash.com" in wrong.fix) == (
        "fail",
        True,
        True,
    )

    slow = look(embedded(Through(delay=0.31)), "kv")["kv"]
    assert (slow.state, "functions give up after 300 ms" in slow.fact, "region" in slow.fix) == ("fail", True, True)

    counted = {"KV_REST_API_URL": "https://kv.example", "ROWCAST_KV_MONTHLY_COMMANDS": "1000"}
    echo = lambda spent: lambda request: httpx.Response(200, json=[  # noqa: E731
        {"result": "OK"}, {"result": json.loads(request.content)[0][2]}, {"result": 1}, {"result": spent}
    ])  # fmt: skip
    states = [look(hosted(echo(spent), **counted), "kv")["kv budget"].state for spent in (None, "799", "800", "1000")]
    assert states == ["ok", "ok", "warn", "fail"]

    gone = look(embedded(KV_REST_API_URL="http://127.0.0.1:9"), "kv")["kv"]
    assert (gone.state, "predictions go on without it" in gone.fact) == ("fail", True)


def test_clocks_apart(embedded: Callable[..., Subject]):
    """Ten seconds are what tokens are allowed; together is said to be together."""
    assert look(embedded(Through()), "clocks")["clocks"].state == "ok"
    for skew, state in ((timedelta(seconds=-6), "warn"), (timedelta(minutes=2), "fail")):
        found = look(embedded(Through(skew=skew)), "clocks")["clocks"]
        assert (found.state, "set-ntp" in found.fix, "database +0.0 s" in found.fact) == (state, True, True), found


def test_faults_of_signing_keys():
    """No published keys, only keys that are not accepted, a shared secret in a hosted deployment, another issuer."""
    issuer = {"issuer": f"{HOSTED['SUPABASE_URL']}/auth/v1"}
    sound = answers(jwks_json={"keys": [{"alg": "ES256"}]}, openid_configuration=issuer)
    assert {each.state for each in look(hosted(sound), "tokens").values()} == {"ok", "skip"}

    for keys, said in (([], "no keys are published"), ([{"alg": "EdDSA"}], "EdDSA, which is not accepted")):
        found = look(hosted(answers(jwks_json={"keys": keys}, openid_configuration=issuer)), "tokens")["signing keys"]
        assert (found.state, said in found.fact, "JWT keys" in found.fix) == ("fail", True, True), found
    forged = look(hosted(sound, SUPABASE_JWT_SECRET="s"), "tokens")["signing keys"]
    assert (forged.state, "vercel env rm SUPABASE_JWT_SECRET" in forged.fix) == ("fail", True)
    other = answers(
        jwks_json={"keys": [{"alg": "ES256"}]}, openid_configuration={"issuer": "https://own.example/auth/v1"}
    )
    found = look(hosted(other), "tokens")["issuer"]
    assert (found.state, "set SUPABASE_URL to https://own.example" in found.fix) == ("fail", True), found


def test_faults_of_places_and_site():
    """Functions in another region than the database, a protected deployment, an API that is not ready."""
    database = "postgresql://postgres.ref:hidden@aws-0-eu-central-1.pooler.supabase.com:5432/postgres"
    checks = {"database": {"ms": 95, "status": "fail", "detail": "away"}, "kv": {"ms": 2, "status": "pass"}}
    far = answers(health={"region": "iad1", "version": "0.0.1"}, ready={"checks": checks})

    found = look(hosted(far, DATABASE_URL=database), "regions")["regions"]
    assert (found.state, "database 95 ms" in found.fact, "Region: fra1" in found.fix) == ("fail", True, True), found
    found = look(hosted(lambda _: httpx.Response(401)), "site")["site"]
    assert (found.state, "VERCEL_AUTOMATION_BYPASS_SECRET" in found.fix) == ("fail", True), found
    here = {"health": {"version": "0.0.1"}, "ready": {"checks": checks}}
    found = look(
        hosted(lambda request: answers(**here)(request) if "/api" in request.url.path else httpx.Response(200)), "site"
    )
    assert (found["site"].state, "0.0.1 is deployed" in found["site"].fact) == ("warn", True)
    assert (found["api"].state, "database: away" in found["api"].fact) == ("fail", True)


def test_function_too_big_and_too_slow(tmp_path: Path):
    """A build with a package of 210 MB, and a function that loads pandas."""
    place = tmp_path / ".vercel/output/functions/api/predict.func"
    (place / "_vendor/torch").mkdir(parents=True)
    (place / ".vc-config.json").write_text(json.dumps({"filePathMap": {"api/predict.py": "api/predict.py"}}))
    with (place / "_vendor/torch/lib.so").open("wb") as file:
        file.truncate(210 * 2**20)
    (tmp_path / "api").mkdir()
    (tmp_path / "api/__init__.py").touch()
    (tmp_path / "api/predict.py").write_text("import pandas\n")

    found = look(Subject({}, "nothing", root=tmp_path), "size", "start")

    size, start = found["function size"], found["cold start"]
    assert (size.state, "api/predict: 210 MB (torch 210" in size.fact, "build again" in size.fix) == (
        "fail",
        True,
        True,
    ), size
    assert (start.state, "it loads pandas" in start.fact, "a function must not" in start.fix) == ("fail", True, True), (
        start
    )
