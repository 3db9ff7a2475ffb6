"""`rowcast deploy`: asks, tries, remembers; keeps every secret in one file and off every command line."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import typer
from typer.testing import CliRunner

from api._commands.deploy import plan, programs, walk
from api._commands.deploy.probes import Refused, probe
from api._commands.deploy.questions import NAMES, judge, tidy
from api._commands.doctor.subject import Away
from tests.cli.command import Run

REFERENCE = "abcdefghijklmnopqrst"
BLANK = "[YOUR-PASSWORD]"
ANSWERS = {
    "SUPABASE_PROJECT_REF": REFERENCE,
    "SUPABASE_URL": f"https://{REFERENCE}.supabase.co",
    "SUPABASE_PUBLISHABLE_KEY": "sb_publishable_shown",
    "SUPABASE_SECRET_KEY": "sb_secret_hidden",
    "DATABASE_URL": f"postgresql://postgres.{REFERENCE}:hidden@aws-0-eu-central-1.pooler.supabase.com:5432/postgres",
    "UPSTASH_REDIS_REST_URL": "https://kv.upstash.io",
    "UPSTASH_REDIS_REST_TOKEN": "hidden-kv-token",
    "VERCEL_TOKEN": "hidden-vercel-token-abc",
    "VERCEL_ORG_ID": "team_abcdefghijkl",
    "VERCEL_PROJECT_ID": "prj_abcdefghijkl",
    "ROWCAST_SITE_URL": "https://rowcast.example",
    "CRON_SECRET": "hidden-cron-secret-0123456789",
    "GITHUB_REPOSITORY": "ada/rowcast",
    "ROWCAST_ADMIN_EMAIL": "ada@example.com",
}
FAKE = """#!{python}
import json, os, sys
with open({log!r}, "a") as file:
    file.write(json.dumps({{"argv": sys.argv[1:], "text": sys.stdin.read(), "environ": dict(os.environ)}}) + "\\n")
"""


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[dict[str, object]]]:
    """Stand in for the programs whose other end is somebody else's server; return how they were called, once."""
    log, script = tmp_path / "calls", tmp_path / "program"
    script.write_text(FAKE.format(python=sys.executable, log=str(log)))
    script.chmod(0o755)
    for name in ("vercel", "github"):
        monkeypatch.setattr(programs, name, lambda: [str(script)])
    monkeypatch.setattr(plan.sys, "executable", str(script))
    monkeypatch.setenv("ROWCAST_HOME", str(tmp_path / "home"))

    def read() -> list[dict[str, object]]:
        made = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        log.unlink(missing_ok=True)
        return made

    return read


def test_all_is_carried_out_once_and_no_secret_is_seen(
    calls: Callable[[], list[dict[str, object]]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    """As in CI: answers from the environment, either family of names; a second time only what another answer touches."""
    for name, value in ANSWERS.items():
        monkeypatch.setenv(name, value)

    assert walk.setup(yes=True, with_probe=False) == 0

    made = calls()
    first = [" ".join(call["argv"]) for call in made]
    assert "env add SUPABASE_SECRET_KEY production --force" in first
    assert "env add KV_REST_API_TOKEN preview --force" in first
    assert "secret set DATABASE_URL --repo ada/rowcast" in first
    assert [words for words in first if "api._cli" in words] == [
        f"-P -m api._cli {words}"
        for words in ("deploy migrate", "deploy push --production", "user add ada@example.com --role admin")
    ]
    given = {call["argv"][2]: call["text"] for call in made if call["argv"][:2] == ["env", "add"]}
    assert given["KV_REST_API_TOKEN"] == "hidden-kv-token"
    said = capsys.readouterr()
    assert not [line for line in (*first, said.out, said.err) if "hidden" in line]
    file = tmp_path / "home/deploy.env"
    assert file.stat().st_mode & 0o777 == 0o600
    assert ":hidden@aws" in file.read_text()

    walk.setup(yes=True, with_probe=False)
    assert (calls(), capsys.readouterr().out.count("(done)")) == ([], 5)
    monkeypatch.setenv("CRON_SECRET", "hidden-other-secret-0123456789")
    walk.setup(yes=True, with_probe=False)
    assert {call["argv"][0] for call in calls()} == {"env", "secret", "api", "variable"}


def test_person_is_led_from_question_to_question(
    calls: Callable[[], list[dict[str, object]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Wrong answers are explained and asked again, refused ones too; what nobody can try may be taken; all is kept."""
    monkeypatch.setattr(walk, "is_watched", lambda: True)
    tried = []

    def try_it(name: str, values: dict[str, str]) -> bool:
        tried.append(name)
        if name == "SUPABASE_SECRET_KEY" and tried.count(name) == 1:
            raise Refused("Supabase refuses it (status 401)")
        if name == "DATABASE_URL":
            raise Away("the database does not answer (timeout)")
        return name != "ROWCAST_SITE_URL"

    monkeypatch.setattr(walk, "probe", try_it)
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(walk.setup)
    kept = {name: value for name, value in ANSWERS.items() if name.startswith(("VERCEL", "GITHUB", "ROWCAST"))}
    typed = ["nonsense", REFERENCE, "", "SUPABASE_SECRET_KEY=sb_secret_wrong", '"sb_publishable_shown"']
    typed += ["sb_secret_wrong", "sb_secret_hidden", ANSWERS["DATABASE_URL"], "y", "", "", "", ""]
    typed += ["n"] * 12

    result = CliRunner().invoke(app, input="\n".join(typed) + "\n", env=kept)

    assert result.exit_code == 0, (result.output, result.exception)
    assert "20 small letters" in result.output
    assert "another kind of key (secret); the publishable key begins with sb_publishable_" in result.output
    assert "refuses it (status 401)" in result.output
    assert "it cannot be tried now. Go on with it?" in result.output
    assert "hidden" not in result.output
    assert calls() == []
    again = CliRunner().invoke(app, ["--dry-run"], env=kept)
    assert again.exit_code == 0, again.output
    assert "npx vercel env add SUPABASE_SECRET_KEY production" in again.output
    assert "Still to be answered" not in again.output


def test_what_is_missing_is_named(run: Run):
    """Nobody there to ask: one line, then one for each missing answer with where it is found; a dry run shows the way."""
    done = run("deploy", "--no-probe")
    assert (done.returncode, "rowcast: not all is answered" in done.stderr) == (1, True)
    assert "SUPABASE_SECRET_KEY: Supabase dashboard → Settings → API keys" in done.stderr

    shown = run("deploy", "--dry-run")
    assert (shown.returncode, "./rowcast deploy push --production" in shown.stdout) == (0, True)
    checked = run("deploy", "--check", "--no-probe", environ=ANSWERS)
    assert (checked.returncode, checked.stdout.strip()) == (0, "All is answered.")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("SUPABASE_PUBLISHABLE_KEY", "sb_secret_x", "another kind of key (secret)"),
        ("SUPABASE_SECRET_KEY", "hello", "another kind of key (unknown)"),
        ("DATABASE_URL", "postgresql://u:p@aws-0-x.pooler.supabase.com:6543/postgres", "session pooler, 5432"),
        ("DATABASE_URL", f"postgresql://postgres:p@db.{REFERENCE}.supabase.co:5432/postgres", "IPv6 only"),
        ("DATABASE_URL", f"postgresql://u:{BLANK}@aws.pooler.supabase.com:5432/postgres", BLANK),
        ("ROWCAST_SITE_URL", "rowcast.example", "https://"),
        ("KV_REST_API_URL", "https://kv.example/path", "upstash.io"),
        ("KV_REST_API_URL", 'UPSTASH_REDIS_REST_URL="https://kv.upstash.io/"', ""),
        ("GITHUB_REPOSITORY", "https://github.com/ada/rowcast.git", ""),
        ("DATABASE_URL", ANSWERS["DATABASE_URL"], ""),
    ],
)
def test_answers_are_read_as_people_paste_them(name: str, text: str, said: str):
    """Names, quotes and slashes around an answer are taken off; what cannot be meant is explained."""
    question = NAMES[name]

    wrong = judge(question, tidy(question, text))

    assert (said in wrong, bool(wrong)) == (True, bool(said)), wrong


def test_answers_are_tried_where_they_are_good_for():
    """Accepted, refused, asleep, and nobody there."""
    values = {
        **ANSWERS,
        "KV_REST_API_URL": "https://kv.upstash.io",
        "KV_REST_API_TOKEN": "t",
        "SUPABASE_ACCESS_TOKEN": "s",
    }

    def answering(status: int, body: object = None) -> httpx.MockTransport:
        return httpx.MockTransport(lambda _: httpx.Response(status, json=body or [{"result": "OK"}]))

    tried = [name for name in NAMES if name != "DATABASE_URL" and probe(name, values, transport=answering(200))]
    assert len(tried) == 7
    for name in tried[1:]:
        with pytest.raises(Refused, match="status 403"):
            probe(name, values, transport=answering(403))
        with pytest.raises(Away, match="status 500"):
            probe(name, values, transport=answering(500))
    assert not probe("VERCEL_PROJECT_ID", {"VERCEL_PROJECT_ID": "prj_x"})
    with pytest.raises(Refused, match="Restore"):
        probe("SUPABASE_URL", values, transport=answering(540))
    with pytest.raises(Refused, match="only read"):
        probe("KV_REST_API_TOKEN", values, transport=answering(200, [{"error": "NOPERM"}]))
    with pytest.raises(Away):
        probe("DATABASE_URL", {**values, "DATABASE_URL": "postgresql://u:p@127.0.0.1:9/postgres"})
