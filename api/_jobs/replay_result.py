"""What two versions answer to the same rows: labels that flip, values that move, and who is nearer to the truth."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from api._jobs.replay_record import ReplayRow
from models.errors import InvalidRows
from models.runtime import OnnxModel, Prediction

PART_ROWS = 500
TIMED_ROWS = 100
EXAMPLES = 20
RESAMPLES = 2000
_QUANTILES = (0, 0.05, 0.25, 0.5, 0.75, 0.95, 1)


def compare_answers(
    version: OnnxModel, against: OnnxModel, rows: Sequence[ReplayRow], on_part: Callable[[], None]
) -> dict[str, Any]:
    """Ask both versions about the rows and say what differs; `on_part` is called now and then."""
    pairs: list[tuple[ReplayRow, Prediction, Prediction]] = []
    for start in range(0, len(rows), PART_ROWS):
        part = rows[start : start + PART_ROWS]
        sent = [each.row for each in part]
        answers = zip(part, _ask(version, sent), _ask(against, sent), strict=True)
        pairs += [(row, new, old) for row, new, old in answers if new is not None and old is not None]
        on_part()
    is_class = version.card.task != "regression"
    differences = np.array([_difference(new, old) for _, new, old in pairs])
    changes = Counter(
        (old["label"], new["label"]) for _, new, old in pairs if is_class and old["label"] != new["label"]
    )
    times = [row.at for row, _, _ in pairs if row.at is not None]
    flips = changes.total()
    return {
        "rows": len(pairs),
        "since": min(times).isoformat() if times else None,
        "until": max(times).isoformat() if times else None,
        "unreadable": len(rows) - len(pairs),
        "flips": flips,
        "flip_share": flips / len(pairs) if pairs else 0.0,
        "changes": [{"from": old, "to": new, "rows": count} for (old, new), count in changes.most_common(50)],
        "mean_difference": float(differences.mean()) if pairs else 0.0,
        "largest_difference": float(np.abs(differences).max()) if pairs else 0.0,
        "differences": np.quantile(differences, _QUANTILES).tolist() if pairs else [],
        **_judge(pairs, is_class=is_class),
        "latency": _measure(version, against, [row.row for row, _, _ in pairs[:TIMED_ROWS]]),
        "examples": _pick_examples(pairs, differences),
    }


def _ask(engine: OnnxModel, rows: Sequence[dict[str, Any]]) -> Sequence[Prediction | None]:
    """Ask about all rows at once; where one cannot be read, one by one."""
    try:
        return engine.predict(rows)
    except InvalidRows:
        return [_ask_one(engine, row) for row in rows]


def _ask_one(engine: OnnxModel, row: dict[str, Any]) -> Prediction | None:
    try:
        return engine.predict([row])[0]
    except InvalidRows:
        return None


def _difference(new: Prediction, old: Prediction) -> float:
    if "label" in old:
        return float(new["probabilities"].get(old["label"], 0.0) - old["probabilities"][old["label"]])
    return float(new["value"] - old["value"])


def _pick_examples(
    pairs: Sequence[tuple[ReplayRow, Prediction, Prediction]], differences: NDArray[np.float64]
) -> list[dict[str, Any]]:
    """Show the rows whose answer changes most."""
    return [
        {
            "row": pairs[index][0].row,
            "version": pairs[index][1],
            "against": pairs[index][2],
            "actual": pairs[index][0].actual,
        }
        for index in np.argsort(-np.abs(differences), kind="stable")[:EXAMPLES].tolist()
        if differences[index] != 0
    ]


def _judge(pairs: Sequence[tuple[ReplayRow, Prediction, Prediction]], *, is_class: bool) -> dict[str, Any]:
    """Compare with the truth where it is known: right or wrong for classes, the distance for amounts."""
    known = [(row.actual, new, old) for row, new, old in pairs if row.actual is not None]
    if is_class:
        ours = np.array([float(new["label"] == _label(actual)) for actual, new, _ in known])
        theirs = np.array([float(old["label"] == _label(actual)) for actual, _, old in known])
        gained = ours - theirs
    else:
        ours = np.array([abs(new["value"] - _amount(actual)) for actual, new, _ in known])
        theirs = np.array([abs(old["value"] - _amount(actual)) for actual, _, old in known])
        gained = theirs - ours
    score = None
    if known:
        low, high = _interval(ours - theirs)
        score = {
            "name": "accuracy" if is_class else "mae",
            "better": "higher" if is_class else "lower",
            "version": float(ours.mean()),
            "against": float(theirs.mean()),
            "difference": float((ours - theirs).mean()),
            "low": low,
            "high": high,
        }
    return {"actuals": len(known), "gains": int((gained > 0).sum()), "losses": int((gained < 0).sum()), "score": score}


def _label(actual: str | float) -> str:
    return actual if isinstance(actual, str) else f"{actual:g}"


def _amount(actual: str | float) -> float:
    return float(actual)


def _interval(differences: NDArray[np.float64]) -> tuple[float, float]:
    """Find where 95 % of the means of resampled rows lie. The same rows give the same interval."""
    random = np.random.default_rng(0)
    means = [random.choice(differences, len(differences)).mean() for _ in range(RESAMPLES)]
    low, high = np.quantile(means, (0.025, 0.975)).tolist()
    return low, high


def _measure(version: OnnxModel, against: OnnxModel, rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Time one row after the other through both versions in turn, so that a busy machine is unfair to neither."""
    spent: dict[str, list[float]] = {"version": [], "against": []}
    for row in rows:
        for name, engine in (("version", version), ("against", against)):
            start = time.perf_counter()
            engine.predict([row])
            spent[name].append((time.perf_counter() - start) * 1000)
    return {
        name: {f"p{share}_ms": float(np.percentile(values, share)) if values else 0.0 for share in (50, 95)}
        for name, values in spent.items()
    }
