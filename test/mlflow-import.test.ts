/** What is on an MLflow server comes here whole, and once. The server is one of ours, spoken to as MLflow's clients do. */
import { createServer, request as connectTo } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Egress, parseEgress } from "../src/access/index.ts";
import type { EvenkeelClient } from "../src/client.ts";
import { importMlflow, type Imported } from "../src/mlflow-import.ts";
import { MlflowSource, SourceTrouble } from "../src/mlflow-source.ts";
import { logisticModel } from "./fixtures/onnx-models.ts";
import { freshServer, type FreshServer } from "./server.ts";
import { sqliteTables } from "./tables.ts";

const API = "/api/2.0/mlflow";
const FILES = "/api/2.0/mlflow-artifacts/artifacts";
let there: FreshServer;
let here: FreshServer;
let token: string;
let run: string;
beforeAll(async () => {
  [there, here] = [await freshServer(), await freshServer()];
  token = await there.token("trainer");
  run = await filled(there.admin);
});
afterAll(async () => {
  await there.drop();
  await here.drop();
});

interface RunView {
  readonly info: {
    readonly run_id: string;
    readonly run_name: string;
    readonly status: string;
    readonly end_time: number;
    readonly artifact_uri: string;
  };
  readonly data: Readonly<Record<"params" | "tags" | "metrics", readonly { readonly key: string; readonly value: unknown }[]>>;
  readonly inputs?: object;
}

/** Two experiments, three runs with everything that a run can have, a model with two versions and an alias. @returns the first run */
async function filled(client: EvenkeelClient): Promise<string> {
  const { experiment_id } = await client.post<{ experiment_id: string }>(`${API}/experiments/create`, {
    name: "risk: né 1",
    tags: [{ key: "team", value: "a" }],
  });
  const ids: string[] = [];
  for (const name of ["first", "second"]) {
    const created = await client.post<{ run: RunView }>(`${API}/runs/create`, {
      experiment_id,
      run_name: name,
      user_id: "ana",
      start_time: 1_700_000_000_000,
    });
    const run_id = created.run.info.run_id;
    ids.push(run_id);
    const params = Array.from({ length: 100 }, (_, i) => ({ key: `p${i}`, value: i === 0 ? "" : `v ${i}` }));
    await client.post(`${API}/runs/log-batch`, { run_id, params });
    for (let from = 0; from < 2500; from += 1000)
      await client.post(`${API}/runs/log-batch`, {
        run_id,
        metrics: Array.from({ length: Math.min(1000, 2500 - from) }, (_, i) => ({
          key: "loss",
          value: 1 / (from + i + 1),
          timestamp: 1_700_000_000_000 + from + i,
          step: from + i,
        })),
      });
    await client.post(`${API}/runs/log-batch`, {
      run_id,
      metrics: [{ key: "odd", value: "NaN", timestamp: 5, step: -1 }],
      tags: [{ key: "note", value: "a b" }],
    });
    const dataset = { name: "credit", digest: "d1", source_type: "local", source: "{}" };
    await client.post(`${API}/runs/log-inputs`, {
      run_id,
      datasets: [{ dataset, tags: [{ key: "mlflow.data.context", value: "training" }] }],
    });
    const root = created.run.info.artifact_uri.replace("mlflow-artifacts:/", "");
    for (const [path, bytes] of [
      ["a b/ü+1%.txt", Buffer.from("text")],
      ["empty", Buffer.alloc(0)],
      ["model/model.onnx", logisticModel([name === "first" ? 0.02 : 0.03, -0.01])],
    ] as const)
      await client.put(`${FILES}/${[...root.split("/"), ...path.split("/")].map(encodeURIComponent).join("/")}`, bytes);
    await client.post(`${API}/runs/update`, { run_id, status: name === "first" ? "FINISHED" : "FAILED", end_time: 1_700_000_001_000 });
  }
  await client.post(`${API}/registered-models/create`, {
    name: "credit",
    description: "who repays",
    tags: [{ key: "owner", value: "risk" }],
  });
  for (const run_id of ids) await client.post(`${API}/model-versions/create`, { name: "credit", source: `runs:/${run_id}/model`, run_id });
  await client.post(`${API}/registered-models/alias`, { name: "credit", alias: "champion", version: "2" });
  return ids[0] ?? "";
}

const copy = async (url = there.url, target = here): Promise<Imported> => {
  const port = new URL(url).port;
  const rules = parseEgress([`127.0.0.1:${port}`]);
  if (!rules.ok) throw new Error("no rules");
  const from = new MlflowSource({
    url,
    egress: new Egress({ rules: rules.value }),
    authorization: `Bearer ${token}`,
    sleep: async () => undefined,
  });
  try {
    return await importMlflow({ source: from, target: target.admin });
  } finally {
    await from.close();
  }
};
const runsOf = async (server: FreshServer): Promise<readonly RunView[]> => {
  const { experiment } = await server.admin.get<{ experiment: { experiment_id: string } }>(`${API}/experiments/get-by-name`, {
    experiment_name: "risk: né 1",
  });
  const page = await server.admin.post<{ runs: readonly RunView[] }>(`${API}/runs/search`, {
    experiment_ids: [experiment.experiment_id],
    order_by: ["attributes.run_name ASC"],
  });
  return page.runs;
};
const told = ({ info, data, inputs }: RunView) => ({
  name: info.run_name,
  status: info.status,
  end: info.end_time,
  params: data.params,
  metrics: data.metrics,
  tags: data.tags.filter(({ key }) => !key.startsWith("evenkeel.")),
  inputs,
});

test("experiments, runs with all they have, models, versions, aliases and files come here as they are there", async () => {
  expect(await copy()).toMatchObject({
    runs: { copied: 2, unchanged: 0 },
    models: 1,
    versions: { copied: 2, unchanged: 0 },
    aliases: 1,
    files: { copied: 8 },
    notes: [],
  });
  const [mine, theirs] = [await runsOf(here), await runsOf(there)];
  expect(mine.map(told)).toEqual(theirs.map(told));
  const history = (server: FreshServer, run_id: string) =>
    server.admin.get<{ metrics: readonly object[] }>(`${API}/metrics/get-history`, { run_id, metric_key: "loss" });
  const [first] = mine;
  expect((await history(here, first?.info.run_id ?? "")).metrics).toEqual((await history(there, run)).metrics);
  const root = first?.info.artifact_uri.replace("mlflow-artifacts:/", "") ?? "";
  const read = (path: string) =>
    here.admin.getBytes(`${FILES}/${[...root.split("/"), ...path.split("/")].map(encodeURIComponent).join("/")}`);
  expect((await read("a b/ü+1%.txt")).toString()).toBe("text");
  expect((await read("empty")).length).toBe(0);
  // The models can be served: their bytes are those that were there, and each knows its run.
  for (const number of [1, 2]) {
    const version = await here.admin.get<{ blob: string; run: string | null }>("/v1/model-version", { reference: `credit/${number}` });
    const original = await there.admin.get<{ blob: string }>("/v1/model-version", { reference: `credit/${number}` });
    expect([version.blob, version.run]).toEqual([original.blob, expect.any(String)]);
  }
  expect(await here.admin.get("/v1/model-version", { reference: "credit@champion" })).toMatchObject({ number: 2 });
}, 60_000);

test("copied again, nothing is written", async () => {
  const tables = sqliteTables(here.folder);
  await tables.still();
  const before = tables.digest();
  expect(await copy()).toMatchObject({
    runs: { copied: 0, unchanged: 2 },
    versions: { copied: 0, unchanged: 2 },
    aliases: 0,
    files: { copied: 0 },
  });
  expect(tables.digest()).toBe(before);
  tables.close();
});

test("an alias that was moved here since stays where it is, and that is said", async () => {
  await here.admin.post("/v1/models/credit/aliases", { alias: "champion", number: 1, reason: "ours" });
  expect((await copy()).notes).toEqual(["credit@champion points at version 1 here, and at what is 2 here there: it was left as it is."]);
});

test("broken off again and again, it goes on where it was, and all is there once", async () => {
  const third = await freshServer();
  let left = 0;
  const proxy = createServer((request, reply) => {
    if (left-- <= 0) return void request.socket.destroy();
    const { url = "/", method = "GET", headers } = request;
    const on = connectTo(`${there.url}${url}`, { method, headers: { ...headers, host: new URL(there.url).host } }, (answer) => {
      reply.writeHead(answer.statusCode ?? 500, answer.headers);
      // The last one breaks in the middle of what it says.
      if (left === 0) answer.once("data", (some: Buffer) => void reply.write(some.subarray(0, 1), () => request.socket.destroy()));
      else answer.pipe(reply);
    });
    return void request.pipe(on);
  });
  await new Promise<void>((resolve) => void proxy.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  let failures = 0;
  for (let budget = 2; ; budget += 2) {
    left = budget;
    try {
      await copy(url, third);
      break;
    } catch (error) {
      expect(error).toBeInstanceOf(SourceTrouble);
      failures++;
    }
  }
  expect(failures).toBeGreaterThan(3);
  expect((await runsOf(third)).map(told)).toEqual((await runsOf(there)).map(told));
  left = Number.MAX_SAFE_INTEGER;
  expect(await copy(url, third)).toMatchObject({
    runs: { copied: 0, unchanged: 2 },
    versions: { copied: 0, unchanged: 2 },
    files: { copied: 0 },
  });
  expect(await third.admin.get("/v1/models/credit")).toMatchObject({ latest: 2, aliases: { champion: 2 } });
  proxy.closeAllConnections();
  await new Promise((resolve) => proxy.close(resolve));
  await third.drop();
}, 120_000);

test("an address that wasn't allowed is not read, and one that is no MLflow server is told as such", async () => {
  expect(() => new MlflowSource({ url: there.url, egress: new Egress({ rules: [] }), sleep: async () => undefined })).toThrow(
    "only where --allow-private host:port names them",
  );
});
