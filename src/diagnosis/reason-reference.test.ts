import { afterEach, beforeEach, expect, test } from "vitest";
import { decisionRecord, LOANS } from "../../test/decisions.ts";
import { logisticModel } from "../../test/fixtures/onnx-models.ts";
import { freshSqliteStore, START_MS, type FreshStore } from "../../test/sqlite.ts";
import { DecisionLog } from "../decisions/index.ts";
import { compileEndpoint, loadRelease, releaseIdOf, type LoadedRelease, type ReleaseBundle, type ScorerRows } from "../serving/index.ts";
import { simulatedRuntime } from "../store/index.ts";
import { referenceOf } from "./reason-reference.ts";

const runtime = simulatedRuntime(1, START_MS);
let fresh: FreshStore;
let log: DecisionLog;
let release: LoadedRelease;
let rows: ScorerRows;

beforeEach(async () => {
  fresh = await freshSqliteStore(runtime);
  log = await DecisionLog.open(fresh.store);
  const endpoint = compileEndpoint({
    name: LOANS,
    inputs: { income: { type: "number" } },
    groups: {},
    actions: { approve: { favourable: true }, deny: { favourable: false } },
  });
  if (!endpoint.ok) throw new Error(JSON.stringify(endpoint.error));
  const bundle: ReleaseBundle = {
    endpoint: LOANS,
    scorer: { kind: "onnx", model: await fresh.store.blobs.put(logisticModel([1])) },
    features: { name: "f", features: [{ name: "income", from: "income" }] },
    policy: { bands: [{ action: "deny", from: 0 }, { action: "approve", from: 0.5 }] },
  }; // prettier-ignore
  const loaded = await loadRelease(
    { id: releaseIdOf(bundle), number: 1, bundle, endpoint: endpoint.value },
    { blobs: fresh.store.blobs, clock: runtime.clock, inline: true },
  );
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.error));
  release = loaded.value;
  if (!release.scorer.rows) throw new Error("a model's scorer takes rows");
  rows = release.scorer.rows;
});
afterEach(async () => {
  await log.close();
  await release.close();
  await fresh.drop();
});

let person = 0;
const record = (count: number, changes: Parameters<typeof decisionRecord>[1] = {}) =>
  Promise.all(
    Array.from({ length: count }, (_, i) => {
      const payload = JSON.stringify({ inputs: { income: (i % 7) / 7 } });
      return log.append(decisionRecord(runtime, { release: release.id, payload, subject: `s${person++}`, ...changes }));
    }),
  );
const reference = async () => {
  const found = await referenceOf(fresh.store, release, rows);
  return found.ok ? { id: found.value.id, people: found.value.rows.length, source: found.value.source } : found.error;
};
const erase = (id: string) => fresh.store.db.deleteFrom("decision_payload").where("seq", "=", Number(id)).execute();

test("it grows with the approved until it has a hundred of them, and is then kept whoever comes later", async () => {
  await record(29);
  expect(await reference()).toEqual({ needed: 30, there: 29 });
  await record(11);
  const first = await reference();
  expect(first).toMatchObject({ people: 40, source: "approved" });
  expect(await reference()).toEqual(first);
  await record(90);
  const full = await reference();
  expect(full).toMatchObject({ people: 100, source: "approved" });
  await record(300);
  expect(await reference()).toEqual(full);
});

test("people who were turned down, who only tried a release, and the same person again are not in it", async () => {
  await record(40, { action: "deny", favourable: false, payload: '{"inputs":{"income":-5}}' });
  await record(40, { arm: "pinned", answeredBy: "pinned" });
  await record(40, { subject: "always the same" });
  expect(await reference()).toEqual({ needed: 30, there: 1 });
});

test("one whose person was erased is drawn again, under another id", async () => {
  await record(120);
  const full = await reference();
  const kept = await fresh.store.db.selectFrom("reason_reference").selectAll().executeTakeFirstOrThrow();
  const [member] = JSON.parse(kept.decisions_json) as readonly string[];
  const { seq } = await fresh.store.db
    .selectFrom("decision")
    .select("seq")
    .where("id", "=", member ?? "")
    .executeTakeFirstOrThrow();
  await erase(String(seq));
  const again = await reference();
  expect(again).toMatchObject({ people: 100, source: "approved" });
  expect(again).not.toEqual(full);
  expect(await reference()).toEqual(again);
});

test("a release with too few approvals of its own asks about people whom others decided about", async () => {
  await record(60, { release: decisionRecord(runtime).release, action: "deny", favourable: false, payload: '{"inputs":{"income":2}}' });
  await record(60, { release: decisionRecord(runtime).release, payload: '{"inputs":{"income":-2}}' });
  expect(await reference()).toMatchObject({ people: 60, source: "approved_on_replay" });
});
