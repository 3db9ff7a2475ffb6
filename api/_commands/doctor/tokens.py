"""Access tokens: with which keys they are signed, by whom and for whom, and whether what a function expects is what comes."""

from collections.abc import Iterator, Mapping
from typing import Any

from api._commands.doctor.finding import Finding, fail, ok, skip
from api._commands.doctor.subject import Away, Subject

ACCEPTED = {"ES256", "RS256"}
_ROTATE = "Supabase dashboard → Settings → JWT keys: make an ECC (P-256) key and rotate to it; wait 20 minutes"


def check_tokens(subject: Subject) -> Iterator[Finding]:
    """Look at the published keys and the issuer, then sign in if an account is at hand."""
    known = subject.settings
    if not known.supabase_url:
        yield skip("signing keys", "SUPABASE_URL is not set")
        return
    try:
        if subject.kind == "embedded":
            yield ok("signing keys", "the embedded stack signs with a secret of this machine (HS256)")
        elif known.supabase_jwt_secret:
            yield fail(
                "signing keys",
                "SUPABASE_JWT_SECRET is set: functions accept HS256 tokens, which whoever knows the secret can forge",
                fix=f"delete that variable (vercel env rm SUPABASE_JWT_SECRET) and deploy again. {_ROTATE}",
            )
        else:
            yield _check_published(subject)
            yield _check_issuer(subject)
        yield _sign_in(subject)
    except Away as away:
        yield skip("tokens", str(away))


def _check_published(subject: Subject) -> Finding:
    answer = subject.ask("GET", f"{subject.settings.supabase_url}/auth/v1/.well-known/jwks.json")
    keys = answer.json().get("keys", []) if answer.is_success else []
    algorithms = sorted({str(key.get("alg")) for key in keys})
    if not keys:
        said = (
            "no keys are published: the project signs with a shared secret"
            if answer.is_success
            else f"status {answer.status_code}"
        )
        return fail("signing keys", f"{said}; nobody can sign in to Rowcast", fix=_ROTATE)
    if not ACCEPTED & set(algorithms):
        return fail("signing keys", f"published for {', '.join(algorithms)}, which is not accepted", fix=_ROTATE)
    return ok("signing keys", f"{len(keys)} published, {', '.join(algorithms)}")


def _check_issuer(subject: Subject) -> Finding:
    expected = f"{subject.settings.supabase_url}/auth/v1"
    answer = subject.ask("GET", f"{expected}/.well-known/openid-configuration")
    issuer = answer.json().get("issuer") if answer.is_success else None
    if issuer is None:
        return skip("issuer", f"the project does not tell its issuer (status {answer.status_code})")
    if issuer.rstrip("/") != expected:
        return fail(
            "issuer",
            f"tokens come from {issuer}, functions expect {expected}",
            fix=f"set SUPABASE_URL to {issuer.removesuffix('/auth/v1')} (not the custom domain, or only it) and deploy again",
        )
    return ok("issuer", expected)


def _sign_in(subject: Subject) -> Finding:
    environ, known = subject.environ, subject.settings
    email = environ.get("ROWCAST_EMAIL") or environ.get("ROWCAST_ADMIN_EMAIL", "")
    password = environ.get("ROWCAST_PASSWORD") or environ.get("ROWCAST_ADMIN_PASSWORD", "")
    if not (email and password):
        return skip("sign-in", "set ROWCAST_EMAIL and ROWCAST_PASSWORD to try it")
    answer = subject.ask(
        "POST",
        f"{known.supabase_url}/auth/v1/token?grant_type=password",
        headers={"apikey": known.supabase_publishable_key},
        json={"email": email, "password": password},
    )
    if not answer.is_success:
        fix = f"./rowcast user add {email} --role admin makes the account, or correct ROWCAST_PASSWORD"
        return fail("sign-in", f"{email} is refused (status {answer.status_code})", fix=fix)
    return _judge(_claims(answer.json()["access_token"]), email, known.supabase_url, is_hosted=subject.kind == "hosted")


def _judge(token: Mapping[str, Any], email: str, supabase_url: str, *, is_hosted: bool) -> Finding:
    wrong = []
    audience = token.get("aud")
    if audience != "authenticated" and "authenticated" not in (audience if isinstance(audience, list) else ()):
        wrong.append(f"audience {audience!r}")
    if token.get("role") != "authenticated":
        wrong.append(f"role {token.get('role')!r}")
    if is_hosted and token.get("iss") != f"{supabase_url}/auth/v1":
        wrong.append(f"issuer {token.get('iss')!r}")
    if is_hosted and token["alg"] not in ACCEPTED:
        wrong.append(f"algorithm {token['alg']}")
    if wrong:
        return fail("sign-in", f"the token of {email} is not what functions accept: {', '.join(wrong)}", fix=_ROTATE)
    return ok("sign-in", f"{email} gets a token that functions accept ({token['alg']})")


def _claims(token: str) -> dict[str, Any]:
    """Read a token that came straight from its issuer, with its algorithm; nothing is decided by it."""
    import jwt

    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return {**claims, "alg": jwt.get_unverified_header(token).get("alg")}
