"""Models from the command line: brought, looked at, compared, replayed, promoted, rolled back, fetched, put away."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from api._cli import main
from models.contract import Card
from models.runtime import OnnxModel
from tests.api.conftest import Publisher
from tests.api.tiny import CLASSES, Tiny, build
from tests.conftest import RunningStack, User

pytestmark = [pytest.mark.stack]

EXAMPLES = "length,width,island,species\n4.5,2,Dream,Gentoo\n1.25,,Biscoe,Adelie\n2.5,3,,Adelie\n"

type Call = Callable[..., str]


@pytest.fixture
def call(
    cli_environ: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Call:
    """Return a function that runs one command of an analyst's, expects its exit code, and returns what it said."""
    for name, value in {**cli_environ, "ROWCAST_HOME": str(tmp_path / "no-home"), "COLUMNS": "200"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)

    def one(*words: str, code: int = 0) -> str:
        ended = main(words)
        said = capsys.readouterr()
        assert ended == code, said
        return said.err if code else said.out

    return one


@pytest.fixture
def versions(stack: RunningStack, site_url: str, analyst: User, unique: str) -> list[Tiny]:
    """Publish three versions of a model of the analyst's."""
    made = [build(unique, seed=seed) for seed in (0, 9, 10)]
    Publisher(stack).publish(unique, *made, owner=analyst, visibility="private")
    return made


def test_a_version_is_judged_promoted_and_rolled_back(
    call: Call, versions: list[Tiny], unique: str, tmp_path: Path, worker: None
) -> None:
    """From what there is to what answers and back: each step says what it did, and the history tells it later."""
    rows = tmp_path / "rows.csv"
    rows.write_text("length,width,island\n" + "".join(f"{n / 10},{n % 4},Dream\n" for n in range(40)), encoding="utf-8")
    dataset = json.loads(call("dataset", "add", str(rows), "--no-wait", "--json"))["id"]

    line = next(each for each in call("model", "list").splitlines() if each.startswith(unique))
    assert "species" in line
    assert "accuracy 0.9" in line
    shown = call("model", "show", unique)
    assert versions[2].card.digest[:12] in shown
    assert "champion" in shown
    assert "unclear" in call("model", "compare", unique, "2")
    replayed = call("model", "replay", unique, "2", "--dataset", dataset)
    assert "version 2 against version 1" in replayed
    assert "flips" in replayed

    promoted = call("model", "promote", unique, "2", "--reason", "better on new rows")
    assert f"{unique}: champion points at version 2 now, before at version 1." in promoted
    assert "Evidence: a replay of 40 rows" in promoted
    late = call("model", "promote", unique, "3", "--reason", "x", "--from", "1", code=1)
    assert late.startswith('rowcast: from_version: alias "champion" has moved since you looked')
    assert "version 1 now, before at version 2" in call("model", "rollback", unique, "--reason", "worse after all")
    assert "no earlier version" in call("model", "rollback", unique, "--reason", "x", code=1)
    call("model", "alias", unique, "beta", "2", "--reason", "for the partners")
    assert 'Alias "beta" points at version 2' in call("model", "delete", unique, "2", "--yes", code=1)
    assert "beta points at nothing now" in call("model", "alias", unique, "beta", "--remove", "--reason", "over")
    assert "name the version, or say --remove" in call("model", "alias", unique, "beta", "--reason", "x", code=1)

    moves = json.loads(call("model", "history", unique, "--json"))
    assert [(move["alias"], move["to_version"]) for move in moves if move["alias"] != "challenger"] == [
        ("beta", None), ("beta", 2), ("champion", 1), ("champion", 2), ("champion", 1),
    ]  # fmt: skip
    assert "better on new rows" in call("model", "history", unique)
    assert "Nothing was live then" in call("model", "history", unique, "--at", "2020-01-01")


def test_versions_are_fetched_and_put_away(call: Call, versions: list[Tiny], unique: str, tmp_path: Path) -> None:
    """The file with its card, checked by its digest; what nothing points at is deleted; a model retires and returns."""
    call("model", "download", unique, "--version", "2", "--out", str(tmp_path / "out"))
    card = Card.model_validate_json((tmp_path / "out" / "card.json").read_bytes())
    assert card.digest == versions[1].card.digest
    assert OnnxModel.open(tmp_path / "out" / "model.onnx", card).predict([{"length": 1.0}])
    assert call("model", "card", unique).startswith("---\n")
    assert json.loads(call("model", "card", unique, "--json"))["digest"] == versions[0].card.digest

    assert "--yes deletes without asking" in call("model", "delete", unique, "2", code=1)
    assert 'Alias "champion" points at version 1' in call("model", "delete", unique, "1", "--yes", code=1)
    assert "version 2 is deleted" in call("model", "delete", unique, "2", "--yes")
    assert "file deleted" in call("model", "show", unique)
    call("model", "archive", unique)
    assert unique in call("model", "list", "--archived")
    assert "is archived; take it out" in call("model", "promote", unique, "3", "--reason", "x", code=1)
    call("model", "unarchive", unique)
    assert "There is no model 'nowhere'" in call("model", "show", "nowhere", code=1)


def test_a_file_of_ones_own_is_imported(call: Call, unique: str, tmp_path: Path, worker: None) -> None:
    """Columns are told by example rows; what the server refuses is one line; a wrong description is said here."""
    (tmp_path / "theirs.onnx").write_bytes(build("brought").model)
    (tmp_path / "rows.csv").write_text(EXAMPLES, encoding="utf-8")
    words = ["model", "import", "theirs.onnx", "--name", unique, "--target", "species", "--examples", "rows.csv"]
    labels = [word for label in CLASSES for word in ("--class", label)]

    said = call(*words, *labels)

    assert f"{unique} version 1 is certified and answers as champion" in said
    assert "runtime to runtime" in said
    answer = json.loads(call("predict", unique, "--row", json.dumps({"length": 4.5, "width": 2}), "--json"))
    assert set(answer["predictions"][0]["probabilities"]) == set(CLASSES)
    refused = call(*words, "--class", "a", "--class", "b", code=1)
    assert "one output of shape [rows, 2]" in refused.splitlines()[-1]
    assert "--examples CSV, or exactly with --schema JSON" in call(*words[:-2], code=1)
    (tmp_path / "said.json").write_text("[]", encoding="utf-8")
    assert "must hold an object" in call(*words[:-2], "--schema", "said.json", code=1)


def test_life_of_a_dataset(call: Call, tmp_path: Path, worker: None) -> None:
    """Uploaded and looked through with warnings, corrected, deleted; each mistake is one line."""
    lines = "".join(f"{n},0{1000 + n % 7},{n % 5}.5,{'ab'[n % 2]}\n" for n in range(120))
    (tmp_path / "orders.csv").write_text("order_id,zip,amount,kind\n" + lines, encoding="utf-8")

    added = call("dataset", "add", "orders.csv", "--licence", "CC0-1.0")

    dataset = next(line.split()[1] for line in added.splitlines() if line.startswith("id "))
    assert "CC0-1.0" in added
    assert _line(added, "order_id")[1] == "id"
    assert "note: " in added
    assert dataset in call("dataset", "list")
    corrected = call("dataset", "correct", dataset, "--type", "zip=category", "--drop", "amount")
    assert _line(corrected, "zip")[1] == "category"
    assert "left out" in " ".join(_line(corrected, "amount"))
    found: dict[str, Any] = json.loads(call("dataset", "correct", dataset, "--keep", "amount", "--json"))
    assert found["profile"]["corrections"] == {"types": {"zip": "category"}, "drop": []}
    assert "there is no column 'zap'" in call("dataset", "correct", dataset, "--drop", "zap", code=1)
    assert "write COLUMN=TYPE" in call("dataset", "correct", dataset, "--type", "zip", code=1)
    assert "There is no table or view" in call("dataset", "from-table", "public.nowhere", code=1)
    assert "--yes deletes without asking" in call("dataset", "delete", dataset, code=1)
    assert "is deleted" in call("dataset", "delete", dataset, "--yes")
    assert "There is no dataset" in call("dataset", "show", dataset, code=1)
    assert "there is no file" in call("dataset", "add", "nowhere.csv", code=1)


def test_rows_of_a_table_become_a_dataset(call: Call, database: Any, unique: str, worker: None) -> None:
    """A table that people may read, with their own rights."""
    database.execute(f"create table public.{unique} (amount integer, kind text)")
    database.execute(f"insert into public.{unique} select n, 'a' from generate_series(1, 30) as n")
    database.execute(f"grant select on public.{unique} to authenticated")
    database.commit()

    taken = call("dataset", "from-table", f"public.{unique}", "--newest-by", "amount", "--rows", "20")

    database.execute(f"drop table public.{unique}")
    database.commit()
    assert _line(taken, "rows")[1] == "20"
    assert _line(taken, "amount")


def _line(said: str, name: str) -> list[str]:
    return next(line.split() for line in said.splitlines() if line.split()[:1] == [name])
