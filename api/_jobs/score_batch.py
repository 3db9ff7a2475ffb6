"""The scoring job: a batch becomes a result file, or ends with a reason that its owner can read.

The table is scored in parts of some thousand rows. Each part is kept in Storage before it is counted, so a worker that
takes a batch over goes on behind the last one; at the end the parts become one file and are taken away.
"""

import asyncio
import gzip
import hashlib
import shutil
import threading
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from procrastinate import JobContext

from api._jobs import attempt
from api._jobs.batch_record import BatchRecord
from api._jobs.errors import RunInterrupted, RunPostponed, RunRejected
from api._jobs.queue import SCORING_QUEUE, TryAgain, app
from api._jobs.scoring import Scorer
from api._jobs.storage import RESULTS, Storage
from api._jobs.tables import fetch_table
from api._lib import log
from models.contract import Card
from models.errors import ModelError
from models.runtime import OnnxModel

PART_ROWS = 5000
MAX_ROWS = 2_000_000
MAX_RESULT_BYTES = 50 * 1024 * 1024
"""What the bucket takes. A larger result is packed with gzip."""


@app.task(name="score_batch", queue=SCORING_QUEUE, retry=TryAgain(), pass_context=True)
async def score_batch(context: JobContext, batch_id: str) -> None:
    """Carry out one batch; the worker's `stop` in the context interrupts it."""
    await asyncio.to_thread(carry_out, UUID(batch_id), context.additional_context["stop"])


def carry_out(batch_id: UUID, stop: threading.Event) -> None:
    """Score a batch. Raises RunPostponed and RunInterrupted."""
    with BatchRecord.open(batch_id) as record, Storage.open() as storage:
        attempt.carry_out(
            record,
            lambda folder: _Attempt(record, storage, folder, stop).run(),
            lambda: _remove_parts(record, storage),
        )


def _remove_parts(record: BatchRecord, storage: Storage) -> None:
    """Take away the parts of a batch that has ended."""
    if not record.facts:
        return
    # One more than was counted: it may have been written and its count lost.
    parts = [record.part(number) for number in range(record.progress.parts + 1)]
    try:
        storage.remove(RESULTS, parts)
    except RunPostponed as error:
        log.warning("parts kept", batch_id=str(record.row_id), reason=str(error))


@dataclass
class _Attempt:
    """The steps of one attempt, in order."""

    record: BatchRecord
    storage: Storage
    folder: Path
    stop: threading.Event

    def run(self) -> None:
        scorer = Scorer(
            self._open_model(), fetch_table(self.storage, self.record.facts, self.folder, has_target=False).columns
        )
        if scorer.rows > MAX_ROWS:
            raise RunRejected(f"The table has {scorer.rows} rows; the limit is {MAX_ROWS}: score it in two parts.")
        self.record.progress.rows_total = scorer.rows
        self.record.note()
        log.info("batch read", batch_id=str(self.record.row_id), rows=scorer.rows, parts=self.record.progress.parts)
        result = self.folder / "result.csv"
        with result.open("wb") as file:
            file.write(scorer.header())
            for number in range(self.record.progress.parts):
                file.write(self.storage.read(RESULTS, self.record.part(number)))
            while self.record.progress.rows_done < scorer.rows:
                if self.stop.is_set():
                    raise RunInterrupted("The worker was told to stop.")
                file.write(self._score_part(scorer))
        self._publish(result)

    def _score_part(self, scorer: Scorer) -> bytes:
        progress = self.record.progress
        scored = scorer.score(progress.rows_done, progress.rows_done + PART_ROWS)
        if progress.rows_done + scored.rows < scorer.rows:
            self.storage.write(RESULTS, self.record.part(progress.parts), scored.content, "text/csv")
            progress.parts += 1
        progress.rows_done += scored.rows
        progress.rows_failed += scored.failed
        if progress.rows_done < scorer.rows:
            self.record.note()
        return scored.content

    def _open_model(self) -> OnnxModel:
        digest = self.record.facts["digest"]
        file = self.folder / "model.onnx"
        self.storage.fetch_model(digest, file)
        try:
            return OnnxModel.open(file, Card.model_validate(self.record.facts["card"]))
        except ModelError as error:
            raise RunRejected(f"The model cannot be opened: {error}") from error

    def _publish(self, result: Path) -> None:
        if result.stat().st_size > MAX_RESULT_BYTES:
            packed = result.with_suffix(".csv.gz")
            with result.open("rb") as plain, gzip.open(packed, "wb", compresslevel=6) as file:
                shutil.copyfileobj(plain, file)
            result = packed
        size = result.stat().st_size
        if size > MAX_RESULT_BYTES:
            raise RunRejected(f"The result has {size / 1e6:.0f} MB even packed: score the table in two parts.")
        content = result.read_bytes()
        path = f"{self.record.facts['folder']}/{result.name}"
        kind = "application/gzip" if result.suffix == ".gz" else "text/csv"
        self.storage.write(RESULTS, path, content, kind)
        self.record.succeed(path, size=size, sha256=hashlib.sha256(content).hexdigest())
