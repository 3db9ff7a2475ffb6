"""The door to a server: which one, with which credentials, and what its failures say."""

import httpx
import pytest

from api._commands.client import Client, Place, find_place
from api._commands.errors import CliError, RequestRefused, ServerUnreachable

HOSTED = Place(
    "https://rowcast.example",
    "https://abc.supabase.co",
    "sb_publishable_x",
    "sb_secret_x",
    email="a@b.example",
    password="p",
)

PUBLIC = Place("https://rowcast.example")


def _client(answer, place=HOSTED):
    return Client(place, transport=httpx.MockTransport(answer))


def test_find_place_takes_the_local_stack_and_its_admin(tmp_path):
    """What `./rowcast up` wrote is enough; the caller's own account goes first."""
    (tmp_path / "env").write_text(
        "ROWCAST_API_URL=http://127.0.0.1:3000\nROWCAST_ADMIN_EMAIL=admin@x\nROWCAST_ADMIN_PASSWORD=secret\n",
        encoding="utf-8",
    )

    local = find_place({"ROWCAST_HOME": str(tmp_path)})
    own = find_place({"ROWCAST_HOME": str(tmp_path), "ROWCAST_EMAIL": "me@x", "ROWCAST_PASSWORD": "mine"})

    assert (local.api_url, local.email, local.password) == ("http://127.0.0.1:3000", "admin@x", "secret")
    assert (own.email, own.password) == ("me@x", "mine")


def test_find_place_never_shows_local_secrets_to_a_named_server(tmp_path):
    (tmp_path / "env").write_text(
        "ROWCAST_API_URL=http://127.0.0.1:3000\nROWCAST_ADMIN_PASSWORD=secret\n", encoding="utf-8"
    )

    place = find_place({"ROWCAST_HOME": str(tmp_path), "ROWCAST_API_URL": "https://rowcast.example/"})

    assert place == Place("https://rowcast.example")


def test_find_place_without_a_stack_says_how_to_start_one(tmp_path):
    with pytest.raises(CliError, match=r"\./rowcast up"):
        find_place({"ROWCAST_HOME": str(tmp_path)})


def test_place_keeps_secrets_out_of_its_text():
    assert "sb_secret_x" not in repr(HOSTED)
    assert "password" not in repr(HOSTED)


def test_call_signs_in_once_and_again_when_the_token_has_run_out():
    """A long run outlives its token: the next call signs in again and is repeated."""
    tokens = iter(["first", "second"])
    seen = []

    def answer(request):
        if request.url.path == "/auth/v1/token":
            return httpx.Response(200, json={"access_token": next(tokens)})
        seen.append(request.headers["authorization"])
        return httpx.Response(401 if len(seen) == 2 else 200, json={})

    with _client(answer) as client:
        client.call("GET", "/api/me")
        client.call("GET", "/api/me")

    assert seen == ["Bearer first", "Bearer first", "Bearer second"]


def test_call_with_a_given_token_never_signs_in():
    def answer(request):
        assert request.url.path == "/api/me"
        return httpx.Response(401, json={"detail": "The key is revoked", "code": "credential_rejected"})

    with (
        _client(answer, Place("https://rowcast.example", token="rc_x")) as client,
        pytest.raises(RequestRefused) as refused,
    ):
        client.call("GET", "/api/me")

    assert (refused.value.status, refused.value.code) == (401, "credential_rejected")
    assert refused.value.message == "The key is revoked"


def test_call_names_each_wrong_field_by_the_row_of_the_file():
    problem = {
        "detail": "1 value does not fit",
        "errors": [{"pointer": "#/rows/3/age", "detail": "'x' is not a number"}],
    }

    with (
        _client(lambda _: httpx.Response(422, json=problem), PUBLIC) as client,
        pytest.raises(RequestRefused) as refused,
    ):
        client.call("POST", "/api/predict/x", first_row=1000)

    assert refused.value.message == "row 1004, age: 'x' is not a number"
    assert refused.value.details == ()


def test_call_reads_a_failure_that_is_no_problem_body():
    """A proxy's page is not shown; its status is."""
    with (
        _client(lambda _: httpx.Response(502, text="<html>bad"), PUBLIC) as client,
        pytest.raises(RequestRefused) as refused,
    ):
        client.call("GET", "/api/models")

    assert refused.value.message == "https://rowcast.example answered 502 Bad Gateway"


@pytest.mark.parametrize("error", [httpx.ConnectError("x"), httpx.ReadTimeout("x"), httpx.RemoteProtocolError("x")])
def test_call_says_which_server_did_not_answer(error):
    def answer(_):
        raise error

    with _client(answer, PUBLIC) as client, pytest.raises(ServerUnreachable, match=r"https://rowcast\.example"):
        client.call("GET", "/api/models")


def test_sign_in_with_a_wrong_password_names_the_account():
    refused = httpx.Response(
        400, json={"code": 400, "error_code": "invalid_credentials", "msg": "Invalid login credentials"}
    )

    with (
        _client(lambda _: refused) as client,
        pytest.raises(CliError, match=r"a@b\.example: Invalid login credentials"),
    ):
        client.call("GET", "/api/me")


def test_supabase_is_told_the_secret_only_where_it_is_asked_for():
    keys = []

    def answer(request):
        keys.append(request.headers["apikey"])
        return httpx.Response(200, json=[])

    with _client(answer) as client:
        client.supabase("POST", "/auth/v1/signup")
        client.supabase("POST", "/rest/v1/rpc/list_users", secret=True)

    assert keys == ["sb_publishable_x", "sb_secret_x"]
