import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startApp, type App } from "../src/app.ts";
import type { BlobView } from "../src/api/index.ts";
import { EvenkeelClient, type DecisionReplyView, type NewTokenView } from "../src/index.ts";
import { logisticModel } from "./fixtures/onnx-models.ts";
import { endpoint } from "./lender.ts";
import { problemOf } from "./server.ts";

const DECISIONS = "/v1/endpoints/loans/decisions";

let folder: string;
let app: App;
let port: number;
let admin: EvenkeelClient;
let adminToken: string;
let web: EvenkeelClient;
let blob: BlobView;
const apps: App[] = [];

async function start(options: { readonly port?: number; readonly takeOver?: boolean } = {}): Promise<App> {
  const started = await startApp({ folder, port: 0, ...options });
  apps.push(started);
  return started;
}
const local = () => new EvenkeelClient({ socket: join(folder, "control.sock") });

/** `r2` is live: a model, with the rule behind it. One folder for all: every test leaves a server on it that answers by `r2`, but the last. */
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "evenkeel-over-"));
  app = await start();
  port = Number(new URL(app.url).port);
  adminToken = app.firstAdmin?.token ?? "";
  admin = new EvenkeelClient({ url: app.url, token: adminToken });
  await admin.post("/v1/apply", { yaml: JSON.stringify(endpoint) });
  await admin.post("/v1/feature-sets", { name: "loans", features: [{ name: "income", from: "income" }] });
  blob = await admin.put<BlobView>("/v1/blobs", logisticModel([0.02], -1));
  await admin.post("/v1/models/credit/versions", { blob: blob.id, featureSet: "loans/1" });
  const bands = [
    { from: 0, action: "refer" },
    { from: 0.5, action: "approve" },
  ];
  await admin.post("/v1/endpoints/loans/releases", { model: "credit/1", policy: { bands } });
  await admin.post("/v1/endpoints/loans/promote", { release: "r2", reason: "it is better" });
  const { token } = await admin.post<NewTokenView>("/v1/tokens", { name: "web", role: "application" });
  web = new EvenkeelClient({ url: app.url, token });
});
afterAll(async () => {
  await web.close();
  await admin.close();
  for (const each of apps.splice(0)) await each.stop();
  rmSync(folder, { recursive: true, force: true });
});

const decide = (i: number) =>
  web.post<DecisionReplyView>(DECISIONS, {
    subject: `person-${i}`,
    inputs: { income: i % 100, education: "university" },
    groups: { education: "university" },
  });

test("a server takes the place of another under load: no request fails, every decision is recorded once, by the same release", async () => {
  const answers: DecisionReplyView[] = [];
  let isOver = false;
  let asked = 0;
  const clients = Array.from({ length: 8 }, async () => {
    while (!isOver) answers.push(await decide(asked++));
  });
  for (let i = 0; i < 2; i++) {
    const before = app;
    app = await start({ port, takeOver: true });
    const count = answers.length;
    await expect.poll(() => answers.length, { timeout: 10_000 }).toBeGreaterThan(count + 50);
    // Some connections idle, the one of `admin` for example: nobody waits for them.
    const letGoMs = performance.now();
    expect(await before.replaced).toBe("successor");
    expect(performance.now() - letGoMs).toBeLessThan(4000);
    await before.stop();
  }
  isOver = true;
  await Promise.all(clients);
  expect(new Set(answers.map(({ id }) => id)).size).toBe(asked);
  expect(answers.filter(({ release }) => release !== "r2").length).toBeLessThan(asked / 2); // a busy machine may be late at times
  const control = local();
  const logged = new Set<string>();
  for (let after: number | undefined; ;) {
    const page = await control.get<{ readonly decisions: readonly { readonly id: string }[]; readonly next: number | null }>(DECISIONS, {
      limit: 1000,
      after,
    });
    for (const { id } of page.decisions) logged.add(id);
    if (page.next === null) break;
    after = page.next;
  }
  await control.close();
  expect(logged).toEqual(new Set(answers.map(({ id }) => id)));
}, 60_000);

test("when the successor dies on the way it is said, and the server can start again", async () => {
  const control = local();
  await control.post("/v1/hand-over", { socket: "successor-1.sock", port });
  await control.close();
  const meanwhile = problemOf(decide(1));
  expect(await app.replaced).toBe("nobody");
  expect(await meanwhile).toMatchObject({ status: 503, type: "https://evenkeel.dev/problems/not-ready" });
  await app.stop();
  app = await start({ port });
  expect(await decide(2)).toMatchObject({ release: "r2" });
});

test("only the owner of the folder can ask for it, of the right server, once", async () => {
  expect(await problemOf(admin.post("/v1/hand-over", { socket: "successor-1.sock", port }))).toMatchObject({ status: 404 });
  const control = local();
  expect(await problemOf(control.post("/v1/hand-over", { socket: "../elsewhere.sock", port }))).toMatchObject({ status: 400 });
  expect(await problemOf(control.post("/v1/hand-over", { socket: "successor-1.sock", port: 1 }))).toMatchObject({
    status: 409,
    detail: `The server that runs listens on port ${port}, not on 1: take over with --port ${port}.`,
  });
  await control.close();
  expect(await decide(1)).toMatchObject({ release: "r2" });
});

test("where no server runs, taking over is starting; a second server that doesn't take over is refused its port", async () => {
  await app.stop();
  app = await start({ port, takeOver: true });
  expect(await decide(1)).toMatchObject({ release: "r2" });
  const other = mkdtempSync(join(tmpdir(), "evenkeel-over-"));
  await expect(startApp({ folder: other, port })).rejects.toThrow(/EADDRINUSE/);
  rmSync(other, { recursive: true, force: true });
});

test("a server that can't load what answers doesn't begin to take over, and the other goes on undisturbed", async () => {
  const hex = blob.id.slice("sha256:".length);
  writeFileSync(join(folder, "blobs", hex.slice(0, 2), hex.slice(2, 4), hex), "damaged");
  await expect(start({ port, takeOver: true })).rejects.toThrow(/r2 of loans can't be loaded/);
  expect(await decide(1)).toMatchObject({ release: "r2" });
  await local().post("/v1/endpoints/loans/promote", { release: "r1", reason: "control is there, too" });
});
