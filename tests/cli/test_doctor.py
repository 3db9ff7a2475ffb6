"""The doctor: a sound deployment is called sound, and each planted fault is found and its remedy named."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

from api._commands.doctor.command import CHECKS, examine, find_subject
from api._commands.doctor.finding import Finding
from api._commands.doctor.subject import Subject
from api._commands.errors import CliError
from api._stack.migrations import MIGRATIONS
from tests.cli.command import Run
from tests.conftest import RunningStack, User

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


@pytest.fixture
def embedded(stack: RunningStack) -> Callable[..., Subject]:
    """Describe the real stack, with other variables or another way to it where a fault wants them."""
    return lambda transport=None, **environ: Subject({**stack.environ, **environ}, "embedded", transport=transport)


def test_a_sound_stack_is_called_sound(run: Run, stack: RunningStack, site_url: str, worker: None, viewer: User):
    """Every check ran, through the command; nothing fails, nothing in the report is a secret."""
    account = {"ROWCAST_EMAIL": viewer.email, "ROWCAST_PASSWORD": viewer.password}
    done = run("doctor", "--json", environ={**stack.environ, **account})

    report = json.loads(done.stdout)
    failed = [each for each in report["findings"] if each["state"] == "fail"]
    others = [each for each in failed if each["name"] != "queue"]  # that may hold what other tests have left
    assert (others, done.returncode, report["kind"]) == ([], 1 if failed else 0, "embedded"), done.stderr
    states = {each["name"]: each["state"] for each in report["findings"]}
    sound = "row security,rights of anon,rights of authenticated,rights of service_role,strangers,visitors,triggers,"
    sound += "run trigger,append only,migrations,queue schema,worker,storage,kv,sign-in,secret key,site,cold start"
    assert {states[name] for name in sound.split(",")} == {"ok"}
    for name in ("SUPABASE_SECRET_KEY", "KV_REST_API_TOKEN", "SUPABASE_JWT_SECRET", "DATABASE_URL"):
        assert stack.environ[name] not in done.stdout + done.stderr


def test_nothing_at_all_is_said_and_no_crash(run: Run):
    """Before the first `up`: what to do first, for people and for programs."""
    done = run("doctor", "--only", "stack", "--only", "variables", "--only", "database", "--only", "queue")
    assert "./rowcast up starts" in done.stdout
    assert "Traceback" not in done.stderr

    wrong = run("doctor", "--only", "everything")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (1, 1)
    assert "there is no check everything" in wrong.stderr
    with pytest.raises(CliError, match="vercel env pull"):
        find_subject(Path("gone.env"), {})


def test_env_file_names_a_hosted_deployment(tmp_path: Path):
    """As the platform's command line writes it: quoted values; the caller's own environment does not mix in."""
    file = tmp_path / "production.env"
    file.write_text("".join(f'{name}="{value}"\n' for name, value in HOSTED.items()))

    subject = find_subject(file, {"SUPABASE_URL": "https://other.supabase.co"})

    assert (subject.kind, subject.environ["SUPABASE_URL"]) == ("hosted", HOSTED["SUPABASE_URL"])


@pytest.mark.parametrize(
    ("environ", "name", "state", "said", "fix"),
    [
        ({"SUPABASE_SECRET_KEY": LEGACY}, "keys", "warn", "legacy key", "sb_secret_"),
        (
            {"SUPABASE_PUBLISHABLE_KEY": "sb_secret_x", "SUPABASE_SECRET_KEY": "sb_publishable_x"},
            "keys", "fail", "swapped", "put sb_publishable_",
        ),
        ({"SUPABASE_PUBLISHABLE_KEY": LEGACY}, "keys", "fail", "shows to everybody", "replace the key"),
        ({"SUPABASE_SECRET_KEY": "hello"}, "keys", "fail", "no key that Supabase makes", "copy it again"),
        ({"VITE_KEY": "sb_secret_x"}, "keys in the site", "fail", "VITE_KEY", "delete that variable"),
        ({"SUPABASE_SECRET_KEY": ""}, "variables", "fail", "not set: SUPABASE_SECRET_KEY", "./rowcast deploy"),
        ({"ROWCAST_LIMIT_KEY": "many"}, "variables", "fail", "ROWCAST_LIMIT_KEY", "correct that variable"),
        ({"KV_REST_API_TOKEN": ""}, "kv variables", "fail", "half a pair", "set KV_REST_API_TOKEN"),
        ({"KV_REST_API_URL": "", "KV_REST_API_TOKEN": ""}, "kv variables", "warn", "no key-value store", "Upstash"),
        (
            {"UPSTASH_REDIS_REST_URL": "https://two.example", "UPSTASH_REDIS_REST_TOKEN": "u"},
            "kv variables", "warn", "two stores", "delete UPSTASH_REDIS_REST_URL",
        ),
        ({"CRON_SECRET": ""}, "cron secret", "warn", "cron is refused", "vercel env add CRON_SECRET"),
    ],
)  # fmt: skip
def test_faults_of_variables_and_keys(environ: dict[str, str], name: str, state: str, said: str, fix: str):
    """A legacy key, swapped keys, a secret where everybody reads it, halves and doubles."""
    found = look(hosted(**environ), "variables", "keys")[name]

    assert (found.state, said in found.fact, fix in found.fix) == (state, True, True), found


def test_family_of_upstash_is_read_too():
    """The other family alone is as good."""
    environ = {"KV_REST_API_URL": "", "KV_REST_API_TOKEN": ""}
    environ |= {"UPSTASH_REDIS_REST_URL": "https://two.example", "UPSTASH_REDIS_REST_TOKEN": "u"}
    subject = hosted(**environ)

    assert look(subject, "variables")["kv variables"].fact == "UPSTASH_REDIS_REST_* are set"
    assert subject.settings.kv_url == "https://two.example"


@contextmanager
def planted(stack: RunningStack, plant: str, undo: str) -> Iterator[None]:
    """Do harm to the real database, and take it back."""
    with stack.connect() as connection:
        connection.execute(plant.encode())
    try:
        yield
    finally:
        with stack.connect() as connection:
            connection.execute(undo.encode())


WIDE = """
create policy "all" on public.datasets for select to authenticated using (true);
insert into public.datasets (owner_id, name, filename) values (null, 'doctor', 'doctor.csv')
"""
NARROW = """
drop policy "all" on public.datasets;
delete from public.datasets where name = 'doctor'
"""
OLD_JOB = """
insert into procrastinate.procrastinate_jobs (queue_name, task_name, args) values ('doctor', 'none', '{}');
update procrastinate.procrastinate_events as e set at = now() - interval '3 hours'
from procrastinate.procrastinate_jobs as j where j.id = e.job_id and j.queue_name = 'doctor';
"""
LOST_JOB = """
insert into procrastinate.procrastinate_jobs (queue_name, task_name, args, status)
values ('doctor', 'none', '{}', 'doing')
"""
NO_JOB = "delete from procrastinate.procrastinate_jobs where queue_name = 'doctor'"
LAST = max(path.stem.partition("_")[0] for path in MIGRATIONS.glob("*.sql"))

DATABASE_FAULTS = {
    "security": (
        "security",
        (
            "alter table public.api_keys disable row level security; revoke select on public.hooks from authenticated; "
            f"grant select on public.models to anon; grant select on public.runs to anon; {WIDE}"
        ),
        (
            "alter table public.api_keys enable row level security; grant select on public.hooks to authenticated; "
            "revoke select on public.models, public.runs from anon; grant select (id, slug, title, description, task, "
            f"target, visibility, created_at, updated_at, keep_inputs, archived_at) on public.models to anon; {NARROW}"
        ),
        {
            "row security": ("off for public.api_keys", "alter table public.api_keys enable row level security"),
            "rights of authenticated": ("select on public.hooks", "grant select on public.hooks to authenticated"),
            "rights of anon": ("select on public.models", "revoke select on public.models from anon"),
            "visitors": ("may read runs", "revoke select on table public.runs from anon"),
            "strangers": ("public.datasets", "drop the one that no migration makes"),
        },
    ),
    "dropped trigger": (
        "triggers",
        "drop trigger queue_run on public.runs",
        "create trigger queue_run after insert on public.runs for each row execute function private.queue_run()",
        {
            "triggers": ("missing: queue_run on public.runs", "create trigger queue_run"),
            "run trigger": ("no job is queued", "make the trigger of runs again"),
        },
    ),
    "silent trigger": (
        "triggers",
        "alter table public.audit_log disable trigger refuse_truncate",
        "alter table public.audit_log enable trigger refuse_truncate",
        {
            "triggers": (
                "switched off: refuse_truncate",
                "alter table public.audit_log enable trigger refuse_truncate",
            ),
            "append only": ("can be emptied", "refuse_truncate"),
        },
    ),
    "old job": ("queue", OLD_JOB, NO_JOB, {"queue": ("the oldest for 3 hours", "./rowcast worker")}),
    "lost job": ("queue", LOST_JOB, NO_JOB, {"queue": ("held by a worker that has gone", "./rowcast worker")}),
    "missing migration": (
        "migrations",
        (
            f"update supabase_migrations.schema_migrations set version = '0' where version = '{LAST}'; "
            "comment on schema procrastinate is '3.0.0'"
        ),
        (
            f"update supabase_migrations.schema_migrations set version = '{LAST}' where version = '0'; "
            f"comment on schema procrastinate is '{version('procrastinate')}'"
        ),
        {
            "migrations": ("not applied: ", "./rowcast deploy migrate"),
            "queue schema": ("tables of procrastinate 3.0.0", "./rowcast deploy migrate"),
        },
    ),
}


@pytest.mark.parametrize("fault", DATABASE_FAULTS)
def test_faults_of_the_database(stack: RunningStack, embedded: Callable[..., Subject], fault: str):
    """Planted in the real database, found, and named with what puts it right; then sound again."""
    check, plant, undo, expected = DATABASE_FAULTS[fault]
    with planted(
        stack, f"set search_path = procrastinate, public; {plant}", f"set search_path = procrastinate; {undo}"
    ):
        found = look(embedded(), check)
    for name, (said, fix) in expected.items():
        assert (found[name].state, said in found[name].fact, fix in found[name].fix) == ("fail", True, True), found[
            name
        ]

    sound = look(embedded(), check)
    # What other tests have left queued may wait for long by now.
    assert {sound[name].state for name in expected if name != "queue"} <= {"ok"}


def test_missing_bucket(stack: RunningStack, embedded: Callable[..., Subject]):
    """One bucket of three is gone, then public."""
    drop = "set session_replication_role = replica; update storage.buckets set id = 'lost' where id = 'results'"
    back = "set session_replication_role = replica; update storage.buckets set id = 'results' where id = 'lost'"
    with planted(stack, drop, back):
        found = look(embedded(), "storage")["storage"]
    assert (found.state, "no bucket results" in found.fact) == ("fail", True), found
    assert "./rowcast deploy migrate" in found.fix

    with planted(
        stack,
        "update storage.buckets set public = true where id = 'models'",
        "update storage.buckets set public = false where id = 'models'",
    ):
        found = look(embedded(), "storage")["storage"]
    assert (found.state, found.fact) == ("fail", "open to everybody: models")


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


def answers(**paths: Any) -> Answer:
    """Answer by the end of the path with a status or with JSON; everything else with 404."""

    def answer(request: httpx.Request) -> httpx.Response:
        name = request.url.path.rstrip("/").rpartition("/")[2].replace(".", "_").replace("-", "_")
        told = paths.get(name, 404)
        return httpx.Response(told) if isinstance(told, int) else httpx.Response(200, json=told)

    return answer


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


def test_database_asleep(embedded: Callable[..., Subject]):
    """A paused project, and a database that nobody finds; the checks behind it say that they could not look."""
    asleep = look(hosted(lambda _: httpx.Response(540)), "database")["data api"]
    assert (asleep.state, "sleeps" in asleep.fact, "Restore" in asleep.fix) == ("fail", True, True)

    subject = embedded(DATABASE_URL="postgresql://postgres:hidden@127.0.0.1:9/postgres")
    found = look(subject, "database", "migrations", "triggers", "queue", "plans")
    assert (found["database"].state, "hidden" in found["database"].fact) == ("fail", False), found["database"]
    assert {found[name].state for name in ("migrations", "triggers", "queue", "free plans")} == {"skip"}

    refused = look(embedded(SUPABASE_SECRET_KEY="sb_secret_other"), "database")["secret key"]
    assert (refused.state, "is not accepted" in refused.fact, "API keys" in refused.fix) == ("fail", True, True)


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
