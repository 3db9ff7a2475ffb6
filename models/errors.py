"""What can go wrong with a model, and what each failure carries.

ModelError
├── CoercionError      one cell that the coercion table refuses
├── InvalidRows        rows that the card does not admit: up to 100 places and reasons
├── ArtifactRejected   a file that is not what its card says; it was not opened
├── ExplanationRefused an answer that cannot be explained as asked: no such class, no such feature, no reference rows
├── DatasetRejected    a table that cannot be trained on; one line saying what to change
├── ExportRefused      a trained pipeline whose ONNX form answers differently; nothing was written
└── TrainingStopped    the caller asked for a stop; nothing was written
"""

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

MAX_REPORTED = 100
"""How many errors or warnings one answer lists: enough to mend a file by, small enough to send."""


class FieldError(NamedTuple):
    """One place in the request and what is wrong there. The pointer is a JSON pointer in URI fragment form."""

    pointer: str
    detail: str


class ModelError(Exception):
    """The root: its text is one readable line, `code` is the fixed name that clients may rely on."""

    code: ClassVar[str] = "model_error"


class CoercionError(ModelError):
    """One cell cannot be read as its column's kind; whoever knows where the cell stands adds the pointer."""

    code = "cell_refused"

    def __init__(self, detail: str) -> None:
        self.detail = detail
        super().__init__(detail)


class InvalidRows(ModelError):
    """Some rows cannot be read by the card's rules."""

    code = "invalid_rows"

    def __init__(self, errors: Sequence[FieldError]) -> None:
        self.errors = list(errors[:MAX_REPORTED])
        first = self.errors[0]
        more = f" (and {len(self.errors) - 1} more)" if len(self.errors) > 1 else ""
        super().__init__(f"{first.pointer}: {first.detail}{more}")


class ArtifactRejected(ModelError):
    """A model file was refused before, or while, it was opened."""

    code = "artifact_rejected"


class ExplanationRefused(ModelError):
    """What was asked about an answer does not fit the model. The text says what does."""

    code = "explanation_refused"


class DatasetRejected(ModelError):
    """A table cannot be trained on. The text says what to change."""

    code = "dataset_rejected"


class ExportRefused(ModelError):
    """The exported file does not answer as the trained pipeline does."""

    code = "export_refused"


class TrainingStopped(ModelError):
    """Training ended early because it was asked to."""

    code = "training_stopped"
