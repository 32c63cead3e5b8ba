"""litserve_server.py PORT: a LitServe server, with or without batching and its faster queue."""

import os
import sys

import joblib
import litserve as ls
import numpy as np

VARIANT = os.environ["PEER_VARIANT"]
WORKERS = int(os.environ["PEER_WORKERS"])


class Credit(ls.LitAPI):
    def setup(self, device):
        self.model = joblib.load(os.environ["PEER_MODEL"])

    def decode_request(self, request):
        return request["features"]

    def predict(self, features):
        return self.model.predict_proba(np.array([features]))[0, 1]

    def encode_response(self, score):
        return {"score": float(score)}


class BatchedCredit(Credit):
    def batch(self, inputs):
        return np.array(inputs)

    def predict(self, rows):
        return self.model.predict_proba(rows)[:, 1]

    def unbatch(self, scores):
        return list(scores)


if __name__ == "__main__":
    api = BatchedCredit(max_batch_size=64, batch_timeout=0.005) if "batching" in VARIANT else Credit()
    server = ls.LitServer(api, accelerator="cpu", workers_per_device=WORKERS, fast_queue="fast queue" in VARIANT)
    server.run(
        host="127.0.0.1",
        port=int(sys.argv[1]),
        num_api_servers=WORKERS,
        log_level="warning",
        generate_client_file=False,
        access_log=False,
    )
