"""Deterministic tables of every shape that training must cope with, as CSV bytes and as rows."""

import csv
import io
from collections.abc import Sequence

import numpy as np

from models.training.table import Table, parse_table

CITIES = ["Oslo", "Lima", "Kyoto", "Accra", "Perth", "Quito"]
PLANS = ["free", "plus", "pro"]


def csv_bytes(header: Sequence[str], rows: Sequence[Sequence[object]]) -> bytes:
    """Write rows as CSV in UTF-8."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()


def table(columns: dict[str, Sequence[object]]) -> Table:
    """Read columns back as training reads a file."""
    return parse_table(csv_bytes(list(columns), list(zip(*columns.values(), strict=True))), "made.csv")


def mixed(rows: int, *, task: str = "binary", seed: int = 0, shift: float = 0.0) -> dict[str, list[object]]:
    """Make a table of numbers, whole numbers, truth values, categories and missing cells, with a noisy rule behind it.

    Columns: four numbers (one with missing cells, one of large size), a whole number, a truth value, three categories (one
    with missing cells, one with many values), a code with leading zeros, and the target `y`.
    """
    random = np.random.default_rng(seed)
    age = random.normal(40 + shift, 12, rows).round(1)
    income = random.lognormal(10, 0.7, rows).round(2)
    load = random.random(rows)
    timestamp = 1.7e9 + random.integers(0, 10_000_000, rows)
    visits = random.poisson(4, rows)
    member = random.random(rows) < 0.4
    city = random.choice(CITIES, rows, p=[0.4, 0.25, 0.2, 0.1, 0.04, 0.01])
    plan = random.choice(PLANS, rows)
    shop = np.array([f"shop {number}" for number in random.geometric(0.06, rows)])
    zone = np.array([f"{number:03}" for number in random.integers(1, 40, rows)])
    score = (
        (age - 40) / 12
        + np.log(income / 22_000)
        + 2 * (load > 0.6)
        + 0.2 * visits
        + 1.5 * member
        + np.where(city == "Kyoto", 1.0, 0.0)
        - np.where(plan == "free", 1.0, 0.0)
        + random.normal(0, 0.8, rows)
    )
    return {
        "age": _with_gaps(age, 0.06, random),
        "income": income.tolist(),
        "load": load.round(4).tolist(),
        "timestamp": timestamp.astype(int).tolist(),
        "visits": _with_gaps(visits, 0.03, random),
        "member": ["yes" if one else "no" for one in member],
        "city": _with_gaps(city, 0.05, random),
        "plan": plan.tolist(),
        "shop": shop.tolist(),
        "zone": zone.tolist(),
        "y": _answers(score, task),
    }


def _answers(score, task: str) -> list[object]:
    if task == "regression":
        return (1_000_000 + 1_000 * score).round(3).tolist()
    if task == "multiclass":
        return [("low", "middle", "high")[code] for code in np.digitize(score, np.quantile(score, [0.3, 0.7]))]
    return ["yes" if above else "no" for above in score > np.median(score)]


def _with_gaps(values, share: float, random: np.random.Generator) -> list[object]:
    gaps = random.random(len(values)) < share
    return ["" if gap else value for gap, value in zip(gaps, values.tolist(), strict=True)]
