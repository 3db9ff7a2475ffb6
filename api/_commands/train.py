"""`rowcast train`: a CSV becomes a certified model, through the running stack or, `--offline`, into a folder.

What can be known here is checked before the first byte travels: a table that cannot be trained ends in one line and leaves nothing
behind, neither on the server nor on disk.
"""

import json
import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api._commands import result, train_options
from api._commands.client import Client
from api._commands.errors import CliError
from api._commands.listing import AsJson
from api._commands.runs import INTERRUPTED, watch
from api._commands.screen import RunScreen
from api._commands.upload import check_size, upload

if TYPE_CHECKING:
    from models.contract import Card
    from models.training import Table, TrainOptions

NAME = r"[a-z0-9][a-z0-9-]{0,61}[a-z0-9]"

File = Annotated[Path, typer.Argument(metavar="FILE", help="The table: CSV, TSV or Parquet, plain or gzip.")]
Target = Annotated[str, typer.Option(metavar="COLUMN", help="The column to predict.")]
Name = Annotated[str, typer.Option(metavar="SLUG", help="Name of the model in URLs; the file's name by default.")]
Title = Annotated[str, typer.Option(help="Title for people.")]
Description = Annotated[str, typer.Option(help="What the model is for, in a sentence or two.")]
TimeBudget = Annotated[
    float, typer.Option(metavar="SECONDS", min=1, max=3600, help="How long to search for the best recipe.")
]
Seed = Annotated[int, typer.Option(min=0, max=999_999_999, help="The same seed and table give the same splits.")]
Drop = Annotated[list[str] | None, typer.Option(metavar="COLUMN", help="Leave a column out; may be repeated.")]
Public = Annotated[bool, typer.Option("--public/--private", help="Whether anybody may see the model and predict.")]
Offline = Annotated[bool, typer.Option("--offline", help="Train here, without a server, into --out.")]
Out = Annotated[
    Path | None, typer.Option(metavar="DIR", help="With --offline: the folder for model.onnx and card.json.")
]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Start the run and return at once.")]


def train(
    file: File,
    *,
    target: Target,
    name: Name = "",
    title: Title = "",
    description: Description = "",
    time_budget: TimeBudget = 30.0,
    seed: Seed = 0,
    drop: Drop = None,
    types: train_options.Types = None,
    task: train_options.Task = None,
    metric: train_options.Metric = None,
    class_weight: train_options.ClassWeight = None,
    holdout: train_options.Holdout = "",
    holdout_share: train_options.HoldoutShare = None,
    workers: train_options.Workers = 1,
    public: Public = False,
    offline: Offline = False,
    out: Out = None,
    no_wait: NoWait = False,
    as_json: AsJson = False,
) -> None:
    """Train a model from a table, with a certificate that what is served answers as what was trained."""
    _check_place(out, workers, is_offline=offline)
    read = train_options.read(types, class_weight, holdout, holdout_share)
    plain = {"time_budget_seconds": time_budget, "seed": seed, "drop": drop, "task": task, "metric": metric}
    chosen = {option: value for option, value in {**plain, **read}.items() if value is not None}
    from models.training import TrainOptions

    slug = _checked_name(name) if name else name_from(file.stem)
    told = {"target": target, "name": slug, "title": title, "description": description}
    options = TrainOptions.from_json({**told, **chosen})
    if offline:
        _train_here(_looked_at(file, options), options, out or Path(slug), as_json=as_json)
        return
    check_size(file)
    _looked_at(file, options)
    chosen |= {"workers": workers} if workers > 1 else {}
    _train_there(file, options, chosen, public=public, wait=not no_wait, as_json=as_json)


def _check_place(out: Path | None, workers: int, *, is_offline: bool) -> None:
    if out is not None and not is_offline:
        raise CliError("--out belongs to --offline; a run on the server keeps its model in the registry")
    if workers > 1 and is_offline:
        raise CliError("--workers is for a run on the server; --offline searches in this process")


def _looked_at(file: Path, options: "TrainOptions") -> "Table":
    from models.training import read_table, understand

    table = read_table(file)
    understand(table, options)
    return table


def name_from(text: str) -> str:
    """Make a model's name from a file's name: lower-case letters, digits and single dashes."""
    return _checked_name(re.sub(r"[^a-z0-9]+", "-", text.lower())[:63].strip("-"))


def _checked_name(name: str) -> str:
    if not re.fullmatch(NAME, name):
        raise CliError(f"{name!r} cannot be a model's name; give 2 to 63 of a-z, 0-9 and inner dashes with --name")
    return name


def _train_here(table: "Table", options: "TrainOptions", folder: Path, *, as_json: bool) -> None:
    from models import training

    with RunScreen() as screen:
        trained = training.train(table, options, on_event=screen.show)
    try:
        training.write(trained, folder)
    except OSError as error:
        raise CliError(f"{folder} cannot be written: {error.strerror}; nothing was kept") from error
    card = trained.card
    if as_json:
        print(card.model_dump_json(indent=2))
        return
    predict = f"./rowcast predict --offline {shlex.quote(str(folder))} --row {result.example_row(card)}"
    print(
        result.text(
            card, heading=f"{card.name} is certified: {folder}/model.onnx and {folder}/card.json", next_steps=[predict]
        )
    )


def _train_there(
    file: Path, options: "TrainOptions", chosen: dict[str, Any], *, public: bool, wait: bool, as_json: bool
) -> None:
    with Client() as client:
        dataset = upload(client, file, name=options.title or options.name)
        run = _start(client, _order(dataset["id"], options, chosen, public=public))
        if not wait:
            print(
                json.dumps(run, indent=2)
                if as_json
                else f"Run {run['id']} is queued. Watch it: ./rowcast run follow {run['id']}"
            )
            return
        run = watch(client, run["id"])
        _show_version(client, run, as_json=as_json)


def _start(client: Client, order: dict[str, Any]) -> dict[str, Any]:
    try:
        run: dict[str, Any] = client.call("POST", "/api/runs", json=order)
    except KeyboardInterrupt as interrupt:
        print("\nThe run may have been queued already. Look: ./rowcast run list", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from interrupt
    return run


def _order(dataset_id: str, options: "TrainOptions", chosen: dict[str, Any], *, public: bool) -> dict[str, Any]:
    return {
        "dataset_id": dataset_id,
        "model": options.name,
        "target": options.target,
        "title": options.title,
        "description": options.description,
        "visibility": "public" if public else "private",
        "options": chosen,
    }


def _show_version(client: Client, run: dict[str, Any], *, as_json: bool) -> None:
    from models.contract import Card

    slug, number = run["model"], run["version"]
    model = client.call("GET", f"/api/models/{slug}")
    champion = model["champion"]["number"]
    card = client.call("GET", f"/api/models/{slug}/card", params={"version": number})
    if as_json:
        print(json.dumps({"run": run, "version": number, "champion": champion, "card": card}, indent=2))
        return
    serves = champion == number
    state = "answers as champion" if serves else f"waits as challenger; version {champion} stays champion"
    heading = f"{slug} version {number} is certified and {state}"
    name = slug if serves else f"{slug}@{number}"
    made = Card.model_validate(card)
    steps = _next_steps(client, name, made, is_public=model["visibility"] == "public")
    print(result.text(made, heading=heading, next_steps=steps))


def _next_steps(client: Client, name: str, card: "Card", *, is_public: bool) -> list[str]:
    row = result.example_row(card)
    url = client.place.api_url
    if is_public:
        others = f"curl {url}/api/predict/{name} -H 'content-type: application/json' -d {row}"
    else:
        others = f"./rowcast key create --scope predict --model {card.name}   (for programs: the model is private)"
    return [f"./rowcast predict {name} --row {row}", others, f"{url}/models/{name}"]
