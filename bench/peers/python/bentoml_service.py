"""A BentoML service over arrays, with or without adaptive batching."""

import os

import bentoml
import joblib
import numpy as np

BATCHES = os.environ["PEER_VARIANT"] == "adaptive batching"


@bentoml.service(
    workers=int(os.environ["PEER_WORKERS"]),
    traffic={"timeout": 60},
    logging={"access": {"enabled": False}},
)
class Credit:
    def __init__(self) -> None:
        self.model = joblib.load(os.environ["PEER_MODEL"])

    if os.environ["PEER_VARIANT"] == "async def":

        @bentoml.api
        async def predict(self, rows: np.ndarray) -> np.ndarray:
            return self.model.predict_proba(rows)[:, 1]

    else:

        @bentoml.api(batchable=BATCHES, max_batch_size=64)
        def predict(self, rows: np.ndarray) -> np.ndarray:
            return self.model.predict_proba(rows)[:, 1]
