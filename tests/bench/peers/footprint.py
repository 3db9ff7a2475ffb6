"""What has to be installed for a prediction by Rowcast: the packages of a function, and its own files."""

import re
from importlib.metadata import distribution

from api._stack.settings import REPOSITORY

_PINNED = re.compile(r"^([\w.-]+)==")


def function_bytes() -> int:
    """Sum the sizes of what a function carries, without byte-code."""
    lines = (REPOSITORY / "api" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    names = [matched[1] for line in lines if (matched := _PINNED.match(line))]
    total = 0
    for name in names:
        for file in distribution(name).files or []:
            path = file.locate()
            if path.is_file() and path.suffix != ".pyc":
                total += path.stat().st_size
    own = [*(REPOSITORY / "api").glob("*.py"), *(REPOSITORY / "api" / "_lib").rglob("*.py")]
    return total + sum(path.stat().st_size for path in [*own, *(REPOSITORY / "models").glob("*.py")])
