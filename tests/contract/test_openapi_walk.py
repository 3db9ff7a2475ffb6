"""schemathesis walks over every operation of the API, as nobody, as an analyst, with a key and as an admin.

Whatever it sends: no failure of ours, no status and no content type that the description does not name, no body that is not
as it says. The walk is the same every time; `ROWCAST_SOAK=full` makes it long and different each time.
"""

import os
from hashlib import sha256
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import APIOperation, GenerationMode
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.config import SchemathesisConfig

from api._lib.app import create_app
from api._lib.openapi import describe
from api._lib.routers import load_routers
from tests.conftest import User

IS_LONG = os.environ.get("ROWCAST_SOAK") == "full"
EXAMPLES = 120 if IS_LONG else 10
CALLERS = ("analyst", "key", "analyst", "admin", "nobody")

load_all_checks()
LOOKED_AT = CHECKS.get_by_names(
    [
        "status_code_conformance",
        "content_type_conformance",
        "response_schema_conformance",
        "response_headers_conformance",
    ]
)
SCHEMA = schemathesis.openapi.from_dict(
    describe(create_app(*load_routers())), config=SchemathesisConfig.from_dict({"generation": {"allow-x00": True}})
)
OPERATIONS = [found.ok() for found in SCHEMA.get_all_operations()]


@pytest.fixture(scope="session")
def credentials(contract_owner: User, contract_key: str, admin: User) -> dict[str, dict[str, str]]:
    """Say who calls, as headers."""
    people = {"analyst": contract_owner.headers, "admin": admin.headers}
    return {"nobody": {}, "key": {"x-api-key": contract_key}, **people}


@pytest.fixture(scope="session")
def things(site_url: str, contract_owner: User, contract_model: str, contract_key: str) -> dict[str, list[str]]:
    """Name things of the analyst's that are there, by the parameter that names them."""
    with httpx.Client(base_url=site_url, headers=contract_owner.headers, timeout=30, trust_env=False) as client:
        announced = client.post("/api/datasets", json={"filename": "walk.csv", "size_bytes": 5}).json()
        keys = client.get("/api/keys").json()["keys"]
        content = b"length,width\n1,2\n"
        uploaded = client.post("/api/datasets", json={"filename": "walk.csv", "size_bytes": len(content)}).json()
        httpx.put(uploaded["upload"]["url"], content=content, headers=uploaded["upload"]["headers"], trust_env=False)
        dataset = uploaded["dataset"]["id"]
        client.post(
            f"/api/datasets/{dataset}/complete", json={"sha256": sha256(content).hexdigest()}
        ).raise_for_status()
        batch = client.post("/api/batches", json={"dataset_id": dataset, "model": contract_model}).json()
    return {
        "model": [contract_model, contract_model, f"{contract_model}@2"],
        "slug": [contract_model],
        "version": ["1", "champion"],
        "dataset_id": [dataset, announced["dataset"]["id"]],
        "batch_id": [batch["id"]],
        "key_id": [key["id"] for key in keys if key["name"] != "contract"],
    }


@pytest.mark.parametrize("operation", [pytest.param(each, id=each.label) for each in OPERATIONS])
def test_operation_keeps_its_description(
    site_url: str, operation: APIOperation, credentials: dict[str, Any], things: dict[str, list[str]]
):
    """No 5xx but a documented 503, no undocumented status or type, bodies as described: whoever calls."""
    cases = st.one_of(
        operation.as_strategy(generation_mode=GenerationMode.POSITIVE),
        operation.as_strategy(generation_mode=GenerationMode.NEGATIVE),
    )

    @given(case=cases, caller=st.sampled_from(CALLERS), data=st.data())
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=not IS_LONG,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def walk(case: schemathesis.Case, caller: str, data: st.DataObject) -> None:
        for place in (case.path_parameters, case.query, case.body):
            for name in set(place) & set(things) if isinstance(place, dict) else ():
                if things[name] and data.draw(st.integers(0, 3), label=f"a {name} that is there"):
                    place[name] = data.draw(st.sampled_from(things[name]), label=name)
        answer = case.call(base_url=site_url, headers=credentials[caller], timeout=30)
        assert answer.status_code < 500 or answer.status_code == 503, answer.text
        case.validate_response(answer, checks=LOOKED_AT)

    walk()
