"""One run, two workers: the second joins the search, and one version comes of it."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from uuid_utils import uuid7

from api._jobs import study

TABLE = "mass,wing,species\n" + "".join(  # no number tells all: there is something to search for
    f"{3400 + 23 * (n % 20) + 300 * (n % 3)},{180 + n % 13 + 4 * (n % 3)},{'abc'[(n + (n % 7 == 0)) % 3]}\n"
    for n in range(400)
)


@pytest.mark.slow
def test_two_workers_share_one_search(bench: Any, unique: str) -> None:
    """Both try recipes in the same study; the run ends once, and the notes of the search are gone."""
    groups = {"by": "group", "column": "wing"}  # they have one set of folds: all of the time goes to the search
    run = bench.insert_run(unique, bench.upload(TABLE), time_budget_seconds=20, workers=2, holdout=groups)
    workers = [bench.start_worker() for _ in range(2)]

    bench.wait_until(lambda: bench.state(run) in {"succeeded", "failed"}, 90)

    logs = [worker.log.read_text() for worker in workers]
    assert bench.state(run) == "succeeded", (bench.reason(run), logs)
    assert sum("help started" in log for log in logs) == 1, logs
    assert sum("run started" in log for log in logs) == 1, logs
    who = "select count(*) from public.run_events where run_id = %s and kind = 'trial' and data ->> 'worker' = '2'"
    assert bench.value(who, run) >= 1, logs
    assert bench.value("select count(*) from public.versions where run_id = %s", run) == 1
    bench.wait_until(
        lambda: bench.value("select count(*) from optuna.studies where study_name = %s", f"run-{run}") == 0, 20
    )
    rights = "select has_table_privilege('rowcast_study', 'public.datasets', 'select')"
    assert bench.value(rights) is False


def test_the_first_searches_may_begin_at_once(bench: Any) -> None:
    """Optuna's tables are made once, whoever comes first; unguarded, one of two fails at the row with the version."""
    bench.connection.execute("drop schema if exists optuna cascade")
    with ThreadPoolExecutor(6) as pool:
        addresses = list(pool.map(study.share, [UUID(str(uuid7())) for _ in range(6)]))

    assert len({each["storage"] for each in addresses}) == 1
    assert bench.value("select count(*) from optuna.version_info") == 1
    assert bench.value("select count(*) from optuna.alembic_version") == 1
