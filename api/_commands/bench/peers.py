"""The same models behind other servers: the comparison lives with the tests, for the product needs none of it."""

import os
import sys
from typing import NoReturn

from api._stack.settings import REPOSITORY


def compare(*, is_written: bool) -> NoReturn:
    """Become the comparison; it ends all that it starts, on Ctrl-C too."""
    os.chdir(REPOSITORY)
    os.execv(sys.executable, [sys.executable, "-m", "tests.bench.peers", *(["--write"] if is_written else [])])  # noqa: S606
