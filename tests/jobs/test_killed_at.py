"""SIGKILL at each moment of a run: another worker takes it up, and it ends once, with nothing left over.

The fifth moment, in the middle of the search and with the patience of every day, is in test_worker.
"""

from typing import Any

import pytest

from tests.jobs.test_train_run import TABLE

MOMENTS = ("fetch", "profile", "parity", "record")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_killed_at_any_moment_a_run_ends_once(bench: Any, unique: str) -> None:
    """Fetching, profiling, certifying, and between upload and registration: all at once, and one worker finishes them."""
    before = bench.artefacts()
    dataset = bench.upload(TABLE)
    # The job that profiles it fetches it, too: a worker that is to die over a run must not die over that.
    bench.connection.execute("truncate procrastinate.procrastinate_jobs cascade")
    runs = {}
    for moment in MOMENTS:
        runs[moment] = bench.insert_run(f"{unique}-{moment}", dataset, time_budget_seconds=1)
        dying = bench.start_worker(moment, module="tests.jobs.dying_worker")
        assert dying.process.wait(60) == -9, dying.log.read_text()
        state = "select status || attempt from public.runs where id = %s"
        assert bench.value(state, runs[moment]) == "running1", moment
    assert len(bench.artefacts() - before) == 1, "the last one died behind its upload"

    survivor = bench.start_worker("none", "--concurrency", "2", module="tests.jobs.dying_worker")

    for moment, run in runs.items():
        bench.wait_until(lambda run=run: bench.state(run) in {"succeeded", "failed"}, 90)
        assert bench.state(run) == "succeeded", (moment, bench.reason(run), survivor.log.read_text())
        assert bench.value("select attempt from public.runs where id = %s", run) == 2
        kinds = bench.kinds(run)
        assert (kinds.count("running"), kinds.count("succeeded"), kinds[-1]) == (2, 1, "succeeded")
        assert bench.value("select count(*) from public.versions where run_id = %s", run) == 1
        told = "select max((data ->> 'attempt')::int) from public.run_events where run_id = %s and kind = 'running'"
        assert bench.value(told, run) == 2
    digests = bench.column("select digest from public.versions where run_id = any(%s)", list(runs.values()))
    assert bench.artefacts() - before == set(digests)
