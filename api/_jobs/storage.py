"""Storage as the worker uses it: uploads, artefacts and results, with the secret key."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import httpx

from api._jobs.errors import RunPostponed, RunRejected
from api._lib.settings import settings

TIMEOUT = httpx.Timeout(60.0, connect=5.0)
DATASETS = "datasets"
MODELS = "models"
RESULTS = "results"


@dataclass(frozen=True, slots=True)
class Fetched:
    """What arrived of an upload."""

    size_bytes: int
    sha256: str


class Storage:
    """The buckets. Every failure of the service itself is a `RunPostponed`."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    @classmethod
    @contextmanager
    def open(cls) -> Iterator["Storage"]:
        """Connect with this deployment's address and secret key."""
        known = settings()
        headers = {"apikey": known.supabase_secret_key}
        base_url = f"{known.supabase_url}/storage/v1"
        with httpx.Client(base_url=base_url, headers=headers, timeout=TIMEOUT, trust_env=False) as client:
            yield cls(client)

    def fetch_dataset(self, object_path: str, target: Path) -> Fetched:
        """Download an upload into a file, piece by piece.

        Raises:
            RunRejected: there is no such object.
        """
        return self._fetch(DATASETS, object_path, target, "The dataset was never uploaded: upload the file again.")

    def fetch_model(self, digest: str, target: Path) -> None:
        """Download the file of a version.

        Raises:
            RunRejected: there is no such object.
        """
        self._fetch(MODELS, f"{digest}/model.onnx", target, "The model's file is gone.")

    def put_artefacts(self, digest: str, files: Mapping[str, Path]) -> None:
        """Upload the files of one version under its digest; what is there already is replaced by the same."""
        for name, path in files.items():
            kind = "application/json" if path.suffix == ".json" else "application/octet-stream"
            self.write(MODELS, f"{digest}/{name}", path.read_bytes(), kind)

    def read(self, bucket: str, path: str) -> bytes:
        """Download a small object that this worker, or one before it, has written."""
        with _answered():
            answer = self._client.get(f"/object/{bucket}/{path}")
        if not answer.is_success:
            raise _refusal(answer)
        return answer.content

    def write(self, bucket: str, path: str, content: bytes, kind: str) -> None:
        """Upload an object; what is there already is replaced."""
        headers = {"content-type": kind, "x-upsert": "true"}
        with _answered():
            answer = self._client.post(f"/object/{bucket}/{path}", content=content, headers=headers)
        if not answer.is_success:
            raise _refusal(answer)

    def remove_artefacts(self, digest: str) -> None:
        """Remove the files of a digest; none there is fine."""
        self.remove(MODELS, [f"{digest}/model.onnx", f"{digest}/card.json"])

    def remove(self, bucket: str, paths: Sequence[str]) -> None:
        """Remove objects; one that is not there is fine."""
        with _answered():
            answer = self._client.request("DELETE", f"/object/{bucket}", json={"prefixes": paths})
        if not answer.is_success:
            raise _refusal(answer)

    def _fetch(self, bucket: str, path: str, target: Path, missing: str) -> Fetched:
        digest, size = hashlib.sha256(), 0
        with _answered(), self._client.stream("GET", f"/object/{bucket}/{path}") as answer:
            if not answer.is_success:
                answer.read()
                if _is_missing(answer):
                    raise RunRejected(missing)
                raise _refusal(answer)
            with target.open("wb") as file:
                for piece in answer.iter_bytes():
                    digest.update(piece)
                    size += len(piece)
                    file.write(piece)
        return Fetched(size, digest.hexdigest())


@contextmanager
def _answered() -> Iterator[None]:
    try:
        yield
    except httpx.TransportError as error:
        raise RunPostponed("Storage does not answer.") from error


def _is_missing(answer: httpx.Response) -> bool:
    # Storage says 400 and puts the real status into the body.
    return answer.status_code == HTTPStatus.NOT_FOUND or '"404"' in answer.text


def _refusal(answer: httpx.Response) -> RunPostponed:
    return RunPostponed(f"Storage refused with status {answer.status_code}.")
