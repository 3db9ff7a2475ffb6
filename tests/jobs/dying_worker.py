"""A worker that kills itself at one moment of a run, and notices within seconds that another one died.

    python -m tests.jobs.dying_worker MOMENT [--drain] [--concurrency N]

MOMENT is fetch, record, a stage of the trainer, or none. It dies by SIGKILL: nothing is tidied up.
"""

import os
import signal
import sys
from typing import Any

from api._jobs import run_record, train_run, worker
from api._jobs.storage import Storage

NONE = "none"


def die(*_: Any, **__: Any) -> Any:
    """End this process as the system's memory killer would."""
    os.kill(os.getpid(), signal.SIGKILL)


async def look_away() -> None:
    """Leave alone what other dead workers left: each of these dies over a run of its own."""


def arm(moment: str) -> None:
    """Put the end where it belongs."""
    if moment != NONE:
        worker._recover = look_away
    take_in, fetch = train_run._Attempt._take_in, Storage.fetch_dataset

    def take_in_or_die(self: Any, event: dict[str, Any]) -> None:
        if event.get("stage") == moment:
            die()
        take_in(self, event)

    def fetch_and_die(self: Any, *arguments: Any) -> Any:
        fetch(self, *arguments)
        die()

    train_run._Attempt._take_in = take_in_or_die  # type: ignore[method-assign]
    if moment == "fetch":
        Storage.fetch_dataset = fetch_and_die  # type: ignore[method-assign]
    if moment == "record":  # the files are up, no version knows of them
        run_record.RunRecord.register = die  # type: ignore[method-assign]


def main() -> int:
    """Run the worker with shorter patience, though more of it than a busy machine may let a living one be silent."""
    arm(sys.argv.pop(1))
    worker.HEARTBEAT_SECONDS, worker.STALLED_AFTER_SECONDS = 1.0, 10.0
    return worker.main()


if __name__ == "__main__":
    sys.exit(main())
