"""How an attempt at a piece of work ends: done, failed with a reason, given back, or tried again later."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import psycopg

from api._jobs.errors import RunInterrupted, RunLost, RunPostponed, RunRejected
from api._jobs.record import Record
from api._lib import log


def carry_out(record: Record, work: Callable[[Path], None], clean_up: Callable[[], None]) -> None:
    """Take work up and bring it to an end.

    Args:
        record: The row that is worked on.
        work: Does it, in a folder that is gone afterwards.
        clean_up: Takes away what an ended row leaves behind; called as well when there is nothing left to do.

    Raises:
        RunPostponed: it is queued again and should be tried later.
        RunInterrupted: the worker has to stop; it is queued again as if never taken up.
    """
    noun, known = record.NOUN, {f"{record.NOUN}_id": str(record.row_id)}
    if not record.take_up():
        clean_up()
        return
    log.info(f"{noun} started", **known, attempt=record.attempt)
    try:
        with tempfile.TemporaryDirectory(prefix=f"rowcast-{noun}-", ignore_cleanup_errors=True) as folder:
            work(Path(folder))
        log.info(f"{noun} succeeded", **known)
    except RunLost as error:
        log.info(f"{noun} lost", **known, reason=str(error))
    except RunRejected as error:
        record.fail(str(error))
        log.info(f"{noun} failed", **known, reason=str(error))
    except RunInterrupted:
        record.give_back("The worker stopped; waiting for another one", is_counted=False)
        raise
    except Exception as error:  # noqa: BLE001  whatever it was, whoever asked for the work gets to know
        _postpone(record, _cause(error, noun))
    clean_up()


def _cause(error: Exception, noun: str) -> RunPostponed:
    """Say what got in the way of work that may succeed the next time."""
    match error:
        case RunPostponed():
            return error
        case psycopg.OperationalError():
            return RunPostponed("The database did not answer.")
        case OSError():
            return RunPostponed(f"The worker's machine failed: {error.strerror}.")
        case _:
            log.exception(f"{noun} broke", error)
            return RunPostponed(f"Something went wrong in the worker ({type(error).__name__}).")


def _postpone(record: Record, error: RunPostponed) -> None:
    record.ensure_connected()
    noun, known = record.NOUN, {f"{record.NOUN}_id": str(record.row_id)}
    if record.attempt >= record.MAX_ATTEMPTS:
        record.fail(f"{error} Tried {record.MAX_ATTEMPTS} times.")
        log.warning(f"{noun} failed", **known, reason=str(error))
        return
    record.give_back(f"{error} Trying again ({record.attempt} of {record.MAX_ATTEMPTS} attempts)", is_counted=True)
    log.warning(f"{noun} postponed", **known, reason=str(error))
    # What it may have left behind is taken away by the next attempt.
    raise error
