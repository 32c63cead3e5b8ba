"""mlflow_model.py MODEL.joblib WIDTH FOLDER: the model as MLflow keeps one, with a signature and probabilities for answers."""

import sys

import joblib
import mlflow.sklearn
import numpy as np
from mlflow.models import ModelSignature
from mlflow.types import Schema, TensorSpec

model, width, folder = sys.argv[1:]
signature = ModelSignature(
    inputs=Schema([TensorSpec(np.dtype(np.float64), (-1, int(width)))]),
    outputs=Schema([TensorSpec(np.dtype(np.float64), (-1, 2))]),
)
mlflow.sklearn.save_model(
    joblib.load(model),
    folder,
    signature=signature,
    pyfunc_predict_fn="predict_proba",
    serialization_format="pickle",
    pip_requirements=[],
)
