"""What the doctor says about one thing: how it is, what was measured, and what puts it right."""

from dataclasses import asdict, dataclass
from typing import Literal

State = Literal["ok", "warn", "fail", "skip"]


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    name: str
    """What was looked at; a fixed word, for programs."""

    state: State
    fact: str
    """What was found, with its numbers; one line, never a secret."""

    fix: str = ""
    """What to do about it; always there when the state is warn or fail."""

    def as_json(self) -> dict[str, str]:
        """Return the finding as a JSON object."""
        return asdict(self)


def ok(name: str, fact: str) -> Finding:
    """Report that something is as it should be."""
    return Finding(name, "ok", fact)


def warn(name: str, fact: str, *, fix: str) -> Finding:
    """Report something that works, and could be better or soon will not work."""
    return Finding(name, "warn", fact, fix)


def fail(name: str, fact: str, *, fix: str) -> Finding:
    """Report something that does not work or is not safe."""
    return Finding(name, "fail", fact, fix)


def skip(name: str, fact: str) -> Finding:
    """Report that something could not be looked at, or does not apply here."""
    return Finding(name, "skip", fact)
