"""Paths into a payload, a small part of JSONPath: `$.record.age`, `record.items[0].x`, `@.name`, `$.data["a b"]`, `$.lines[*]`.

`$`, or nothing, starts at the payload; `@` starts at the row. `[*]` stands at the end only, where a path names all rows.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

MAX_CHARACTERS = 300
_STEP = re.compile(
    r"""\.(?P<name>[^\s.\[\]"'$@]+) | \[(?P<index>[0-9]{1,6})\] | \["(?P<double>[^"]+)"\] | \['(?P<single>[^']+)'\]""",
    re.VERBOSE,
)
_FIRST = re.compile(r"""[^\s.\[\]"'$@]+""")
_POINTER_SAFE = "!$&'()*+,;=:@~"


class PathInvalid(ValueError):
    """A text is no path; the message says what one looks like."""


class _Missing:
    """What a path finds where nothing is."""


MISSING = _Missing()


@dataclass(frozen=True, slots=True)
class Path:
    """One path, read."""

    start: Literal["$", "@"]
    steps: tuple[str | int, ...]
    is_many: bool = False
    """It ends in `[*]`: it means each element of a list."""

    def find(self, payload: object, row: object = None) -> Any:
        """Follow it, and return what is there or `MISSING`."""
        found = payload if self.start == "$" else row
        for step in self.steps:
            match found, step:
                case Mapping(), str() if step in found:
                    found = found[step]
                case Sequence(), int() if not isinstance(found, str) and step < len(found):
                    found = found[step]
                case _:
                    return MISSING
        return found

    def pointer(self, row_pointer: str = "#") -> str:
        """Write it as a JSON pointer; `row_pointer` is where the row is."""
        return "/".join(["#" if self.start == "$" else row_pointer, *map(escaped, self.steps)])


def read_path(text: str, *, may_be_many: bool = False) -> Path:
    """Read a path.

    Raises:
        PathInvalid: it is none.
    """
    written = text.strip()
    if len(written) > MAX_CHARACTERS:
        raise PathInvalid(f"a path has at most {MAX_CHARACTERS} characters")
    is_many = may_be_many and written.endswith("[*]")
    rest = written.removesuffix("[*]") if is_many else written
    start, place, steps = "$", 0, list[str | int]()
    if rest[:1] in {"$", "@"}:
        start, place = rest[0], 1
    elif first := _FIRST.match(rest):
        place = first.end()
        steps.append(first[0])
    while place < len(rest) and (step := _STEP.match(rest, place)):
        place = step.end()
        steps.append(int(step["index"]) if step["index"] else step["name"] or step["double"] or step["single"])
    if place < len(rest) or not rest:
        raise PathInvalid(f"{text!r} is no path; write it like $.record.age, record.items[0].x or @.name")
    return Path("@" if start == "@" else "$", tuple(steps), is_many)


def escaped(step: str | int) -> str:
    """Write a step as a part of a JSON pointer in URI fragment form."""
    return quote(str(step).replace("~", "~0").replace("/", "~1"), safe=_POINTER_SAFE)
