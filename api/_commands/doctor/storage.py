"""Storage: the buckets are there and closed, and bytes go in by a signed address and come out again."""

import secrets
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

from api._commands.doctor.finding import Finding, fail, ok, skip
from api._commands.doctor.subject import Away, Subject
from api._lib.store.files import DATASETS, MODELS, RESULTS

_APPLY = "./rowcast deploy migrate makes them; or make them at Supabase dashboard → Storage, not public"


def check_storage(subject: Subject) -> Iterator[Finding]:
    """Look at each bucket, then take one small object through its whole life."""
    known = subject.settings
    if not (known.supabase_url and known.supabase_secret_key):
        yield skip("storage", "SUPABASE_URL or SUPABASE_SECRET_KEY is not set")
        return
    headers = {"apikey": known.supabase_secret_key}
    base = f"{known.supabase_url}/storage/v1"
    try:
        found = {
            name: subject.ask("GET", f"{base}/bucket/{name}", headers=headers) for name in (DATASETS, MODELS, RESULTS)
        }
        missing = [name for name, answer in found.items() if not answer.is_success]
        if missing:
            said = ", ".join(f"{name} ({found[name].status_code})" for name in missing)
            yield fail("storage", f"no bucket {said}", fix=_APPLY)
            return
        public = [name for name, answer in found.items() if answer.json().get("public")]
        if public:
            fix = "Supabase dashboard → Storage → Edit bucket: switch 'Public bucket' off"
            yield fail("storage", f"open to everybody: {', '.join(public)}", fix=fix)
            return
        yield _round_trip(subject, base, headers)
    except Away as away:
        yield skip("storage", str(away))


def _round_trip(subject: Subject, base: str, headers: dict[str, str]) -> Finding:
    path, content = f"rowcast/doctor/{secrets.token_hex(8)}.csv", secrets.token_hex(16).encode()
    fix = "look at Supabase dashboard → Storage → Logs; a full project (1 GB on the free plan) refuses uploads"
    signed, took = subject.time_ask("POST", f"{base}/object/upload/sign/{DATASETS}/{path}", headers=headers, json={})
    if not signed.is_success:
        return fail("storage", f"no upload address is signed (status {signed.status_code})", fix=fix)
    told = signed.json()
    token = parse_qs(urlsplit(told.get("url") or told["signedUrl"]).query)["token"][0]
    sent, put = subject.time_ask(
        "PUT",
        f"{base}/object/upload/sign/{DATASETS}/{path}?token={token}",
        content=content,
        headers={"content-type": "text/csv"},
    )
    try:
        if not sent.is_success:
            return fail("storage", f"an upload to a signed address is refused (status {sent.status_code})", fix=fix)
        fetched, get = subject.time_ask("GET", f"{base}/object/{DATASETS}/{path}", headers=headers)
        if fetched.content != content:
            return fail("storage", f"other bytes come back than went in (status {fetched.status_code})", fix=fix)
        return ok(
            "storage", f"3 closed buckets; signed in {took:.0f} ms, uploaded in {put:.0f} ms, read in {get:.0f} ms"
        )
    finally:
        subject.ask("DELETE", f"{base}/object/{DATASETS}", headers=headers, json={"prefixes": [path]})
