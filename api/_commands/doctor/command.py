"""`rowcast doctor`: looks at a deployment from all sides and says what is wrong and what puts it right."""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import typer

from api._commands.doctor import (
    functions,
    jobs,
    kv,
    machine,
    places,
    schema,
    service,
    storage,
    tables,
    tokens,
    triggers,
    variables,
)
from api._commands.doctor.finding import Finding, fail
from api._commands.doctor.subject import Subject
from api._commands.errors import CliError
from api._commands.listing import AsJson
from api._commands.steps import Steps
from api._stack.secrets import read_env
from api._stack.settings import Settings

Check = Callable[[Subject], Iterator[Finding]]

CHECKS: dict[str, Check] = {
    "machine": machine.check_machine,
    "stack": machine.check_stack,
    "variables": variables.check_variables,
    "keys": variables.check_keys,
    "database": schema.check_database,
    "tokens": tokens.check_tokens,
    "migrations": schema.check_migrations,
    "security": tables.check_tables,
    "triggers": triggers.check_triggers,
    "queue": jobs.check_queue,
    "storage": storage.check_storage,
    "kv": kv.check_kv,
    "site": service.check_site,
    "regions": places.check_regions,
    "clocks": places.check_clocks,
    "size": functions.check_sizes,
    "start": functions.check_cold_start,
    "plans": service.check_free_tiers,
}

_DEPLOYMENT = ("SUPABASE_URL", "DATABASE_URL", "KV_REST_API_URL", "UPSTASH_REDIS_REST_URL", "ROWCAST_SITE_URL")
_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}
_MARKS = {"ok": "ok", "warn": "warn", "fail": "FAIL", "skip": "–"}

EnvFile = Annotated[
    Path | None,
    typer.Option("--env-file", metavar="FILE", help="Variables of the deployment, as `vercel env pull` writes them."),
]
Only = Annotated[
    list[str] | None, typer.Option("--only", metavar="CHECK", help=f"One of {', '.join(CHECKS)}; may be repeated.")
]


def doctor(*, env_file: EnvFile = None, only: Only = None, as_json: AsJson = False) -> int:
    """Look at a deployment from all sides and name what puts each finding right. Exit code 1 means that something fails.

    Looks at the deployment that --env-file or the environment names, else at the stack of this machine. Changes nothing:
    what is tried in the database is rolled back, what is written to Storage and the key-value store is deleted.
    """
    if unknown := sorted(set(only or ()) - CHECKS.keys()):
        raise CliError(f"there is no check {', '.join(unknown)}; there are {', '.join(CHECKS)}")
    subject = find_subject(env_file, os.environ)
    chosen = {name: check for name, check in CHECKS.items() if not only or name in only}
    with Steps() as steps:
        findings = list(examine(subject, chosen, steps.say if not as_json else lambda _: None))
    subject.close()
    if as_json:
        counts = {state: sum(each.state == state for each in findings) for state in _MARKS}
        report = {"kind": subject.kind, "is_well": not counts["fail"], "counts": counts}
        print(json.dumps({**report, "findings": [each.as_json() for each in findings]}, indent=2, ensure_ascii=False))
    else:
        typer.echo("\n".join(_lines(subject, findings)))  # without colours where nobody watches
    return 1 if any(each.state == "fail" for each in findings) else 0


def find_subject(env_file: Path | None, environ: Mapping[str, str]) -> Subject:
    """Find what is to be examined: the file, else the environment, else this machine's stack, else nothing at all."""
    if env_file is not None:
        if not env_file.is_file():
            raise CliError(f"{env_file} is not there; vercel env pull {env_file} --environment=production writes it")
        kept = {name: value.strip("\"'") for name, value in read_env(env_file).items()}
        return Subject(kept, _kind(kept))
    if any(environ.get(name) for name in _DEPLOYMENT):
        return Subject(dict(environ), _kind(environ))
    kept = read_env(Settings.load(environ).env_file)
    return Subject(kept, "embedded" if kept else "nothing")


def examine(subject: Subject, checks: Mapping[str, Check], say: Callable[[str], None]) -> Iterator[Finding]:
    """Run the checks one after the other; one that breaks is a finding itself and does not stop the others."""
    for name, check in checks.items():
        say(f"looking at {name}")
        try:
            yield from check(subject)
        except Exception as error:  # noqa: BLE001  the doctor must not fall ill of what it examines
            reason = (str(error).splitlines() or [""])[0]
            said = type(error).__name__ if "://" in reason else f"{type(error).__name__}: {reason}"
            yield fail(
                name, f"could not be looked at ({said[:160]})", fix="the findings before this one may name the cause"
            )


def _kind(environ: Mapping[str, str]) -> Literal["embedded", "hosted"]:
    """Tell the stack of a machine, all of whose addresses are its own, from what is hosted."""
    hosts = [urlsplit(environ.get(name, "")).hostname or "" for name in _DEPLOYMENT]
    return "embedded" if all(host in {"", "127.0.0.1", "localhost", "::1"} for host in hosts) else "hosted"


def _lines(subject: Subject, findings: Iterable[Finding]) -> Iterator[str]:
    found = list(findings)
    what = {
        "embedded": "the stack of this machine",
        "hosted": subject.settings.site_url
        if subject.environ.get("ROWCAST_SITE_URL")
        else subject.settings.supabase_url,
        "nothing": "this machine",
    }[subject.kind]
    yield f"Rowcast's doctor, looking at {what}\n"
    width = max((len(each.name) for each in found), default=0)
    for each in found:
        mark = typer.style(f"{_MARKS[each.state]:<5}", fg=_COLOURS.get(each.state), bold=each.state == "fail")
        yield f"  {mark} {each.name:<{width}}  {each.fact}"
        if each.fix:
            yield f"  {'':<5} {'':<{width}}  → {each.fix}"
    counts = {state: sum(each.state == state for each in found) for state in _MARKS}
    yield ""
    if counts["fail"]:
        many = "things are" if counts["fail"] > 1 else "thing is"
        yield f"{counts['fail']} {many} wrong, {counts['warn']} could be better; the arrows say what to do."
    elif counts["warn"]:
        yield f"All works; {counts['warn']} could be better."
    else:
        yield "All is well."
