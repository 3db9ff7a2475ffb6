"""What is sent and answered about datasets."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import ConfigDict, Field

from api._lib.errors import RequestInvalid
from api._lib.schema import Schema, Sent
from api._lib.store.datasets import TABLE_ROWS
from api._lib.times import Time

MAX_DATASET_BYTES = 50 * 1024 * 1024
MAX_COLUMNS = 1000

DatasetKind = Literal["table", "model"]
ColumnName = Annotated[str, Field(min_length=1, max_length=500)]
ColumnType = Literal[
    "number",
    "number:decimal_comma",
    "number:thousands_comma",
    "integer",
    "boolean",
    "category",
    "date",
    "date:day_first",
    "date:month_first",
    "text",
    "id",
]
COLUMN_TYPES: tuple[str, ...] = get_args(ColumnType)


class DatasetOrder(Sent):
    """A file about to be uploaded (`filename`, `size_bytes`), or a `table` of the database to be read."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"filename": "penguins.csv", "size_bytes": 15241}]})

    filename: str | None = Field(
        default=None, min_length=1, max_length=120, pattern=r"^[^/\\]+$", examples=["penguins.csv"]
    )
    size_bytes: int | None = Field(
        default=None, ge=1, le=MAX_DATASET_BYTES, description="Size of the file, at most 50 MiB", examples=[15241]
    )
    kind: DatasetKind = Field(default="table", description="model: an ONNX file, to be imported")
    table: str | None = Field(
        default=None,
        max_length=130,
        pattern=r"^[^.]{1,63}\.[^.]{1,63}$",
        description="A table or view, with its schema; read with your own rights",
        examples=["public.orders"],
    )
    columns: list[ColumnName] | None = Field(
        default=None, min_length=1, max_length=MAX_COLUMNS, description="Of the table; all that you may read if absent"
    )
    newest_by: ColumnName | None = Field(
        default=None,
        description="A column of the table: rows with its greatest values come first",
        examples=["created_at"],
    )
    rows: int = Field(default=TABLE_ROWS, ge=1, le=TABLE_ROWS, description="Of the table, at most")
    name: str | None = Field(default=None, min_length=1, max_length=120, description="The filename if absent")
    licence: str | None = Field(default=None, max_length=120, examples=["CC0-1.0"])
    source: str | None = Field(
        default=None, max_length=500, examples=["https://allisonhorst.github.io/palmerpenguins/"]
    )

    def row(self) -> dict[str, Any]:
        """Give what the database keeps of an announced file."""
        kept = self.model_dump(exclude_none=True, include={"filename", "size_bytes", "kind", "licence", "source"})
        return {**kept, "name": self.name or self.filename}


class Completion(Sent):
    """What was uploaded."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the uploaded bytes, lower-case hexadecimal")


class DatasetChanges(Sent):
    """What may change about a dataset. Absent fields stay as they are."""

    name: str = Field(default="", min_length=1, max_length=120)
    source: str | None = Field(default=None, max_length=500)
    licence: str | None = Field(default=None, max_length=120)
    types: dict[ColumnName, ColumnType] = Field(
        default_factory=dict,
        max_length=MAX_COLUMNS,
        description="What columns really are",
        examples=[{"zip": "category"}],
    )
    drop: list[ColumnName] = Field(
        default_factory=list, max_length=MAX_COLUMNS, description="Columns to leave out", examples=[["id"]]
    )

    def check_columns(self, profile: Mapping[str, Any] | None) -> None:
        """Refuse columns that a profiled dataset does not have."""
        if profile is None:
            return
        known = {column["name"] for column in profile["columns"]}
        wrong = [
            (f"#/types/{_escaped(name)}", f"there is no column {name!r}") for name in self.types if name not in known
        ]
        wrong += [
            (f"#/drop/{index}", f"there is no column {name!r}")
            for index, name in enumerate(self.drop)
            if name not in known
        ]
        if wrong:
            raise RequestInvalid("The dataset has no such column", errors=wrong)


class Corrections(Schema):
    """What the analyst knows better than the file tells."""

    types: dict[str, str] = Field(examples=[{"zip": "category"}])
    drop: list[str] = Field(examples=[["id"]])


class Dataset(Schema):
    """What is known about an uploaded table."""

    id: str
    name: str = Field(examples=["Palmer penguins"])
    filename: str = Field(examples=["penguins.csv"])
    kind: DatasetKind
    size_bytes: int | None
    sha256: str | None = Field(description="Null until the upload is complete")
    status: Literal["pending", "ready", "failed"]
    reason: str | None = Field(description="Why it failed, in one line")
    rows: int | None = Field(description="Known once the table has been read")
    columns: int | None = Field(description="Known once the table has been read")
    profile_status: Literal["none", "queued", "ready", "failed"]
    profile_reason: str | None = Field(description="Why there is no profile, in one line")
    corrections: Corrections
    source: str | None
    licence: str | None
    created_at: Time


class DatasetList(Schema):
    """Datasets, newest first."""

    datasets: list[Dataset]


class DatasetProfile(Schema):
    """What the columns of a table hold, as far as it is known."""

    status: Literal["none", "queued", "ready", "failed"]
    reason: str | None = Field(description="Why there is none, in one line")
    profile: dict[str, Any] | None = Field(
        description="`rows`; `columns`, each with `type`, `evidence`, `missing_share`, `quantiles`, `top`, `histogram`, "
        "`warnings`; `warnings` of the whole; `targets`: columns worth predicting, each with its task and what is "
        "suspicious then; `preview`"
    )
    corrections: Corrections


class Upload(Schema):
    """The request that brings the bytes. Its address is good for two hours."""

    url: str
    method: Literal["PUT"]
    headers: dict[str, str]


class AnnouncedDataset(Schema):
    """A dataset and how to send its bytes; a table of the database has been read already."""

    dataset: Dataset
    upload: Upload | None


def content_type(filename: str) -> str:
    """Tell what a file of this name is sent as."""
    endings = {
        ".gz": "application/gzip",
        ".parquet": "application/vnd.apache.parquet",
        ".onnx": "application/octet-stream",
    }
    endings |= {".tsv": "text/tab-separated-values"}
    return next((kind for ending, kind in endings.items() if filename.lower().endswith(ending)), "text/csv")


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
