"""What is done with the answers: the commands, in their order, and what only a person can click.

A secret is never part of a command: it goes in by standard input or by the environment.
"""

import hashlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from api._commands.deploy import programs

type Values = Mapping[str, str]

FUNCTION_VARIABLES = (
    "SUPABASE_URL", "SUPABASE_PUBLISHABLE_KEY", "SUPABASE_SECRET_KEY", "KV_REST_API_URL", "KV_REST_API_TOKEN",
    "CRON_SECRET", "ROWCAST_SITE_URL",
)  # fmt: skip
"""What the deployed functions read."""

WORKFLOW_SECRETS = (
    "VERCEL_TOKEN", "VERCEL_ORG_ID", "VERCEL_PROJECT_ID", "VERCEL_AUTOMATION_BYPASS_SECRET", "DATABASE_URL", "SUPABASE_URL",
    "SUPABASE_PUBLISHABLE_KEY", "SUPABASE_SECRET_KEY", "SUPABASE_ACCESS_TOKEN", "SUPABASE_PROJECT_REF", "CRON_SECRET",
)  # fmt: skip
"""What the workflows read."""

ENVIRONMENTS = ("production", "preview")


@dataclass(frozen=True)
class Command:
    """One command: what is shown, what is run, and what it gets by standard input and environment."""

    shown: str
    program: Callable[[], list[str]]
    words: tuple[str, ...]
    text: str = field(default="", repr=False)
    names: tuple[str, ...] = ()
    """The answers it gets by its environment."""

    seconds: float = programs.GITHUB_SECONDS


@dataclass(frozen=True)
class Step:
    """Something to do: by commands, or by hand."""

    name: str
    title: str
    commands: tuple[Command, ...] = ()
    by_hand: tuple[str, ...] = ()

    def mark(self, values: Values) -> str:
        """Name the step together with what it was done with, so that another answer makes it undone again."""
        used = [command.text + "".join(values.get(name, "") for name in command.names) for command in self.commands]
        digest = hashlib.sha256("\0".join([*(command.shown for command in self.commands), *used]).encode())
        return f"{self.name}:{digest.hexdigest()[:10]}"


def compose(values: Values) -> list[Step]:
    """Compose the steps for these answers."""
    site, url = values["ROWCAST_SITE_URL"], values["SUPABASE_URL"]
    steps = [
        _by_hand_first(site),
        Step("variables", "Give the functions their variables", tuple(_vercel_commands(values))),
    ]
    if values.get("GITHUB_REPOSITORY"):
        steps.append(Step("workflows", "Give the workflows theirs", tuple(_github_commands(values))))
    account = ("SUPABASE_URL", "SUPABASE_PUBLISHABLE_KEY", "SUPABASE_SECRET_KEY", "ROWCAST_ADMIN_EMAIL")
    database = ("DATABASE_URL", "SUPABASE_ACCESS_TOKEN", "SUPABASE_PROJECT_REF")
    vercel = ("VERCEL_TOKEN", "VERCEL_ORG_ID", "VERCEL_PROJECT_ID", "VERCEL_AUTOMATION_BYPASS_SECRET")
    email = values["ROWCAST_ADMIN_EMAIL"]
    return [
        *steps,
        Step("database", "Make tables, row security, triggers and queue", (_rowcast("deploy migrate", database),)),
        Step("deployment", "Build and deploy", (_rowcast("deploy push --production", vercel),)),
        Step(
            "administrator", "Make the first account", (_rowcast(f"user add {email} --role admin", account, site=site),)
        ),
        Step("dashboard", "Deploy the dashboard", by_hand=_dashboard(site, url, values["SUPABASE_PUBLISHABLE_KEY"])),
        Step(
            "training",
            "Let Actions train what is queued",
            by_hand=_training(values.get("GITHUB_REPOSITORY", "owner/name")),
        ),
        Step("doctor", "Look at it all", by_hand=("./rowcast doctor --env-file .rowcast/deploy.env",)),
    ]


def _by_hand_first(site: str) -> Step:
    return Step(
        "sign-in",
        "Let people sign in",
        by_hand=(
            f"Supabase dashboard → Authentication → URL Configuration: Site URL {site}, Redirect URLs {site}/**",
            "Supabase dashboard → Settings → JWT keys: the current key is ECC (P-256); if it is not, create one and rotate",
            "Supabase dashboard → Authentication → Sign In / Providers: e-mail on; new people are viewers until you say more",
        ),
    )


def _vercel_commands(values: Values) -> list[Command]:
    names = ("VERCEL_TOKEN", "VERCEL_ORG_ID", "VERCEL_PROJECT_ID")
    return [
        Command(
            f"npx vercel env add {name} {environment} --force  < its value",
            programs.vercel,
            ("env", "add", name, environment, "--force"),
            text=values[name],
            names=names,
            seconds=120.0,
        )
        for environment in ENVIRONMENTS
        for name in FUNCTION_VARIABLES
        if values.get(name)
    ]


def _github_commands(values: Values) -> list[Command]:
    repository = values["GITHUB_REPOSITORY"]
    made = [
        Command(
            f"gh api --method PUT repos/{repository}/environments/{environment}",
            programs.github,
            ("api", "--method", "PUT", f"repos/{repository}/environments/{environment}", "--silent"),
        )
        for environment in ENVIRONMENTS
    ]
    made += [
        Command(
            f"gh secret set {name} --repo {repository}  < its value",
            programs.github,
            ("secret", "set", name, "--repo", repository),
            text=values[name],
        )
        for name in WORKFLOW_SECRETS
        if values.get(name)
    ]
    words = ("variable", "set", "ROWCAST_SITE_URL", "--repo", repository, "--body", values["ROWCAST_SITE_URL"])
    return [*made, Command(f"gh {' '.join(words)}", programs.github, words)]


def _rowcast(words: str, names: tuple[str, ...], *, site: str = "") -> Command:
    extra = ("env", f"ROWCAST_API_URL={site}") if site else ()
    return Command(
        f"./rowcast {words}",
        lambda: [*extra, sys.executable, "-P", "-m", "api._cli"],
        tuple(words.split()),
        names=names,
        seconds=1800.0,
    )


def _dashboard(site: str, url: str, key: str) -> tuple[str, ...]:
    return (
        "share.streamlit.io → Create app → Deploy from GitHub: your repository, branch main,",
        "main file web/dashboard/streamlit_app.py; Advanced settings: Python 3.12, and these secrets:",
        f'  ROWCAST_API_URL = "{site}"',
        f'  SUPABASE_URL = "{url}"',
        f'  SUPABASE_PUBLISHABLE_KEY = "{key}"',
    )


def _training(repository: str) -> tuple[str, ...]:
    return (
        "A run waits until a worker comes. ./rowcast worker is one, wherever there is a CPU; so is the workflow `train`,",
        "which the database starts when this was run once in the SQL editor (Extensions: pg_net on), with a fine-grained",
        "GitHub token that may write contents of this one repository:",
        f"  insert into private.settings (name, value) values ('dispatch_repository', '{repository}');",  # noqa: S608  text
        "  select vault.create_secret('<the token>', 'rowcast_dispatch_token');",
    )
