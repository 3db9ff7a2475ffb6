"""One coercion table at every door, and what it reads is what scikit-learn reads."""

import os
from datetime import date, timedelta
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.api.conftest import Publisher
from tests.conftest import RunningStack, User
from tests.contract import kinds
from tests.contract.doors import DOORS, TEXT_DOORS, House, rows_as_json

EXAMPLES = 3000 if os.environ.get("ROWCAST_SOAK") == "full" else 100
MISSING = [None, "", "  ", "NA", "n/a", "NaN", "null", "?"]
READ: dict[str, list[list[Any]]] = {
    # In one line: ways to write the same cell.
    "amount": [
        [12, 12.0, "12", "12.0", " 12 ", "1.2e1", "0012", "+12"],
        [-0.5, "-0.5", "-.5", "-5e-1"],
        [1, 1.0, True, "1"],
        [0, 0.0, -0.0, False, "0", "-0"],
        [1e30, "1e30", 10**30 * 1.0],
        MISSING,
    ],
    "count": [[12, 12.0, "12", "12.0", "012", " 12 ", "1.2e1"], [1, True, "1"], [-3, -3.0, "-3"], MISSING],
    "is_new": [
        [True, 1, 1.0, "true", "TRUE", " True ", "yes", "1", "1.0"],
        [False, 0, 0.0, "false", "No", "0"],
        MISSING,
    ],
    "day": [
        ["2021-05-31", "2021/5/31", " 2021-05-31 ", "2021-05-31T00:00"],
        ["2021-06-01T12:00:00Z", "2021-06-01 12:00"],
        MISSING,
    ],
    "place": [
        ["Dream", " Dream", "Dream\t"],
        ["007"],
        ["7", 7, 7.0],
        ["12", 12, 12.0],
        ["1.5"],
        ["true", True],
        ["false", False],
        ["São Tomé"],
        ["never seen", " never seen "],
        MISSING,
    ],
}
JSON_WAYS = {("amount", bool), ("count", bool), ("place", float)}
"""What only JSON can say: the text "true" is no number, and the text "12.0" is a place of that name."""

REFUSED: dict[str, list[Any]] = {
    "amount": ["twelve", "1,5", "1_000", "0x10", "12abc", "inf", "-Infinity", 1e39, "1e39", "١٢ kg", "true", "--1"],
    "count": [12.5, "12.5", "1e-3", "twelve", 1e39],
    "is_new": [2, "2", "maybe", 0.5, -1, "t"],
    "day": ["yesterday", "2021-13-01", "2021-02-30", "31.5.2021 at noon", "true"],
    "place": [],
}
ONLY_JSON: dict[str, list[Any]] = {name: [[], {}, [1], {"value": 1}, ["Dream"]] for name in REFUSED}


@pytest.fixture(scope="module")
def house(stack: RunningStack, site_url: str, contract_owner: User) -> Any:
    """Serve the model with a feature of every kind."""
    trained = kinds.train()
    Publisher(stack).publish("kinds", trained, owner=contract_owner)
    with httpx.Client(base_url=site_url, timeout=30, trust_env=False) as client:
        yield House(client, "kinds", trained.open())


def plain_row(**changes: Any) -> dict[str, Any]:
    """Write a row with nothing odd about it."""
    return {"amount": 3.5, "count": 7, "is_new": True, "day": "2021-03-04", "place": "Dream", **changes}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", READ)
def test_cells_are_read_alike(house: House, name: str, door: str):
    """Every way to write a cell means the same, whichever door it comes through."""
    for ways in READ[name]:
        wanted = rows_as_json(house, [plain_row(**{name: ways[0]})]).probabilities

        for cell in ways:
            if door in TEXT_DOORS and (name, type(cell)) in JSON_WAYS:
                continue
            said = DOORS[door](house, [plain_row(**{name: cell})])
            assert said.probabilities is not None, (cell, said)
            assert np.allclose(said.probabilities, wanted, rtol=0, atol=1e-7), (name, cell)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", REFUSED)
def test_cells_are_refused_alike(house: House, name: str, door: str):
    """What does not fit is refused with its place and the same words, whichever door it comes through."""
    cells = REFUSED[name] + ([] if door in TEXT_DOORS | {"open_inference_bytes"} else ONLY_JSON[name])
    for cell in cells:
        if door == "mlflow_inputs" and cell in ([1], ["Dream"]):
            continue  # there a column may be a list of lists of one
        if door == "open_inference" and isinstance(cell, (list, dict)):
            continue  # there lists are the tensor's own shape
        said = DOORS[door](house, [plain_row(**{name: cell})])
        reference = rows_as_json(house, [plain_row(**{name: cell})])

        assert said.probabilities is None, (name, cell)
        if door in TEXT_DOORS | {"open_inference_bytes"}:
            assert said.detail.partition(", got")[0] == reference.detail.partition(", got")[0]
        else:
            assert said.detail == reference.detail
        assert said.pointer


@pytest.mark.parametrize("door", DOORS)
def test_absent_is_missing_where_it_may_be(house: House, door: str):
    """A feature that is not required may be left out, which says what null says."""
    whole = plain_row()
    for name in whole:
        without = {other: cell for other, cell in whole.items() if other != name}
        wanted = rows_as_json(house, [{**whole, name: None}]).probabilities

        assert np.allclose(DOORS[door](house, [without]).probabilities, wanted, rtol=0, atol=1e-7)


def _written(value: Any, *ways: Any) -> st.SearchStrategy[tuple[Any, Any]]:
    return st.tuples(st.just(value), st.sampled_from([value, *ways]))


def _amount(number: float) -> st.SearchStrategy[tuple[Any, Any]]:
    whole = [int(number), f"{int(number)}.0", f"000{int(number)}" if number >= 0 else int(number)]
    return _written(number, repr(number), f" {number!r} ", *(whole if number.is_integer() else []))


def _count(number: int) -> st.SearchStrategy[tuple[Any, Any]]:
    return _written(number, float(number), str(number), f"{number}.0", f" {number} ")


def _flag(flag: bool) -> st.SearchStrategy[tuple[Any, Any]]:
    words = ("true", "YES", " True ", "1") if flag else ("false", "no", "0", "FALSE")
    return _written(flag, int(flag), float(flag), *words)


def _day(day: date) -> st.SearchStrategy[tuple[Any, Any]]:
    text = day.isoformat()
    return st.tuples(st.just(text), st.sampled_from([text, text.replace("-", "/"), f"{text}T00:00:00"]))


def _place(text: str) -> st.SearchStrategy[tuple[Any, Any]]:
    by_value = {"12": (12,), "true": (True,), "7": (7,)}
    return _written(text, f" {text}", f"{text}\n", *by_value.get(text, ()))


UNSEEN = st.text(st.characters(categories=["L", "N", "P"]), min_size=5, max_size=12)
CELLS = {
    "amount": st.floats(-1e6, 1e6, width=32).flatmap(_amount),
    "count": st.integers(-(2**20), 2**20).flatmap(_count),
    "is_new": st.booleans().flatmap(_flag),
    "day": st.integers(0, 20_000).map(lambda days: date(1980, 1, 1) + timedelta(days=days)).flatmap(_day),
    "place": st.one_of(st.sampled_from([*kinds.PLACES, "7"]), UNSEEN).flatmap(_place),
}
GONE = st.tuples(st.just(None), st.sampled_from(MISSING))
ROWS = st.fixed_dictionaries({name: st.one_of(cell, cell, cell, GONE) for name, cell in CELLS.items()})


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=EXAMPLES < 1000,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(
    rows=st.lists(ROWS, min_size=1, max_size=4), door=st.sampled_from(sorted(DOORS.keys() - {"open_inference_bytes"}))
)
def test_every_door_answers_as_scikit_learn_does(house: House, rows: list[dict[str, tuple[Any, Any]]], door: str):
    """The pipeline that was trained, asked with a data frame, and the door, asked with any way of writing it, agree."""
    frame = pd.DataFrame([{name: meant for name, (meant, _) in row.items()} for row in rows], columns=list(CELLS))
    frame = frame.astype({"amount": float, "count": float, "is_new": float, "day": "datetime64[s]", "place": object})

    said = DOORS[door](house, [{name: written for name, (_, written) in row.items()} for row in rows])

    assert said.probabilities is not None, said
    assert np.abs(np.array(said.probabilities) - kinds.train().predict(frame)).max() <= 1e-5
