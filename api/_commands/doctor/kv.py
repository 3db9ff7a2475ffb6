"""The key-value store: does the token write, how long does a call take, how much of the month's budget is spent."""

import secrets
import statistics
from collections.abc import Iterator

from api._commands.doctor.finding import Finding, fail, ok, skip, warn
from api._commands.doctor.subject import Away, Subject, utc_now
from api._lib.free_tiers import NEAR
from api._lib.kv import KV_TIMEOUT_SECONDS

CALLS = 3
SLOW_MS = 60
"""In one region a call takes a tenth of this; above it a shared answer costs more than most predictions."""

_COPY_AGAIN = (
    "copy URL and token of the same database from console.upstash.com (not the read-only token), and deploy again"
)


def check_kv(subject: Subject) -> Iterator[Finding]:
    """Write, read and delete one key a few times, in one round trip each, as a prediction does."""
    known = subject.settings
    if not (known.kv_url and known.kv_token):
        yield skip("kv", "no key-value store is configured")
        return
    key, value = f"rowcast:doctor:{secrets.token_hex(6)}", secrets.token_hex(4)
    counter = f"rowcast:commands:{utc_now():%Y-%m}"
    commands = [["SET", key, value, "EX", "60"], ["GET", key], ["DEL", key], ["GET", counter]]
    headers = {"authorization": f"Bearer {known.kv_token}"}
    try:
        asked = [
            subject.time_ask("POST", f"{known.kv_url}/pipeline", json=commands, headers=headers) for _ in range(CALLS)
        ]
    except Away as away:
        fix = (
            "./rowcast status"
            if subject.kind == "embedded"
            else "check the URL; Upstash archives a free database after 30 quiet days: console.upstash.com restores it"
        )
        yield fail("kv", f"{away}; predictions go on without it", fix=fix)
        return
    answer, times = asked[-1][0], [took for _, took in asked]
    if answer.status_code in {401, 403}:
        yield fail("kv", f"the token is refused (status {answer.status_code})", fix=_COPY_AGAIN)
        return
    results = answer.json() if answer.is_success else []
    wrong = next((each["error"] for each in results if "error" in each), "")
    if not answer.is_success or wrong or results[1]["result"] != value:
        said = wrong[:80] or f"status {answer.status_code}"
        yield fail("kv", f"a key cannot be written and read back: {said}", fix=_COPY_AGAIN)
        return
    yield _judge(min(times), statistics.median(times), subject)
    yield _count(int(results[3]["result"] or 0), known.kv_monthly_commands)


def _judge(best: float, middle: float, subject: Subject) -> Finding:
    said = f"write, read and delete in one call: {middle:.0f} ms (best {best:.0f} ms)"
    where = "make the store in the region of the functions and of Supabase (console.upstash.com shows it)"
    if best > KV_TIMEOUT_SECONDS * 1e3:
        return fail("kv", f"{said}; functions give up after {KV_TIMEOUT_SECONDS * 1e3:.0f} ms", fix=where)
    if best > SLOW_MS:
        # From a desk this is the way there; only a function's own view (see `regions`) tells of functions.
        here = "" if subject.kind == "embedded" else " from here"
        return warn(
            "kv", f"{said}{here}: slower than most predictions", fix=f"{where}; compare with the finding 'regions'"
        )
    return ok("kv", said)


def _count(spent: int, budget: int) -> Finding:
    said = f"{spent:,} of {budget:,} commands of this month are spent"
    if spent >= budget:
        return fail(
            "kv budget",
            f"{said}: the store is left alone until the month ends",
            fix="raise ROWCAST_KV_MONTHLY_COMMANDS if the plan allows more (free: 500,000), else wait for the 1st",
        )
    if spent >= NEAR * budget:
        fix = "raise ROWCAST_KV_MONTHLY_COMMANDS if the plan allows more (free: 500,000)"
        return warn("kv budget", said, fix=fix)
    return ok("kv budget", said)
