"""The command: measure, show a table, or write JSON."""

import json
from typing import Annotated

import typer

from api._commands.bench.figures import Figure
from api._commands.bench.measures import measure

_VERDICTS = {True: "met", False: "[red]not met[/red]", None: ""}


def bench(
    *,
    requests: Annotated[int, typer.Option(help="Single-row requests per measurement.", min=300)] = 6000,
    train_seconds: Annotated[float, typer.Option(help="Time budget of each of the two models.", min=1)] = 5.0,
    as_json: Annotated[bool, typer.Option("--json", help="Write the figures as JSON.")] = False,
) -> None:
    """Measure predictions beside the least they could cost: a JSON echo and a bare model on the same server.

    Everything runs on servers and in a registry of its own; nothing of yours is touched. What is compared takes turns in
    short rounds, so that a busy machine slows both alike: trust ratios more than times, and CPU more than either.
    """
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    with console.status("") as status:
        figures = list(measure(requests, train_seconds, lambda text: status.update(f"{text} …")))
    if as_json:
        print(json.dumps([figure.as_json() for figure in figures], indent=2))
    else:
        _show(figures)


def _show(figures: list[Figure]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("what", "", "Rowcast", "beside", "ratio", "goal", "", box=None, pad_edge=False)
    for figure in figures:
        limit = "" if figure.limit is None else f"{figure.limit:.3g}"
        ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
        verdict = _VERDICTS[figure.is_met]
        table.add_row(figure.what, figure.unit, f"{figure.value:.3g}", limit, ratio, figure.goal, verdict)
    Console(width=140).print(table)
