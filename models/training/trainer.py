"""From a table to a certified version: profile, split, search, refit, calibrate, export, parity, evaluate, card.

Nothing is written here, and nothing is returned unless the certificate passed.
"""

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it ships no types

from models.contract import Candidate, ParityCertificate
from models.errors import DatasetRejected, ExportRefused
from models.runtime import OnnxModel
from models.training.blend import Blend
from models.training.calibrate import calibrated_loss, with_calibration
from models.training.card import draft_card
from models.training.choice import Choice, alone, choose, leaderboard
from models.training.data import TrainingData, prepare
from models.training.doubts import data_doubts, result_doubts
from models.training.evaluate import conformal_interval, evaluate, served_outputs
from models.training.export import export
from models.training.holdout import Fold, read_division
from models.training.objective import objective_for
from models.training.options import TrainOptions
from models.training.parity import certify
from models.training.progress import Event, Progress
from models.training.recipes import build, plan_for
from models.training.rematch import Found
from models.training.search import Search
from models.training.table import Table
from models.training.trained import Trained
from models.training.understanding import understand

_SEARCH_SHARE = 0.6  # of the time budget; the rest is for the refit, the certificate and the evaluation
_SEARCH_SHARE_SMALL = 0.75  # where those take little
_CALIBRATION_FOLDS = 5
_PATIENCE_SECONDS = 30.0  # however small the budget: a second fit of a small table is never given up for it
_SMALL_TABLE = 5_000  # rows
_REFITTED_ROWS = 20_000
"""Up to here a fifth more rows to learn from matter so much that a second fit may take long."""

_OVERDRAFT = 1.25
"""Times the budget: when a second fit of a larger table has to be done, as far as the first one tells."""


@dataclass(frozen=True)
class _Attempt:
    """A choice made ready to be trained, and its line on the leaderboard."""

    choice: Choice
    line: Candidate
    calibrated: bool


@dataclass(frozen=True)
class _Certified:
    """An attempt whose file passed, and why earlier ones did not."""

    attempt: _Attempt
    model: OnnxModel
    content: bytes
    parity: ParityCertificate
    refused: list[str]
    seconds: float


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
    with _quietly(), progress.ticking():
        return _Run(table, options, progress).train()


def assist(
    table: Table,
    options: TrainOptions,
    on_event: Callable[[Event], None] = lambda _event: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> int:
    """Add trials to the search of a `train` that runs elsewhere on the same table with the same options and study.

    Returns how many were tried: none when nobody leads the study within a minute, or when the search is over.

    Raises:
        DatasetRejected: the table cannot be trained on, or the options name no study.
        TrainingStopped: `should_stop` said so.
    """
    if options.study is None:
        raise DatasetRejected("to join a search, name its study")
    progress = Progress(on_event, should_stop, options.time_budget_seconds)
    with _quietly(), progress.ticking():
        run = _Run(table, options, progress)
        return run.search().assist(run.search_seconds, options.study)


@contextmanager
def _quietly() -> Iterator[None]:
    """One thread per computation; a model that would like more iterations is judged by its score, not by a warning."""
    with threadpool_limits(limits=1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


class _Run:
    def __init__(self, table: Table, options: TrainOptions, progress: Progress) -> None:
        self.table, self.options, self.progress = table, options, progress
        self.progress.stage("profile", "Looking at the columns", 0.0)
        target, self.profile = understand(table, options)
        division = read_division(table.columns, options, target.kept)
        self.data = prepare(self.profile, target, options.seed, division)
        self.objective = objective_for(target, options, target.answers[self.data.train], self.data.spread)
        self.plan = plan_for(self.data, options.seed, self.objective.weights)

    def search(self) -> Search:
        """Make the search, which is the same for every worker."""
        options = self.options
        return Search(self.data, self.plan, self.objective, self.progress, seed=options.seed, threads=options.threads)

    @property
    def search_seconds(self) -> float:
        """How long the search may take."""
        is_small = len(self.data.target.answers) <= _SMALL_TABLE
        return self.options.time_budget_seconds * (_SEARCH_SHARE_SMALL if is_small else _SEARCH_SHARE)

    def train(self) -> Trained:
        self.warnings = self._warnings()
        self._tell_profile()
        self.progress.stage("search", "Trying recipes", 0.05)
        found = self.search().run(self.search_seconds, self.options.study)
        choice = choose(found, self.data.answers(found.rows), self.objective)
        return self._judged(found, self._certified(found, choice))

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
            warnings=self.warnings,
        )

    def _warnings(self) -> list[str]:
        doubts = data_doubts(self.table.columns, self.data)
        return [*self.table.warnings, *self.data.target.warnings, *self.profile.warnings, *doubts]

    def _certified(self, found: Found, choice: Choice) -> _Certified:
        """Refit on the whole training part; the first attempt whose file answers as scikit-learn does is taken."""
        refused: list[ExportRefused] = []
        for attempt in self._attempts(found, choice):
            try:
                return self._export(attempt, self.data, [str(refusal) for refusal in refused])
            except ExportRefused as refusal:
                refused.append(refusal)
        raise refused[0]

    def _attempts(self, found: Found, choice: Choice) -> Iterator[_Attempt]:
        """Give the choice calibrated, if that helps, then as it is, then, of a blend, the best trial alone."""
        calibrated = self._calibrated_loss(found, choice)
        if calibrated is not None:
            line = choice.candidate(self.objective)
            parameters = line.parameters | {"calibration": "sigmoid"}
            line = line.model_copy(update={"score": self.objective.score(calibrated), "parameters": parameters})
            yield _Attempt(choice, line, calibrated=True)
        for one in [choice] if len(choice.members) == 1 else [choice, alone(found)]:
            yield _Attempt(one, one.candidate(self.objective), calibrated=False)

    def _built(self, attempt: _Attempt, data: TrainingData) -> Blend:
        """Make the untrained pipelines of an attempt."""
        threads = self.options.threads
        members: list[tuple[float, Pipeline]] = [
            (weight, build(trial.recipe, trial.parameters, self.plan, threads=threads))
            for weight, trial in attempt.choice.members
        ]
        if attempt.calibrated:
            members = [(weight, with_calibration(one, self._calibration_folds(data))) for weight, one in members]
        return Blend(members)

    def _calibrated_loss(self, found: Found, choice: Choice) -> float | None:
        """Estimate what calibration would bring; None where it brings nothing or there is no time for it."""
        growth = len(self.data.train) / len(found.rows)
        seconds = choice.seconds * growth * (1 + 1 / len(found.folds))
        too_late = seconds > self.progress.budget_seconds - self.progress.elapsed
        if not self.data.classification or too_late or self.data.division.by == "time":
            return None
        return calibrated_loss(choice, found.folds, self.data.answers(found.rows), self.objective)

    def _calibration_folds(self, data: TrainingData) -> list[Fold]:
        return data.folds(data.train, _CALIBRATION_FOLDS, self.options.seed)

    def _export(self, attempt: _Attempt, data: TrainingData, refused: list[str]) -> _Certified:
        options, chosen, started = self.options, attempt.line, time.monotonic()
        blend = self._built(attempt, data)
        name = chosen.recipe.replace("_", " ")
        if data is self.data:
            self.progress.stage("refit", f"Training {name} on all training rows", 0.66)
        if attempt.calibrated:
            self.progress.stage("calibrate", "Calibrating the probabilities", 0.7)
        blend.fit(data.inputs(data.train), data.answers(data.train))
        self.progress.stage("export", "Writing the model file", 0.78)
        content = export(blend, self.plan, center=data.center, spread=data.spread)
        draft = draft_card(self.table, self.profile, data, options, chosen.recipe, content)
        model = OnnxModel.open(content, draft)
        self.progress.stage("parity", "Comparing the file with scikit-learn", 0.84)
        parity = certify(blend, model, content, data, options.seed)
        return _Certified(attempt, model, content, parity, refused, time.monotonic() - started)

    def _judged(self, found: Found, certified: _Certified) -> Trained:
        data, progress, model, chosen = self.data, self.progress, certified.model, certified.attempt.line
        progress.stage("evaluate", "Judging the file on held-out rows", 0.9)
        listed = leaderboard(found, certified.attempt.choice, chosen, self.objective)
        evaluation = evaluate(model, data, listed, self.objective, progress, self.options.seed)
        doubts = result_doubts(evaluation, classification=data.classification)
        interval = None
        if not data.classification:
            residuals = (data.answers(found.rows) - certified.attempt.choice.outputs).ravel()
            outputs = served_outputs(model, data, data.held_out)
            interval = conformal_interval(data, residuals[~np.isnan(residuals)], outputs)
        served = self._refitted(certified)
        evaluation = evaluation.model_copy(update={"refitted": served is not certified})
        card = served.model.card.model_copy(
            update={
                "parameters": chosen.parameters,
                "evaluation": evaluation,
                "parity": served.parity,
                "interval": interval,
                "warnings": [*self.warnings, *certified.refused, *doubts],
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
        return Trained(card, served.content)

    def _refitted(self, judged: _Certified) -> _Certified:
        """Train what was judged once more, on all rows, where that matters and there is time; its file is certified, too."""
        budget = self.progress.budget_seconds
        is_small = len(self.data.target.answers) <= _REFITTED_ROWS or self.data.division.by == "time"
        latest = max(budget, _PATIENCE_SECONDS) if is_small else _OVERDRAFT * budget
        if self.progress.elapsed + judged.seconds > latest:
            return judged
        self.progress.stage("refit_all", "Training once more, on all rows", 0.94)
        try:
            return self._export(judged.attempt, self.data.joined(), judged.refused)
        except ExportRefused:
            return judged
