"""LitServe: its API class with the four steps, one worker."""

import os
import sys

import joblib
import litserve
import pandas as pd


class Peer(litserve.LitAPI):
    """One loaded pipeline."""

    def setup(self, device: str) -> None:  # noqa: ARG002  the name is LitServe's
        """Load it."""
        self.model = joblib.load(os.environ["PEER_MODEL"])

    def decode_request(self, request: dict) -> pd.DataFrame:
        """Make a data frame of the rows."""
        return pd.DataFrame(request["rows"])

    def predict(self, x: pd.DataFrame) -> list[list[float]]:
        """Ask for the classes' probabilities."""
        return self.model.predict_proba(x).tolist()

    def encode_response(self, output: list[list[float]]) -> dict:
        """Write the answer."""
        return {"predictions": output}


if __name__ == "__main__":
    server = litserve.LitServer(Peer(), accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False, log_level="warning")
