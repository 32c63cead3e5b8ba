"""What a training script does with MLflow, once through: recorded against MLflow's own server, replayed against ours (record-mlflow.ts)."""

import math

import mlflow
import mlflow.onnx
import numpy as np
import pandas as pd
from mlflow import MlflowClient
from skl2onnx import to_onnx
from sklearn.linear_model import LogisticRegression

people = pd.DataFrame({"income": [1.0, 2.0, 3.0, 4.0], "debt": [4.0, 3.0, 2.0, 1.0]})
rows = people.to_numpy().astype(np.float32)
model = LogisticRegression().fit(rows, [0, 0, 1, 1])
onnx = to_onnx(model, rows[:1], options={"zipmap": False})
del onnx.graph.output[0]
signature = mlflow.models.infer_signature(people.astype("float32"), model.predict_proba(rows).astype("float32"))
client = MlflowClient()

mlflow.set_experiment("loans")
with mlflow.start_run(run_name="first", tags={"team": "risk"}) as run:
    mlflow.log_param("C", 1.0)
    mlflow.log_params({"solver": "lbfgs", "seed": 7})
    for step in range(3):
        mlflow.log_metric("auc", 0.7 + step / 8, step=step)
    mlflow.log_metrics({"loss": 0.5})
    mlflow.set_tag("x", "1")
    mlflow.log_text("hello", "notes/a b+c.txt")
    mlflow.log_input(mlflow.data.from_pandas(people, name="people"), context="training")
    logged = mlflow.onnx.log_model(onnx, name="net", signature=signature, registered_model_name="credit", pip_requirements=["onnx"])
    mlflow.log_metric("score", 0.9, model_id=logged.model_id)
id = run.info.run_id
# Apart from the run with a model: of those, MLflow's server gives back NaN as 0.
with mlflow.start_run(run_name="odd"):
    mlflow.log_metrics({"nan": math.nan, "inf": math.inf})
with mlflow.start_run(run_id=id):
    mlflow.log_metric("late", 1.0)
client.get_run(id)
client.get_metric_history(id, "auc")
client.list_artifacts(id)
client.list_artifacts(id, "notes")
mlflow.artifacts.load_text(f"{run.info.artifact_uri}/notes/a b+c.txt")
for filter in ("metrics.auc > 0.9 and params.C = '1.0'", "tags.team LIKE 'ri%'", "dataset.name = 'people'", "params.none = 'x'"):
    mlflow.search_runs(filter_string=filter, order_by=["metrics.auc DESC"])
mlflow.search_experiments(filter_string="name = 'loans'")
mlflow.search_logged_models(filter_string="metrics.score > 0.5")
client.get_logged_model(logged.model_id)
client.set_registered_model_alias("credit", "champion", "1")
for uri in ("models:/credit@champion", "models:/credit/1", "models:/credit/latest", logged.model_uri, f"runs:/{id}/net"):
    mlflow.onnx.load_model(uri)
mlflow.register_model(f"runs:/{id}/net", "credit", tags={"by": "hand"})
client.update_model_version("credit", "2", "again")
client.set_model_version_tag("credit", "2", "k", "v")
client.delete_model_version_tag("credit", "2", "k")
client.transition_model_version_stage("credit", "2", "Staging")
client.get_latest_versions("credit", ["Staging"])
client.search_model_versions("name = 'credit'", order_by=["version_number ASC"])
client.search_registered_models("name LIKE 'cre%'")
client.set_registered_model_tag("credit", "team", "risk")
client.update_registered_model("credit", "decides")
client.get_registered_model("credit")
client.delete_registered_model_alias("credit", "champion")
client.delete_tag(id, "x")
client.delete_run(id)
client.restore_run(id)
client.delete_model_version("credit", "2")
client.rename_experiment(run.info.experiment_id, "renamed")
client.delete_experiment(run.info.experiment_id)
client.restore_experiment(run.info.experiment_id)
for mistake in (
    lambda: client.log_param(id, "C", 2),
    lambda: client.get_run("0" * 32),
    lambda: client.create_experiment("renamed"),
    lambda: client.create_registered_model("credit"),
    lambda: client.get_registered_model("nothing"),
    lambda: client.get_model_version("credit", "9"),
    lambda: client.get_model_version_by_alias("credit", "nobody"),
    lambda: client.set_registered_model_alias("credit", "v1", "1"),
    lambda: client.create_model_version("nothing", "s3://bucket/x"),
    lambda: client.transition_model_version_stage("credit", "1", "Nowhere"),
    lambda: client.search_runs(["0"], "metrics.auc > 1 OR metrics.auc < 0"),
    lambda: client.log_metric(id, "a#b", 1),
):
    try:
        mistake()
    except mlflow.exceptions.MlflowException as error:
        print(error.error_code)
    else:
        raise AssertionError("it was no mistake")
