"""The doctor: a sound deployment is called sound; faults of variables and keys are found and their remedy named."""

import json
from pathlib import Path

import pytest

from api._commands.doctor.command import find_subject
from api._commands.errors import CliError
from tests.cli.command import Run
from tests.cli.examining import HOSTED, LEGACY, hosted, look
from tests.conftest import RunningStack, User


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
