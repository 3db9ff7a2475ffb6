"""Training: from a CSV file to a certified `model.onnx` and its card. The only home of scikit-learn; never deployed."""

from models.training.options import TrainOptions
from models.training.table import Table, parse_table, read_table
from models.training.trainer import Trained, train
from models.training.write import CARD_FILE, MODEL_FILE, write

__all__ = ["CARD_FILE", "MODEL_FILE", "Table", "TrainOptions", "Trained", "parse_table", "read_table", "train", "write"]
