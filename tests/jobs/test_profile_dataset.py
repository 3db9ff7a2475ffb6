"""A table that was uploaded gets its profile by itself; what cannot be profiled says why, and nothing waits for it."""

import gzip
import threading
from contextlib import suppress
from typing import Any
from uuid import UUID

import pytest

from api._jobs.errors import RunPostponed
from api._jobs.profile_dataset import carry_out
from api._lib.settings import settings

TABLE = "zip,amount,species\n" + "".join(f"0{1000 + n % 7},{n / 4},{'ab'[n % 2]}\n" for n in range(300))
STATE = "select profile_status, profile_reason, rows, columns from public.datasets where id = %s"


def state(bench: Any, dataset: UUID) -> tuple[Any, ...]:
    """Read how the profile of a dataset stands."""
    return tuple(bench.connection.execute(STATE, (dataset,)).fetchone())


def go(dataset: UUID, attempt: int = 1) -> None:
    """Profile in this process."""
    carry_out(dataset, attempt, threading.Event())


def test_uploaded_table_is_profiled(bench: Any) -> None:
    """From the moment it is ready, packed or not: a worker finds what the columns hold, with warnings, and counts the rows."""
    datasets = [bench.upload(content, profiled=True) for content in (TABLE, gzip.compress(TABLE.encode()))]

    bench.drain()

    for dataset in datasets:
        assert state(bench, dataset) == ("ready", None, 300, 3)
        profile = bench.value("select profile from public.datasets where id = %s", dataset)
        types = {column["name"]: column["type"] for column in profile["columns"]}
        assert types == {"zip": "category", "amount": "number", "species": "category"}
        assert any(warning["code"] == "leading_zeros" for warning in profile["warnings"])
        assert profile["preview"][0] == ["01000", "0.0", "a"]


def test_correction_makes_a_new_profile_and_keeps_what_was_found(bench: Any) -> None:
    """The column is what the analyst says; what the file alone says stays beside it, and so do the bytes."""
    dataset = bench.upload(TABLE, profiled=True)
    go(dataset)
    before = bench.value("select sha256 from public.datasets where id = %s", dataset)
    correct = "update public.datasets set corrections = %s where id = %s returning profile_status"

    assert bench.value(correct, '{"types": {"zip": "text"}, "drop": ["amount"]}', dataset) == "queued"
    go(dataset)

    profile = bench.value("select profile from public.datasets where id = %s", dataset)
    columns = {column["name"]: column for column in profile["columns"]}
    assert (columns["zip"]["type"], columns["zip"]["detected"]) == ("text", "category")
    assert [name for name, column in columns.items() if column["used"]] == ["species"]
    assert bench.value("select sha256 from public.datasets where id = %s", dataset) == before


def test_correction_in_the_middle_wins(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile that was found for older corrections is not kept: the next job brings the right one."""
    from api._jobs import profile_dataset

    dataset = bench.upload(TABLE, profiled=True)
    find = profile_dataset._find

    def slow(*arguments: Any) -> Any:
        found = find(*arguments)
        statement = "update public.datasets set corrections = %s where id = %s returning id"
        bench.value(statement, '{"types": {}, "drop": ["zip"]}', dataset)
        return found

    monkeypatch.setattr(profile_dataset, "_find", slow)
    go(dataset)

    assert state(bench, dataset)[0] == "queued"


@pytest.mark.parametrize(("content", "words"), [(b"PK\x03\x04 a workbook", "Excel"), (b"\x1f\x8b broken", "gzip")])
def test_what_is_no_table_says_so(bench: Any, content: bytes, words: str) -> None:
    """The dataset is there, its profile is not, and a person reads why."""
    dataset = bench.upload(content, profiled=True)

    go(dataset)

    status, reason, *_ = state(bench, dataset)
    assert status == "failed"
    assert words in reason


def test_table_that_needs_too_much_memory_says_so(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process is bounded: it ends with a sentence, and the machine goes on."""
    monkeypatch.setenv("ROWCAST_TRAINING_MEMORY_MB", "60")
    settings.cache_clear()
    dataset = bench.upload(
        "a,b\n" + "".join(f"{n},{n * 7 % 1000003}-{'x' * 40}\n" for n in range(200_000)), profiled=True
    )

    with suppress(RunPostponed):  # where even the libraries do not fit, the process cannot say so itself
        go(dataset)
    go(dataset, attempt=3)

    status, reason, *_ = state(bench, dataset)
    assert status == "failed"
    assert "memory" in reason


def test_outage_is_waited_for(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Storage is away: the job is tried again, and gives up readably in the end."""
    dataset = bench.upload(TABLE, profiled=True)
    monkeypatch.setenv("SUPABASE_URL", "http://127.0.0.1:9")
    settings.cache_clear()

    with pytest.raises(RunPostponed):
        go(dataset)
    assert state(bench, dataset)[0] == "queued"
    go(dataset, attempt=3)

    assert state(bench, dataset)[:2] == ("failed", "Storage does not answer. Tried 3 times.")


def test_lost_profiles_are_queued_again(bench: Any) -> None:
    """A dataset that waits for a profile that no job stands for is found by the next worker."""
    dataset = bench.upload(TABLE, profiled=True)
    bench.connection.execute("truncate procrastinate.procrastinate_jobs cascade")

    bench.drain()

    assert state(bench, dataset)[0] == "ready"
