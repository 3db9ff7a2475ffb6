"""People and keys from the command line, against the real stack."""

import json

import httpx
import pytest

from api._commands import accounts
from api._commands.client import Client, Place


@pytest.fixture
def operator(stack) -> dict[str, str]:
    """Return the environment of whoever holds the secret key of the stack."""
    return {**stack.environ}


def _sign_in(stack, email: str, password: str) -> httpx.Response:
    with stack.client() as client:
        return client.post("/auth/v1/token?grant_type=password", json={"email": email, "password": password})


@pytest.mark.stack
def test_user_add_makes_an_account_with_a_password_and_the_role(run, stack, operator, unique):
    """The printed password signs in, and the database knows the role."""
    email = f"{unique}@example.com"

    done = run("user", "add", email, "--role", "analyst", environ=operator)

    assert done.returncode == 0, done.stderr
    signed_in = _sign_in(stack, email, done.stdout.split()[-1])
    assert signed_in.status_code == 200
    headers = {"Authorization": f"Bearer {signed_in.json()['access_token']}"}
    with stack.client() as client:
        assert client.post("/rest/v1/rpc/current_user_role", headers=headers, json={}).json() == "analyst"


@pytest.mark.stack
def test_user_add_of_somebody_known_sets_only_the_role(run, stack, operator, viewer):
    """The account keeps its password, and the line says so."""
    done = run("user", "add", viewer.email, "--role", "viewer", environ=operator)

    assert done.returncode == 0, done.stderr
    assert "was here already and is viewer now" in done.stdout
    assert _sign_in(stack, viewer.email, viewer.password).status_code == 200


@pytest.mark.stack
def test_user_add_without_the_secret_key_is_refused(run, operator, unique):
    """Who cannot show the secret key adds nobody, and one line names what is missing."""
    environ = {name: value for name, value in operator.items() if name != "SUPABASE_SECRET_KEY"}

    done = run("user", "add", f"{unique}@example.com", environ=environ)

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "SUPABASE_SECRET_KEY" in done.stderr


@pytest.mark.stack
def test_user_list_names_everybody_with_the_role(run, operator, analyst, viewer):
    done = run("user", "list", "--json", environ=operator)

    roles = {user["email"]: user["role"] for user in json.loads(done.stdout)}
    assert roles[analyst.email] == "analyst"
    assert roles[viewer.email] == "viewer"


def test_user_add_uses_the_operators_door_where_there_is_one(monkeypatch, capsys):
    """A hosted Supabase makes the account confirmed, without a mail, by the secret key alone."""
    asked = []

    def answer(request):
        asked.append((request.url.path, request.headers["apikey"], json.loads(request.content)))
        is_known = any(path == "/auth/v1/admin/users" for path, _, _ in asked)
        return httpx.Response(200 if is_known else 404, json={})

    place = Place("https://rowcast.example", "https://abc.supabase.co", "sb_publishable_x", "sb_secret_x")
    monkeypatch.setattr(accounts, "Client", lambda: Client(place, transport=httpx.MockTransport(answer)))

    accounts.user_add("ada@example.com", role=accounts.Role.ADMIN)

    paths = [path for path, _, _ in asked]
    assert paths == ["/rest/v1/rpc/set_user_role", "/auth/v1/admin/users", "/rest/v1/rpc/set_user_role"]
    assert {key for _, key, _ in asked} == {"sb_secret_x"}
    assert asked[1][2]["email_confirm"] is True
    assert asked[1][2]["password"] == capsys.readouterr().out.split()[-1]
