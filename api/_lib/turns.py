"""Rows of several requests in one run of a model: those that are in hand in the same turn of the event loop.

A model of trees takes 10 to 40 µs for a row and little more for two; in a busy server several times that, for between two runs other
code has gone through the caches. Where company was met a moment ago, a row waits for the end of the turn: for nobody who is not
in hand already. Whoever asks alone is answered at once.

What is answered must not depend on who else asks. Engines may add float32 numbers in another order for more rows: a model's first rows
in company are run apart as well, and later ones now and then; a model that ever differs by a digit is always run apart from then on.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from itertools import batched
from typing import NamedTuple

from api._lib import log
from api._lib.averages import Average
from api._lib.memory import remember
from models.encoding import Encoded
from models.runtime import OnnxModel

MOST_ROWS = 32
"""In one run. Engines go other ways for a table than for a few rows, and others wait while it is under way."""

TRIED_ROWS = 256
"""So many are run apart as well before a model is trusted, and one turn in `TRIED_AGAIN` afterwards."""

TRIED_AGAIN = 500

_PROBED = 8
"""Of the requests that come alone, one in so many waits for company."""

_PATIENCE = 8
"""Turns without company until requests are taken to come alone."""

Row = Mapping[str, object]


class Run(NamedTuple):
    """What a model says to one row."""

    encoded: Encoded
    predictions: bytes
    """As JSON."""
    validated: float
    """When the row had been coerced, by `time.perf_counter`."""


_Waiting = tuple[Row, "asyncio.Future[Run]"]


class Company:
    """The requests for one model in one event loop."""

    __slots__ = ("_hope", "_is_apart", "_seen", "_tried", "_turns", "_waiting", "cost", "engine", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop, engine: OnnxModel, cost: Average) -> None:
        self.loop, self.engine, self.cost = loop, engine, cost
        self._waiting: list[_Waiting] = []
        self._is_apart = False
        self._hope = self._seen = self._tried = self._turns = 0

    def join(self, row: Row) -> "asyncio.Future[Run] | None":
        """Wait for the end of the turn; None: run it at once."""
        if not self._waiting:
            if not self._hope:
                self._seen += 1
                if self._is_apart or self._seen % _PROBED:
                    return None
            self.loop.call_soon(self._run_all)
        answer: asyncio.Future[Run] = self.loop.create_future()
        self._waiting.append((row, answer))
        return answer

    def run_one(self, row: Row) -> Run:
        """Run a row by itself.

        Raises:
            InvalidRows: it does not fit the model, or gets no finite answer.
        """
        engine = self.engine
        encoded = engine.encode((row,))
        validated = time.perf_counter()
        predictions = engine.write(engine.run(encoded))
        self.cost.add(time.perf_counter() - validated)
        return Run(encoded, predictions, validated)

    def run(self, rows: Sequence[Row]) -> Sequence[Run]:
        """Run rows together.

        Raises:
            InvalidRows: one of them does not fit the model, or gets no finite answer.
        """
        engine = self.engine
        encoded = engine.encode(rows)
        if encoded.warnings:  # each by itself knows which are its own
            return [self.run_one(row) for row in rows]
        validated = time.perf_counter()
        output = engine.run(encoded)
        places = [slice(place, place + 1) for place in range(len(rows))]
        written = [engine.write(output[place]) for place in places]
        self.cost.add((time.perf_counter() - validated) / len(rows))
        numeric, text = encoded.numeric, encoded.text
        return [
            Run(Encoded(numeric[place], text[place], ()), predictions, validated)
            for place, predictions in zip(places, written, strict=True)
        ]

    def _run_all(self) -> None:
        """Run what has come together, and tell everybody."""
        waiting, self._waiting = self._waiting, []
        if len(waiting) > 1:
            self._hope = _PATIENCE
        elif self._hope:
            self._hope -= 1
        for some in batched(waiting, MOST_ROWS):
            for (_, answer), told in zip(some, self._answers([row for row, _ in some]), strict=True):
                if answer.done():  # whoever asked has gone
                    continue
                if isinstance(told, Exception):
                    answer.set_exception(told)
                else:
                    answer.set_result(told)

    def _answers(self, rows: Sequence[Row]) -> Sequence[Run | Exception]:
        if len(rows) == 1 or self._is_apart:
            return [self._alone(row) for row in rows]
        try:
            together = self.run(rows)
        except Exception:  # noqa: BLE001  each is told by itself what is the matter
            return [self._alone(row) for row in rows]
        self._turns += 1
        if self._tried < TRIED_ROWS or not self._turns % TRIED_AGAIN:
            return self._try(rows, together)
        return together

    def _try(self, rows: Sequence[Row], together: Sequence[Run]) -> Sequence[Run | Exception]:
        """Run rows apart as well; those are the answers."""
        apart = [self._alone(row) for row in rows]
        self._tried += len(rows)
        alike = zip(apart, together, strict=True)
        if not all(isinstance(one, Run) and one.predictions == other.predictions for one, other in alike):
            self._is_apart, self._hope = True, 0
            log.info("model run apart", digest=self.engine.card.digest)
        return apart

    def _alone(self, row: Row) -> Run | Exception:
        try:
            return self.run_one(row)
        except Exception as error:  # noqa: BLE001  told to whoever asked
            return error


_companies: dict[str, Company] = {}


def company_of(engine: OnnxModel, cost: Average) -> Company:
    """Find the requests for a model in the running event loop; runs are measured into `cost`."""
    digest, loop = engine.card.digest, asyncio.get_running_loop()
    known = _companies.get(digest)
    if known is None or known.loop is not loop:
        remember(_companies, digest, known := Company(loop, engine, cost))
    known.engine, known.cost = engine, cost
    return known
