"""A card as the README of a model repository: front matter that hubs read, then the same facts in words.

Standard library only, so that a function may write it.
"""

import json
from collections.abc import Iterable, Sequence

from models.contract import Card, Metric

_TASKS = {
    "binary": "tabular-classification",
    "multiclass": "tabular-classification",
    "regression": "tabular-regression",
}
_SHOWN_FEATURES = 50
_SHOWN_IMPORTANCE = 10


def card_readme(card: Card) -> str:
    """Write README.md: YAML front matter with the metrics, then what the model is, how good, on what, and its limits."""
    parts = [
        _front_matter(card),
        f"# {_plain(card.title)}",
        _plain(card.description),
        _task(card),
        "## Scores",
        _scores(card),
        "## Features",
        _features(card),
        *(("## Importance", _importance(card)) if card.evaluation.importance else ()),
        "## Parity",
        _parity(card),
        "## What to know",
        "\n".join(f"- {_plain(warning)}" for warning in card.warnings)
        or "Training found nothing suspicious in the data.",
        "## Origin",
        _origin(card),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _front_matter(card: Card) -> str:
    """Write the front matter; strings are JSON strings, which are YAML strings too."""
    task = _TASKS[card.task]
    lines = [
        "---",
        "library_name: onnx",
        f"pipeline_tag: {task}",
        *([f"license: {_quoted(card.dataset.licence.lower())}"] if card.dataset.licence else []),
        "tags:",
        *(f"- {tag}" for tag in ("tabular", task, "onnx", "rowcast")),
        f"browser_parity: {_quoted(card.parity.browser_sentence)}",
        "model-index:",
        f"- name: {_quoted(card.name)}",
        "  results:",
        "  - task:",
        f"      type: {task}",
        "    dataset:",
        f"      name: {_quoted(card.dataset.name)}",
        f"      type: {_quoted(card.dataset.name)}",
        "    metrics:",
    ]
    for metric in card.evaluation.metrics:
        lines += [f"    - type: {metric.name}", f"      value: {metric.value!r}", f"      name: {_quoted(metric.name)}"]
    if not card.evaluation.metrics:
        lines[-1] += " []"
    return "\n".join([*lines, "---"])


def _task(card: Card) -> str:
    what = f"one of {len(card.classes)} classes" if card.classes else "an amount"
    return f"Predicts `{_code(card.target)}` ({what}) from {len(card.features)} features. Recipe: {card.recipe.replace('_', ' ')}."


def _scores(card: Card) -> str:
    evaluation = card.evaluation
    if not evaluation.metrics:
        return "Nobody has judged this file on labelled rows."
    baseline = {metric.name: metric for metric in evaluation.baseline}
    rows = [_score(metric, baseline.get(metric.name)) for metric in evaluation.metrics]
    twin = " The served file has learned from them too, after these scores were taken." if evaluation.refitted else ""
    table = _table(["score", "value", "95 % interval", "always the same answer"], rows)
    return f"{table}\n\nOn {evaluation.rows} rows that were held out.{twin}"


def _score(metric: Metric, baseline: Metric | None) -> list[str]:
    shown = "" if baseline is None else f"{baseline.value:.4g}"
    return [metric.name, f"{metric.value:.4g}", f"{metric.low:.4g} to {metric.high:.4g}", shown]


def _features(card: Card) -> str:
    header = ["name", "kind", "required", *([] if card.is_brought else ["missing in training"])]
    rows = [
        [
            f"`{_code(feature.name)}`",
            feature.kind,
            "yes" if feature.required else "no",
            *([] if card.is_brought else [f"{feature.missing_share:.1%}"]),
        ]
        for feature in card.features[:_SHOWN_FEATURES]
    ]
    more = len(card.features) - len(rows)
    return _table(header, rows) + (f"\n\nAnd {more} more." if more else "")


def _importance(card: Card) -> str:
    listed = card.evaluation.importance[:_SHOWN_IMPORTANCE]
    return _table(["feature", "loss of score"], [[f"`{_code(one.feature)}`", f"{one.mean:.4g}"] for one in listed])


def _parity(card: Card) -> str:
    parity = card.parity
    between = " and ".join(parity.engines) or "nothing"
    return (
        f"{parity.rows} rows compared between {between}: {parity.label_flips} changed labels, "
        f"largest difference {parity.max_error:.2g} (allowed: {parity.tolerance:g}). {_plain(parity.browser_sentence)}"
    )


def _origin(card: Card) -> str:
    if card.is_brought:
        return f"Trained elsewhere, brought {card.trained_at:%Y-%m-%d}. Model SHA-256 `{card.digest}`."
    dataset = card.dataset
    facts = [
        f"Trained {card.trained_at:%Y-%m-%d} on {_plain(dataset.name)}: {dataset.rows} rows, {dataset.columns} columns.",
        f"Source: {_plain(dataset.source)}." if dataset.source else "",
        f"Data SHA-256 `{dataset.sha256}`, model SHA-256 `{card.digest}`, seed {card.seed}.",
    ]
    return " ".join(filter(None, facts))


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def _quoted(text: str) -> str:
    return json.dumps(text)


def _plain(text: str) -> str:
    """Keep a text from being read as markup: one line, no tags, no links."""
    return " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace("[", "\\[")


def _code(text: str) -> str:
    return " ".join(text.split()).replace("`", "'")
