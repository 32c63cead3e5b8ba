import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { stringify } from "yaml";
import { startApp, type App } from "../src/app.ts";
import { EvenkeelClient, type DecisionReplyView, type NewTokenView } from "../src/index.ts";
import { endpoint } from "./lender.ts";

const DECISIONS = "/v1/endpoints/loans/decisions";
const application = (i: number) => ({
  subject: `person-${i}`,
  inputs: { income: i % 100, education: "university" },
  groups: { education: "university" },
});

let folder: string;
let app: App;
let web: EvenkeelClient;
let token: string;
const analystToken = async () => {
  const local = new EvenkeelClient({ socket: join(folder, "control.sock") });
  const made = await local.post<NewTokenView>("/v1/tokens", { name: "page", role: "analyst" });
  await local.close();
  return made.token;
};
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "evenkeel-stop-"));
  app = await startApp({ folder, port: 0 });
  const admin = new EvenkeelClient({ url: app.url, token: app.firstAdmin?.token ?? "" });
  await admin.post("/v1/apply", { yaml: stringify(endpoint) });
  ({ token } = await admin.post<NewTokenView>("/v1/tokens", { name: "web", role: "application" }));
  await admin.close();
  web = new EvenkeelClient({ url: app.url, token });
});
afterEach(async () => {
  await web.close();
  await app.stop();
  rmSync(folder, { recursive: true, force: true });
});

test("whoever has asked when the server is told to stop gets an answer, and it is recorded", async () => {
  const asked = Array.from({ length: 200 }, (_, i) => web.post<DecisionReplyView>(DECISIONS, application(i)));
  await asked[0];
  await app.stop();
  const answers = await Promise.all(asked);
  expect(answers.map(({ action }) => action === "approve" || action === "refer")).not.toContain(false);

  app = await startApp({ folder, port: 0 });
  const local = new EvenkeelClient({ socket: join(folder, "control.sock") });
  const { decisions } = await local.get<{ readonly decisions: readonly { readonly id: string }[] }>(DECISIONS, { limit: 1000 });
  await local.close();
  expect(new Set(decisions.map(({ id }) => id))).toEqual(new Set(answers.map(({ id }) => id)));
});

test("an open page doesn't keep a server from stopping", async () => {
  const stream = await fetch(`${app.url}/v1/events`, { headers: { authorization: `Bearer ${await analystToken()}` } });
  const ended = stream.text();
  const startedMs = performance.now();
  await app.stop();
  await ended;
  expect(performance.now() - startedMs).toBeLessThan(2000);
});

test("a retry that was written differently gets the same answer; another body under the same key is refused", async () => {
  const ask = async (body: string) => {
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json", "idempotency-key": "a-1" };
    const reply = await fetch(`${app.url}${DECISIONS}`, { method: "POST", headers, body });
    return { status: reply.status, replayed: reply.headers.get("idempotent-replayed"), text: await reply.text() };
  };
  const first = await ask('{"inputs":{"income":70,"education":"university"},"groups":{"education":"university"}}');
  expect(first).toMatchObject({ status: 200, replayed: null });
  const again = await ask('{ "groups": {"education": "university"}, "inputs": {"education": "university", "income": 70.0} }');
  expect(again).toEqual({ status: 200, replayed: "true", text: first.text });
  expect(await ask('{"inputs":{"income":71,"education":"university"},"groups":{"education":"university"}}')).toMatchObject({ status: 422 });
});
