"""Asking ahead: what a page is going to need is asked for at once, so that it waits for the slowest answer, not for the sum.

The answers land in the caches of the `*_calls`, where the page finds them. What fails here is asked again by the page
itself, which knows how to say it.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from streamlit.runtime.scriptrunner import add_script_run_ctx

from api_client import CallFailed


@contextmanager
def ahead(*questions: Callable[[], object]) -> Iterator[None]:
    """Ask while the body goes on, and wait for the answers at its end."""
    threads = [threading.Thread(target=_ask, args=(question,), daemon=True) for question in questions]
    for thread in threads:
        add_script_run_ctx(thread)  # the caches are those of this person's session
        thread.start()
    try:
        yield
    finally:
        for thread in threads:
            thread.join()


def _ask(question: Callable[[], object]) -> None:
    with suppress(CallFailed):
        question()
