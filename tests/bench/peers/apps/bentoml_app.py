"""BentoML: a service with one API, as its quick start has it."""

import os

import bentoml
import joblib
import pandas as pd


@bentoml.service(workers=1)
class Peer:
    """One loaded pipeline."""

    def __init__(self) -> None:
        self.model = joblib.load(os.environ["PEER_MODEL"])

    @bentoml.api
    def predict(self, rows: list[dict[str, float | str]]) -> list[list[float]]:
        """Answer with the classes' probabilities."""
        return self.model.predict_proba(pd.DataFrame(rows)).tolist()
