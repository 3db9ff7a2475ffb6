"""Where pg_net and Vault exist, a new run wakes a worker on GitHub. Shown against schemas of the same shape."""

from typing import Any

import pytest

PG_NET = """
create schema net;
create table net.sent (url text, body jsonb, headers jsonb, timeout_milliseconds integer);
create function net.http_post(
  url text, body jsonb default '{}', params jsonb default '{}',
  headers jsonb default '{"Content-Type": "application/json"}', timeout_milliseconds integer default 2000
) returns bigint language sql as $$
  insert into net.sent values (url, body, headers, timeout_milliseconds) returning 1::bigint;
$$;
"""
VAULT = """
create schema vault;
create table vault.decrypted_secrets (name text, decrypted_secret text);
insert into vault.decrypted_secrets values ('rowcast_dispatch_token', 'token-of-the-test');
"""
SETTING = "insert into private.settings (name, value) values ('dispatch_repository', 'somebody/rowcast')"


@pytest.fixture
def hosted(world: Any) -> Any:
    """Bring what a hosted project has beyond Postgres."""
    world.connection.execute(PG_NET + VAULT + SETTING)
    return world


def test_new_run_is_dispatched(hosted: Any) -> None:
    """One request, with the token in its header and only the id of the run in its body."""
    dataset = hosted.add_dataset()
    hosted.connection.execute("delete from net.sent")

    run = hosted.add_run("penguins", dataset)

    url, body, headers = hosted.row("select url, body, headers from net.sent")
    assert url == "https://api.github.com/repos/somebody/rowcast/dispatches"
    assert body == {"event_type": "rowcast-train", "client_payload": {"run_id": str(run)}}
    assert headers["Authorization"] == "Bearer token-of-the-test"


@pytest.mark.parametrize(
    "without", ["delete from private.settings", "drop schema vault cascade", "drop schema net cascade"]
)
def test_without_a_part_nothing_is_sent(hosted: Any, without: str) -> None:
    """Any part may be missing; the run is queued all the same."""
    hosted.connection.execute(without)

    run = hosted.add_run("penguins", hosted.add_dataset())

    assert hosted.value("select count(*) from procrastinate.procrastinate_jobs where lock = %s", f"run:{run}") == 1
    if "net" not in without:
        assert hosted.value("select count(*) from net.sent") == 0


def test_failing_dispatch_never_stops_the_run(hosted: Any) -> None:
    """Waking a worker is a courtesy: the job is in the queue."""
    hosted.connection.execute("drop table net.sent")

    run = hosted.add_run("penguins", hosted.add_dataset())

    assert hosted.value("select status from public.runs where id = %s", run) == "queued"
