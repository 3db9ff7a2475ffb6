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
def test_user_role_changes_what_a_person_may_do(run, stack, operator, unique):
    """A role is given by address; an unknown address is named."""
    person = stack.create_user()

    done = run("user", "role", person.email, "analyst", environ=operator)
    unknown = run("user", "role", f"{unique}@example.com", "analyst", environ=operator)

    assert (done.returncode, done.stdout) == (0, f"{person.email} is analyst now.\n")
    with stack.client(user=person) as client:
        assert client.post("/rest/v1/rpc/current_user_role", json={}).json() == "analyst"
    assert (unknown.returncode, unknown.stderr.count("\n")) == (1, 1)
    assert f'There is no user "{unique}@example.com".' in unknown.stderr


@pytest.mark.stack
def test_user_remove_ends_an_account(run, stack, operator):
    """Only when meant: then nobody signs in with it any more, its keys stop, and the log knows."""
    person = stack.create_user("analyst")

    asked = run("user", "remove", person.email, environ=operator)
    assert (asked.returncode, _sign_in(stack, person.email, person.password).status_code) == (1, 200)
    assert "--yes" in asked.stderr
    done = run("user", "remove", person.email, "--yes", environ=operator)

    assert done.returncode == 0, done.stderr
    assert _sign_in(stack, person.email, person.password).status_code == 400
    with stack.connect() as connection:
        acts = connection.execute(
            "select action from public.audit_log where subject_id = %s order by id", (person.id,)
        ).fetchall()
        assert [act for (act,) in acts] == ["role.changed", "user.removed", "role.changed"]


@pytest.mark.stack
def test_key_rotate_prints_the_new_key_once(run, site_url, operator, stack):
    """The new key works, the old one to the end of its overlap; a key is rotated once."""
    assert site_url
    person = stack.create_user("analyst")
    environ = {**operator, "ROWCAST_EMAIL": person.email, "ROWCAST_PASSWORD": person.password}
    first = json.loads(run("key", "create", "--scope", "predict", "--json", environ=environ).stdout)

    done = run("key", "rotate", first["id"], "--overlap-hours", "1", environ=environ)
    again = run("key", "rotate", first["id"], environ=environ)

    assert done.returncode == 0, done.stderr
    key = done.stdout.split()[0]
    assert key.startswith("rc_")
    assert "ends in 1 hour." in done.stderr
    for each in (first["key"], key):
        assert httpx.get(f"{site_url}/api/me", headers={"x-api-key": each}, trust_env=False).status_code == 200
    assert again.returncode == 1
    assert "replaced already" in again.stderr
    listed = json.loads(run("key", "list", "--json", environ=environ).stdout)
    assert [each["rotated_from"] for each in listed] == [first["id"], None]


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
