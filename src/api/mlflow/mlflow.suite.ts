/** MLflow's protocol over the running server, on every database. What its own client makes of it: compat/mlflow.py, and the golden exchange beside this. */
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { externalModel } from "../../../test/fixtures/onnx-forms.ts";
import { mlflowClient, type MlflowAnswer, type MlflowClient } from "../../../test/mlflow.ts";
import { problemOf, type FreshServer } from "../../../test/server.ts";
import { valueAt } from "../../checked.ts";
import type { ReleaseView } from "../endpoint-view.ts";
import type { ModelDetailView, ModelVersionView } from "../model-routes.ts";
import type { RunDetailView } from "../run-routes.ts";

/** @param open - a server of the suite's own */
export function mlflowSuite(open: () => Promise<FreshServer>): void {
  let server: FreshServer;
  let trainer: MlflowClient;
  let viewer: MlflowClient;
  beforeAll(async () => {
    server = await open();
    trainer = mlflowClient(server, await server.token("trainer"));
    viewer = mlflowClient(server, await server.token("viewer"));
  });
  afterAll(() => server.drop());

  const at = ({ body }: MlflowAnswer, pointer: string): unknown => valueAt(body, pointer);
  const textAt = (answer: MlflowAnswer, pointer: string): string => String(at(answer, pointer));
  const refused = (code: string, message?: unknown) => ({ body: { error_code: code, ...(message === undefined ? {} : { message }) } });
  const experiment = async (name: string) => textAt(await trainer.post("experiments/create", { name }), "/experiment_id");
  const begin = async (experiment_id: string, more: object = {}) =>
    textAt(await trainer.post("runs/create", { experiment_id, start_time: 1_760_000_000_000, ...more }), "/run/info/run_id");
  const run = async (run_id: string) => viewer.get("runs/get", { run_id });
  const dashed = (hex: string) => hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");

  describe("who asks", () => {
    const ask = async (authorization: string | undefined) => {
      const headers = authorization === undefined ? {} : { authorization };
      const answer = await fetch(`${server.url}/ajax-api/2.0/mlflow/experiments/get?experiment_id=0`, { headers });
      return { status: answer.status, body: await answer.json() };
    };
    test("shows a token as Bearer, or as the password of Basic", async () => {
      const token = await server.token("viewer");
      const basic = (text: string) => `Basic ${Buffer.from(text).toString("base64")}`;
      for (const good of [`Bearer ${token}`, basic(`anybody:${token}`), basic(`:${token}`)])
        expect(await ask(good)).toMatchObject({ status: 200, body: { experiment: { experiment_id: "0", name: "Default" } } });
      for (const wrong of [undefined, "Bearer x", basic(token), basic(`${token}:`), "Basic !", `Digest ${token}`])
        expect(await ask(wrong)).toMatchObject({ status: 401, body: { error_code: "UNAUTHENTICATED" } });
    });
    test("and is no password elsewhere", async () => {
      const authorization = `Basic ${Buffer.from(`x:${await server.token("viewer")}`).toString("base64")}`;
      expect((await fetch(`${server.url}/v1/runs`, { headers: { authorization } })).status).toBe(401);
    });
    test("and may not write as a reader", async () => {
      expect(await viewer.post("experiments/create", { name: "mine" })).toMatchObject({ status: 403, ...refused("PERMISSION_DENIED") });
      expect((await viewer.artifact("PUT", "/x", Buffer.from("x"))).status).toBe(403);
    });
    test("what isn't there is said in JSON", async () => {
      for (const path of [
        "/api/2.0/mlflow/webhooks",
        "/api/3.0/mlflow/traces",
        "/ajax-api/3.0/mlflow/x",
        "/api/2.0/mlflow-artifacts/nothing",
      ])
        expect(await (await fetch(server.url + path)).json()).toMatchObject({ error_code: "ENDPOINT_NOT_FOUND" });
      expect(await (await fetch(`${server.url}/api/3.0/mlflow/server-info`)).json()).toMatchObject({ store_type: "SqlStore" });
    });
  });

  describe("experiments", () => {
    test("have one name each, also after they were deleted, and come back with their runs", async () => {
      const id = await experiment("first");
      const hex = await begin(id);
      expect(await trainer.post("experiments/create", { name: "first" })).toMatchObject({
        status: 400,
        ...refused("RESOURCE_ALREADY_EXISTS", "Experiment(name=first) already exists."),
      });
      expect(await trainer.post("experiments/delete", { experiment_id: id })).toEqual({ status: 200, body: {} });
      expect(at(await run(hex), "/run/info/lifecycle_stage")).toBe("deleted");
      expect(await trainer.post("runs/create", { experiment_id: id })).toMatchObject(
        refused("INVALID_PARAMETER_VALUE", `The experiment ${id} must be in the 'active' state. Current state is deleted.`),
      );
      expect(await trainer.post("experiments/update", { experiment_id: id, new_name: "x" })).toMatchObject({ status: 400 });
      expect(await trainer.post("experiments/create", { name: "first" })).toMatchObject(refused("RESOURCE_ALREADY_EXISTS"));
      await trainer.post("experiments/restore", { experiment_id: id });
      expect(at(await run(hex), "/run/info/lifecycle_stage")).toBe("active");
      await trainer.post("experiments/update", { experiment_id: id, new_name: "renamed" });
      expect(await viewer.get("experiments/get-by-name", { experiment_name: "first" })).toMatchObject({ status: 404 });
      expect(at(await run(hex), "/run/info/experiment_id")).toBe(id);
      expect((await (await server.as("viewer")).get<RunDetailView>(`/v1/runs/${dashed(hex)}`)).experiment).toBe("renamed");
    });

    test("are found by name and tag, in pages that follow one another", async () => {
      for (const name of ["page-a", "page-b", "page-c"]) {
        const id = await experiment(name);
        await trainer.post("experiments/set-experiment-tag", { experiment_id: id, key: "team", value: "pages" });
      }
      const search = (more: object) =>
        viewer.post("experiments/search", { max_results: 2, filter: "tags.team = 'pages'", order_by: ["name DESC"], ...more });
      const first = await search({});
      expect([at(first, "/experiments/0/name"), at(first, "/experiments/1/name")]).toEqual(["page-c", "page-b"]);
      await experiment("page-z"); // written between two pages
      const second = await search({ page_token: textAt(first, "/next_page_token") });
      expect(second.body).toMatchObject({ experiments: [{ name: "page-a" }] });
      expect(second.body["next_page_token"]).toBeUndefined();
      expect(await search({ page_token: textAt(first, "/next_page_token"), filter: "name = 'x'" })).toMatchObject(
        refused("INVALID_PARAMETER_VALUE"),
      );
      expect(await search({ max_results: 60_000 })).toMatchObject(
        refused("INVALID_PARAMETER_VALUE", "Invalid value 60000 for parameter 'max_results' supplied. It must be at most 50000"),
      );
    });
  });

  describe("runs", () => {
    test("are the registry's runs, and may be written to after their end", async () => {
      const id = await experiment("runs");
      const hex = await begin(id, { run_name: "forest", user_id: "ana", tags: [{ key: "team", value: "risk" }] });
      await trainer.post("runs/log-parameter", { run_id: hex, run_uuid: hex, key: "depth", value: "8" });
      await trainer.post("runs/log-metric", { runUuid: hex, key: "auc", value: 0.7, timestamp: "1000", step: 1 });
      expect(await trainer.post("runs/update", { run_id: hex, status: "FINISHED", end_time: 1_760_000_001_000 })).toMatchObject({
        body: { run_info: { status: "FINISHED", end_time: 1_760_000_001_000 } },
      });
      await trainer.post("runs/log-batch", {
        run_id: hex,
        metrics: [
          { key: "auc", value: 0.9, timestamp: 900, step: 1 },
          { key: "auc", value: "NaN", timestamp: 3000, step: 0 },
          { key: "auc", value: 0.9, timestamp: 900, step: 1 },
          { key: "big", value: "-Infinity", timestamp: 1 },
        ],
        params: [{ key: "empty" }],
        tags: [{ key: "mlflow.runName", value: "renamed" }],
      });
      expect(await run(hex)).toMatchObject({
        body: {
          run: {
            info: {
              run_id: hex,
              run_uuid: hex,
              run_name: "renamed",
              user_id: "ana",
              artifact_uri: `mlflow-artifacts:/${id}/${hex}/artifacts`,
            },
            data: {
              metrics: expect.arrayContaining([
                { key: "auc", value: 0.7, timestamp: 1000, step: 1 },
                { key: "big", value: -Number.MAX_VALUE, timestamp: 1, step: 0 },
              ]),
              params: [
                { key: "depth", value: "8" },
                { key: "empty", value: "" },
              ],
              tags: expect.arrayContaining([{ key: "mlflow.runName", value: "renamed" }]),
            },
            inputs: {},
          },
        },
      });
      const history = await viewer.get("metrics/get-history", { run_id: hex, metric_key: "auc" });
      expect(history.body["metrics"]).toEqual([
        { key: "auc", value: 0.9, timestamp: 900, step: 1 },
        { key: "auc", value: 0.7, timestamp: 1000, step: 1 },
        { key: "auc", value: "NaN", timestamp: 3000, step: 0 },
      ]);
      expect(await (await server.as("viewer")).get<RunDetailView>(`/v1/runs/${dashed(hex)}`)).toMatchObject({
        name: "renamed",
        status: "finished",
        params: { depth: "8" },
        metrics: { auc: 0.7 },
      });
    });

    test("keep their parameters' values, and take a batch whole or not at all", async () => {
      const hex = await begin(await experiment("params"));
      await trainer.post("runs/log-parameter", { run_id: hex, key: "a", value: "1" });
      expect(await trainer.post("runs/log-parameter", { run_id: hex, key: "a", value: "1" })).toEqual({ status: 200, body: {} });
      expect(await trainer.post("runs/log-parameter", { run_id: hex, key: "a", value: "2" })).toMatchObject(
        refused(
          "INVALID_PARAMETER_VALUE",
          `Changing param values is not allowed. Param with key='a' was already logged with value='1' for run ID='${hex}'. Attempted logging new value '2'.`,
        ),
      );
      const params = [
        { key: "b", value: "3" },
        { key: "a", value: "2" },
      ];
      expect(await trainer.post("runs/log-batch", { run_id: hex, params })).toMatchObject(
        refused("INVALID_PARAMETER_VALUE", expect.stringContaining("[{'key': 'a', 'old_value': '1', 'new_value': '2'}]")),
      );
      expect((await run(hex)).body).toMatchObject({ run: { data: { params: [{ key: "a", value: "1" }] } } });
      const twice = [params[0], params[0]];
      expect(await trainer.post("runs/log-batch", { run_id: hex, params: twice })).toMatchObject(
        refused("INVALID_PARAMETER_VALUE", expect.stringContaining("Duplicate parameter keys have been submitted: ['b']")),
      );
      const many = Array.from({ length: 101 }, (_, i) => ({ key: `p${i}`, value: "" }));
      expect(await trainer.post("runs/log-batch", { run_id: hex, params: many })).toMatchObject(
        refused(
          "INVALID_PARAMETER_VALUE",
          "A batch logging request can contain at most 100 params. Got 101 params. Please split up params across multiple requests and try again.",
        ),
      );
    });

    test.each([
      [{}, "Missing value for required parameter 'run_id'. See the API docs for more information about request parameters."],
      [{ key: "" }, "Missing value for required parameter 'key'. See the API docs for more information about request parameters."],
      [{ key: "a#b" }, `Invalid value "a#b" for parameter 'name' supplied: Names may only contain`],
      [{ key: "../b" }, "This name would resolve to '../b'"],
      [{ key: 5 }, "Invalid value 5 for parameter 'key' supplied:  Hint: Value was of type 'int'."],
      [{ key: "k", value: true }, "Invalid value true for parameter 'value' supplied:  Hint: Value was of type 'bool'."],
      [
        { key: "k", value: 1, timestamp: -1 },
        "Invalid value -1 for parameter 'timestamp' supplied: metric 'k' (value=1). Timestamp must be a nonnegative long",
      ],
      [{ key: "x".repeat(251), value: 1, timestamp: 1 }, "'Metric name' exceeds the maximum length of 250 characters"],
    ])("log-metric of %j is refused in MLflow's words", async (fields, message) => {
      const run_id = Object.keys(fields).length > 0 ? await begin("0") : undefined;
      const answer = await trainer.post("runs/log-metric", { run_id, value: 1, timestamp: 1, ...fields });
      expect(answer).toMatchObject({ status: 400, ...refused("INVALID_PARAMETER_VALUE", expect.stringContaining(message)) });
    });

    test("are found by what was logged, in an order that the values alone decide", async () => {
      const id = await experiment("search");
      const made: string[] = [];
      for (const [i, auc] of [0.5, 0.9, Number.NaN, 0.7].entries()) {
        const hex = await begin(id, { run_name: `run-${i}`, start_time: 1_760_000_000_000 + i });
        made.push(hex);
        await trainer.post("runs/log-batch", {
          run_id: hex,
          metrics: [{ key: "auc", value: Number.isNaN(auc) ? "NaN" : auc, timestamp: 1, step: 0 }],
          params: [{ key: "model", value: i % 2 ? "Forest" : "logit" }],
          tags: [{ key: "odd", value: String(i % 2) }],
        });
      }
      made.push(await begin(id, { run_name: "bare", start_time: 1_760_000_000_009 }));
      const names = async (filter: string, more: object = {}) => {
        const { body } = await viewer.post("runs/search", { experiment_ids: [id], filter, ...more });
        const runs = Array.isArray(body["runs"]) ? body["runs"] : [];
        return runs.map((found: unknown) => String(valueAt(found, "/info/run_name")));
      };
      expect(await names("")).toEqual(["bare", "run-3", "run-2", "run-1", "run-0"]);
      expect(await names("metrics.auc >= 0.7", { order_by: ["metrics.auc DESC"] })).toEqual(["run-1", "run-3"]);
      expect(await names("", { order_by: ["metrics.auc ASC"] })).toEqual(["run-0", "run-3", "run-1", "run-2", "bare"]);
      expect(await names("params.model = 'Forest' and tags.odd != '0'")).toEqual(["run-3", "run-1"]);
      expect(await names("params.model LIKE 'F%'")).toEqual(["run-3", "run-1"]);
      expect(await names("params.model LIKE 'f%'")).toEqual([]);
      expect(await names("params.model ILIKE 'f_rest'")).toEqual(["run-3", "run-1"]);
      expect(await names("params.model LIKE '[F]%'")).toEqual([]);
      expect(await names("params.model IS NULL")).toEqual(["bare"]);
      expect(await names("tags.odd != '1'")).toEqual(["run-2", "run-0"]);
      expect(await names(`run_id IN ('${made[0]}', '${made[4]}')`)).toEqual(["bare", "run-0"]);
      expect(await names("status = 'RUNNING' AND start_time < 1760000000002")).toEqual(["run-1", "run-0"]);
      const paged: string[] = [];
      let page_token: unknown;
      do {
        const { body } = await viewer.post("runs/search", {
          experiment_ids: [id],
          order_by: ["params.model DESC"],
          max_results: 1,
          page_token,
        });
        paged.push(String(valueAt(body, "/runs/0/info/run_name")));
        page_token = body["next_page_token"];
      } while (page_token !== undefined);
      expect(paged).toEqual(["run-2", "run-0", "run-3", "run-1", "bare"]);
      expect(await viewer.post("runs/search", { experiment_ids: [id], filter: "metrics.auc > 1 OR 1 = 1" })).toMatchObject(
        refused("INVALID_PARAMETER_VALUE", "Invalid clause(s) in filter string: 'OR' (at character 17)"),
      );
      await trainer.post("runs/delete", { run_id: made[0] });
      expect(await names("", { run_view_type: "DELETED_ONLY" })).toEqual(["run-0"]);
      expect(await trainer.post("runs/log-parameter", { run_id: made[0], key: "late", value: "" })).toMatchObject(
        refused("INVALID_PARAMETER_VALUE", `The run ${made[0]} must be in the 'active' state. Current state is deleted.`),
      );
    });

    test("say what data they took: a version that is here is in the lineage", async () => {
      await server.admin.put("/v1/datasets/people/versions", Buffer.from("id,y\n1,0\n2,1\n"), {
        query: { spec: JSON.stringify({ key: ["id"] }) },
      });
      const hex = await begin(await experiment("inputs"));
      const dataset = { name: "people", digest: "abc", source_type: "local", source: "{}", schema: "{}" };
      const datasets = [
        {
          dataset,
          tags: [
            { key: "evenkeel.dataset", value: "people/1" },
            { key: "mlflow.data.context", value: "training" },
          ],
        },
      ];
      for (let i = 0; i < 2; i++)
        expect(await trainer.post("runs/log-inputs", { run_id: hex, datasets })).toEqual({ status: 200, body: {} });
      expect((await run(hex)).body).toMatchObject({ run: { inputs: { dataset_inputs: [{ dataset }] } } });
      const { inputs } = await (await server.as("viewer")).get<RunDetailView>(`/v1/runs/${dashed(hex)}`);
      expect(inputs).toEqual([{ kind: "dataset_version", id: expect.stringMatching(/^tbl:/) }]);
      expect(
        await trainer.post("runs/log-inputs", { run_id: hex, datasets: [{ dataset: { name: "x", source_type: "", source: "" } }] }),
      ).toMatchObject(refused("INVALID_PARAMETER_VALUE", "Dataset digest cannot be None"));
    });
  });

  describe("artifacts", () => {
    const put = (address: string, text: string) => trainer.artifact("PUT", address, Buffer.from(text));
    test("are listed, read, replaced and deleted by their addresses", async () => {
      const id = await experiment("files");
      const root = `/${id}/${await begin(id)}/artifacts`;
      for (const [path, text] of [
        ["notes.txt", "hello"],
        ["plots/roc%20curve%2B1.svg", "<svg/>"],
        ["plots/%E2%82%AC.html", "<script/>"],
        ["empty.bin", ""],
      ] as const)
        expect(await (await put(`${root}/${path}`, text)).json()).toEqual({});
      expect((await put(`${root}/notes.txt`, "hello again")).status).toBe(200);
      const list = async (path: string) => (await viewer.artifact("GET", `?path=${encodeURIComponent(path)}`)).json();
      expect(await list(root.slice(1))).toEqual({
        files: [
          { path: "empty.bin", is_dir: false, file_size: 0 },
          { path: "notes.txt", is_dir: false, file_size: 11 },
          { path: "plots", is_dir: true },
        ],
      });
      expect(await list(`${root.slice(1)}/notes.txt`)).toEqual({});
      expect(await list(`${root.slice(1)}/nothing`)).toEqual({});
      const run_id = root.split("/")[2] ?? "";
      expect((await viewer.get("artifacts/list", { run_id, path: "plots" })).body).toMatchObject({
        files: [{ path: "plots/roc curve+1.svg" }, { path: "plots/€.html" }],
      });
      const html = await trainer.artifact("GET", `${root}/plots/%E2%82%AC.html`);
      expect([
        html.status,
        html.headers.get("content-type"),
        html.headers.get("x-content-type-options"),
        html.headers.get("content-security-policy"),
      ]).toEqual([200, "text/html", "nosniff", "sandbox"]);
      expect(html.headers.get("content-disposition")).toMatch(/^attachment;/);
      const head = await trainer.artifact("HEAD", `${root}/notes.txt`);
      expect([head.status, head.headers.get("content-length")]).toEqual([200, "11"]);
      expect((await viewer.artifact("GET", `${root}/notes.txt`)).status).toBe(403); // may hold people's data
      for (const missing of [`${root}/plots`, `${root}/nothing.txt`, "/", ""])
        expect((await trainer.artifact("GET", missing)).status).toBe(missing === "" ? 200 : 404);
      expect((await trainer.artifact("DELETE", `${root}/plots`)).status).toBe(200);
      expect(await list(`${root.slice(1)}/plots`)).toEqual({});
      expect((await trainer.artifact("DELETE", `${root}/plots`)).status).toBe(200);
    });

    test("of more bytes than any limit of a body pass through", async () => {
      const bytes = Buffer.alloc(48 * 1024 * 1024, 7);
      expect((await trainer.artifact("PUT", "/0/large.bin", bytes)).status).toBe(200);
      const back = await trainer.artifact("GET", "/0/large.bin");
      expect(Buffer.from(await back.arrayBuffer()).equals(bytes)).toBe(true);
    });

    test.each([
      "..%2f..%2fetc%2fpasswd",
      "1/%2e%2e/%2e%2e/x",
      "1/%252e%252e/x",
      "1/%25252e%25252e%25252fx",
      "a%5c..%5cb",
      "%2fetc/passwd",
      "/etc/passwd",
      "C:%5cx",
      "C:/x",
      "a%00b",
      "a/./b",
      "a//b",
      "a%23b",
      "a/..",
      "a%0ab",
      "%ff%fe",
      "a%E2%80%AEb",
      "x".repeat(2500),
    ])("don't leave their folder as %j", async (path) => {
      for (const [method, address] of [
        ["PUT", `/api/2.0/mlflow-artifacts/artifacts/${path}`],
        ["GET", `/api/2.0/mlflow-artifacts/artifacts/${path}`],
        ["DELETE", `/api/2.0/mlflow-artifacts/artifacts/${path}`],
        ["GET", `/ajax-api/2.0/mlflow-artifacts/artifacts?path=${path}`],
      ] as const)
        expect([method, await rawStatus(method, address)]).toEqual([method, 400]);
    });

    /** As it is written: `fetch` would tidy the path up. */
    async function rawStatus(method: string, address: string): Promise<number> {
      const { hostname, port } = new URL(server.url);
      const token = await server.token("trainer");
      return new Promise((resolve, reject) => {
        const socket = connect(Number(port), hostname, () => {
          const body = method === "PUT" ? "content-length: 2\r\n\r\nhi" : "\r\n";
          socket.write(
            `${method} ${address} HTTP/1.1\r\nhost: ${hostname}\r\nauthorization: Bearer ${token}\r\nconnection: close\r\n${body}`,
          );
        });
        let text = "";
        socket.on("data", (data) => (text += data.toString()));
        socket.on("error", reject);
        socket.on("close", () => resolve(Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1])));
      });
    }
  });

  describe("models", () => {
    const { model, data } = externalModel([0.5, -1], "model.onnx.data");
    const MLMODEL = `flavors:
  onnx: { data: model.onnx, onnx_version: 1.23.2 }
signature:
  inputs: '[{"type": "double", "name": "income"}, {"type": "double", "name": "savings"}]'
`;
    async function logged(name: string, files: Readonly<Record<string, Uint8Array | string>>): Promise<string> {
      const experiment_id = textAt(
        await trainer.get("experiments/get-by-name", { experiment_name: "models" }),
        "/experiment/experiment_id",
      );
      const source_run_id = await begin(experiment_id);
      const made = await trainer.post("logged-models", { experiment_id, name, source_run_id, params: [{ key: "trees", value: "200" }] });
      const id = textAt(made, "/model/info/model_id");
      expect(id).toMatch(/^m-[0-9a-f]{32}$/);
      for (const [path, bytes] of Object.entries(files))
        await trainer.artifact("PUT", `/${experiment_id}/models/${id}/artifacts/${path}`, Buffer.from(bytes));
      await trainer.post("runs/outputs", { run_id: source_run_id, models: [{ model_id: id, step: 0 }] });
      expect(await trainer.patch(`logged-models/${id}`, { model_id: id, status: "LOGGED_MODEL_READY" })).toMatchObject({
        body: { model: { info: { status: "LOGGED_MODEL_READY", source_run_id } } },
      });
      return id;
    }
    beforeAll(async () => {
      await experiment("models");
    });

    test("become versions whose files never change, are named by aliases, and are released", async () => {
      const files = { MLmodel: MLMODEL, "model.onnx": model, "model.onnx.data": data, "requirements.txt": "onnx" };
      const id = await logged("net", files);
      await trainer.post("registered-models/create", { name: "net", description: "a net" });
      expect(await trainer.post("registered-models/create", { name: "net" })).toMatchObject({
        status: 400,
        ...refused("RESOURCE_ALREADY_EXISTS"),
      });
      const made = await trainer.post("model-versions/create", { name: "net", source: `models:/${id}`, model_id: id });
      expect(made).toMatchObject({
        body: { model_version: { name: "net", version: "1", status: "READY", current_stage: "None", model_id: id } },
      });
      expect(at(made, "/model_version/unservable")).toBeUndefined();
      const uri = textAt(await trainer.get("model-versions/get-download-uri", { name: "net", version: "1" }), "/artifact_uri");
      const folder = uri.slice("mlflow-artifacts:".length);
      const place = `/${textAt(await viewer.get(`logged-models/${id}`), "/model/info/artifact_uri").slice("mlflow-artifacts:/".length)}`;
      await trainer.artifact("PUT", `${place}/requirements.txt`, Buffer.from("changed"));
      expect(await (await trainer.artifact("GET", `${folder}/requirements.txt`)).text()).toBe("onnx");
      for (const method of ["PUT", "DELETE"])
        expect((await trainer.artifact(method, `${folder}/requirements.txt`, Buffer.from("x"))).status).toBe(400);
      expect(await trainer.post("registered-models/alias", { name: "net", alias: "champion", version: "1" })).toEqual({
        status: 200,
        body: {},
      });
      expect(await viewer.get("registered-models/alias", { name: "net", alias: "champion" })).toMatchObject({
        body: { model_version: { version: "1", aliases: ["champion"] } },
      });
      // As in MLflow, a number may be an alias; it is no version's number.
      expect(await trainer.post("registered-models/alias", { name: "net", alias: "2026", version: "1" })).toEqual({
        status: 200,
        body: {},
      });
      expect(await viewer.get("registered-models/alias", { name: "net", alias: "2026" })).toMatchObject({
        body: { model_version: { version: "1" } },
      });
      expect(await server.admin.get<ModelVersionView>("/v1/model-version", { reference: "net@2026" })).toMatchObject({ number: 1 });
      expect(await problemOf(server.admin.get("/v1/model-version", { reference: "net/2026" }))).toMatchObject({ status: 404 });
      for (const alias of ["Latest", "v3"]) {
        const refusal = await trainer.post("registered-models/alias", { name: "net", alias, version: "1" });
        expect(refusal).toMatchObject(refused("INVALID_PARAMETER_VALUE"));
        const own = server.admin.post("/v1/models/net/aliases", { alias, number: 1, reason: "mine" });
        expect(await problemOf(own)).toMatchObject({ status: 400, errors: [{ path: "/alias" }] });
      }
      expect(await trainer.delete("registered-models/alias", { name: "net", alias: "2026" })).toMatchObject({ status: 200 });
      // The same model, as our own API has it.
      const shown = await server.admin.get<ModelVersionView>("/v1/model-version", { reference: "models:/net@champion" });
      expect(shown).toMatchObject({ model: "net", number: 1, signature: { features: ["income", "savings"], scoreOutput: "score" } });
      await server.admin.post("/v1/apply", { yaml: ENDPOINT });
      const release = (reference: string) => server.admin.post<ReleaseView>("/v1/endpoints/loans/releases", { model: reference, policy });
      const { release: first } = await release("models:/net@champion");
      expect((await release("models:/net/1")).release).toBe(first);
      expect(await trainer.delete("model-versions/delete", { name: "net", version: "1" })).toMatchObject(
        refused("INVALID_PARAMETER_VALUE", "net/1 can't be deleted: the release loans/r2 is made of it"),
      );
      expect(await trainer.delete("registered-models/delete", { name: "net" })).toMatchObject({ status: 400 });
    });

    test("of other kinds are kept as they are, and say why they can't be released", async () => {
      const id = await logged("pickled", { MLmodel: "flavors: { sklearn: { pickled_model: model.pkl } }", "model.pkl": "x" });
      await trainer.post("registered-models/create", { name: "pickled" });
      const made = await trainer.post("model-versions/create", { name: "pickled", source: `models:/${id}`, model_id: id });
      expect(at(made, "/model_version/unservable")).toMatch(/MLflow saved it as sklearn: save it with mlflow.onnx/);
      const refusal = await problemOf(server.admin.post("/v1/endpoints/loans/releases", { model: "pickled/1", policy }));
      expect(JSON.stringify(refusal)).toMatch(/save it with mlflow.onnx/);
      await trainer.post("model-versions/create", { name: "pickled", source: "s3://bucket/model" });
      expect((await viewer.get("model-versions/get-download-uri", { name: "pickled", version: "2" })).body).toEqual({
        artifact_uri: "s3://bucket/model",
      });
    });

    test("are numbered once, and what is deleted leaves no alias behind", async () => {
      await trainer.post("registered-models/create", { name: "odd name#1" });
      const register = async () =>
        textAt(await trainer.post("model-versions/create", { name: "odd name#1", source: "s3://bucket/model" }), "/model_version/version");
      expect([await register(), await register()]).toEqual(["1", "2"]);
      await trainer.post("registered-models/alias", { name: "odd name#1", alias: "best", version: "2" });
      await trainer.delete("model-versions/delete", { name: "odd name#1", version: "2" });
      expect(await viewer.get("registered-models/alias", { name: "odd name#1", alias: "best" })).toMatchObject(
        refused("INVALID_PARAMETER_VALUE", "Registered model alias best not found."),
      );
      expect(await register()).toBe("3");
      expect(await trainer.post("registered-models/rename", { name: "odd name#1", new_name: "even" })).toMatchObject({ status: 200 });
      expect((await viewer.get("model-versions/search", { filter: "name = 'even' and version_number > '1'" })).body).toMatchObject({
        model_versions: [{ version: "3" }],
      });
      await trainer.post("model-versions/transition-stage", { name: "even", version: "3", stage: "production" });
      expect((await viewer.get("registered-models/get-latest-versions", { name: "even", stages: "Production" })).body).toMatchObject({
        model_versions: [{ version: "3", current_stage: "Production" }],
      });
      expect(await trainer.delete("registered-models/delete", { name: "even" })).toEqual({ status: 200, body: {} });
      expect(await viewer.get("registered-models/get", { name: "even" })).toMatchObject({
        status: 404,
        ...refused("RESOURCE_DOES_NOT_EXIST"),
      });
    });

    test("whose alias two people move at once go to both by MLflow, and the history says so; by our own API one is told who won", async () => {
      await trainer.post("registered-models/create", { name: "raced" });
      for (let i = 0; i < 3; i++) await trainer.post("model-versions/create", { name: "raced", source: "s3://bucket/model" });
      const moves = await Promise.all(
        ["2", "3"].map((version) => trainer.post("registered-models/alias", { name: "raced", alias: "champion", version })),
      );
      expect(moves.map(({ status }) => status)).toEqual([200, 200]);
      const { moves: history } = await server.admin.get<ModelDetailView>("/v1/models/raced");
      expect(history.map(({ to }) => to).toSorted((a, b) => (a ?? 0) - (b ?? 0))).toEqual([2, 3]);
      const last = history.at(-1)?.to ?? 0;
      const guarded = await Promise.allSettled(
        [1, 5 - last].map((number) =>
          server.admin.post("/v1/models/raced/aliases", { alias: "champion", number, expected: last, reason: "mine" }),
        ),
      );
      expect(guarded.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
      expect(String(guarded.find((each) => each.status === "rejected")?.reason)).toMatch(/moved it/);
    });

    test.each([
      ["file:///etc", /^Invalid model version source: 'file:\/\/\/etc'. To use a local path/],
      ["/etc/passwd", /To use a local path/],
      ["mlflow-artifacts:/1/../../etc", /an absolute path must be provided/],
      ["s3://b/%2e%2e/x", /an absolute path must be provided/],
      ["mlflow-artifacts:/a%00b", /an absolute path must be provided/],
    ])("aren't registered from %j", async (source, message) => {
      expect(await trainer.post("model-versions/create", { name: "raced", source })).toMatchObject(
        refused("INVALID_PARAMETER_VALUE", expect.stringMatching(message)),
      );
    });
    test("aren't registered from where there is none", async () => {
      for (const source of [
        `models:/m-${"0".repeat(32)}`,
        "models:/nothing/1",
        "models:/raced/9",
        "models:/x",
        `runs:/${"0".repeat(32)}/model`,
      ])
        expect(await trainer.post("model-versions/create", { name: "raced", source })).toMatchObject({ status: 404 });
    });
  });
}

const policy = {
  bands: [
    { action: "deny", from: 0 },
    { action: "approve", from: 0.5 },
  ],
};
const ENDPOINT = `kind: endpoint
name: loans
inputs: { income: { type: number }, savings: { type: number } }
actions: { approve: { favourable: true }, deny: { favourable: false } }
fallback:
  scorer: { kind: rules, rules: [], otherwise: { score: 0.3 } }
  policy: { bands: [{ action: deny, from: 0 }, { action: approve, from: 0.5 }] }
`;
