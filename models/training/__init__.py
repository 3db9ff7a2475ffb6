"""Training: from a CSV file to a certified `model.onnx` and its card. The only home of scikit-learn; never deployed.

Reading and understanding a table needs no scikit-learn; it is loaded (about two seconds) when `train` is first asked for,
and Arrow when a profile is.
"""

from typing import TYPE_CHECKING, Any

from models.training.options import TrainOptions
from models.training.table import Table, parse_table, read_table
from models.training.trained import Trained
from models.training.understanding import understand
from models.training.write import CARD_FILE, MODEL_FILE, write

if TYPE_CHECKING:
    from models.training.dataset_profile import profile_file
    from models.training.trainer import assist, train

__all__ = [
    "CARD_FILE",
    "MODEL_FILE",
    "Table",
    "TrainOptions",
    "Trained",
    "assist",
    "parse_table",
    "profile_file",
    "read_table",
    "train",
    "understand",
    "write",
]


def __getattr__(name: str) -> Any:
    if name in {"assist", "train"}:
        from models.training import trainer

        return getattr(trainer, name)
    if name == "profile_file":
        from models.training import dataset_profile

        return dataset_profile.profile_file
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
