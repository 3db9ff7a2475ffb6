"""What a run may be told on the command line beyond its target: the options of the API, in the words of a shell."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import typer

from api._commands.errors import CliError

Task = Annotated[
    Literal["binary", "multiclass", "regression"] | None, typer.Option(help="What to predict; found from the target.")
]
Metric = Annotated[
    Literal["log_loss", "accuracy", "balanced_accuracy", "f1", "roc_auc", "r2", "rmse", "mae"] | None,
    typer.Option(help="What the search improves: log_loss for classes and r2 for numbers, if you do not say."),
]
ClassWeight = Annotated[
    list[str] | None,
    typer.Option(
        metavar="LABEL=NUMBER",
        help="How much an error on a class counts; may be repeated. Or: balanced, for all classes.",
    ),
]
Types = Annotated[
    list[str] | None,
    typer.Option("--type", metavar="COLUMN=TYPE", help="What a column really is, as zip=category; may be repeated."),
]
Holdout = Annotated[
    str,
    typer.Option(
        metavar="time:COLUMN",
        help="Judge on the newest rows by this column, or with group:COLUMN on whole groups, instead of a random fifth.",
    ),
]
HoldoutShare = Annotated[
    float | None, typer.Option(min=0.05, max=0.5, help="Share of the rows to judge on; 0.2 if you do not say.")
]
Workers = Annotated[int, typer.Option(min=1, max=8, help="How many workers may search together, on a server.")]


def read(
    types: Sequence[str] | None, class_weight: Sequence[str] | None, holdout: str, holdout_share: float | None
) -> dict[str, Any]:
    """Read what is written in a form of its own, by the names that the API has for it; None where nothing is given."""
    return {
        "types": read_types(types) or None,
        "class_weights": read_class_weights(class_weight),
        "holdout": read_holdout(holdout, holdout_share),
    }


def read_class_weights(given: Sequence[str] | None) -> Any:
    """Read `balanced`, or a number for each label; None where nothing is given."""
    if not given:
        return None
    if list(given) == ["balanced"]:
        return "balanced"
    weights: dict[str, float] = {}
    for each in given:
        label, equals, number = each.rpartition("=")
        try:
            weights[label] = float(number)
        except ValueError:
            equals = ""
        if not equals or not 0 < weights[label] < float("inf"):
            raise CliError(
                f"--class-weight {each!r} is neither LABEL=NUMBER, with a number above 0, nor balanced alone"
            )
    return weights


def read_types(given: Sequence[str] | None) -> dict[str, str]:
    """Read what columns are, by name."""
    types: dict[str, str] = {}
    for each in given or ():
        column, equals, kind = each.rpartition("=")
        if not equals or not column:
            raise CliError(f"--type {each!r} is not COLUMN=TYPE, as in zip=category")
        types[column] = kind
    return types


def read_holdout(given: str, share: float | None) -> dict[str, Any] | None:
    """Read which rows judge; None is a random fifth."""
    if not given:
        if share is not None:
            raise CliError("--holdout-share belongs to --holdout")
        return None
    by, colon, column = given.partition(":")
    if by not in {"time", "group"} or not colon or not column:
        raise CliError(f"--holdout {given!r} is neither time:COLUMN nor group:COLUMN")
    return {"by": by, "column": column} | ({} if share is None else {"share": share})
