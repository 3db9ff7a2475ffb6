"""What a data set may be asked, before anybody names a target."""

import numpy as np

from models.training.dataset_profile import profile_file
from tests.models.tables import csv_bytes


def test_likely_targets_come_with_their_task_and_what_is_suspicious(tmp_path):
    """Before anybody names a target: what is called like an answer, then the last column; never one that cannot be one."""
    random = np.random.default_rng(0)
    churned = random.choice(["yes", "no"], 400)
    columns = {
        "id": range(400),
        "price": random.lognormal(3, 1, 400).round(2),
        "churned": churned,
        "refund": np.where(churned == "yes", "R", "K"),
        "status": ["open"] * 400,
        "left_out": churned,
        "visits": random.integers(0, 50, 400),
    }
    path = tmp_path / "t.csv"
    path.write_bytes(csv_bytes(list(columns), list(zip(*columns.values(), strict=True))))

    targets = profile_file(path, drop=["left_out"])["targets"]

    assert [(each["column"], each["task"]) for each in targets] == [
        ("churned", "binary"),
        ("visits", "regression"),
        ("price", "regression"),
    ]
    assert [[warning["column"] for warning in each["warnings"]] for each in targets] == [["refund"], [], []]
