"""MLflow's own client, unmodified, against a running Evenkeel: what training scripts do with it, from the first run to a served model.

Told where and with which token by MLflow's own environment variables; prints one JSON object a check (checks.py).
"""

import json
import math
import os
import tempfile
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import mlflow
import mlflow.onnx
import mlflow.sklearn
import numpy as np
import onnxruntime
import pandas as pd
from checks import check, expect, say_all
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag, ViewType
from mlflow.exceptions import MlflowException
from skl2onnx import to_onnx
from sklearn.linear_model import LogisticRegression

os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"  # what is printed here is read by a program
URL = os.environ["MLFLOW_TRACKING_URI"]
OPERATOR = os.environ["EVENKEEL_OPERATOR_TOKEN"]
APPLICATION = os.environ["EVENKEEL_APPLICATION_TOKEN"]
PACKAGES = ("mlflow", "onnx", "onnxruntime", "scikit-learn", "skl2onnx", "pandas", "numpy")

rng = np.random.default_rng(7)
PEOPLE = pd.DataFrame({"income": rng.normal(40, 10, 200).round(2), "debt": rng.uniform(0, 1, 200).round(3)})
REPAID = (PEOPLE["income"] / 40 - PEOPLE["debt"] + rng.normal(0, 0.2, 200) > 0.4).astype(int)
MODEL = LogisticRegression().fit(PEOPLE.to_numpy(), REPAID)
ROWS = PEOPLE.to_numpy().astype(np.float32)


def client():
    return MlflowClient()


def refused(code, work):
    try:
        work()
    except MlflowException as error:
        expect(error.error_code, code)
        return str(error)
    raise AssertionError(f"expected {code}, and it was done")


def onnx_model():
    """With the score as the only output, as MLflow's own pyfunc and a server both can read it."""
    model = to_onnx(MODEL, ROWS[:1], options={"zipmap": False})
    del model.graph.output[0]
    return model


def post(path, body, token=OPERATOR):
    request = urllib.request.Request(
        URL + path,
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json", "Authorization": f"Bearer {token}"},
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


@check
def experiments_are_made_found_tagged_renamed_deleted_and_restored():
    made = client().create_experiment("compat-a", tags={"team": "risk"})
    expect(client().get_experiment_by_name("compat-a").experiment_id, made)
    expect(client().get_experiment_by_name("nowhere"), None)
    refused("RESOURCE_ALREADY_EXISTS", lambda: client().create_experiment("compat-a"))
    client().set_experiment_tag(made, "stage", "try")
    client().delete_experiment_tag(made, "stage")
    client().rename_experiment(made, "compat-b")
    expect([e.name for e in client().search_experiments(filter_string="tags.team = 'risk' AND name LIKE 'compat-%'")], ["compat-b"])
    client().delete_experiment(made)
    expect(client().get_experiment(made).lifecycle_stage, "deleted")
    expect([e.experiment_id for e in client().search_experiments(ViewType.DELETED_ONLY)], [made])
    client().restore_experiment(made)
    expect(mlflow.get_experiment("0").name, "Default")


@check
def a_run_keeps_what_was_logged():
    mlflow.set_experiment("runs")
    with mlflow.start_run(run_name="forest", tags={"a": "b"}, description="a try") as run:
        mlflow.log_param("depth", 8)
        mlflow.log_params({f"p{i}": i for i in range(150)})
        for step in range(5):
            mlflow.log_metric("auc", 0.5 + step / 10, step=step)
        mlflow.log_metrics({"loss": 0.25, "nan": math.nan, "inf": math.inf})
        mlflow.set_tags({"x": "1", "y.z/w": "ü 🎉"})
        mlflow.set_tag("gone", "soon")
        mlflow.delete_tag("gone")
        with mlflow.start_run(nested=True) as child:
            mlflow.log_metric("auc", 1)
    read = client().get_run(run.info.run_id)
    expect((read.info.status, read.info.run_name), ("FINISHED", "forest"))
    expect((read.data.params["depth"], read.data.params["p149"], len(read.data.params)), ("8", "149", 151))
    expect((read.data.metrics["auc"], read.data.metrics["loss"]), (0.9, 0.25))
    assert math.isnan(read.data.metrics["nan"]) and read.data.metrics["inf"] > 1e308
    expect(read.data.tags["y.z/w"], "ü 🎉")
    assert "gone" not in read.data.tags
    expect([(m.step, m.value) for m in client().get_metric_history(run.info.run_id, "auc")], [(i, 0.5 + i / 10) for i in range(5)])
    expect(client().get_run(child.info.run_id).data.tags["mlflow.parentRunId"], run.info.run_id)
    refused("INVALID_PARAMETER_VALUE", lambda: client().log_param(run.info.run_id, "depth", 9))
    with mlflow.start_run(run_id=run.info.run_id):  # goes on with it
        mlflow.log_metric("late", 1.0)
    expect(client().get_run(run.info.run_id).data.metrics["late"], 1.0)


@check
def batches_logged_at_once_are_all_there():
    experiment = client().create_experiment("batches")
    run = client().create_run(experiment).info.run_id
    points = [Metric("m", i / 7, 1_760_000_000_000 + i, i) for i in range(3000)]
    client().log_batch(run, metrics=points[:1000])
    with ThreadPoolExecutor(8) as pool:
        for i in range(1000, 3000, 250):
            pool.submit(client().log_batch, run, metrics=points[i : i + 250]).result()
    client().log_batch(run, params=[Param("p", "1")], tags=[RunTag("t", "1")])
    expect([m.value for m in client().get_metric_history(run, "m")], [m.value for m in points])
    expect(client().get_run(run).data.metrics, {"m": 2999 / 7})


@check
def runs_are_searched():
    experiment = client().create_experiment("search")
    ids = []
    for i in range(12):
        run = client().create_run(experiment, start_time=1_760_000_000_000 + i, run_name=f"run-{i}", tags={"odd": str(i % 2)})
        client().log_metric(run.info.run_id, "auc", i / 10)
        client().log_param(run.info.run_id, "kind", "Forest" if i % 3 else "logit")
        ids.append(run.info.run_id)
    search = lambda filter, **more: [r.info.run_name for r in client().search_runs([experiment], filter, **more)]
    expect(search("metrics.auc >= 0.9 and tags.odd = '1'"), ["run-11", "run-9"])
    expect(search("params.kind ILIKE 'LOG%'", order_by=["metrics.auc ASC"]), ["run-0", "run-3", "run-6", "run-9"])
    expect(search(f"attributes.run_id IN ('{ids[0]}', '{ids[5]}')"), ["run-5", "run-0"])
    expect(len(mlflow.search_runs([experiment], "status = 'RUNNING'", output_format="list", max_results=5)), 5)
    first = client().search_runs([experiment], order_by=["metrics.auc DESC"], max_results=5)
    second = client().search_runs([experiment], order_by=["metrics.auc DESC"], max_results=5, page_token=first.token)
    expect([r.info.run_name for r in second], [f"run-{i}" for i in (6, 5, 4, 3, 2)])
    client().delete_run(ids[0])
    expect(len(search("")), 11)
    expect(search("", run_view_type=ViewType.DELETED_ONLY), ["run-0"])
    client().restore_run(ids[0])
    assert "at character" in refused("INVALID_PARAMETER_VALUE", lambda: search("metrics.auc > 1 OR metrics.auc < 0"))


@check
def artifacts_of_any_name_come_back_as_they_were():
    mlflow.set_experiment("artifacts")
    with tempfile.TemporaryDirectory() as folder, mlflow.start_run() as run:
        names = ["plain.txt", "a b+c%.txt", "ü€🎉.json", "deep/er/x.bin", "empty.bin"]
        for i, name in enumerate(names):
            path = os.path.join(folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(bytes(range(256)) * i * 4000 if i < 4 else b"")
        mlflow.log_artifacts(folder, "all")
        mlflow.log_text("hello", "notes/hello.txt")
        mlflow.log_dict({"a": [1]}, "d.json")
        mlflow.log_table({"x": [1, 2]}, "table.json")
        mlflow.log_table({"x": [3]}, "table.json")
        expect(mlflow.load_table("table.json", run_ids=[run.info.run_id])["x"].tolist(), [1, 2, 3])
        expect(sorted(f.path for f in client().list_artifacts(run.info.run_id)), ["all", "d.json", "notes", "table.json"])
        back = client().download_artifacts(run.info.run_id, "all", dst_path=tempfile.mkdtemp())
        for name in names:
            with open(os.path.join(folder, name), "rb") as one, open(os.path.join(back, name), "rb") as other:
                assert one.read() == other.read(), name
        expect(mlflow.artifacts.load_text(f"{run.info.artifact_uri}/notes/hello.txt"), "hello")


@check
def data_and_models_are_inputs_of_runs():
    mlflow.set_experiment("inputs")
    dataset = mlflow.data.from_pandas(PEOPLE, name="people", targets=None)
    with mlflow.start_run() as run:
        mlflow.log_input(dataset, context="training", tags={"by": "hand"})
        mlflow.log_metric("auc", 0.9, dataset=dataset)
    [given] = client().get_run(run.info.run_id).inputs.dataset_inputs
    expect((given.dataset.name, given.dataset.digest), ("people", dataset.digest))
    expect({t.key: t.value for t in given.tags}, {"by": "hand", "mlflow.data.context": "training"})
    found = client().search_runs([run.info.experiment_id], "dataset.name = 'people' AND dataset.context = 'training'")
    expect([r.info.run_id for r in found], [run.info.run_id])


@check
def a_model_is_logged_registered_named_and_loaded_back():
    mlflow.set_experiment("models")
    signature = mlflow.models.infer_signature(PEOPLE.astype("float32"), MODEL.predict_proba(ROWS).astype("float32"))
    with mlflow.start_run() as run:
        info = mlflow.onnx.log_model(onnx_model(), name="net", signature=signature, registered_model_name="credit", params={"C": 1.0})
        mlflow.log_metric("auc", 0.93, model_id=info.model_id)
    logged = client().get_logged_model(info.model_id)
    expect((logged.name, logged.status.name, logged.source_run_id), ("net", "READY", run.info.run_id))
    expect((logged.params["C"], [(m.key, m.value) for m in logged.metrics]), ("1.0", [("auc", 0.93)]))
    client().set_logged_model_tags(info.model_id, {"a/b.c d": "x"})
    client().delete_logged_model_tag(info.model_id, "a/b.c d")
    found = mlflow.search_logged_models([run.info.experiment_id], "metrics.auc > 0.9 AND params.C = '1.0'", output_format="list")
    expect([m.model_id for m in found], [info.model_id])
    client().set_registered_model_alias("credit", "champion", "1")
    wanted = MODEL.predict_proba(ROWS[:5])
    for uri in ("models:/credit@champion", "models:/credit/1", "models:/credit/latest", info.model_uri, f"runs:/{run.info.run_id}/net"):
        model = mlflow.onnx.load_model(uri)
        session = onnxruntime.InferenceSession(model.SerializeToString())
        np.testing.assert_allclose(session.run(None, {session.get_inputs()[0].name: ROWS[:5]})[0], wanted, rtol=1e-4, atol=1e-6)
    again = mlflow.register_model(f"runs:/{run.info.run_id}/net", "credit")
    expect(str(again.version), "2")
    mlflow.pyfunc.load_model("models:/credit/2")


@check
def a_registered_version_never_changes():
    [first] = client().search_model_versions("name = 'credit' AND version_number = 1")
    place = client().get_model_version_download_uri("credit", "1")
    before = mlflow.artifacts.load_text(f"{place}/MLmodel")
    logged = client().get_logged_model(first.source.removeprefix("models:/"))
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "MLmodel"), "w") as file:
            file.write("changed")
        client().log_model_artifacts(logged.model_id, folder)
    expect(mlflow.artifacts.load_text(f"{logged.artifact_location}/MLmodel"), "changed")
    expect(mlflow.artifacts.load_text(f"{place}/MLmodel"), before)


@check
def models_and_versions_are_described_tagged_staged_searched_and_deleted():
    c = client()
    c.create_registered_model("other", tags={"team": "risk"}, description="a try")
    refused("RESOURCE_ALREADY_EXISTS", lambda: c.create_registered_model("other"))
    c.set_registered_model_tag("other", "k", "v")
    c.delete_registered_model_tag("other", "k")
    expect(c.update_registered_model("other", "better").description, "better")
    version = c.create_model_version("other", "s3://bucket/model", tags={"a": "1"}).version
    c.set_model_version_tag("other", version, "k", "v")
    expect(c.get_model_version("other", version).tags, {"a": "1", "k": "v"})
    c.delete_model_version_tag("other", version, "k")
    c.update_model_version("other", version, "v one")
    expect(c.transition_model_version_stage("other", version, "Production").current_stage, "Production")
    expect([str(v.version) for v in c.get_latest_versions("other", ["Production"])], [str(version)])
    expect([m.name for m in c.search_registered_models("tags.team = 'risk'")], ["other"])
    expect([v.description for v in c.search_model_versions("name = 'other' AND tags.a = '1'")], ["v one"])
    c.set_registered_model_alias("other", "best", version)
    expect(dict(c.get_registered_model("other").aliases), {"best": str(version)})
    c.delete_registered_model_alias("other", "best")
    refused("INVALID_PARAMETER_VALUE", lambda: c.get_model_version_by_alias("other", "best"))
    copied = c.copy_model_version("models:/credit/1", "copied")
    expect((copied.name, str(copied.version)), ("copied", "1"))
    c.rename_registered_model("other", "another")
    expect(c.get_registered_model("another").description, "better")
    c.delete_model_version("another", version)
    refused("RESOURCE_DOES_NOT_EXIST", lambda: c.get_model_version("another", version))
    c.delete_registered_model("another")


@check
def a_release_of_a_registered_model_decides_as_the_model_says():
    policy = {"bands": [{"action": "deny", "from": 0}, {"action": "approve", "from": 0.5}]}
    body = {"model": "models:/credit@champion", "policy": policy, "onnx": {"column": 1}}
    release = post("/v1/endpoints/tracked/releases", body)["release"]
    post("/v1/endpoints/tracked/promote", {"release": release, "reason": "compat"})
    for row, score in zip(PEOPLE.to_dict("records")[:20], MODEL.predict_proba(ROWS[:20])[:, 1]):
        decided = post("/v1/endpoints/tracked/decisions", {"inputs": row}, APPLICATION)
        assert abs(decided["score"] - score) < 1e-4, (decided, score)
        expect(decided["release"], release)
    message = refused("INVALID_PARAMETER_VALUE", lambda: client().delete_model_version("credit", "1"))
    assert "release" in message, message


@check
def autologging_of_a_training_is_taken():
    mlflow.set_experiment("autolog")
    try:
        mlflow.sklearn.autolog(log_models=False)
        with mlflow.start_run() as run:
            LogisticRegression(C=0.5).fit(PEOPLE, REPAID)
    finally:
        mlflow.sklearn.autolog(disable=True)
    read = client().get_run(run.info.run_id)
    expect(read.data.params["C"], "0.5")
    assert "training_accuracy_score" in read.data.metrics, read.data.metrics


@check
def who_has_no_token_is_told_so():
    kept = os.environ.pop("MLFLOW_TRACKING_TOKEN")
    try:
        message = refused("UNAUTHENTICATED", lambda: client().get_experiment("0"))
        assert "MLFLOW_TRACKING_TOKEN" in message, message
        os.environ.update(MLFLOW_TRACKING_USERNAME="anybody", MLFLOW_TRACKING_PASSWORD=kept)
        expect(client().get_experiment("0").name, "Default")
    finally:
        os.environ["MLFLOW_TRACKING_TOKEN"] = kept
        os.environ.pop("MLFLOW_TRACKING_USERNAME", None)
        os.environ.pop("MLFLOW_TRACKING_PASSWORD", None)


say_all(PACKAGES)
