"""The tutorial: a route that makes a data frame of the rows and asks the loaded pipeline."""

import os

import joblib
import pandas as pd
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()
model = joblib.load(os.environ["PEER_MODEL"])


class Rows(BaseModel):
    """What is asked."""

    rows: list[dict[str, float | str]]


@app.post("/predict")
def predict(asked: Rows) -> dict[str, list[list[float]]]:
    """Answer with the classes' probabilities."""
    return {"predictions": model.predict_proba(pd.DataFrame(asked.rows)).tolist()}
