"""The platform's routing rules (Build Output API 3, `config.json`), in order and by phase.

Understood is what this project's build uses; a rule with anything else is refused, so that none is read half.
Source: the platform's documentation of its build output, and the router of its command line's `dev`.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_START, _FILESYSTEM = "start", "filesystem"
_PHASES = {_START, _FILESYSTEM, "miss", "error"}
_KEYS = {"src", "dest", "headers", "continue", "check", "status", "has"}


class RuleNotUnderstood(Exception):
    """The build has a rule of a kind that this rehearsal does not know; the message is the rule."""


@dataclass(frozen=True)
class Target:
    """What answers a request, and with which further headers."""

    status: int
    headers: dict[str, str]
    """By lower-case name; added to whatever answers."""
    function: str | None = None
    file: str | None = None
    """Inside the folder of static files."""
    address: str = ""
    """Path and query after the rewrite."""


class Router:
    """The rules of one build."""

    def __init__(self, routes: list[dict[str, Any]], functions: Collection[str], static: Path) -> None:
        self._phases: dict[str, list[dict[str, Any]]] = {name: [] for name in _PHASES}
        self._functions = set(functions)
        self._static = static
        phase = _START
        for rule in routes:
            if "handle" in rule:
                phase = rule["handle"]
            if phase not in _PHASES or ("handle" not in rule and not _is_understood(rule, phase)):
                raise RuleNotUnderstood(str(rule))
            if "handle" not in rule:
                self._phases[phase].append(rule)

    def resolve(self, path: str, agent: str = "") -> Target:
        """Say what answers a path, which is percent-encoded and has no query; `agent` is what the caller calls itself."""
        headers: dict[str, str] = {}
        for rule, _ in self._matching(_START, path):
            headers |= {name.lower(): value for name, value in rule.get("headers", {}).items()}
        found = self._find(path)
        if found is None:
            found = self._rewrite(path, agent)
        if isinstance(found, int):
            for rule, address in self._matching("error", path):
                if rule["status"] == found and (page := self._look(address)):
                    return Target(found, headers, file=page[1])
            return Target(found, headers)
        function, file, address = found
        return Target(200, headers, function, file, address)

    def addresses(self) -> set[str]:
        """List where the rewrites lead to."""
        return {rule["dest"] for rule in self._phases[_FILESYSTEM] if "dest" in rule}

    def _rewrite(self, path: str, agent: str) -> "tuple[str | None, str | None, str] | int":
        for rule, address in self._matching(_FILESYSTEM, path):
            if not all(re.fullmatch(asked["value"], agent) for asked in rule.get("has", [])):
                continue
            if "status" in rule:
                return int(rule["status"])
            if found := self._find(address):
                return found
        return 404

    def _find(self, address: str) -> tuple[str | None, str | None, str] | None:
        """Look for a function or a file, then once more where the rules for a miss lead."""
        if found := self._look(address):
            return (*found, address)
        for _, other in self._matching("miss", address.partition("?")[0]):
            if found := self._look(other):
                return (*found, other)
        return None

    def _look(self, address: str) -> tuple[str | None, str | None] | None:
        name = address.partition("?")[0].strip("/")
        if name in self._functions:
            return name, None
        for candidate in (name, f"{name}/index.html".lstrip("/")):
            file = (self._static / candidate).resolve()
            if file.is_file() and file.is_relative_to(self._static.resolve()):
                return None, candidate
        return None

    def _matching(self, phase: str, path: str) -> Iterator[tuple[dict[str, Any], str]]:
        """Yield the rules that match, each with its destination filled in."""
        for rule in self._phases[phase]:
            if matched := re.match(rule["src"], path):
                captured = matched.groups(default="")
                yield rule, re.sub(r"\$(\d)", lambda one, all_=captured: all_[int(one[1]) - 1], rule.get("dest", path))


def _is_understood(rule: dict[str, Any], phase: str) -> bool:
    if not set(rule) <= _KEYS or "src" not in rule:
        return False
    if phase == _START:
        return "has" not in rule and bool(rule.get("continue")) and "dest" not in rule and "status" not in rule
    if "continue" in rule or "headers" in rule:
        return False
    if any((each["type"], each.get("key")) != ("header", "user-agent") for each in rule.get("has", [])):
        return False
    return phase == "error" or ("dest" in rule and bool(rule.get("check"))) or ("status" in rule and "dest" not in rule)
