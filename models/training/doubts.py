"""What a careful reader would ask about the data and the result, said before they ask."""

from collections import Counter
from collections.abc import Mapping, Sequence

from models.contract import Evaluation
from models.training.data import TrainingData

_FEW_ROWS = 200
_FEW_OF_A_CLASS = 10
_MANY_DUPLICATES = 0.05
_LOPSIDED = 0.95
_ALMOST_PERFECT = 0.02  # of the baseline's loss
_ALMOST_ALONE = 0.9  # of the importance of all columns
_SHOWN = 5


def data_doubts(columns: Mapping[str, Sequence[str]], data: TrainingData) -> list[str]:
    """Say what is doubtful about the rows."""
    doubts = []
    rows = len(data.target.answers)
    if rows < _FEW_ROWS:
        doubts.append(f"There are only {rows} rows: the scores are uncertain, see their intervals.")
    copies = _copies(columns)
    total = len(next(iter(columns.values())))
    if copies > _MANY_DUPLICATES * total:
        doubts.append(
            f"{copies} of {total} rows repeat another row: held-out rows may have been learned, so scores flatter."
        )
    return doubts + (_class_doubts(data) if data.classification else [])


def result_doubts(evaluation: Evaluation, *, classification: bool) -> list[str]:
    """Say what is doubtful about the scores."""
    model = next(metric for metric in evaluation.metrics if metric.primary)
    baseline = next(metric for metric in evaluation.baseline if metric.primary)
    is_loss = model.better == "lower"
    loss, loss_of_baseline = (one.value if is_loss else 1 - one.value for one in (model, baseline))
    worst = model.high if is_loss else 1 - model.low
    if worst >= loss_of_baseline:
        answer = "the shares of the classes" if classification else "the mean"
        return [f"On held-out rows the model is not clearly better than always answering {answer}."]
    first = evaluation.importance[0]
    total = sum(max(one.mean, 0.0) for one in evaluation.importance)
    if loss < _ALMOST_PERFECT * loss_of_baseline and first.mean > _ALMOST_ALONE * total:
        return [
            f"Column {first.feature!r} alone answers almost perfectly: leave it out if it is only known when the answer is."
        ]
    return []


def _copies(columns: Mapping[str, Sequence[str]]) -> int:
    """Count the rows that repeat an earlier one in every column."""
    rows = len(next(iter(columns.values())))
    return rows - len({hash(row) for row in zip(*columns.values(), strict=True)})


def _class_doubts(data: TrainingData) -> list[str]:
    counts = Counter(data.target.answers.tolist())
    small = [data.target.classes[code] for code, count in sorted(counts.items()) if count < _FEW_OF_A_CLASS]
    doubts = []
    if small:
        shown = ", ".join(map(repr, small[:_SHOWN])) + (", …" if len(small) > _SHOWN else "")
        doubts.append(f"There are fewer than {_FEW_OF_A_CLASS} rows of {shown}: do not trust these answers yet.")
    code, most = counts.most_common(1)[0]
    share = most / len(data.target.answers)
    if share > _LOPSIDED:
        doubts.append(
            f"{share:.1%} of the rows are {data.target.classes[code]!r}: accuracy says little, look at the log loss and the AUC."
        )
    return doubts
