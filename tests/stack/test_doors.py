"""The doors of the embedded servers: who gets in, and from where."""

import socket

import httpx
import psutil
import pytest

from api._stack import secrets

pytestmark = pytest.mark.stack


@pytest.mark.parametrize("path", ["/", "/pipeline", "/multi-exec", "/anything"])
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "wrong"}])
def test_the_key_value_store_asks_for_its_token_on_every_path(stack, path, headers):
    """The packaged server leaves /pipeline open; ours does not."""
    answer = httpx.post(f"{stack.kv_url}{path}", headers=headers, json=[["FLUSHALL"]])

    assert answer.status_code in {400, 401}
    assert "result" not in answer.text


def test_the_key_value_store_answers_who_has_the_token(stack, unique):
    """One command, a pipeline, and an error of one command among others."""
    headers = {"Authorization": f"Bearer {stack.environ['KV_REST_API_TOKEN']}"}
    with httpx.Client(base_url=stack.kv_url, headers=headers) as client:
        one = client.post("/", json=["SET", unique, "1"])
        many = client.post("/pipeline", json=[["INCR", unique], ["LPUSH", unique, "x"], ["GET", unique]])

    assert one.json() == {"result": "OK"}
    assert [each.get("result") for each in many.json()] == [2, None, "2"]
    assert "WRONGTYPE" in many.json()[1]["error"]


def test_every_server_listens_on_loopback_only(stack, site_url):
    """Nothing of the embedded stack can be reached from another machine."""
    ports = set(vars(stack.settings.ports).values())

    listening = [each.laddr for each in psutil.net_connections("tcp") if each.status == psutil.CONN_LISTEN]

    ours = {address.port: address.ip for address in listening if address.port in ports}
    assert set(ours) >= ports - {stack.settings.ports.dashboard}
    assert set(ours.values()) == {"127.0.0.1"}


def test_a_request_without_a_key_is_nobody(stack):
    """Supabase Lite's admin mode, in which a keyless local request is all-powerful, is off."""
    assert httpx.get(f"{stack.supabase_url}/rest/v1/models").status_code == 401
    assert httpx.get(f"{stack.supabase_url}/rest/v1/", headers={"apikey": "guessed"}).status_code == 401


def test_redis_wants_its_password(stack):
    """The store behind the door is no way round it."""
    with socket.create_connection(("127.0.0.1", stack.settings.ports.redis), timeout=5) as connection:
        connection.sendall(b"PING\r\n")
        answer = connection.recv(200)

    assert answer.startswith(b"-NOAUTH")


def test_passwords_are_in_no_argument_list(stack):
    """Arguments of a process can be read by every user of the machine."""
    hidden = [value for name, value in vars(secrets.load(stack.settings)).items() if name != "admin_email"]

    words = []
    for process in psutil.process_iter():
        try:
            words.extend(process.cmdline())
        except psutil.Error:
            continue

    assert not [word for word in words if any(value in word for value in hidden)]
