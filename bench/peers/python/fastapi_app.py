"""A FastAPI application as its documentation writes one: a declared body, a declared answer, the model loaded once."""

import os

import joblib
import numpy as np
from fastapi import FastAPI
from pydantic import BaseModel, create_model

FEATURES = os.environ["PEER_FEATURES"].split(",")
model = joblib.load(os.environ["PEER_MODEL"])
app = FastAPI()

Application = create_model("Application", **{name: (float, ...) for name in FEATURES})


class Decision(BaseModel):
    score: float


def score(application: BaseModel) -> Decision:
    row = np.array([[getattr(application, name) for name in FEATURES]])
    return Decision(score=model.predict_proba(row)[0, 1])


if os.environ["PEER_VARIANT"] == "async def":

    @app.post("/predict")
    async def predict(application: Application) -> Decision:
        return score(application)

else:

    @app.post("/predict")
    def predict(application: Application) -> Decision:
        return score(application)
