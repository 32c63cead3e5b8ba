import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parquetReadObjects } from "hyparquet";
import { afterEach, beforeEach, expect, test } from "vitest";
import { decisionDocument, outcomeDocument, type DecisionDocument, type DecisionEntry, type SinkDocument } from "./document.ts";
import { ParquetTarget } from "./parquet-target.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "evenkeel-parquet-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const entry = (seq: number, more: Partial<DecisionEntry> = {}): DecisionEntry => ({
  seq,
  id: `d-${seq}`,
  endpoint: seq % 3 === 0 ? "cards" : "loans",
  release: "rel:1",
  releaseNumber: 1,
  answeredBy: "live",
  generation: 4,
  action: "approve",
  favourable: true,
  score: seq % 2 === 0 ? null : seq / 100,
  reasons: ['income, "high"', "š"],
  because: null,
  decidedAtMs: Date.UTC(2026, 10, 30, 23, 59, 58) + seq * 1000,
  latencyUs: 1500,
  counted: true,
  source: "web",
  cell: "education=university",
  subject: "ab",
  payload: '{"inputs":{"income":1.5}}',
  ...more,
});
const batchOf = (documents: readonly SinkDocument[]) => ({
  stream: documents[0]?.kind ?? "decision",
  after: 0,
  upTo: 9,
  documents,
  mark: null,
});
const filesIn = (at: string) =>
  readdirSync(join(folder, at), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".parquet"))
    .toSorted();
async function read(at: string, file: string) {
  const bytes = readFileSync(join(folder, at, file));
  return parquetReadObjects({ file: new Uint8Array(bytes).buffer });
}

test("an independent reader finds every decision in the folder of its endpoint and day, as it was", async () => {
  const documents = Array.from({ length: 9 }, (_, i) => decisionDocument(entry(i + 1), undefined));
  await new ParquetTarget(folder, { kind: "parquet" }).deliver(batchOf(documents));
  const files = filesIn("decisions");
  expect(files.map((file) => file.replace(/-[0-9a-f]{8}\.parquet$/, ""))).toEqual([
    "endpoint=cards/day=2026-12-01/000000000003-000000000009",
    "endpoint=loans/day=2026-11-30/000000000001-000000000001",
    "endpoint=loans/day=2026-12-01/000000000002-000000000008",
  ]);
  const rows = (await Promise.all(files.map((file) => read("decisions", file))))
    .flat()
    .toSorted((a, b) => Number(a["seq"]) - Number(b["seq"]));
  expect(rows.map(({ id }) => id)).toEqual(documents.map(({ id }) => id));
  expect(rows[0]).toEqual({
    id: "d-1",
    seq: 1n,
    release: "r1",
    release_id: "rel:1",
    route: "live",
    generation: 4n,
    action: "approve",
    favourable: true,
    score: 0.01,
    reasons: '["income, \\"high\\"","š"]',
    because: null,
    decided_at: new Date("2026-11-30T23:59:59Z"),
    latency_ms: 1.5,
    is_counted: true,
    source: "web",
    groups: null,
    inputs: null,
    subject: null,
  });
  expect(rows[1]?.["score"]).toBeNull();
});

test("columns are the same whatever is included, and what is included is JSON", async () => {
  const target = new ParquetTarget(folder, { kind: "parquet" });
  const document = decisionDocument(entry(1), ["groups", "inputs", "subject"]);
  await target.deliver(batchOf([document]));
  const [file = ""] = filesIn("decisions");
  expect((await read("decisions", file))[0]).toMatchObject({
    groups: '{"education":"university"}',
    inputs: '{"income":1.5}',
    subject: "ab",
  });
});

test("the same batch again is the same files; another database's batch of the same numbers takes nothing away", async () => {
  const target = new ParquetTarget(folder, { kind: "parquet" });
  const documents: readonly DecisionDocument[] = [1, 2].map((seq) => decisionDocument(entry(seq), undefined));
  await target.deliver(batchOf(documents));
  await target.deliver(batchOf(documents));
  expect(filesIn("decisions")).toHaveLength(2);
  await target.deliver(batchOf(documents.map((document) => ({ ...document, id: `other-${document.id}` }))));
  expect(filesIn("decisions")).toHaveLength(4);
  expect(readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".tmp"))).toEqual([]);
});

test("outcomes have a table of their own", async () => {
  const [at, recordedAtMs] = [Date.UTC(2026, 0, 1), Date.UTC(2026, 0, 2)];
  const document = outcomeDocument({
    seq: 7,
    decision: "d-1",
    endpoint: "loans",
    value: "repaid",
    good: true,
    isCorrection: false,
    atMs: at,
    recordedAtMs,
    source: "crm",
  });
  await new ParquetTarget(folder, { kind: "parquet" }).deliver(batchOf([document]));
  const [file = ""] = filesIn("outcomes");
  expect(file).toMatch(/^endpoint=loans\/day=2026-01-02\//);
  expect((await read("outcomes", file))[0]).toMatchObject({ id: "d-1/7", seq: 7n, decision: "d-1", good: true, at: new Date(at) });
});
