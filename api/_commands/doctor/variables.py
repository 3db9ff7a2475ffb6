"""Variables and keys: which are there, whether they fit, and whether each key is of the kind its name says."""

import base64
import binascii
import json
from collections.abc import Iterator

from api._commands.doctor.finding import Finding, fail, ok, skip, warn
from api._commands.doctor.subject import Subject
from api._lib.settings import SettingsInvalid, load_settings

FAMILIES = {
    "KV_REST_API_*": ("KV_REST_API_URL", "KV_REST_API_TOKEN"),
    "UPSTASH_REDIS_REST_*": ("UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN"),
}
NEEDED = ("SUPABASE_URL", "SUPABASE_PUBLISHABLE_KEY", "SUPABASE_SECRET_KEY")
PUBLIC_PREFIXES = ("VITE_", "NEXT_PUBLIC_", "PUBLIC_")
"""What a build writes into files that everybody can read."""

_WHERE = "Supabase dashboard → Settings → API keys"


def check_variables(subject: Subject) -> Iterator[Finding]:
    """Tell which variables are set, by name, and whether a function would start with them."""
    if subject.kind == "nothing":
        yield warn(
            "variables",
            "no variables are set, and no stack was ever started here",
            fix="./rowcast up starts everything here; for a deployment name its variables with --env-file FILE",
        )
        return
    missing = [name for name in NEEDED if not subject.environ.get(name)]
    try:
        load_settings(subject.environ)
    except SettingsInvalid as error:
        yield fail("variables", str(error), fix="correct that variable where the deployment keeps it, and deploy again")
    else:
        if missing:
            yield fail(
                "variables",
                f"not set: {', '.join(missing)}",
                fix=f"./rowcast deploy asks for them; they are at {_WHERE}",
            )
        else:
            yield ok("variables", f"{', '.join(NEEDED)} are set")
    yield _check_family(subject)
    if subject.kind == "hosted" and not subject.environ.get("CRON_SECRET"):
        yield warn(
            "cron secret",
            "CRON_SECRET is not set: the platform's cron is refused",
            fix="./rowcast deploy makes one, or: vercel env add CRON_SECRET production",
        )


def check_keys(subject: Subject) -> Iterator[Finding]:
    """Tell each key's kind by its form; no key is ever printed."""
    publishable = subject.environ.get("SUPABASE_PUBLISHABLE_KEY", "")
    secret = subject.environ.get("SUPABASE_SECRET_KEY", "")
    if not (publishable or secret):
        yield skip("keys", "no keys are set")
        return
    if kind_of(publishable) in SECRET_KINDS:
        swapped = kind_of(secret) in PUBLIC_KINDS
        yield fail(
            "keys",
            "SUPABASE_PUBLISHABLE_KEY holds a secret key, which /api/config shows to everybody"
            + ("; the two keys are swapped" if swapped else ""),
            fix=f"put sb_publishable_… there and sb_secret_… into SUPABASE_SECRET_KEY, then replace the key at {_WHERE}",
        )
    elif secret and kind_of(secret) in PUBLIC_KINDS:
        yield fail(
            "keys",
            "SUPABASE_SECRET_KEY holds a public key: webhooks and API keys cannot work",
            fix=f"put the secret key (sb_secret_…) there, from {_WHERE}",
        )
    else:
        yield from _check_kinds(publishable, secret)
    shown = [name for name in subject.environ if name.startswith(PUBLIC_PREFIXES) and _is_secret(subject, name)]
    if shown:
        yield fail(
            "keys in the site",
            f"{', '.join(sorted(shown))} holds a secret, and a build writes it into public files",
            fix="delete that variable, replace the key, and build again: the site needs no variable at all",
        )


def _check_kinds(publishable: str, secret: str) -> Iterator[Finding]:
    found = {"SUPABASE_PUBLISHABLE_KEY": kind_of(publishable), "SUPABASE_SECRET_KEY": kind_of(secret)}
    legacy = [name for name, kind in found.items() if kind.startswith("legacy")]
    unknown = [name for name, kind in found.items() if kind == "unknown"]
    if legacy:
        yield warn(
            "keys",
            f"{', '.join(legacy)} holds a legacy key (a JWT), which Supabase gives up at the end of 2026",
            fix=f"make keys of the new kind (sb_publishable_…, sb_secret_…) at {_WHERE} and put them in their place",
        )
    elif unknown:
        yield fail(
            "keys",
            f"{', '.join(unknown)} holds no key that Supabase makes",
            fix=f"copy it again from {_WHERE}: sb_publishable_… and sb_secret_…",
        )
    else:
        yield ok("keys", ", ".join(f"{name} is {kind}" for name, kind in found.items()))


PUBLIC_KINDS = ("publishable", "legacy anon")
SECRET_KINDS = ("secret", "legacy service_role")


def kind_of(key: str) -> str:
    """Name a key's kind: publishable, secret, legacy anon, legacy service_role, absent or unknown."""
    if not key:
        return "absent"
    for kind in ("publishable", "secret"):
        if key.startswith(f"sb_{kind}_"):
            return kind
    parts = key.split(".")
    if len(parts) == 3:  # noqa: PLR2004  head, claims and signature of a JWT
        try:
            claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        except (ValueError, binascii.Error):
            return "unknown"
        role = claims.get("role") if isinstance(claims, dict) else None
        return f"legacy {role}" if role in {"anon", "service_role"} else "unknown"
    return "unknown"


def _is_secret(subject: Subject, name: str) -> bool:
    value = subject.environ[name]
    secrets = ("SUPABASE_SECRET_KEY", "KV_REST_API_TOKEN", "UPSTASH_REDIS_REST_TOKEN", "CRON_SECRET", "DATABASE_URL")
    return kind_of(value) in SECRET_KINDS or any(value and value == subject.environ.get(each) for each in secrets)


def _check_family(subject: Subject) -> Finding:
    """Tell in which of its two families of names Upstash is given."""
    environ = subject.environ
    whole = [name for name, pair in FAMILIES.items() if all(environ.get(each) for each in pair)]
    half = [name for name, pair in FAMILIES.items() if any(environ.get(each) for each in pair) and name not in whole]
    if len(whole) > 1 and len({environ[FAMILIES[name][0]].rstrip("/") for name in whole}) > 1:
        return warn(
            "kv variables",
            f"{' and '.join(whole)} name two stores; {whole[0]} is used",
            fix=f"delete {' and '.join(FAMILIES[whole[1]])}",
        )
    if whole:
        return ok("kv variables", f"{' and '.join(whole)} are set")
    if half:
        absent = [each for name in half for each in FAMILIES[name] if not environ.get(each)]
        return fail("kv variables", f"half a pair: {', '.join(absent)} is not set", fix=f"set {', '.join(absent)} too")
    return warn(
        "kv variables",
        "no key-value store: answers are cached and limits counted by each instance for itself",
        fix="add Upstash Redis to the Vercel project (Storage → Upstash), or set KV_REST_API_URL and KV_REST_API_TOKEN",
    )
