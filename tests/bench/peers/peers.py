"""Who serves: how each is started on its documented settings with one worker, asked, and understood."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from api._commands.bench.limits import FOLDER_VARIABLE
from api._commands.bench.servers import BARE, FUNCTION
from tests.bench.peers.pipelines import Fitted, Row

APPS = Path(__file__).with_name("apps")
ROWCAST, BARE_NAME = "Rowcast", "bare FastAPI + ONNX Runtime"
_PREPARE_SECONDS = 120


@dataclass(frozen=True)
class Peer:
    """One server, ready to be started."""

    name: str
    command: list[str]
    path: str
    encode: Callable[[list[Row]], bytes]
    decode: Callable[[Any], np.ndarray]
    environ: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None


def _rows(rows: list[Row]) -> bytes:
    return orjson.dumps({"rows": rows})


def _probabilities(answer: Any) -> np.ndarray:
    return np.array([list(one["probabilities"].values()) for one in answer["predictions"]])


def _plain(answer: Any) -> np.ndarray:
    return np.array(answer["predictions"] if isinstance(answer, dict) else answer)


def rowcast(port: int, slug: str, environ: Mapping[str, str], key: str) -> Peer:
    """Describe the predict function as it is deployed, with everything on: key, limits, log."""
    command = _uvicorn(FUNCTION, port)
    return Peer(ROWCAST, command, f"/api/predict/{slug}", _rows, _probabilities, environ, {"x-api-key": key})


def bare(port: int, model: Path) -> Peer:
    """Describe a plain route around the same ONNX file: the least that a server of this kind can do."""
    command = _uvicorn(BARE, port)
    return Peer(BARE_NAME, command, "/predict", _rows, _probabilities, {FOLDER_VARIABLE: str(model)})


def fastapi(programs: Path, port: int, fitted: Fitted, folder: Path) -> Peer:
    """Describe the tutorial's way."""
    command = [str(programs / "uvicorn"), "--app-dir", str(APPS), "fastapi_app:app", "--port", str(port)]
    command += ["--no-access-log", "--log-level", "warning"]
    return Peer("FastAPI + pandas + joblib", command, "/predict", _rows, _plain, _model(folder))


def bentoml(programs: Path, port: int, fitted: Fitted, folder: Path) -> Peer:
    """Describe BentoML."""
    command = [str(programs / "bentoml"), "serve", "bentoml_app:Peer", "--working-dir", str(APPS)]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    environ = _model(folder) | {"BENTOML_DO_NOT_TRACK": "True", "BENTOML_HOME": str(folder / "bentoml")}
    return Peer("BentoML", command, "/predict", _rows, _plain, environ)


def litserve(programs: Path, port: int, fitted: Fitted, folder: Path) -> Peer:
    """Describe LitServe."""
    command = [str(programs / "python"), str(APPS / "litserve_app.py"), str(port)]
    return Peer("LitServe", command, "/predict", _rows, _plain, _model(folder))


def mlflow(programs: Path, port: int, fitted: Fitted, folder: Path) -> Peer:
    """Write the pipeline as an MLflow model, and describe its scoring server."""
    saved = folder / "mlflow"
    shutil.rmtree(saved, ignore_errors=True)
    save = [programs / "python", APPS / "mlflow_save.py", folder / "model.joblib", folder / "rows.json", saved]
    environ = {
        "MLFLOW_TRACKING_URI": f"file:{folder / 'runs'}",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "1",
    }
    environ["PATH"] = f"{programs}:/usr/local/bin:/usr/bin:/bin"
    subprocess.run(save, env=environ, check=True, capture_output=True, timeout=_PREPARE_SECONDS)
    command = [str(programs / "mlflow"), "models", "serve", "--model-uri", str(saved), "--env-manager", "local"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    return Peer(
        "MLflow", command, "/invocations", lambda rows: orjson.dumps({"dataframe_records": rows}), _plain, environ
    )


def mlserver(programs: Path, port: int, fitted: Fitted, folder: Path) -> Peer:
    """Write MLServer's two settings files, and describe it; each column is an input, as its pandas codec wants it."""
    home = folder / "mlserver"
    home.mkdir(exist_ok=True)
    settings = {"http_port": port, "grpc_port": port + 1, "metrics_port": port + 2, "host": "127.0.0.1", "debug": False}
    parameters = {"uri": str(folder / "model.joblib"), "version": "1"}
    described = {"name": "peer", "implementation": "mlserver_sklearn.SKLearnModel", "parameters": parameters}
    (home / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    (home / "model-settings.json").write_text(json.dumps(described), encoding="utf-8")
    numbers = set(fitted.numbers)

    def encode(rows: list[Row]) -> bytes:
        inputs = [_tensor(name, [row[name] for row in rows], is_number=name in numbers) for name in rows[0]]
        outputs = [{"name": "predict_proba"}]
        return orjson.dumps({"parameters": {"content_type": "pd"}, "inputs": inputs, "outputs": outputs})

    def decode(answer: Any) -> np.ndarray:
        return np.array(answer["outputs"][0]["data"]).reshape(answer["outputs"][0]["shape"])

    command = [str(programs / "mlserver"), "start", str(home)]
    return Peer("MLServer", command, "/v2/models/peer/infer", encode, decode, folder=home)


PEERS = {"fastapi": fastapi, "mlserver": mlserver, "bentoml": bentoml, "litserve": litserve, "mlflow": mlflow}
"""By the name of their environment."""


def _tensor(name: str, column: list[Any], *, is_number: bool) -> dict[str, Any]:
    described = {"datatype": "FP64"} if is_number else {"datatype": "BYTES", "parameters": {"content_type": "str"}}
    return {"name": name, "shape": [len(column), 1], "data": column, **described}


def _model(folder: Path) -> dict[str, str]:
    return {"PEER_MODEL": str(folder / "model.joblib")}


def _uvicorn(application: str, port: int) -> list[str]:
    command = [sys.executable, "-m", "uvicorn", application, "--port", str(port)]
    return [*command, "--no-access-log", "--log-level", "warning", "--lifespan", "off"]
