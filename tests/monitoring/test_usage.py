"""The meter of the free plans, the event before something runs out, and the guards against a growing log."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from api._jobs import quota_watch, retention
from api._lib import free_tiers, kv
from api._lib.free_tiers import DATABASE, REQUESTS, Meter
from api._lib.settings import settings
from tests.conftest import User
from tests.monitoring.conftest import Watched, predicted


def test_admins_read_the_meter(api: httpx.Client, admin: User, analyst: User, watched: Watched):
    """Real sizes for admins, with what happens at the end; nobody else is told."""
    answer = api.get("/api/usage", headers=admin.headers)

    quotas = {each["name"]: each for each in answer.json()["quotas"]}
    assert set(quotas) == {"database", "storage", "requests", "kv_commands"}
    assert quotas["database"]["used"] > 5_000_000, "an empty database with our tables takes some megabytes"
    assert quotas["database"]["share"] == pytest.approx(quotas["database"]["used"] / quotas["database"]["limit"])
    assert quotas["storage"]["used"] > 1000, "there is a model"
    assert quotas["kv_commands"]["used"] > 0, "asking has cost a command"
    assert all(each["degrades"] for each in quotas.values())
    assert api.get("/api/usage", headers=analyst.headers).status_code == 403
    assert api.get("/api/usage").status_code == 401


def test_growth_of_the_log_is_forecast_and_slow_statements_are_named(
    api: httpx.Client, admin: User, watched: Watched, database: Any
):
    """When the log will be full; which tables are large; and, where the database counts them, what is slow."""
    now = datetime.now(UTC)
    watched.log(*(predicted(at=now - timedelta(days=day)) for day in range(3)))

    usage = api.get("/api/usage", headers=admin.headers).json()

    assert usage["log_limit_bytes"] == settings().log_max_mb * 1024 * 1024
    assert usage["log_full_in_days"] > 1
    sizes = [each["bytes"] for each in usage["tables"]]
    assert len(sizes) == 10
    assert sizes == sorted(sizes, reverse=True)
    assert usage["statements"] is None, "this database does not count them"

    # The extension's view, of the same names, in a transaction that is rolled back.
    database.execute("create schema if not exists extensions")
    database.execute(
        "create view extensions.pg_stat_statements as select * from (values "
        "('select  $1', 5000::bigint, 2.0::float8, 10000.0::float8), ('select pg_sleep($1)', 12, 900.0, 10800.0), "
        "('once', 1, 9000.0, 9000.0)) as held (query, calls, mean_exec_time, total_exec_time)"
    )
    slow = database.execute("select private.slow_statements()").fetchone()[0]
    assert slow == [{"statement": "select pg_sleep($1)", "calls": 12, "mean_ms": 900.0, "total_ms": 10800}]


def test_the_month_is_forecast_by_what_has_passed():
    """Half a month's use is forecast to twice as much; what is not monthly, or has just begun, is not forecast."""
    middle = datetime(2026, 11, 16, tzinfo=UTC)

    assert Meter(REQUESTS, 600_000).month_end(middle) == pytest.approx(1.2)
    assert Meter(REQUESTS, 10).month_end(datetime(2026, 11, 1, 3, tzinfo=UTC)) is None
    assert Meter(DATABASE, 10).month_end(middle) is None


def test_a_quota_that_is_near_is_told_once_a_month(watched: Watched, count: Callable[[], int], monkeypatch: Any):
    """The event is written when the share is reached, and not again on the next morning."""
    monkeypatch.setattr(free_tiers, "DATABASE", DATABASE._replace(limit=1000))
    spent = kv.Spent(0, 400_000)
    told = "select count(*) from public.events where type = 'quota.near' and data ->> 'quota' = 'database'"

    before = watched.value(told)
    named = [quota_watch.warn(spent), quota_watch.warn(spent)]

    assert named == [["database"], ["database"]]
    assert watched.value(told) - before == 1


def test_old_predictions_go_and_their_counts_stay(watched: Watched, as_owner: httpx.Client, count: Callable[[], int]):
    """After its days a prediction leaves the log; what is not counted yet waits; traffic and actuals are kept."""
    now = datetime.now(UTC)
    old, young = watched.log(predicted(at=now - timedelta(days=settings().prediction_days + 1)), predicted(at=now))
    as_owner.post("/api/feedback", json={"prediction_id": old, "actual": "Adelie"})
    left = "select count(*) from public.predictions where id = any(%s::uuid[])"

    retention.drop_all(now)
    assert watched.value(left, [old, young]) == 2
    count()
    retention.drop_all(now)

    assert watched.value(left, [old]) == 0
    assert watched.value(left, [young]) == 1
    assert watched.value("select count(*) from public.actuals where prediction_id = %s", old) == 1
    requests = "select sum(requests) from public.traffic_hours join public.models on id = model_id where slug = %s"
    assert watched.value(requests, watched.slug) == 2


def test_a_log_that_grows_too_large_loses_its_oldest(watched: Watched, count: Callable[[], int]):
    """The space that the log may take is kept by deleting from its far end, whatever its age."""
    now = datetime.now(UTC)
    ids = watched.log(*(predicted(at=now - timedelta(days=80, minutes=-number)) for number in range(50)))
    count()
    in_all = watched.value("select count(*) from public.predictions")
    row_bytes = watched.value(
        "select avg(pg_column_size(newest.*)) + 100 from (select * from public.predictions order by id desc limit 1000) as newest"
    )

    dropped = watched.value("select private.drop_predictions_above(%s, 1000)", int(row_bytes * (in_all - 20)))

    assert 19 <= dropped <= 21
    assert watched.value("select count(*) from public.predictions where id = any(%s::uuid[])", ids[:19]) == 0
    assert watched.value("select count(*) from public.predictions where id = %s", ids[-1]) == 1
