import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ModelServer } from "./fixtures/model-server.ts";
import { endpoint } from "./lender.ts";
import type { DecisionReplyView, NewTokenView } from "../src/api/index.ts";
import { startApp, type App } from "../src/app.ts";
import { EvenkeelClient } from "../src/client.ts";
import { systemRuntime } from "../src/store/index.ts";

let folder: string;
let app: App;
let models: ModelServer;
let port: number;
let clients: EvenkeelClient[] = [];
const connect = (token: string) => {
  const client = new EvenkeelClient({ url: app.url, token });
  clients.push(client);
  return client;
};
const start = async () => {
  const system = systemRuntime();
  // What is done every ten seconds is done sooner: here, another try at what could not be loaded.
  const timers = { ...system.timers, every: (ms: number, task: () => void) => system.timers.every(Math.min(ms, 500), task) };
  app = await startApp({ folder, port: 0, egress: { allow: [`127.0.0.1:${port}`] }, runtime: { ...system, timers } });
};
const isReady = async () => {
  const [ours, theirs] = await Promise.all([fetch(`${app.url}/healthz/ready`), fetch(`${app.url}/v2/health/ready`)]);
  return [ours.status, theirs.status];
};
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "evenkeel-early-"));
  models = await new ModelServer().listen();
  models.scoreOf = (row) => Number(row.find((each) => typeof each === "number")) / 100;
  ({ port } = models);
});
afterEach(async () => {
  for (const client of clients) await client.close();
  clients = [];
  await app.stop();
  rmSync(folder, { recursive: true, force: true });
});

test("a model server that accepts and never answers keeps nobody from starting; not ready until what is live is proven", async () => {
  await start();
  const admin = connect(app.firstAdmin?.token ?? "");
  await admin.post("/v1/apply", { yaml: JSON.stringify(endpoint) });
  await admin.post("/v1/apply", { yaml: JSON.stringify({ ...endpoint, name: "cards" }) });
  await admin.post("/v1/endpoints/loans/releases", {
    scorer: { kind: "http", protocol: "mlflow", url: models.url, send: "inputs" },
    policy: {
      bands: [
        { from: 0, action: "deny" },
        { from: 0.5, action: "approve" },
      ],
    },
  });
  await admin.post("/v1/endpoints/loans/promote", { release: "r2", reason: "it is better" });
  const { token } = await admin.post<NewTokenView>("/v1/tokens", { name: "web", role: "application" });
  expect(await isReady()).toEqual([200, 200]);
  await app.stop();
  await models.close();
  const mute = new Set<Socket>();
  const silent = createServer((socket) => void mute.add(socket));
  await new Promise<void>((resolve) => silent.listen(port, "127.0.0.1", resolve));

  const startedMs = performance.now();
  await start();
  // Opening alone may take a while on a busy machine; the server would be waited for 5 s.
  expect(performance.now() - startedMs).toBeLessThan(4500);
  expect(await isReady()).toEqual([503, 503]);
  const web = connect(token);
  const decide = (name: string) =>
    web.post<DecisionReplyView>(`/v1/endpoints/${name}/decisions`, {
      inputs: { income: 70, education: "university" },
      groups: { education: "university" },
    });
  expect(await decide("loans")).toMatchObject({ release: "r1", route: "fallback" });
  expect(await decide("cards")).toMatchObject({ release: "r1" });

  for (const socket of mute) socket.destroy();
  await new Promise((resolve) => silent.close(resolve));
  await models.listen(port);
  await vi.waitFor(async () => expect(await isReady()).toEqual([200, 200]), { timeout: 20_000, interval: 200 });
  expect(await decide("loans")).toMatchObject({ release: "r2" });
  await models.close();
}, 60_000);
