"""From a table to a certified version: profile, split, search, refit, calibrate, export, parity, evaluate, card.

Nothing is written here, and nothing is returned unless the certificate passed.
"""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it ships no types

from models.contract import Candidate, Card, ParityCertificate
from models.errors import ExportRefused
from models.runtime import OnnxModel
from models.training.blend import Blend
from models.training.calibrate import calibrated_loss, with_calibration
from models.training.card import draft_card
from models.training.choice import Choice, alone, choose, leaderboard
from models.training.data import Fold, make_folds, prepare
from models.training.doubts import data_doubts, result_doubts
from models.training.evaluate import conformal_interval, evaluate, served_outputs
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
class _Attempt:
    """A choice made ready to be trained, and its line on the leaderboard."""

    choice: Choice
    line: Candidate
    blend: Blend


@dataclass(frozen=True)
class _Certified:
    """An attempt whose file passed, and why earlier ones did not."""

    choice: Choice
    chosen: Candidate
    model: OnnxModel
    content: bytes
    parity: ParityCertificate
    refused: list[str]


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
        self.warnings = self._warnings()
        self._tell_profile()
        self.progress.stage("search", "Trying recipes", 0.05)
        search = Search(self.data, self.plan, self.progress, seed=self.options.seed, threads=self.options.threads)
        found = search.run(until=self.options.time_budget_seconds * _SEARCH_SHARE)
        choice = choose(found, self.data.answers(found.rows), classification=self.data.classification)
        certified = self._certified(found, choice)
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
                return self._export(attempt, [str(refusal) for refusal in refused])
            except ExportRefused as refusal:
                refused.append(refusal)
        raise refused[0]

    def _attempts(self, found: Found, choice: Choice) -> Iterator[_Attempt]:
        """Give the choice calibrated, if that helps, then as it is, then, of a blend, the best trial alone."""
        calibrated = self._calibrated_loss(found, choice)
        if calibrated is not None:
            ((_, plain),) = self._built(choice)
            line = choice.candidate(classification=True)
            line = line.model_copy(
                update={"score": calibrated, "parameters": line.parameters | {"calibration": "sigmoid"}}
            )
            yield _Attempt(choice, line, Blend([(1.0, with_calibration(plain, self._calibration_folds()))]))
        for one in [choice] if len(choice.members) == 1 else [choice, alone(found)]:
            line = one.candidate(classification=self.data.classification)
            yield _Attempt(one, line, Blend(self._built(one)))

    def _built(self, choice: Choice) -> list[tuple[float, Pipeline]]:
        threads = self.options.threads
        return [
            (weight, build(trial.recipe, trial.parameters, self.plan, threads=threads))
            for weight, trial in choice.members
        ]

    def _calibrated_loss(self, found: Found, choice: Choice) -> float | None:
        """Estimate what calibration would bring; None where it brings nothing or there is no time for it."""
        growth = len(self.data.train) / len(found.rows)
        seconds = choice.seconds * growth * (1 + 1 / len(found.folds))
        if not self.data.classification or seconds > self.progress.budget_seconds - self.progress.elapsed:
            return None
        return calibrated_loss(choice, found.folds, self.data.answers(found.rows))

    def _calibration_folds(self) -> list[Fold]:
        answers = self.data.answers(self.data.train)
        return make_folds(answers, _CALIBRATION_FOLDS, classification=True, seed=self.options.seed)

    def _export(self, attempt: _Attempt, refused: list[str]) -> _Certified:
        data, options, blend, chosen = self.data, self.options, attempt.blend, attempt.line
        name = chosen.recipe.replace("_", " ")
        self.progress.stage("refit", f"Training {name} on all training rows", 0.66)
        if "calibration" in chosen.parameters:
            self.progress.stage("calibrate", "Calibrating the probabilities", 0.7)
        blend.fit(data.inputs(data.train), data.answers(data.train))
        self.progress.stage("export", "Writing the model file", 0.78)
        content = export(blend, self.plan, center=data.center, spread=data.spread)
        draft = draft_card(self.table, self.profile, data, options, chosen.recipe, content)
        model = OnnxModel.open(content, draft)
        self.progress.stage("parity", "Comparing the file with scikit-learn", 0.84)
        parity = certify(blend, model, content, data, options.seed)
        return _Certified(attempt.choice, chosen, model, content, parity, refused)

    def _judged(self, found: Found, certified: _Certified) -> Trained:
        data, progress, model = self.data, self.progress, certified.model
        progress.stage("evaluate", "Judging the file on held-out rows", 0.9)
        listed = leaderboard(found, certified.choice, certified.chosen, classification=data.classification)
        evaluation = evaluate(model, data, listed, progress, self.options.seed)
        doubts = result_doubts(evaluation, classification=data.classification)
        interval = None
        if not data.classification:
            residuals = data.answers(found.rows) - certified.choice.outputs
            interval = conformal_interval(data, residuals, served_outputs(model, data, data.held_out))
        card = model.card.model_copy(
            update={
                "parameters": certified.chosen.parameters,
                "evaluation": evaluation,
                "parity": certified.parity,
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
        return Trained(card, certified.content)
