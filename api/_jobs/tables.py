"""Datasets as jobs read them: fetched from Storage, checked against what was announced."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from api._jobs.errors import RunRejected
from api._jobs.storage import Storage
from models.errors import DatasetRejected

if TYPE_CHECKING:
    from models.training import Table


def fetch_file(storage: Storage, facts: Mapping[str, Any], folder: Path) -> Path:
    """Bring an uploaded file here.

    Raises:
        RunRejected: it was deleted, or its bytes are not the announced ones.
        RunPostponed: Storage does not answer.
    """
    if facts["dataset_id"] is None:
        raise RunRejected("The dataset was deleted before its turn came.")
    # The name decides nothing; its text is shown when the table cannot be read.
    file = folder / "table" / Path(facts["filename"]).name
    file.parent.mkdir(exist_ok=True)
    fetched = storage.fetch_dataset(facts["object_path"], file)
    if (fetched.sha256, fetched.size_bytes) != (facts["sha256"], facts["size_bytes"]):
        raise RunRejected(
            f"The uploaded file is not the one that was announced ({fetched.size_bytes} bytes, "
            f"sha256 {fetched.sha256[:12]}…): upload it again."
        )
    return file


def fetch_table(storage: Storage, facts: Mapping[str, Any], folder: Path, *, has_target: bool) -> "Table":
    """Bring a table here and read it, by the same rules as for training."""
    from models.training.table import read_table

    try:
        return read_table(fetch_file(storage, facts, folder), has_target=has_target)
    except DatasetRejected as error:
        raise RunRejected(f"{error}.") from error
