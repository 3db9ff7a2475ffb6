"""The replay job: rows through two versions of a model, as evidence for a promotion."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import numpy as np
from procrastinate import JobContext

from api._jobs import attempt
from api._jobs.errors import RunRejected
from api._jobs.queue import CHORES_QUEUE, TryAgain, app
from api._jobs.replay_record import ReplayRecord, ReplayRow
from api._jobs.replay_result import compare_answers
from api._jobs.storage import Storage
from api._jobs.tables import fetch_table
from models.contract import Card
from models.errors import ModelError
from models.runtime import OnnxModel


@app.task(name="replay", queue=CHORES_QUEUE, retry=TryAgain(), pass_context=True)
async def replay(_context: JobContext, replay_id: str) -> None:
    """Carry out one replay."""
    await asyncio.to_thread(carry_out, UUID(replay_id))


def carry_out(replay_id: UUID) -> None:
    """Do what a replay asks for. Raises RunPostponed."""
    with ReplayRecord.open(replay_id) as record, Storage.open() as storage:
        attempt.carry_out(record, lambda folder: _Attempt(record, storage, folder).run(), lambda: None)


@dataclass
class _Attempt:
    record: ReplayRecord
    storage: Storage
    folder: Path

    def run(self) -> None:
        facts = self.record.facts
        version = self._open(facts["digest"], facts["card"])
        against = self._open(facts["against_digest"], facts["against_card"])
        rows = self.record.list_logged() if facts["dataset_id"] is None else self._read_rows(version.card)
        if not rows:
            raise RunRejected(
                "No rows of this model are logged yet: predict with it first, or replay the rows of a dataset."
            )
        self.record.beat()
        self.record.succeed(compare_answers(version, against, rows, self.record.beat))

    def _open(self, digest: str, card: object) -> OnnxModel:
        file = self.folder / f"{digest}.onnx"
        self.storage.fetch_model(digest, file)
        try:
            return OnnxModel.open(file, Card.model_validate(card))
        except ModelError as error:
            raise RunRejected(f"The model cannot be opened: {error}") from error

    def _read_rows(self, card: Card) -> list[ReplayRow]:
        """Choose rows of the dataset at random, the same ones each time."""
        columns = fetch_table(self.storage, self.record.facts, self.folder, has_target=False).columns
        count = len(next(iter(columns.values())))
        wanted = min(count, self.record.facts["row_limit"])
        chosen = np.sort(np.random.default_rng(0).choice(count, wanted, replace=False)).tolist()
        features = {feature.name for feature in card.features}
        used = {name: cells for name, cells in columns.items() if name in features}
        if not used:
            raise RunRejected("No column of the dataset is known to the model.")
        truths = columns.get(card.target)
        return [
            ReplayRow({name: cells[index] for name, cells in used.items()}, (truths[index] or None) if truths else None)
            for index in chosen
        ]
