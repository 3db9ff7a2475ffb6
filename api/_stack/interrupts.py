"""How a person or the system ends the stack: every usual signal becomes one KeyboardInterrupt, once."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _Postponed:
    """An interruption that came where it would have done harm. Signals reach the main thread only, so there is one."""

    is_wanted = False
    has_come = False


@contextmanager
def whole() -> Iterator[None]:
    """Let the block be done as a whole: an interruption in it is raised behind it."""
    if threading.current_thread() is not threading.main_thread() or _Postponed.is_wanted:
        yield
        return
    _Postponed.is_wanted = True
    try:
        yield
    finally:
        _Postponed.is_wanted = False
        if _Postponed.has_come:
            _Postponed.has_come = False
            raise KeyboardInterrupt


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise KeyboardInterrupt at the first signal and take no notice of later ones, for then everything is being ended."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        if _Postponed.is_wanted:
            _Postponed.has_come = True
        else:
            raise KeyboardInterrupt

    previous = {each: signal.signal(each, interrupt) for each in _SIGNALS}
    try:
        yield
    finally:
        for each, handler in previous.items():
            signal.signal(each, handler)
