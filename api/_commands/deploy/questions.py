"""What a first deployment must know: each question, where its answer is found, and what an answer looks like."""

import json
import re
import secrets
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from api._commands.deploy.migrate import check_address
from api._commands.doctor.variables import kind_of
from api._commands.errors import CliError
from api._stack.settings import REPOSITORY

type Values = Mapping[str, str]


@dataclass(frozen=True)
class Question:
    """One thing to know."""

    name: str
    """The variable."""

    title: str
    where: str
    """Where the answer is found, click by click."""

    group: str
    pattern: str = r".+"
    looks: str = ""
    """What an answer looks like, said when one does not."""

    is_secret: bool = True
    is_needed: bool = True
    suggest: Callable[[Values], str] = lambda _: ""
    """An answer that can be worked out from those before it."""


def judge(question: Question, answer: str) -> str:
    """Say what is wrong with an answer by its form alone; an empty text: nothing."""
    if not re.fullmatch(question.pattern, answer):
        return f"that is no {question.title}: {question.looks}"
    if question.name == "DATABASE_URL":
        if "[YOUR-PASSWORD]" in answer:
            return "put the database's password in the place of [YOUR-PASSWORD]"
        try:
            check_address(answer)
        except CliError as error:
            return error.message
        if re.search(r"@db\.[a-z]{20}\.supabase\.co", answer):
            return (
                "this is the direct address, which GitHub Actions cannot reach (IPv6 only); take the session pooler's"
            )
    wanted = {"SUPABASE_PUBLISHABLE_KEY": "publishable", "SUPABASE_SECRET_KEY": "secret"}.get(question.name)
    if wanted and kind_of(answer) != wanted:
        return f"that is another kind of key ({kind_of(answer)}); the {wanted} key begins with sb_{wanted}_"
    return ""


def tidy(question: Question, text: str) -> str:
    """Take an answer as people paste it: with the variable's name before it, with quotes around it, with a slash behind."""
    text = text.strip()
    if matched := re.fullmatch(r"(?:export\s+)?[A-Z_]+=(.*)", text, re.DOTALL):
        text = matched[1].strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1]
    if question.name == "GITHUB_REPOSITORY":
        text = re.sub(r"^(https://github\.com/|git@github\.com:)|\.git$", "", text)
    return text.rstrip("/") if text.startswith("https://") else text


def _linked(name: str) -> Callable[[Values], str]:
    """Read what `vercel link` has written."""

    def read(_: Values) -> str:
        path = REPOSITORY / ".vercel" / "project.json"
        return str(json.loads(path.read_text(encoding="utf-8")).get(name, "")) if path.is_file() else ""

    return read


def _project(values: Values) -> str:
    found = re.match(r"https://([a-z]{20})\.supabase\.co", values.get("SUPABASE_URL", ""))
    return found[1] if found else ""


def _remote(_: Values) -> str:
    try:
        done = subprocess.run(
            ["git", "remote", "get-url", "origin"],
            cwd=Path(REPOSITORY),
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = re.search(r"github\.com[:/]([\w.-]+/[\w.-]+?)(?:\.git)?$", done.stdout.strip())
    return found[1] if found else ""


_KEYS = "Supabase dashboard → Settings → API keys"
_HTTPS = r"https://[A-Za-z0-9.-]+(:\d+)?"

QUESTIONS = (
    Question(
        "SUPABASE_PROJECT_REF", "project reference",
        "supabase.com/dashboard → New project (region: where your functions will be; keep the database password). "
        "The reference is in the address: supabase.com/dashboard/project/<reference>",
        "Supabase", r"[a-z]{20}", "20 small letters", is_secret=False, suggest=_project,
    ),
    Question(
        "SUPABASE_URL", "project address", "Supabase dashboard → Settings → Data API → API URL",
        "Supabase", _HTTPS, "https://<reference>.supabase.co, without a path", is_secret=False,
        suggest=lambda known: f"https://{known['SUPABASE_PROJECT_REF']}.supabase.co" if known.get("SUPABASE_PROJECT_REF") else "",
    ),
    Question(
        "SUPABASE_PUBLISHABLE_KEY", "publishable key", f"{_KEYS} → Publishable key",
        "Supabase", r"\S+", "sb_publishable_…", is_secret=False,
    ),
    Question("SUPABASE_SECRET_KEY", "secret key", f"{_KEYS} → Secret keys", "Supabase", r"\S+", "sb_secret_…"),
    Question(
        "DATABASE_URL", "database address",
        "Supabase dashboard → Connect → Session pooler (port 5432), with the database's password put in",
        "Supabase", r"postgres(ql)?://\S+", "postgresql://postgres.<reference>:<password>@aws-…pooler.supabase.com:5432/postgres",
    ),
    Question(
        "SUPABASE_ACCESS_TOKEN", "access token",
        "supabase.com/dashboard/account/tokens; without one, migrations are applied over the database address",
        "Supabase", r"sbp_\w+", "sbp_…", is_needed=False,
    ),
    Question(
        "KV_REST_API_URL", "Upstash REST address",
        "Vercel → Storage → Upstash Redis, or console.upstash.com → your database → REST (same region as the rest)",
        "Upstash", _HTTPS, "https://….upstash.io", is_secret=False, is_needed=False,
    ),
    Question(
        "KV_REST_API_TOKEN", "Upstash REST token", "beside the address; the standard token, not the read-only one",
        "Upstash", r"[\w=+/-]{8,}", "a long word", is_needed=False,
    ),
    Question(
        "VERCEL_TOKEN", "Vercel token", "vercel.com/account/settings/tokens → Create (scope: your team)",
        "Vercel", r"[\w-]{20,}", "a long word",
    ),
    Question(
        "VERCEL_ORG_ID", "Vercel team id", "run `npx vercel link` in this folder, or vercel.com → Settings → Team ID",
        "Vercel", r"(team_)?\w{10,}", "team_…", is_secret=False, suggest=_linked("orgId"),
    ),
    Question(
        "VERCEL_PROJECT_ID", "Vercel project id", "`npx vercel link` makes the project; or Project → Settings → General",
        "Vercel", r"prj_\w+", "prj_…", is_secret=False, suggest=_linked("projectId"),
    ),
    Question(
        "ROWCAST_SITE_URL", "public address", "Vercel → Project → Domains: the production domain",
        "Vercel", _HTTPS, "https://<project>.vercel.app or your own domain, without a path", is_secret=False,
    ),
    Question(
        "VERCEL_AUTOMATION_BYPASS_SECRET", "bypass secret",
        "Vercel → Project → Settings → Deployment Protection → Protection Bypass for Automation: lets previews be tried",
        "Vercel", r"\w{16,}", "32 letters and digits", is_needed=False,
    ),
    Question(
        "CRON_SECRET", "cron secret", "made here; Vercel's cron shows it to /api/cron",
        "Vercel", r"\S{16,}", "16 characters or more", suggest=lambda _: secrets.token_urlsafe(32),
    ),
    Question(
        "GITHUB_REPOSITORY", "GitHub repository", "owner/name; its Actions deploy on each push and train what is queued",
        "GitHub", r"[\w.-]+/[\w.-]+", "owner/name", is_secret=False, is_needed=False, suggest=_remote,
    ),
    Question(
        "ROWCAST_ADMIN_EMAIL", "first administrator", "the address you will sign in with",
        "People", r"[^@\s]+@[^@\s]+\.[^@\s]+", "name@example.com", is_secret=False,
    ),
)  # fmt: skip

NAMES = {question.name: question for question in QUESTIONS}
