"""train.py TRAINING.csv ROWS.csv FOLDER: one logistic regression and one forest, for scikit-learn and as ONNX.

The last column of TRAINING.csv is the label, every other one a feature, in the order of ROWS.csv. FOLDER then holds
{logistic,forest}.{joblib,onnx}, and scores.json: what scikit-learn itself gives each row.
"""

import json
import sys
from pathlib import Path

import joblib
import numpy as np
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

table = np.loadtxt(sys.argv[1], delimiter=",", skiprows=1)
rows = np.loadtxt(sys.argv[2], delimiter=",", skiprows=1)
folder = Path(sys.argv[3])
features, labels = table[:, :-1], table[:, -1].astype(int)

models = {
    "logistic": make_pipeline(StandardScaler(), LogisticRegression()),
    # One job: starting threads for one row would only cost the servers time.
    "forest": RandomForestClassifier(n_estimators=100, max_depth=8, min_samples_leaf=8, n_jobs=1, random_state=7),
}
scores = {}
for name, model in models.items():
    model.fit(features, labels)
    joblib.dump(model, folder / f"{name}.joblib")
    # Without ZipMap the probabilities come as one tensor.
    inputs = [("input", FloatTensorType([None, features.shape[1]]))]
    exported = to_onnx(model, initial_types=inputs, options={id(model): {"zipmap": False}})
    (folder / f"{name}.onnx").write_bytes(exported.SerializeToString())
    scores[name] = model.predict_proba(rows)[:, 1].tolist()
(folder / "scores.json").write_text(json.dumps(scores))
