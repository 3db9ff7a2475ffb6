"""From a table to a certified version: profile, split, search, refit, calibrate, export, parity, evaluate, card.

Nothing is written here, and nothing is returned unless the certificate passed.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it ships no types

from models.contract import Candidate, Card, ParityCertificate
from models.errors import ExportRefused
from models.runtime import OnnxModel
from models.training.calibrate import calibrated_loss, with_calibration
from models.training.card import draft_card
from models.training.data import make_folds, prepare
from models.training.evaluate import candidate, conformal_interval, evaluate, served_outputs
from models.training.export import export
from models.training.options import TrainOptions
from models.training.parity import certify
from models.training.progress import Event, Progress
from models.training.recipes import build, plan_for
from models.training.search import Found, Search
from models.training.table import Table
from models.training.understanding import understand

_SEARCH_SHARE = 0.6  # of the time budget; the rest is for the refit, the certificate and the evaluation
_CALIBRATION_FOLDS = 5


@dataclass(frozen=True)
class Trained:
    """A certified version that exists in memory only: give it to `write` or to a registry."""

    card: Card
    model: bytes


@dataclass(frozen=True)
class _Certified:
    pipeline: Pipeline
    model: OnnxModel
    content: bytes
    parity: ParityCertificate
    chosen: Candidate


def train(
    table: Table,
    options: TrainOptions,
    on_event: Callable[[Event], None] = lambda _event: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Trained:
    """Train, certify and judge a model.

    Raises:
        DatasetRejected: the table cannot be trained on; the text says what to change.
        ExportRefused: the exported file does not answer as scikit-learn does.
        TrainingStopped: `should_stop` said so.
    """
    progress = Progress(on_event, should_stop, options.time_budget_seconds)
    with threadpool_limits(limits=1), warnings.catch_warnings():
        # A model that would like more iterations is judged by its score, not by a warning.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return _Run(table, options, progress).train()


class _Run:
    def __init__(self, table: Table, options: TrainOptions, progress: Progress) -> None:
        self.table, self.options, self.progress = table, options, progress

    def train(self) -> Trained:
        self.progress.stage("profile", "Looking at the columns", 0.0)
        target, self.profile = understand(self.table, self.options)
        self.data = prepare(self.profile, target, self.options.seed)
        self.plan = plan_for(self.data, self.options.seed)
        self._tell_profile()
        self.progress.stage("search", "Trying recipes", 0.05)
        search = Search(self.data, self.plan, self.progress, seed=self.options.seed, threads=self.options.threads)
        found = search.run(until=self.options.time_budget_seconds * _SEARCH_SHARE)
        certified = self._certified(found)
        return self._judged(found, certified)

    def _tell_profile(self) -> None:
        data = self.data
        self.progress.tell(
            "profiled",
            f"{len(data.target.answers)} rows, {len(self.profile.columns)} features, {data.target.task}",
            0.04,
            task=data.target.task,
            rows=len(data.target.answers),
            columns=self.profile.summary(),
            classes=data.target.classes,
            warnings=self._warnings(),
        )

    def _warnings(self) -> list[str]:
        return [*self.table.warnings, *self.data.target.warnings, *self.profile.warnings]

    def _certified(self, found: Found) -> _Certified:
        """Refit the best recipe on the whole training part, calibrated if that helps and certifies."""
        self.progress.stage("refit", f"Training {found.best.recipe.replace('_', ' ')} on all training rows", 0.66)
        chosen = candidate(found.best, classification=self.data.classification, chosen=True)
        plain = build(found.best.recipe, found.best.parameters, self.plan)
        calibrated = self._calibration(found)
        if calibrated is not None:
            self.progress.stage("calibrate", "Calibrating the probabilities", 0.72)
            better = chosen.model_copy(
                update={"score": calibrated, "parameters": {**chosen.parameters, "calibration": "sigmoid"}}
            )
            try:
                return self._export(with_calibration(plain, self._calibration_folds()), better)
            except ExportRefused:
                plain = build(found.best.recipe, found.best.parameters, self.plan)
        return self._export(plain, chosen)

    def _calibration(self, found: Found) -> float | None:
        if not self.data.classification:
            return None
        growth = len(self.data.train) / len(found.rows)
        seconds = found.best.seconds * growth * (1 + 1 / len(found.folds))
        if seconds > self.progress.budget_seconds - self.progress.elapsed:
            return None
        return calibrated_loss(found, self.data.answers(found.rows))

    def _calibration_folds(self) -> list[Any]:
        answers = self.data.answers(self.data.train)
        return make_folds(answers, _CALIBRATION_FOLDS, classification=True, seed=self.options.seed)

    def _export(self, pipeline: Pipeline, chosen: Candidate) -> _Certified:
        data, options = self.data, self.options
        pipeline.fit(data.inputs(data.train), data.answers(data.train))
        self.progress.stage("export", "Writing the model file", 0.78)
        content = export(pipeline, self.plan, center=data.center, spread=data.spread)
        draft = draft_card(self.table, self.profile, data, options, chosen.recipe, content)
        model = OnnxModel.open(content, draft)
        self.progress.stage("parity", "Comparing the file with scikit-learn", 0.84)
        parity = certify(pipeline, model, content, data, options.seed)
        return _Certified(pipeline, model, content, parity, chosen)

    def _judged(self, found: Found, certified: _Certified) -> Trained:
        data, progress, seed = self.data, self.progress, self.options.seed
        progress.stage("evaluate", "Judging the file on held-out rows", 0.9)
        evaluation = evaluate(certified.model, data, found, certified.chosen, progress, seed)
        interval = None
        if not data.classification:
            interval = conformal_interval(data, found, served_outputs(certified.model, data, data.held_out))
        card = certified.model.card.model_copy(
            update={
                "parameters": certified.chosen.parameters,
                "evaluation": evaluation,
                "parity": certified.parity,
                "interval": interval,
                "warnings": self._warnings(),
                "training_seconds": round(progress.elapsed, 3),
            }
        )
        primary = next(metric for metric in evaluation.metrics if metric.primary)
        progress.tell(
            "finished",
            f"{card.recipe.replace('_', ' ')}: {primary.name} {primary.value:.4f} on {evaluation.rows} held-out rows",
            1.0,
            recipe=card.recipe,
            metrics=[metric.model_dump() for metric in evaluation.metrics],
            digest=card.digest,
            size_bytes=card.size_bytes,
        )
        return Trained(card, certified.content)
