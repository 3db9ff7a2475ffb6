"""What the world sees: the site, the API behind it, and what is left of the free plans."""

from collections.abc import Iterator

from api._commands.doctor.finding import Finding, fail, ok, skip, warn
from api._commands.doctor.places import bypass
from api._commands.doctor.subject import Away, Subject, utc_now
from api._lib import VERSION, free_tiers
from api._lib.free_tiers import Meter


def check_site(subject: Subject) -> Iterator[Finding]:
    """Open the site and ask the API whether it is ready."""
    site = subject.settings.site_url
    if not subject.environ.get("ROWCAST_SITE_URL"):
        yield skip("site", "ROWCAST_SITE_URL is not set")
        return
    try:
        page, took = subject.time_ask("GET", f"{site}/", headers=bypass(subject))
        health = subject.ask("GET", f"{site}/api/health", headers=bypass(subject))
        ready = subject.ask("GET", f"{site}/api/ready", headers=bypass(subject))
    except Away as away:
        fix = (
            "./rowcast up starts it" if subject.kind == "embedded" else "./rowcast deploy push --production deploys it"
        )
        yield fail("site", str(away), fix=fix)
        return
    if page.status_code in {401, 403}:
        fix = "set VERCEL_AUTOMATION_BYPASS_SECRET (Vercel → Settings → Deployment Protection → Automation)"
        yield fail("site", f"the deployment is protected (status {page.status_code})", fix=fix)
        return
    if not (page.is_success and health.is_success):
        fix = (
            "./rowcast logs site"
            if subject.kind == "embedded"
            else "vercel logs shows why; ./rowcast deploy push deploys again"
        )
        yield fail("site", f"page {page.status_code}, /api/health {health.status_code}", fix=fix)
        return
    version = health.json().get("version")
    if version != VERSION:
        yield warn(
            "site", f"Rowcast {version} is deployed, this is {VERSION}", fix="./rowcast deploy push --production"
        )
    else:
        yield ok("site", f"Rowcast {version}, the page in {took:.0f} ms")
    checks = ready.json().get("checks", {})
    bad = [f"{name}: {each.get('detail')}" for name, each in checks.items() if each.get("status") == "fail"]
    if bad:
        yield fail("api", f"not ready: {'; '.join(bad)}", fix="the findings above about those parts name what to do")
    else:
        yield ok("api", "ready: " + ", ".join(f"{name} {each['ms']:.0f} ms" for name, each in checks.items()))


def check_free_tiers(subject: Subject) -> Iterator[Finding]:
    """Read the meters: what is used, and whether it lasts until the month ends."""
    try:
        with subject.database() as connection:
            row = connection.execute("select public.usage() as usage").fetchone()
    except Away as away:
        yield skip("free plans", str(away))
        return
    except Exception as error:  # noqa: BLE001  psycopg's, whose module is not imported for a name
        yield skip("free plans", f"the database does not tell: {str(error).splitlines()[0][:120]}")
        return
    assert row is not None
    # The key-value store's commands are a finding of their own.
    meters = free_tiers.read(row["usage"], 0, subject.settings.kv_monthly_commands)[:3]
    said = ", ".join(f"{meter.quota.name} {_share(meter.share)}" for meter in meters)
    near = [meter for meter in meters if meter.share >= free_tiers.NEAR]
    soon = [meter for meter in meters if (meter.month_end(utc_now()) or 0.0) > 1 and meter not in near]
    if over := [meter for meter in near if meter.share >= 1]:
        yield fail("free plans", f"{said}; {over[0].quota.degrades}", fix=_spare(over[0]))
    elif near or soon:
        worst = (near or soon)[0]
        how = "nearly used up" if near else "used up before the month ends, if it goes on like this"
        yield warn("free plans", f"{said}; {worst.quota.name} is {how}", fix=_spare(worst))
    else:
        yield ok("free plans", f"used: {said}")


def _share(share: float) -> str:
    return f"{share:.0%}" if share >= 0.01 else "below 1%"  # noqa: PLR2004  a hundredth


def _spare(meter: Meter) -> str:
    return {
        "database": "lower ROWCAST_LOG_MAX_MB or ROWCAST_PREDICTION_DAYS (the nightly run deletes), or take a larger plan",
        "storage": "delete data sets and versions that nobody needs, or take a larger plan",
        "requests": "lower ROWCAST_LIMIT_ANONYMOUS, or take a larger plan",
        "kv_commands": "raise ROWCAST_KV_MONTHLY_COMMANDS, or take a larger plan",
    }[meter.quota.name]
