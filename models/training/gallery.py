"""Writes the gallery tables that scikit-learn carries, and the checksums of all: `python -m models.training.gallery`.

The committed CSV files are what is trained on; this shows where two of them come from and keeps `datasets.json` true.
"""

import csv
import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from sklearn.datasets import load_breast_cancer, load_diabetes

from models.contract import Card
from models.runtime import OnnxModel
from models.training.trained import Trained
from models.training.write import CARD_FILE, MODEL_FILE, write

GALLERY = Path(__file__).resolve().parent.parent / "gallery"
CATALOGUE = GALLERY / "datasets.json"

_DIABETES_COLUMNS = {
    "age": "age",
    "sex": "sex",
    "bmi": "bmi",
    "bp": "blood_pressure",
    "s1": "total_cholesterol",
    "s2": "ldl",
    "s3": "hdl",
    "s4": "cholesterol_ratio",
    "s5": "log_triglycerides",
    "s6": "blood_sugar",
}


def write_breast_cancer(path: Path) -> None:
    """Write the 569 tumours with their diagnosis in words."""
    bunch = load_breast_cancer()
    header = [*(str(name).replace(" ", "_") for name in bunch.feature_names), "diagnosis"]
    rows = zip(bunch.data.tolist(), bunch.target.tolist(), strict=True)
    _write(path, header, ([*cells, str(bunch.target_names[code])] for cells, code in rows))


def write_diabetes(path: Path) -> None:
    """Write the 442 patients in the units of the clinic, not in scikit-learn's standard units."""
    bunch = load_diabetes(scaled=False)
    header = [*(_DIABETES_COLUMNS[name] for name in bunch.feature_names), "progression"]
    rows = zip(bunch.data.tolist(), bunch.target.tolist(), strict=True)
    _write(path, header, ([*cells, amount] for cells, amount in rows))


def bundle(trained: Trained, slug: str, folder: Path = GALLERY) -> Path:
    """Write a champion to `models/gallery/<slug>`, `model.onnx` and `card.json`, and open what was written once."""
    place = folder / slug
    write(trained, place)
    OnnxModel.open(place / MODEL_FILE, Card.model_validate_json((place / CARD_FILE).read_bytes()))
    return place


def refresh_checksums() -> None:
    """Write each table's SHA-256 into the catalogue."""
    catalogue = json.loads(CATALOGUE.read_text(encoding="utf-8"))
    for entry in catalogue:
        entry["sha256"] = hashlib.sha256((GALLERY / "datasets" / entry["file"]).read_bytes()).hexdigest()
    CATALOGUE.write_text(json.dumps(catalogue, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[float | str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows([_plain(cell) for cell in row] for row in rows)


def _plain(cell: float | str) -> float | int | str:
    return int(cell) if isinstance(cell, float) and cell.is_integer() else cell


if __name__ == "__main__":
    write_breast_cancer(GALLERY / "datasets" / "breast-cancer.csv")
    write_diabetes(GALLERY / "datasets" / "diabetes.csv")
    refresh_checksums()
