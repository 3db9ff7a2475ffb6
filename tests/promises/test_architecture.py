"""Imports go down only: routers, their library, the model runtime, the contract. Offline tools stay offline."""

import json
import subprocess
import sys

import pytest

from tests.promises.sources import REPOSITORY, modules, tracked

ROUTERS = sorted(path.stem for path in (REPOSITORY / "api").glob("*.py") if not path.stem.startswith("_"))

OFFLINE = {"sklearn", "scipy", "pandas", "onnx", "skl2onnx", "optuna", "joblib", "supabase", "procrastinate", "psycopg"}
INFERENCE = {"hooks", "inference", "predict"}
"""The functions that run models. All others start without the engine."""

_EVERYWHERE_BELOW_ROUTERS = [f"api.{name}" for name in ROUTERS]

FORBIDDEN = {
    "models.contract": ["api", "models.runtime", "models.training"],
    "models": ["api", "models.training"],
    "models.training": ["api"],
    "api._lib": ["api._jobs", "api._stack", "api._commands", "api._cli", "models.training", *_EVERYWHERE_BELOW_ROUTERS],
    "api._jobs": ["api._stack", "api._commands", "api._cli", *_EVERYWHERE_BELOW_ROUTERS],
    "api._stack": ["api._jobs", "api._cli", "models.training", *_EVERYWHERE_BELOW_ROUTERS],
    "api._cli": _EVERYWHERE_BELOW_ROUTERS,
    "api._commands": ["api._jobs", "api._cli", *_EVERYWHERE_BELOW_ROUTERS],
    "web.dashboard": ["api", "models"],
}
"""Who must not import whom; the longest fitting name of a module decides."""


def test_imports_go_down_only():
    """No module imports a layer above its own, or a neighbour it must not know."""
    wrong = []
    for module in modules("api", "models", "web"):
        layer = max((name for name in FORBIDDEN if _is_in(module.name, name)), key=len, default=None)
        is_router = module.name.removeprefix("api.") in ROUTERS
        banned = FORBIDDEN[layer] if layer else ["models.training", "api._jobs", "api._stack", "api._commands"]
        if is_router:
            banned = [*banned, *(name for name in _EVERYWHERE_BELOW_ROUTERS if name != module.name)]
        wrong += [
            f"{module.name} imports {name}"
            for name in module.imports()
            if any(_is_in(name, each) for each in banned) and not (layer and _is_in(name, layer))
        ]
    assert wrong == []


def test_contract_needs_only_pydantic():
    """The card can be read where neither numpy nor a model engine is installed."""
    loaded = _loaded_by("models.contract")

    assert loaded & (OFFLINE | {"numpy", "onnxruntime", "fastapi", "httpx"}) == set()


def test_runtime_needs_no_web_framework():
    """A model can be run from a file without any of the API."""
    loaded = _loaded_by("models.runtime")

    assert loaded & (OFFLINE | {"fastapi", "starlette", "httpx", "structlog"}) == set()


@pytest.mark.parametrize("router", ROUTERS)
def test_function_loads_nothing_it_does_not_need(router: str):
    """A function imported in a fresh process brings no offline tool; only inference brings the model engine."""
    loaded = _loaded_by(f"api.{router}")

    assert loaded & OFFLINE == set()
    if router not in INFERENCE:
        assert loaded & {"onnxruntime", "numpy"} == set()


def test_supabase_folder_is_no_package():
    """A Python package of that name would shadow the `supabase` library."""
    assert tracked("supabase/*.py") == []


def test_migrations_are_sql_in_order():
    """Each migration has a time of its own, so that the order of their names is the order they are applied in."""
    names = [path.name for path in tracked("supabase/migrations/*.sql")]
    times = [name.split("_")[0] for name in names]

    assert names
    assert all(len(time) == 14 and time.isdigit() for time in times)
    assert len(set(times)) == len(times)


def _is_in(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def _loaded_by(module: str) -> set[str]:
    program = (
        f"import json, sys, {module}; print(json.dumps(sorted({{name.partition('.')[0] for name in sys.modules}})))"
    )
    printed = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, check=True, capture_output=True, text=True
    ).stdout
    return set(json.loads(printed))
