"""Two runs of one model at the same time: both end, and their versions are told apart."""

from typing import Any

import pytest

TABLE = "mass,wing,island,species\n" + "".join(
    f"{3400 + 23 * (n % 20) + 600 * (n % 3)},{180 + n % 13 + 9 * (n % 3)},{'xyz'[n % 3]},{'abc'[n % 3]}\n"
    for n in range(150)
)


@pytest.mark.slow
def test_two_runs_of_one_model_at_once_make_two_versions(bench: Any, unique: str) -> None:
    """Two workers train the same table under the same name: neither fails, and the later version is the challenger."""
    dataset = bench.upload(TABLE)
    runs = [bench.insert_run(unique, dataset) for _ in range(2)]

    workers = [bench.start_worker("--drain") for _ in range(2)]

    for worker in workers:
        assert worker.process.wait(90) == 0, worker.log.read_text()
    assert [bench.state(run) for run in runs] == ["succeeded"] * 2, [bench.reason(run) for run in runs]
    assert [worker.log.read_text().count('"run started"') for worker in workers] == [1, 1]
    numbers = "select number from public.versions where run_id = any(%s) order by number"
    assert bench.column(numbers, runs) == [1, 2]
    pointed = (
        "select number from public.aliases join public.versions on versions.id = version_id "
        "where name = %s and run_id = any(%s)"
    )
    assert bench.value(pointed, "champion", runs) == 1
    assert bench.value(pointed, "challenger", runs) == 2
