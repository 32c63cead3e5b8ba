"""Unmodified clients of other model servers against a running Evenkeel. Told where and with which tokens by the environment.

Prints one JSON object a check (checks.py).
"""

import asyncio
import json
import os
import sys

import numpy as np
from checks import check, expect, say_all

URL = os.environ["EVENKEEL_URL"]
TOKEN = os.environ["EVENKEEL_APPLICATION_TOKEN"]
OPERATOR = os.environ["EVENKEEL_OPERATOR_TOKEN"]
HOST = URL.removeprefix("http://")


def bearer(token=None):
    """A dictionary of its own for each call: tritonclient writes into the one that it is given."""
    return {"Authorization": f"Bearer {token or TOKEN}"}


CLIENTS = ("tritonclient", "mlflow-skinny", "mlserver", "kserve", "pandas", "numpy", "requests")


def columns(http, binary, income=(52000.0, 18000.0), debt=(0.31, 0.62)):
    inputs = []
    for name, values in (("income", income), ("debt", debt)):
        tensor = http.InferInput(name, [len(values)], "FP64")
        tensor.set_data_from_numpy(np.array(values, dtype=np.float64), binary_data=binary)
        inputs.append(tensor)
    return inputs


def texts(array):
    return [item.decode() if isinstance(item, bytes) else item for item in array.tolist()]


# --- tritonclient, synchronous ---


@check
def triton_health_and_metadata():
    import tritonclient.http as http

    client = http.InferenceServerClient(HOST)
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready("loans", headers=bearer())
    assert not client.is_model_ready("nothing", headers=bearer())
    expect(client.get_server_metadata()["name"], "evenkeel")
    metadata = client.get_model_metadata("loans", headers=bearer())
    expect([tensor["name"] for tensor in metadata["outputs"]], ["action", "score", "release", "decision"])
    expect(client.get_model_repository_index(headers=bearer())[0]["state"], "READY")


@check
def triton_infers_with_binary_tensors_both_ways():
    import tritonclient.http as http

    client = http.InferenceServerClient(HOST)
    result = client.infer("loans", columns(http, True), request_id="7", headers=bearer())
    expect(texts(result.as_numpy("action")), ["approve", "refer"])
    expect(result.as_numpy("score").tolist(), [0.88, 0.41])
    expect(result.get_response()["id"], "7")


@check
def triton_infers_with_json_tensors():
    import tritonclient.http as http

    client = http.InferenceServerClient(HOST)
    outputs = [http.InferRequestedOutput(name, binary_data=False) for name in ("score", "route")]
    result = client.infer("loans", columns(http, False), outputs=outputs, headers=bearer())
    expect(result.as_numpy("score").tolist(), [0.88, 0.41])
    expect(texts(result.as_numpy("route")), ["live", "live"])


@check
def triton_infers_with_one_tensor_of_32_bits_and_compression():
    import tritonclient.http as http

    client = http.InferenceServerClient(HOST)
    tensor = http.InferInput("input-0", [2, 2], "FP32")
    tensor.set_data_from_numpy(np.array([[52000, 0.31], [18000, 0.62]], dtype=np.float32))
    for algorithm in ("gzip", "deflate"):
        result = client.infer("loans", [tensor], headers=bearer(), request_compression_algorithm=algorithm)
        expect(texts(result.as_numpy("action")), ["approve", "refer"])


@check
def triton_names_people_by_parameters_and_columns():
    import tritonclient.http as http

    client = http.InferenceServerClient(HOST)
    one = columns(http, True, income=(1.0,), debt=(0.1,))
    client.infer("loans", one, parameters={"subject": "app-1", "group_sex": "f"}, headers=bearer())
    subject = http.InferInput("subject", [2], "BYTES")
    subject.set_data_from_numpy(np.array(["a", "b"], dtype=np.object_))
    key = http.InferInput("key", [2], "BYTES")
    key.set_data_from_numpy(np.array(["compat-1", "compat-2"], dtype=np.object_))
    first, again = (client.infer("loans", [*columns(http, True), subject, key], headers=bearer()) for _ in range(2))
    expect(texts(first.as_numpy("decision")), texts(again.as_numpy("decision")))


@check
def triton_shows_errors_with_their_text():
    import tritonclient.http as http
    from tritonclient.utils import InferenceServerException

    client = http.InferenceServerClient(HOST)

    def refused(call, words, status):
        try:
            call()
        except InferenceServerException as error:
            assert words in error.message(), error.message()
            expect(error.status(), status)
            return
        raise AssertionError("it was not refused")

    refused(lambda: client.infer("loans", columns(http, True)[:1], headers=bearer()), "missing inputs: debt", "400")
    refused(lambda: client.infer("loans", columns(http, True, debt=(0.1,)), headers=bearer()), "rows", "400")
    refused(lambda: client.infer("nothing", columns(http, True), headers=bearer()), "nothing", "404")
    refused(lambda: client.infer("loans", columns(http, True)), "Bearer", "401")
    refused(lambda: client.infer("loans", columns(http, True), model_version="r1", headers=bearer()), "decide:pinned", "403")
    refused(lambda: client.load_model("loans", headers=bearer()), "evenkeel deploy", "403")


@check
def triton_pins_a_release():
    import tritonclient.http as http

    client = http.InferenceServerClient(HOST)
    outputs = [http.InferRequestedOutput("route")]
    result = client.infer("loans", columns(http, True), model_version="r1", outputs=outputs, headers=bearer(OPERATOR))
    expect(texts(result.as_numpy("route")), ["pinned", "pinned"])
    expect(result.get_response()["model_version"], "r1")


@check
def triton_aio_infers():
    import tritonclient.http.aio as aio

    async def run():
        async with aio.InferenceServerClient(HOST) as client:
            assert await client.is_server_ready()
            for binary in (True, False):
                result = await client.infer("loans", columns(aio, binary), headers=bearer())
                expect(texts(result.as_numpy("action")), ["approve", "refer"])

    asyncio.run(run())


# --- MLflow ---


@check
def mlflow_deployment_client_predicts_in_all_forms():
    from mlflow.deployments import get_deploy_client

    os.environ["MLFLOW_TRACKING_TOKEN"] = TOKEN
    client = get_deploy_client(URL)
    rows = [[52000, 0.31], [18000, 0.62]]
    for inputs in (
        {"dataframe_split": {"columns": ["income", "debt"], "data": rows}},
        {"dataframe_records": [{"income": 52000, "debt": 0.31}, {"income": 18000, "debt": 0.62}]},
        {"instances": rows},
        {"inputs": {"income": [52000, 18000], "debt": [0.31, 0.62]}},
    ):
        answer = client.predict(endpoint="loans", inputs=inputs)
        expect(answer["predictions"], ["approve", "refer"])
        expect(len(answer["decisions"]), 2)


@check
def mlflow_deployment_client_shows_what_is_wrong():
    from mlflow.deployments import get_deploy_client
    from mlflow.exceptions import MlflowException

    os.environ["MLFLOW_TRACKING_TOKEN"] = TOKEN
    client = get_deploy_client(URL)
    try:
        client.predict(endpoint="loans", inputs={"instances": [[1, "high"]]})
    except Exception as error:  # requests.HTTPError or MlflowException, by MLflow's version
        assert isinstance(error, MlflowException) or type(error).__name__ == "HTTPError", type(error)
        assert "row 0: 'debt' must be a number" in str(error), str(error)
        return
    raise AssertionError("it was not refused")


@check
def mlflow_scoring_by_requests_as_its_documentation_does():
    import requests

    assert requests.get(f"{URL}/ping", timeout=10).text == "\n"
    answer = requests.post(
        f"{URL}/endpoints/loans/invocations",
        data="income,debt\n52000,0.31\n18000,0.62\n",
        headers={**bearer(), "Content-Type": "text/csv"},
        timeout=10,
    )
    expect(answer.json()["predictions"], ["approve", "refer"])


# --- MLServer's codecs: what its clients send ---


@check
def mlserver_data_frames_decide():
    import pandas as pd
    import requests
    from mlserver.codecs import PandasCodec
    from mlserver.types import InferenceResponse

    frame = pd.DataFrame({"income": [52000, 18000], "debt": [0.31, 0.62], "sex": ["f", "m"]})
    request = PandasCodec.encode_request(frame)
    # With every optional field as null, as pydantic writes it, and without.
    for body in (request.model_dump_json(), request.model_dump_json(exclude_none=True)):
        answer = requests.post(f"{URL}/v2/models/loans/infer", data=body, headers=bearer(), timeout=10)
        back = PandasCodec.decode_response(InferenceResponse.model_validate_json(answer.text))
        expect(texts(back["action"]), ["approve", "refer"])


# --- KServe's client, in a process of its own: its message types and MLServer's can't be loaded together ---


@check
def kserve_client_decides_and_looks():
    from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig

    async def run():
        client = InferenceRESTClient(RESTConfig(protocol="v2"))
        assert await client.is_server_live(URL) and await client.is_server_ready(URL)
        assert await client.is_model_ready(URL, "loans", headers=bearer())
        for binary in (False, True):
            inputs = []
            for name, values in (("income", [52000.0, 18000.0]), ("debt", [0.31, 0.62])):
                tensor = InferInput(name, [2], "FP64")
                tensor.set_data_from_numpy(np.array(values), binary_data=binary)
                inputs.append(tensor)
            request = InferRequest("loans", inputs)
            answer = await client.infer(URL, request, model_name="loans", headers=bearer())
            expect(texts(answer.outputs[0].as_numpy()), ["approve", "refer"])
        first = InferenceRESTClient(RESTConfig(protocol="v1"))
        instances = {"instances": [[52000, 0.31], [18000, 0.62]]}
        expect(await first.infer(URL, instances, model_name="loans", headers=bearer()), {"predictions": ["approve", "refer"]})

    asyncio.run(run())


@check
def kserve_client_shows_what_is_wrong():
    from kserve import InferenceRESTClient, RESTConfig

    async def run():
        client = InferenceRESTClient(RESTConfig(protocol="v1"))
        try:
            await client.infer(URL, {"instances": [[1, "high"]]}, model_name="loans", headers=bearer())
        except Exception as error:  # httpx.HTTPStatusError
            assert "must be a number" in str(error), str(error)
            return
        raise AssertionError("it was not refused")

    asyncio.run(run())


say_all(CLIENTS, lambda name: name.startswith("kserve_") == (sys.argv[1:] == ["kserve"]))
