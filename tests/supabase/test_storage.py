"""Nobody reads or changes a file that is not theirs: each bucket, each verb, each role, through Storage's own door."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

BUCKETS = ("datasets", "models", "results")
MATRIX = """
what             anon     viewer   stranger owner    admin    service
upload datasets  refused  refused  refused  done     refused  done
read datasets    refused  refused  refused  done     done     done
sign datasets    refused  refused  refused  done     done     done
list datasets    refused  refused  refused  done     done     done
replace datasets refused  refused  refused  refused  refused  done
delete datasets  refused  refused  refused  done     refused  done
upload models    refused  refused  refused  refused  refused  done
read models      refused  refused  refused  refused  refused  done
sign models      refused  refused  refused  refused  refused  done
list models      refused  refused  refused  refused  refused  done
replace models   refused  refused  refused  refused  refused  done
delete models    refused  refused  refused  refused  refused  done
upload results   refused  refused  refused  refused  refused  done
read results     refused  refused  refused  refused  refused  done
sign results     refused  refused  refused  refused  refused  done
list results     refused  refused  refused  refused  refused  done
replace results  refused  refused  refused  refused  refused  done
delete results   refused  refused  refused  refused  refused  done
"""
"""What happens when somebody does this in the owner's folder of a bucket."""

_HEAD, *_ROWS = [line.rsplit(maxsplit=6) for line in MATRIX.strip().splitlines()]


def _list(client: httpx.Client, bucket: str, path: str) -> bool:
    folder, _, name = path.rpartition("/")
    answer = client.post(f"/storage/v1/object/list/{bucket}", json={"prefix": folder, "limit": 100, "offset": 0})
    return answer.is_success and name in {each["name"].rpartition("/")[2] for each in answer.json()}


def _delete(client: httpx.Client, bucket: str, path: str) -> bool:
    answer = client.request("DELETE", f"/storage/v1/object/{bucket}", json={"prefixes": [path]})
    return answer.is_success and len(answer.json()) == 1


def _replace(client: httpx.Client, bucket: str, path: str) -> bool:
    return client.put(f"/storage/v1/object/{bucket}/{path}", content=b"other").is_success


VERBS: dict[str, Callable[[httpx.Client, str, str], bool]] = {
    "upload": lambda client, bucket, path: (
        client.post(f"/storage/v1/object/{bucket}/{path}-new", content=b"new").is_success
    ),
    "read": lambda client, bucket, path: client.get(f"/storage/v1/object/{bucket}/{path}").is_success,
    "sign": lambda client, bucket, path: (
        client.post(f"/storage/v1/object/sign/{bucket}/{path}", json={"expiresIn": 60}).is_success
    ),
    "list": _list,
    "replace": _replace,
    "delete": _delete,
}


@pytest.mark.parametrize("what", [row[0] for row in _ROWS])
def test_files_are_guarded_as_designed(
    stack: Any, viewer: Any, stranger: Any, analyst: Any, admin: Any, unique: str, what: str
) -> None:
    """One line of the matrix; what the roles with fewer rights tried has changed nothing for the next."""
    verb, bucket = what.split()
    people = {"anon": None, "viewer": viewer, "stranger": stranger, "owner": analyst, "admin": admin, "service": None}
    answers = {}
    for role, person in people.items():
        path = f"{analyst.id}/{unique}/{role}.csv"
        with stack.client(is_service=True) as service:
            service.post(f"/storage/v1/object/{bucket}/{path}", content=b"kept").raise_for_status()
            with stack.client(user=person, is_service=role == "service") as client:
                answers[role] = "done" if VERBS[verb](client, bucket, path) else "refused"
            if answers[role] == "refused":
                assert service.get(f"/storage/v1/object/{bucket}/{path}").content == b"kept"

    (cells,) = [cells for name, *cells in _ROWS if name == what]
    assert answers == dict(zip(_HEAD[1:], cells, strict=True))


def test_matrix_covers_every_bucket(world: Any) -> None:
    """A bucket that is added later cannot be forgotten here."""
    assert set(world.column("select id from storage.buckets")) == set(BUCKETS)
    assert {row[0] for row in _ROWS} == {f"{verb} {bucket}" for verb in VERBS for bucket in BUCKETS}


@pytest.mark.parametrize("bucket", BUCKETS)
def test_nobody_makes_or_opens_buckets(stack: Any, analyst: Any, admin: Any, bucket: str) -> None:
    """Buckets are made by migrations; no token opens one, not even an admin's."""
    for person in (None, analyst, admin):
        with stack.client(user=person) as client:
            assert not client.put(f"/storage/v1/bucket/{bucket}", json={"public": True}).is_success
            assert not client.post("/storage/v1/bucket", json={"id": f"{bucket}-mine", "name": "mine"}).is_success
            assert not client.delete(f"/storage/v1/bucket/{bucket}").is_success
        assert not httpx.get(f"{stack.supabase_url}/storage/v1/object/public/{bucket}/x", trust_env=False).is_success
