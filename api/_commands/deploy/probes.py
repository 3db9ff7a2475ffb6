"""Tries an answer where it is good for: one call, with a deadline, for each."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from api._commands.doctor.schema import ASLEEP
from api._commands.doctor.subject import Away, Subject

if TYPE_CHECKING:
    import httpx

VERCEL, SUPABASE = "https://api.vercel.com", "https://api.supabase.com"

type Values = Mapping[str, str]


class Refused(Exception):
    """The answer was tried and is not good; the message says why."""


def probe(name: str, values: Values, *, transport: "httpx.BaseTransport | None" = None) -> bool:
    """Try one answer; False where there is nothing to try it on.

    Raises:
        Refused: it is not good.
        Away: nobody answered, so it is not known.
    """
    trial = _TRIALS.get(name)
    if trial is None or not all(values.get(each) for each in (name, *_NEEDS.get(name, ()))):
        return False
    subject = Subject(values, "hosted", transport=transport)
    try:
        trial(subject, values)
    finally:
        subject.close()
    return True


def _expect(answer: "httpx.Response", what: str) -> None:
    if answer.status_code in ASLEEP:
        raise Refused(f"the project sleeps (status {answer.status_code}): press Restore in the Supabase dashboard")
    if answer.status_code >= 500:  # noqa: PLR2004  theirs, not ours
        raise Away(f"{what} cannot say (status {answer.status_code})")
    if not answer.is_success:
        raise Refused(f"{what} refuses it (status {answer.status_code})")


def _try_url(subject: Subject, values: Values) -> None:
    answer = subject.ask("GET", f"{values['SUPABASE_URL']}/auth/v1/health")
    if answer.status_code not in {200, 401}:  # without a key it asks for one
        _expect(answer, "Supabase")


def _try_publishable(subject: Subject, values: Values) -> None:
    headers = {"apikey": values["SUPABASE_PUBLISHABLE_KEY"]}
    _expect(subject.ask("GET", f"{values['SUPABASE_URL']}/auth/v1/settings", headers=headers), "Supabase")


def _try_secret(subject: Subject, values: Values) -> None:
    headers = {"apikey": values["SUPABASE_SECRET_KEY"]}
    _expect(subject.ask("GET", f"{values['SUPABASE_URL']}/storage/v1/bucket", headers=headers), "Supabase")


def _try_database(subject: Subject, values: Values) -> None:
    del values
    import psycopg

    try:
        with subject.database() as connection:
            connection.execute("select 1")
    except Away as away:
        if "password authentication failed" in str(away):
            raise Refused(
                "the database refuses the password: Supabase dashboard → Settings → Database resets it"
            ) from away
        raise
    except psycopg.Error as error:
        raise Refused(f"the database answers {str(error).splitlines()[0][:120]}") from error


def _try_access(subject: Subject, values: Values) -> None:
    headers = {"authorization": f"Bearer {values['SUPABASE_ACCESS_TOKEN']}"}
    reference = values.get("SUPABASE_PROJECT_REF", "")
    _expect(subject.ask("GET", f"{SUPABASE}/v1/projects/{reference}", headers=headers), "Supabase")


def _try_kv(subject: Subject, values: Values) -> None:
    headers = {"authorization": f"Bearer {values['KV_REST_API_TOKEN']}"}
    commands = [["SET", "rowcast:setup", "1", "EX", "10"]]
    answer = subject.ask("POST", f"{values['KV_REST_API_URL']}/pipeline", json=commands, headers=headers)
    _expect(answer, "Upstash")
    if "error" in answer.json()[0]:
        raise Refused("the token may only read; take the standard token beside it")


def _try_vercel(subject: Subject, values: Values) -> None:
    headers = {"authorization": f"Bearer {values['VERCEL_TOKEN']}"}
    _expect(subject.ask("GET", f"{VERCEL}/v2/user", headers=headers), "Vercel")


def _try_project(subject: Subject, values: Values) -> None:
    team = values.get("VERCEL_ORG_ID", "")
    params = {"teamId": team} if team.startswith("team_") else {}
    headers = {"authorization": f"Bearer {values['VERCEL_TOKEN']}"}
    url = f"{VERCEL}/v9/projects/{values['VERCEL_PROJECT_ID']}"
    _expect(subject.ask("GET", url, params=params, headers=headers), "Vercel")


_NEEDS = {
    "SUPABASE_PUBLISHABLE_KEY": ("SUPABASE_URL",),
    "SUPABASE_SECRET_KEY": ("SUPABASE_URL",),
    "SUPABASE_ACCESS_TOKEN": ("SUPABASE_PROJECT_REF",),
    "KV_REST_API_TOKEN": ("KV_REST_API_URL",),
    "VERCEL_PROJECT_ID": ("VERCEL_TOKEN",),
}
"""What a trial takes beside the answer itself."""

_TRIALS: dict[str, Callable[[Subject, Values], None]] = {
    "SUPABASE_URL": _try_url,
    "SUPABASE_PUBLISHABLE_KEY": _try_publishable,
    "SUPABASE_SECRET_KEY": _try_secret,
    "DATABASE_URL": _try_database,
    "SUPABASE_ACCESS_TOKEN": _try_access,
    "KV_REST_API_TOKEN": _try_kv,
    "VERCEL_TOKEN": _try_vercel,
    "VERCEL_PROJECT_ID": _try_project,
}
