"""Write a pipeline as an MLflow model that answers with probabilities: `mlflow_save.py FILE ROWS.json FOLDER`."""

import sys
from pathlib import Path

import joblib
import mlflow.sklearn
import pandas as pd
from mlflow.models import infer_signature

file, rows, folder = sys.argv[1:]
model = joblib.load(file)
frame = pd.read_json(Path(rows), orient="records")
mlflow.sklearn.save_model(
    model,
    folder,
    pyfunc_predict_fn="predict_proba",
    signature=infer_signature(frame, model.predict_proba(frame)),
    serialization_format="cloudpickle",
    pip_requirements=[],
)
