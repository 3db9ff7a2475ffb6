"""How models stand, in words: which of them need a look, and why. Pure: no network, no page."""

from dataclasses import dataclass
from typing import Any

from quality import share, short

FEW_REQUESTS = 20
MANY_ERRORS = 0.05
FEW_ACTUALS = 30

DRIFT = {
    "drifted": "🔴 drifted",
    "moved": "🟠 moved",
    "stable": "🟢 stable",
    "not_enough_data": "⚪ not enough data",
    None: "⚪ not compared yet",
}


@dataclass(frozen=True)
class Alert:
    """Something about a model that somebody should look at."""

    model: str
    text: str
    is_serious: bool
    place: str
    """The part of the page Monitor that tells more."""


def error_share(model: dict[str, Any]) -> float | None:
    """Tell which share of the requests was not answered; None where nothing was asked."""
    asked = model["requests"] + model["refused"]
    return model["refused"] / asked if asked else None


def alerts(models: list[dict[str, Any]]) -> list[Alert]:
    """Find what needs a look, the serious first."""
    found = [alert for model in models for alert in _alerts_of(model)]
    return sorted(found, key=lambda alert: not alert.is_serious)


def _alerts_of(model: dict[str, Any]) -> list[Alert]:
    title, asked = model["title"] or model["model"], model["requests"] + model["refused"]
    found = []
    if model["drifted"]:
        names = ", ".join("the prediction" if name is None else name for name in model["drifted"])
        found.append(Alert(model["model"], f"{title}: {names} moved away from training, and stays away", True, "Drift"))
    if model["failed"] and asked >= FEW_REQUESTS and model["failed"] / asked >= MANY_ERRORS:
        failed = share(model["failed"] / asked)
        found.append(Alert(model["model"], f"{title}: {failed} of its requests failed on our side", True, "Use"))
    elif asked >= FEW_REQUESTS and model["refused"] / asked >= MANY_ERRORS:
        refused = share(model["refused"] / asked)
        found.append(Alert(model["model"], f"{title}: {refused} of its requests were turned away", False, "Use"))
    return found


def live_quality(model: dict[str, Any]) -> str:
    """Say how right a model was, as far as the truth is known."""
    if model["accuracy"]:
        said = f"{share(model['accuracy']['value'])} right"
    elif model["mean_absolute_error"]:
        said = f"± {short(model['mean_absolute_error']['value'])}"
    else:
        return "–"
    return (
        f"{said} ({model['actuals']:,} known)"
        if model["actuals"] >= FEW_ACTUALS
        else f"{said} (few: {model['actuals']})"
    )
