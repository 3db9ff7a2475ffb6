"""What the tests of the contract share: a model of their own, whose owner may do everything, and a key of hers."""

import httpx
import pytest

from tests.api.conftest import Publisher
from tests.api.tiny import build
from tests.conftest import RunningStack, User


@pytest.fixture(scope="session")
def contract_owner(stack: RunningStack) -> User:
    """Sign up an analyst whose things no other test looks at."""
    return stack.create_user("analyst")


@pytest.fixture(scope="session")
def contract_model(stack: RunningStack, contract_owner: User) -> str:
    """Name a public model with two versions."""
    versions = build("tiny-contract", seed=70), build("tiny-contract", seed=71)
    Publisher(stack).publish("tiny-contract", *versions, owner=contract_owner)
    return "tiny-contract"


@pytest.fixture(scope="session")
def contract_key(site_url: str, contract_owner: User) -> str:
    """Make an API key that may do what its owner may."""
    order = {"name": "contract", "scopes": ["predict", "feedback", "train"]}
    answer = httpx.post(f"{site_url}/api/keys", json=order, headers=contract_owner.headers, trust_env=False)
    return str(answer.json()["key"])
