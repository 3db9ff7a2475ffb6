"""Where everything is, and what time it is there: regions far apart cost every prediction, clocks apart cost every token."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from api._commands.doctor.finding import Finding, fail, ok, skip, warn
from api._commands.doctor.subject import Away, Subject, utc_now
from api._lib.auth import CLOCK_LEEWAY_SECONDS

FAR_MS = 40
"""A call between two regions takes at least this; within one, a tenth."""

NOTED_SECONDS = 3.0
"""Headers tell whole seconds, and the way takes a while."""

AWS_REGIONS = {
    "arn1": "eu-north-1", "bom1": "ap-south-1", "cdg1": "eu-west-3", "cle1": "us-east-2", "cpt1": "af-south-1",
    "dub1": "eu-west-1", "dxb1": "me-central-1", "fra1": "eu-central-1", "gru1": "sa-east-1", "hkg1": "ap-east-1",
    "hnd1": "ap-northeast-1", "iad1": "us-east-1", "icn1": "ap-northeast-2", "kix1": "ap-northeast-3",
    "lhr1": "eu-west-2", "pdx1": "us-west-2", "sfo1": "us-west-1", "sin1": "ap-southeast-1", "syd1": "ap-southeast-2",
    "yul1": "ca-central-1",
}  # fmt: skip
"""Vercel's names of the regions (vercel.com/docs/regions)."""

_POOLER = re.compile(r"@aws-\d+-([a-z0-9-]+)\.pooler\.supabase\.com")


def check_regions(subject: Subject) -> Iterator[Finding]:
    """Compare the regions that can be told, and ask the deployed functions how far they have it."""
    if subject.kind != "hosted":
        yield skip("regions", "everything is on one machine" if subject.kind == "embedded" else "nothing is configured")
        return
    site = subject.settings.site_url
    if "127.0.0.1" in site or not subject.environ.get("ROWCAST_SITE_URL"):
        yield skip("regions", "ROWCAST_SITE_URL does not name a deployment")
        return
    found = _POOLER.search(subject.settings.database_url)
    database = found[1] if found else ""
    try:
        health = subject.ask("GET", f"{site}/api/health", headers=bypass(subject))
        code = str(health.json().get("region") or "") if health.is_success else ""
        ready = subject.ask("GET", f"{site}/api/ready", headers=bypass(subject))
        checks = ready.json().get("checks", {}) if ready.is_success else {}
    except (Away, ValueError) as error:
        yield skip("regions", str(error) if isinstance(error, Away) else f"{site} does not answer with JSON")
        return
    functions = AWS_REGIONS.get(code, code)
    times = {name: float(checks[name]["ms"]) for name in ("database", "storage", "kv") if name in checks}
    yield _judge(functions, code, database, times)


def _judge(functions: str, code: str, database: str, times: dict[str, float]) -> Finding:
    told = f"functions in {functions or '?'}" + (f" ({code})" if code else "") + f", database in {database or '?'}"
    measured = ", ".join(f"{name} {ms:.0f} ms" for name, ms in times.items())
    said = f"{told}; from a function: {measured or 'not told'}"
    wanted = next((each for each, region in AWS_REGIONS.items() if region == database), "")
    if functions and database and functions != database:
        fix = (
            f"Vercel → Settings → Functions → Region: {wanted}"
            if wanted
            else "move one of them into the other's region"
        )
        return fail("regions", said, fix=f"{fix}, then deploy again")
    far = [name for name, ms in times.items() if ms > FAR_MS]
    if far:
        return warn(
            "regions", said, fix=f"ask again (a first call is slower); if it stays, move {', '.join(far)} closer"
        )
    return ok("regions", said)


def bypass(subject: Subject) -> dict[str, str]:
    """Return the header that opens a protected deployment, where its secret is known."""
    secret = subject.environ.get("VERCEL_AUTOMATION_BYPASS_SECRET", "")
    return {"x-vercel-protection-bypass": secret} if secret else {}


def check_clocks(subject: Subject) -> Iterator[Finding]:
    """Compare this machine's clock with each server's `Date` and with the database's."""
    known = subject.settings
    apart: dict[str, float] = {}
    for name, url in (
        ("supabase", f"{known.supabase_url}/auth/v1/health" if known.supabase_url else ""),
        ("site", f"{known.site_url}/api/health" if subject.environ.get("ROWCAST_SITE_URL") else ""),
        ("kv", known.kv_url),
    ):
        if url and (seconds := _ask_date(subject, url)) is not None:
            apart[name] = seconds
    try:
        with subject.database() as connection:
            before = utc_now()
            row = connection.execute("select clock_timestamp() as now").fetchone()
            assert row is not None
            apart["database"] = _apart(row["now"], before, resolution=timedelta(0))
    except Away:
        pass
    if not apart:
        yield skip("clocks", "no server tells the time")
        return
    said = ", ".join(f"{name} {seconds:+.1f} s" for name, seconds in apart.items())
    worst = max(abs(seconds) for seconds in apart.values())
    fix = "set this machine's clock by NTP (timedatectl set-ntp true); if only one server is apart, that one's"
    if worst > CLOCK_LEEWAY_SECONDS:
        yield fail("clocks", f"apart from here: {said}; tokens and webhooks are refused", fix=fix)
    elif worst > NOTED_SECONDS:
        yield warn("clocks", f"apart from here: {said}", fix=fix)
    else:
        yield ok("clocks", f"together with {', '.join(apart)} (within {max(worst, 0.1):.1f} s)")


def _ask_date(subject: Subject, url: str) -> float | None:
    before = utc_now()
    try:
        told = subject.ask("GET", url, headers={"apikey": subject.settings.supabase_publishable_key}).headers.get(
            "date"
        )
    except Away:
        return None
    return None if told is None else _apart(parsedate_to_datetime(told), before, resolution=timedelta(seconds=1))


def _apart(told: datetime, before: datetime, *, resolution: timedelta) -> float:
    """Return by how many seconds a clock is ahead of ours; zero where it can have been the same time."""
    after, told = utc_now(), told.astimezone(UTC)
    if told > after:
        return (told - after).total_seconds()
    return min(0.0, (told + resolution - before).total_seconds())
