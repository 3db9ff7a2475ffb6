"""What is said about a model file that was made elsewhere. Whether it is true is tried by a worker, in a process of its own."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from api._lib.schema import Sent
from api._lib.slugs import SLUG_PATTERN
from api._lib.uuids import Uuid
from models.contract import FeatureKind, Task

MAX_EXAMPLES = 60
MAX_FEATURES = 1000
MAX_CLASSES = 100

MAX_INTEGER = 2**63 - 1


def _check_text(text: str) -> str:
    if "\0" in text:
        raise ValueError("a text must not hold the character U+0000")
    return text


def _check_cell(cell: float | int | str | None) -> float | int | str | None:  # noqa: PYI041  mypy takes whole numbers apart
    if isinstance(cell, str):
        return _check_text(cell)
    if isinstance(cell, int) and abs(cell) > MAX_INTEGER:
        raise ValueError("a whole number has 64 bits at most")
    return cell


Cell = Annotated[float | int | bool | str | None, AfterValidator(_check_cell)]
Text = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_check_text)]
Value = Annotated[str, AfterValidator(_check_text)]


class ImportedFeature(Sent):
    """What one column of a row is."""

    name: Text = Field(examples=["bill_length_mm"])
    kind: FeatureKind = Field(description="category is text; all others are numbers to the file", examples=["number"])
    categories: list[Value] = Field(default=[], max_length=200, description="Values to choose from on the form")
    minimum: float | None = Field(default=None, description="For the form, and tried beside the examples")
    maximum: float | None = Field(default=None, description="For the form, and tried beside the examples")


class ImportOrder(Sent):
    """An ONNX file that shall become a version."""

    dataset_id: Uuid = Field(description="The uploaded file: a dataset of kind `model` that is ready")
    model: str = Field(
        pattern=SLUG_PATTERN,
        description="Slug: a new model, or the next version of one of yours",
        examples=["penguins"],
    )
    target: Text = Field(description="What is predicted", examples=["species"])
    task: Task
    classes: list[Value] = Field(
        default=[],
        max_length=MAX_CLASSES,
        description="Labels in the order of the file's probabilities; none for a regression",
        examples=[["Adelie", "Chinstrap", "Gentoo"]],
    )
    features: list[ImportedFeature] = Field(
        min_length=1, max_length=MAX_FEATURES, description="In the order in which the file reads them"
    )
    examples: list[dict[Text, Cell]] = Field(
        min_length=1,
        max_length=MAX_EXAMPLES,
        description="Rows to try the file with. A feature that none leaves out or has null is required from then on",
        examples=[[{"bill_length_mm": 39.1}]],
    )
    title: Value = Field(default="", max_length=120, description="Of a new model")
    description: Value = Field(default="", max_length=2000, description="Of a new model")
    visibility: Literal["private", "public"] = Field(default="private", description="Of a new model")

    def row(self) -> dict[str, Any]:
        """Give the run that tries the file."""
        kept = self.model_dump(include={"dataset_id", "target", "title", "description", "visibility"})
        schema = self.model_dump(include={"task", "classes", "features", "examples"})
        return {**kept, "kind": "import", "model_slug": self.model, "options": {"schema": schema}}
