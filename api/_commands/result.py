"""What a finished training says to the person who started it."""

import json
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models.contract import Card, Metric


def text(card: "Card", *, heading: str, next_steps: Sequence[str]) -> str:
    """Compose the result: score against the baseline, the certificate in one line, warnings, what to do next."""
    baseline = {metric.name: metric for metric in card.evaluation.baseline}
    said = [heading, ""]
    said += [_score(metric, baseline.get(metric.name)) for metric in card.evaluation.metrics]
    parity = card.parity
    certified = "certified" if parity.passed else "REFUSED"
    engines = " and ".join(parity.engines)
    said += [
        f"  parity      {certified}: {parity.rows:,} rows through {engines}",
        f"              {parity.label_flips} labels differ, largest difference {parity.max_error:.1e}",
        f"              {parity.browser_sentence}",
        f"  recipe      {card.recipe}, {card.evaluation.rows:,} rows held out, trained in {card.training_seconds:.0f} s",
    ]
    said += [f"  note        {warning}" for warning in card.warnings]
    return "\n".join([*said, "", *(f"  {step}" for step in next_steps)])


def example_row(card: "Card") -> str:
    """Write one held-out row as a shell word, ready to paste behind `--row` or `-d`."""
    row = card.examples[0] if card.examples else {feature.name: feature.default for feature in card.features}
    return shlex.quote(json.dumps(row, ensure_ascii=False))


def _score(metric: "Metric", baseline: "Metric | None") -> str:
    value, interval = f"{metric.value:.4g}", f"95 % interval {metric.low:.4g} to {metric.high:.4g}"
    against = "" if baseline is None else f"baseline {baseline.value:.4g}"
    optimised = "  (what the search optimised)" if metric.primary else ""
    return f"  {metric.name:<11} {value:<10} {interval:<38} {against}{optimised}".rstrip()
