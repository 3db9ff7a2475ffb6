"""Rewrites that depend on who asks: what the hosting platform does for readers without script, done here as well."""

import re
from typing import Any

from starlette.types import Scope


class AgentRules:
    """The rewrites of `vercel.json` that are for some user agents only; each leads to a function by the caller's own path."""

    def __init__(self, rules: dict[str, Any]) -> None:
        self._rules = [
            (re.compile(rule["source"]), re.compile(rule["has"][0]["value"]))
            for rule in rules.get("rewrites", [])
            if [(each["type"], each["key"]) for each in rule.get("has", [])] == [("header", "user-agent")]
        ]

    def covers(self, path: str) -> bool:
        """Tell whether there is a rule for an address, whoever asks."""
        return any(source.fullmatch(path) for source, _ in self._rules)

    def takes(self, scope: Scope) -> bool:
        """Tell whether a request is answered by the API because of who asks."""
        if scope["type"] != "http":
            return False
        asker = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"user-agent"), "")
        return any(source.fullmatch(scope["path"]) and agent.fullmatch(asker) for source, agent in self._rules)
