"""Each model's own description: true to its card, true about what is answered, and there for who may see the model."""

from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from tests.api.conftest import Publisher
from tests.api.tiny import CLASSES, build
from tests.conftest import RunningStack, User

DOORS = {
    "/api/predict/{}",
    "/api/predict/{}/what-if",
    "/v2/models/{}",
    "/v2/models/{}/ready",
    "/v2/models/{}/infer",
    "/invocations/{}",
}


def describe(api: httpx.Client, model: str, **request: Any) -> dict[str, Any]:
    """Read a model's description."""
    answer = api.get(f"/api/models/{model}/openapi.json", **request)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_description_is_the_cards(api: httpx.Client, contract_model: str):
    """Every door of the model, its features as they are, its classes, its examples."""
    described = describe(api, contract_model)

    assert set(described["paths"]) == {door.format(contract_model) for door in DOORS}
    schemas = described["components"]["schemas"]
    row = schemas[f"{contract_model}.Row"]
    assert {name: each["type"] for name, each in row["properties"].items()} == {
        "length": ["number", "null"],
        "width": ["integer", "null"],
        "island": ["string", "null"],
    }
    assert row["required"] == ["length"]
    assert row["examples"] == [{"length": 1.0, "width": 2, "island": "Biscoe"}]
    prediction = schemas[f"{contract_model}.Answer"]["properties"]["predictions"]["items"]
    assert prediction["properties"]["label"]["enum"] == CLASSES
    assert list(prediction["properties"]["probabilities"]["properties"]) == CLASSES
    text = str(described)
    named = {part.split("'")[0] for part in text.split("'#/components/schemas/")[1:]}
    assert named <= set(schemas)
    assert "Key" not in schemas


def test_what_fits_the_description_is_answered_as_it_says(api: httpx.Client, site_url: str, contract_model: str):
    """Any row that the schema allows gets a prediction, and the prediction fits the answer's schema."""
    schema = schemathesis.openapi.from_dict(describe(api, contract_model))
    path = f"/api/predict/{contract_model}"
    cases = st.one_of(
        schema[path]["POST"].as_strategy(generation_mode=GenerationMode.POSITIVE),
        schema[path]["GET"].as_strategy(generation_mode=GenerationMode.POSITIVE),
    )

    @given(case=cases)
    @settings(
        max_examples=40,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: schemathesis.Case) -> None:
        answer = case.call(base_url=site_url)
        is_extreme = answer.status_code == 422 and "too extreme" in answer.text
        assert answer.status_code == 200 or is_extreme, answer.text
        case.validate_response(answer, excluded_checks=[])

    ask()


def test_examples_are_answered(api: httpx.Client, contract_model: str):
    """What the description shows works when it is pasted."""
    paths = describe(api, contract_model)["paths"]
    shown = paths[f"/api/predict/{contract_model}"]["post"]["requestBody"]["content"]["application/json"]["examples"]

    assert set(shown) == {"one row", "rows"}
    for example in shown.values():
        assert api.post(f"/api/predict/{contract_model}", json=example["value"]).status_code == 200
    query = {each["name"]: each["example"] for each in paths[f"/api/predict/{contract_model}"]["get"]["parameters"]}
    assert api.get(f"/api/predict/{contract_model}", params=query).status_code == 200


def test_a_version_has_its_own_description(api: httpx.Client, contract_model: str):
    """By number or alias; its doors name it, its schemas have names that generators accept."""
    described = describe(api, contract_model, params={"version": "2"})

    assert set(described["paths"]) == {door.format(f"{contract_model}@2") for door in DOORS}
    assert f"{contract_model}.2.Row" in described["components"]["schemas"]


def test_private_model_is_described_to_who_may_see_it(
    api: httpx.Client, stack: RunningStack, contract_owner: User, stranger: User, unique: str
):
    """A description tells the features: it is as private as the model."""
    Publisher(stack).publish(unique, build(unique, seed=72), owner=contract_owner, visibility="private")
    path = f"/api/models/{unique}/openapi.json"

    assert api.get(path).status_code == 404
    assert api.get(path, headers=stranger.headers).status_code == 404
    mine = api.get(path, headers=contract_owner.headers)
    assert (mine.status_code, mine.headers["cache-control"].split(",")[0]) == (200, "private")


def test_description_of_the_whole_holds_the_published_models(api: httpx.Client, contract_model: str):
    """The general operations, and beside them each public model's own; private ones stay out."""
    whole = api.get("/api/openapi.json").json()

    assert "/api/predict/{model}" in whole["paths"]
    own = whole["paths"][f"/api/predict/{contract_model}"]["post"]
    assert own["responses"]["200"]["content"]["application/json"]["schema"] == {
        "$ref": f"#/components/schemas/{contract_model}.Answer"
    }
    ids = [each["operationId"] for methods in whole["paths"].values() for each in methods.values()]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("path", ["/api/openapi.json", "/api/models/{}/openapi.json"])
def test_description_is_kept_by_who_has_it(api: httpx.Client, contract_model: str, path: str):
    """Asking again with the tag costs a line."""
    address = path.format(contract_model)
    answer = api.get(address)

    assert api.get(address, headers={"if-none-match": answer.headers["etag"]}).status_code == 304
