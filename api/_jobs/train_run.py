"""The training job: a run becomes a certified version, or ends with a reason that its owner can read.

Fetch the dataset, train in a child process, publish. Between any two steps the worker may be killed: what was begun
is found by the next attempt and either finished or taken away. A version and the end of its run are one transaction.
"""

import asyncio
import hashlib
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import psycopg
from procrastinate import JobContext

from api._jobs import attempt, study
from api._jobs.errors import RunInterrupted, RunPostponed, RunRejected
from api._jobs.queue import TRAINING_QUEUE, TryAgain, app
from api._jobs.run_record import Event, RunRecord, Version
from api._jobs.storage import Storage
from api._jobs.tables import fetch_file
from api._jobs.trainer import ENDED, Order
from api._jobs.trainer_process import TrainerProcess
from api._jobs.training_options import compose
from api._lib import log
from api._lib.settings import settings

WRITE_EVERY_SECONDS = 0.5
BEAT_EVERY_SECONDS = 2.0
"""How often a run without news shows that it lives, and looks whether it was cancelled."""

PATIENCE_SECONDS = 30.0
"""How long a training goes on, and a version waits, while database or Storage are away."""

TRAINING_SHARE = 0.95
"""Share of the progress that is the trainer's; the rest is publishing."""


@app.task(name="train", queue=TRAINING_QUEUE, retry=TryAgain(), pass_context=True)
async def train(context: JobContext, run_id: str) -> None:
    """Carry out one run; the worker's `stop` in the context interrupts it."""
    await asyncio.to_thread(carry_out, UUID(run_id), context.additional_context["stop"])


def carry_out(run_id: UUID, stop: threading.Event) -> None:
    """Train what a run asks for. Raises RunPostponed and RunInterrupted."""
    with RunRecord.open(run_id) as record, Storage.open() as storage:
        attempt.carry_out(
            record,
            lambda folder: _Attempt(record, storage, folder, stop).run(),
            lambda: _remove_leftovers(record, storage),
        )


def _remove_leftovers(record: RunRecord, storage: Storage) -> None:
    """Take away artefacts that this run uploaded and that no version points at, and the notes of a shared search."""
    for digest in record.noted_digests():
        with record.digest_lock(digest) as is_used:
            if not is_used:
                try:
                    storage.remove_artefacts(digest)
                except RunPostponed as error:
                    log.warning("leftover kept", run_id=str(record.row_id), digest=digest, reason=str(error))
    if record.facts and int(record.facts["options"].get("workers", 1)) > 1:
        study.forget(record.row_id)


@dataclass
class _Attempt:
    """The steps of one attempt, in order, and the events on their way to the database."""

    record: RunRecord
    storage: Storage
    folder: Path
    stop: threading.Event
    pending: list[Event] = field(default_factory=list)
    progress: float = 0.0
    written_at: float = field(default_factory=time.monotonic)

    def run(self) -> None:
        """Go from a dataset to a version."""
        _remove_leftovers(self.record, self.storage)
        self._train(self._fetch())
        self._publish()

    def _fetch(self) -> Path:
        self._tell("stage", {"stage": "fetch", "message": "Fetching the dataset"})
        self._write()
        return fetch_file(self.storage, self.record.facts, self.folder)

    def _train(self, file: Path) -> None:
        with TrainerProcess.start(self._order(file)) as process:
            while True:
                try:
                    event = process.next_event(WRITE_EVERY_SECONDS)
                except EOFError as error:
                    raise RunPostponed(str(error)) from error
                if event is not None and event["kind"] == ENDED:
                    self._write()
                    if event["reason"]:
                        raise RunRejected(event["reason"])
                    return
                if event is not None:
                    self._take_in(event)
                self._keep_up()

    def _order(self, file: Path) -> Order:
        facts, memory_mb = self.record.facts, settings().training_memory_mb
        if facts["kind"] == "import":
            described = {"title": facts["title"] or facts["model_slug"], "description": facts["description"]}
            schema = {**described, **facts["options"]["schema"], "name": facts["model_slug"], "target": facts["target"]}
            return Order(str(file), str(self.folder), schema, "import", memory_mb)
        options = compose(facts)
        if self.is_shared:
            options["study"] = study.share(self.record.row_id)
        return Order(str(file), str(self.folder), options, "train", memory_mb)

    @property
    def is_shared(self) -> bool:
        """Whether other workers may join the search."""
        return int(self.record.facts["options"].get("workers", 1)) > 1

    def _take_in(self, event: dict[str, Any]) -> None:
        """Accept one event of the trainer."""
        kind, at = event.pop("kind"), datetime.fromisoformat(event.pop("at"))
        if isinstance(event.get("progress"), int | float):
            self.progress = max(self.progress, event["progress"] * TRAINING_SHARE)
        self.pending.append(Event(kind, {**event, "progress": round(self.progress, 4)}, at))

    def _keep_up(self) -> None:
        """Write what is due, at most twice a second; while the database is away, hold it back for a while."""
        if self.stop.is_set():
            raise RunInterrupted("The worker was told to stop.")
        since = time.monotonic() - self.written_at
        if since < (WRITE_EVERY_SECONDS if self.pending else BEAT_EVERY_SECONDS):
            return
        try:
            self._write()
        except psycopg.OperationalError:
            if since > PATIENCE_SECONDS:
                raise
            with suppress(psycopg.OperationalError):
                self.record.reconnect()

    def _tell(self, kind: str, data: dict[str, Any]) -> None:
        self.pending.append(Event(kind, {**data, "progress": round(self.progress, 4)}, datetime.now(UTC)))

    def _write(self) -> None:
        message = next((event.data["message"] for event in reversed(self.pending) if event.data.get("message")), None)
        self.record.note(self.pending, progress=self.progress, message=message)
        self.pending.clear()
        self.written_at = time.monotonic()

    def _publish(self) -> None:
        model, card_file = self.folder / "model.onnx", self.folder / "card.json"
        card = orjson.loads(card_file.read_bytes())
        digest = hashlib.sha256(model.read_bytes()).hexdigest()

        def register() -> Version:
            with self.record.digest_lock(digest):
                self.storage.put_artefacts(digest, {"model.onnx": model, "card.json": card_file})
                return self.record.register(digest, card, model.stat().st_size)

        # Noted before anything is uploaded: whoever finds the run after a crash knows what to take away.
        self._tell("stage", {"stage": "publish", "message": "Publishing the version", "digest": digest})
        self._patiently(self._write)
        self._patiently(lambda: self.record.note_table(card["dataset"]["rows"], card["dataset"]["columns"]))
        version = self._patiently(register)
        log.info("version registered", model=self.record.facts["model_slug"], version=version.number)

    def _patiently[T](self, step: Callable[[], T]) -> T:
        """Repeat a step over a short outage: a finished training is worth waiting for."""
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return step()
            except (psycopg.OperationalError, RunPostponed) as error:
                if time.monotonic() >= give_up_at or self.stop.wait(1.0):
                    raise
                if isinstance(error, psycopg.OperationalError):
                    with suppress(psycopg.OperationalError):
                        self.record.reconnect()
