"""Python's collector of cyclic garbage, set for a process that answers requests.

By default it looks through everything young after each 700 new objects, and through everything there is ever so often:
with the imports of a function that is a pause of 90 ms. What is loaded stays until the process ends, so it is set aside;
what a request leaves behind is freed by reference counting, so looking for cycles can be rare.
"""

import gc
import sys

_YOUNG_OBJECTS = 20_000
_SWITCH_SECONDS = 1e-3
"""How long a thread that works on a large body may keep the others waiting. By default it is 5 ms."""


class _Loaded:
    """How often things were loaded that stay."""

    count = 0


def note_loaded() -> None:
    """Take note that something was loaded that stays: after the first time, the second, the fourth, and so on.

    Not after every one: garbage that is in cycles at that moment is set aside, too, and never freed.
    """
    _Loaded.count += 1
    if _Loaded.count == 1:
        gc.set_threshold(_YOUNG_OBJECTS, 10, 10)
        sys.setswitchinterval(_SWITCH_SECONDS)
    if _Loaded.count & (_Loaded.count - 1) == 0:
        gc.freeze()
