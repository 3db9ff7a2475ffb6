"""One attempt at work that is a row (a run, a batch …): taking it up, ending it.

Each write names the attempt it belongs to, so a worker that was thought dead and comes back cannot write any more.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, LiteralString, Self
from uuid import UUID

import psycopg

from api._jobs.connection import connect
from api._jobs.errors import RunLost, RunPostponed

STALE_AFTER = timedelta(seconds=10)
"""Work whose heartbeat is older has no worker. Workers beat every two seconds, or after each part."""


class Record:
    """A row that a worker is at, and the connection it is written over. Subclasses bring the statements.

    `READ` gives, by id and locked, `status`, `attempt`, `heartbeat_at` and whatever the work needs. `TAKE_UP` makes the row
    running and returns the attempt. `END` takes `status`, `why` and `give_back`, and holds for this attempt only.
    """

    NOUN: ClassVar[LiteralString]
    MAX_ATTEMPTS: ClassVar[int]
    READ: ClassVar[LiteralString]
    TAKE_UP: ClassVar[LiteralString]
    END: ClassVar[LiteralString]

    def __init__(self, connection: psycopg.Connection[dict[str, Any]], row_id: UUID) -> None:
        self.row_id = row_id
        self.attempt = 0
        self.facts: dict[str, Any] = {}
        self._connection = connection

    @classmethod
    @contextmanager
    def open(cls, row_id: UUID) -> Iterator[Self]:
        """Connect to the database for the time of one attempt."""
        record = cls(connect(cls.NOUN), row_id)
        try:
            yield record
        finally:
            record._connection.close()

    def reconnect(self) -> None:
        """Replace a connection that broke."""
        self._connection.close()
        self._connection = connect(self.NOUN)

    def ensure_connected(self) -> None:
        """Connect again where the connection broke."""
        if self._connection.broken:
            self.reconnect()

    def take_up(self) -> bool:
        """Make the row this worker's, in state running; False when there is nothing left to do.

        Raises:
            RunPostponed: another worker still shows signs of life.
        """
        with self._connection.transaction():
            facts = self._connection.execute(self.READ, (self.row_id,)).fetchone()
            if facts is None:
                return False
            self.facts, self.attempt = facts, facts["attempt"]
            if facts["status"] not in {"queued", "running"}:
                return False
            if facts["status"] == "running":
                if facts["heartbeat_at"] is not None and datetime.now(UTC) - facts["heartbeat_at"] < STALE_AFTER:
                    raise RunPostponed("Another worker is at it.")
                if self.attempt >= self.MAX_ATTEMPTS:
                    self.fail(f"The worker died {self.MAX_ATTEMPTS} times in the middle of this {self.NOUN}.")
                    return False
                self._end("queued", "The worker died; starting again")
            row = self._connection.execute(self.TAKE_UP, (self.row_id,)).fetchone()
            assert row is not None
            self.attempt = row["attempt"]
        return True

    def fail(self, reason: str) -> None:
        """End the work as failed, with the reason its owner reads."""
        self._end("failed", reason)

    def give_back(self, why: str, *, is_counted: bool) -> None:
        """Put the work back to queued; an attempt that was only interrupted does not count."""
        self._end("queued", why, give_back=0 if is_counted else 1)

    def _execute(self, statement: LiteralString, **values: Any) -> dict[str, Any]:
        """Write something that holds for this attempt only. Raises RunLost when it is over."""
        row = self._connection.execute(statement, {"id": self.row_id, "attempt": self.attempt, **values}).fetchone()
        if row is None:
            raise RunLost(f"The {self.NOUN} was cancelled or taken up by another worker.")
        return row

    def _end(self, status: str, why: str, *, give_back: int = 0) -> None:
        values = {"id": self.row_id, "attempt": self.attempt, "status": status, "why": why, "give_back": give_back}
        self._connection.execute(self.END, values)
