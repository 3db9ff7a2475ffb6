"""The command: measure, show a table, or write JSON."""

import json
from typing import Annotated

import typer

from api._commands.bench import peers
from api._commands.bench.figures import Figure
from api._commands.bench.measures import measure

_VERDICTS = {True: "met", False: "[red]not met[/red]", None: ""}
_AIM_VERDICTS = {True: "reached", False: "[yellow]not reached[/yellow]", None: ""}


def bench(
    *,
    requests: Annotated[int, typer.Option(help="Single-row requests per measurement.", min=300)] = 6000,
    as_json: Annotated[bool, typer.Option("--json", help="Write the figures as JSON.")] = False,
    is_peers: Annotated[
        bool, typer.Option("--peers", help="Measure other servers with the same models instead.")
    ] = False,
    is_written: Annotated[bool, typer.Option("--write", help="Keep what --peers found in RESULTS.md.")] = False,
) -> None:
    """Measure predictions beside the least they could cost: a JSON echo and a bare model on the same server.

    Everything runs on servers and in a registry of its own; nothing of yours is touched. What is compared takes turns in
    short rounds, so that a busy machine slows both alike: trust ratios more than times, and CPU more than either. Where two cores
    are all there is, higher quantiles are right for root only, whose client need not wait until the database leaves it the core.

    With --peers the same models are served by FastAPI with pandas, MLServer, BentoML, LitServe and MLflow as well, each from
    an environment of its own that is installed once (1.9 GB together); it takes about ten minutes.
    """
    if is_peers:
        peers.compare(is_written=is_written)
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    with console.status("") as status:
        figures = list(measure(requests, lambda text: status.update(f"{text} …")))
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
        verdict = (_AIM_VERDICTS if figure.is_aim else _VERDICTS)[figure.is_met]
        table.add_row(figure.what, figure.unit, f"{figure.value:.3g}", limit, ratio, figure.goal, verdict)
    console = Console(width=140, highlight=False)
    console.print(table)
    for is_aim, what in (
        (False, "goals are met"),
        (True, "first aims, which left no room for what a request promises, are reached"),
    ):
        verdicts = [figure.is_met for figure in figures if figure.is_met is not None and figure.is_aim is is_aim]
        if verdicts:
            console.print(f"{sum(verdicts)} of {len(verdicts)} {what}.")
