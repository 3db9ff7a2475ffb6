"""No credential is in the repository, and the rules that find careless code are on."""

import re
import tomllib
from pathlib import Path

import pytest

from tests.promises.sources import REPOSITORY, tracked

# Each is what such a credential looks like in full; the names and beginnings alone may stand in code and texts.
CREDENTIALS = {
    "Supabase secret key": r"sb_secret_[A-Za-z0-9_-]{20,}",
    "Supabase access token": r"sbp_[a-f0-9]{40}",
    "JSON web token": r"eyJ[A-Za-z0-9_-]{15,}\.eyJ[A-Za-z0-9_-]{15,}\.[A-Za-z0-9_-]{20,}",
    "Rowcast API key": r"\brc_[A-Za-z0-9]{10}_[A-Za-z0-9]{40}\b",
    "webhook secret": r"whsec_[A-Za-z0-9+/]{32,}",
    "private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/=]{40}",
    "AWS key": r"\bAKIA[0-9A-Z]{16}\b",
    "GitHub token": r"\b(gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60,})",
    "Vercel token": r"\bvc[pkar]_[A-Za-z0-9]{24,}",
    "Google key": r"\bAIza[0-9A-Za-z_-]{35}\b",
    "Slack token": r"\bxox[abprs]-[A-Za-z0-9-]{20,}",
    "password in an address": r"\b(?:postgres(?:ql)?|rediss?|https?)://[^\s:/@{}<>$]+:[^\s:/@{}<>$\\]{8,}@(?!127\.0\.0\.1|localhost|example\.com/)",
}
MADE_UP = {"whsec_b3RoZXItc2VjcmV0LW9mLTMyLWJ5dGVzLWZvci11cw"}
"""What tests say a sender brought along: it reads "other-secret-of-32-bytes-for-us"."""

LOCKS = {"poetry.lock", "package-lock.json", "api/requirements.txt", "web/dashboard/requirements.txt"}


def _found(text: str) -> list[str]:
    return [
        name
        for name, pattern in CREDENTIALS.items()
        if any(found[0] not in MADE_UP for found in re.finditer(pattern, text))
    ]


def test_no_credential_is_in_the_repository():
    """Every file that a commit would hold, whatever its kind."""
    found = {
        str(path.relative_to(REPOSITORY)): names
        for path in tracked()
        if str(path.relative_to(REPOSITORY)) not in LOCKS
        if (names := _found(path.read_text(encoding="utf-8", errors="ignore")))
    }

    assert found == {}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Supabase secret key", "sb_secret_" + "aB3" * 8),
        ("JSON web token", "eyJ" + "a" * 20 + ".eyJ" + "b" * 20 + "." + "c" * 40),
        ("Rowcast API key", "rc_" + "k" * 10 + "_" + "s" * 40),
        ("webhook secret", "whsec_" + "QUJD" * 8),
        ("private key", "-----BEGIN EC " + "PRIVATE KEY-----\n" + "M" * 64),
        ("GitHub token", "ghp_" + "x" * 36),
        ("password in an address", "postgresql://me:" + "correct-horse" + "@db.example.com/postgres"),
    ],
)
def test_a_credential_would_be_found(name: str, text: str):
    """A scan that finds nothing must be able to find something."""
    assert _found(f"a line before\n{text}\n") == [name]


@pytest.mark.parametrize("name", [".env", ".rowcast/env", ".streamlit/secrets.toml", ".vercel/project.json"])
def test_places_of_secrets_are_ignored(name: str):
    """Where secrets lie on a machine, git does not look."""
    assert tracked(name) == []
    ignored = (REPOSITORY / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert any(Path(name).match(line.strip("/")) or name.startswith(line.strip("/") + "/") for line in ignored if line)


def test_careless_code_is_an_error():
    """The linter's security rules (bandit's) are on for everything that runs; what they must not see is named with its reason."""
    rules = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]["lint"]

    assert rules["select"] == ["ALL"]
    assert {rule for rule in rules["ignore"] if rule.startswith("S")} == {"S101", "S603", "S607"}
    loosened = {
        folder for folder, off in rules["per-file-ignores"].items() if any(rule.startswith("S") for rule in off)
    }
    assert loosened <= {"tests/**"}
