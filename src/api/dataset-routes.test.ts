import { afterAll, beforeAll, expect, test } from "vitest";
import { freshServer, problemOf, type FreshServer } from "../../test/server.ts";
import type { EvenkeelClient } from "../client.ts";
import type {
  AddedDatasetVersionView,
  DatasetDetailView,
  DatasetVersionDetailView,
  DatasetVersionView,
  DatasetView,
} from "./dataset-view.ts";
import type { DatasetDiffView } from "./dataset-diff-view.ts";

let server: FreshServer;
let trainer: EvenkeelClient;
let viewer: EvenkeelClient;
beforeAll(async () => {
  server = await freshServer();
  trainer = await server.as("trainer");
  viewer = await server.as("viewer");
});
afterAll(() => server.drop());

/** 400 people; of the women who repaid, the second version has lost three quarters. */
const rows = Array.from({ length: 400 }, (_, i) => ({ id: i, sex: i % 2 === 0 ? "f" : "m", income: 1000 + i, repaid: i % 4 < 2 ? 1 : 0 }));
const csv = (kept: typeof rows) =>
  Buffer.from(["id,sex,income,repaid", ...kept.map((row) => Object.values(row).join(","))].map((line) => `${line}\n`).join(""));
const clean = csv(rows);
const broken = csv(rows.filter((row) => row.sex === "m" || row.repaid === 0 || row.id % 16 === 0));
const spec = { key: ["id"], label: { column: "repaid" }, protected: [{ column: "sex", words: { f: "female", m: "male" } }] };
const add = (client: EvenkeelClient, dataset: string, bytes: Uint8Array, query: Readonly<Record<string, string>> = {}) =>
  client.put<AddedDatasetVersionView>(`/v1/datasets/${dataset}/versions`, bytes, { query });

test("a version is added once, found by number, tag and content id, and listed with its tags", async () => {
  const first = await add(trainer, "credit", clean, { spec: JSON.stringify(spec), tag: "clean", reason: "checked" });
  expect(first).toMatchObject({ dataset: "credit", number: 1, rows: 400, tags: ["clean"], isNew: true, bytes: clean.length });
  expect(await add(trainer, "credit", clean)).toEqual({ ...first, isNew: false });
  expect(await add(trainer, "credit", broken)).toMatchObject({ number: 2, tags: [], isNew: true });
  const { isNew: _isNew, ...version } = first;
  for (const reference of ["credit/1", "credit@clean", first.id])
    expect(await viewer.get<DatasetVersionView>("/v1/dataset-version", { reference })).toEqual(version);
  const { datasets } = await viewer.get<{ readonly datasets: readonly DatasetView[] }>("/v1/datasets");
  expect(datasets).toMatchObject([{ name: "credit", spec, tags: { clean: 1 }, latest: { number: 2, rows: 325 } }]);
});

test("a file as text/csv is as good as bytes", async () => {
  const options = { headers: { "content-type": "text/csv" } };
  expect(await trainer.put("/v1/datasets/plain/versions", clean, options)).toMatchObject({ dataset: "plain", number: 1 });
});

test("groups, and values of protected columns, are for readers with protected:read", async () => {
  const path = "/v1/datasets/credit/versions/clean";
  const analyst = await server.as("analyst", ["protected:read"]);
  const seen = await analyst.get<DatasetVersionDetailView>(path);
  expect(seen.groups).toMatchObject([
    { group: { sex: "female" }, rows: 200 },
    { group: { sex: "male" }, rows: 200 },
  ]);
  expect(seen.columns.find(({ name }) => name === "sex")).toMatchObject({ isHidden: false, top: [{ count: 200 }, { count: 200 }] });
  const hidden = await viewer.get<DatasetVersionDetailView>(path);
  expect(hidden.groups).toBeNull();
  expect(hidden.columns.find(({ name }) => name === "sex")).toMatchObject({ isHidden: true, top: [], numbers: null });
  expect(hidden.columns.find(({ name }) => name === "income")).toMatchObject({ isHidden: false, numbers: { min: 1000, max: 1399 } });
  expect(JSON.stringify(hidden)).not.toContain("female");
});

test("a diff says what is missing, and whom it concerns to those who may know", async () => {
  const path = "/v1/datasets/credit/diff";
  const analyst = await server.as("analyst", ["protected:read"]);
  const seen = await analyst.get<DatasetDiffView>(path, { from: "clean", to: "2", by: "sex" });
  expect(seen).toMatchObject({
    identity: "different",
    rows: { key: { columns: ["id"], source: "declared" }, before: 400, after: 325, missing: 75, changed: 0 },
  });
  expect(seen.verdict).toContain("sex female");
  expect(seen.groups?.[0]).toMatchObject({ group: { sex: "female" }, label: "1", missing: 75 });
  expect(await analyst.get<DatasetDiffView>(path, { from: "credit/1", to: "plain/1" })).toMatchObject({ identity: "identical" });
  const hidden = await viewer.get<DatasetDiffView>(path, { from: "1", to: "2" });
  expect(hidden).toMatchObject({ rows: { missing: 75 }, groups: null, verdict: null });
  expect(await problemOf(viewer.get(path, { from: "1", to: "2", by: "age" }))).toMatchObject({ status: 400, errors: [{ path: "/by" }] });
});

test("the rows that differ come as CSV, without protected columns for those who may not see them, and to none without a right to rows", async () => {
  const path = "/v1/datasets/credit/diff/rows?from=1&to=2";
  const analyst = await server.as("analyst", ["protected:read"]);
  const seen = (await analyst.getBytes(path)).toString("utf8").trimEnd().split("\n");
  expect(seen[0]).toBe("change,id,sex,income,repaid");
  expect(seen).toHaveLength(76);
  expect(seen).toContain("missing,4,f,1004,1");
  const hidden = (await trainer.getBytes(path)).toString("utf8").trimEnd().split("\n");
  expect(hidden[0]).toBe("change,id,income,repaid");
  expect(hidden).toContain("missing,4,1004,1");
  expect((await problemOf(viewer.getBytes(path))).status).toBe(403);
  expect(await problemOf(analyst.getBytes("/v1/datasets/credit/diff/rows?from=1&to=2&key=ids"))).toMatchObject({
    status: 400,
    errors: [{ path: "/key", hint: 'did you mean "id"?' }],
  });
});

test("comparisons take turns, and of many at once some are asked to come again", async () => {
  const asked = Array.from({ length: 20 }, () => viewer.get<DatasetDiffView>("/v1/datasets/credit/diff", { from: "1", to: "2" }));
  const answers = await Promise.allSettled(asked);
  const answered = answers.filter(({ status }) => status === "fulfilled").length;
  expect(answered).toBeGreaterThanOrEqual(9);
  for (const [i, { status }] of answers.entries())
    if (status === "rejected" && asked[i]) expect(await problemOf(asked[i])).toMatchObject({ status: 503 });
});

test("a tag moves with its reason, is taken away, and its history stays", async () => {
  const path = "/v1/datasets/credit/tags";
  expect(await trainer.post(path, { tag: "live", number: 1, reason: "first" })).toEqual({ tags: { clean: 1, live: 1 } });
  expect(await trainer.post(path, { tag: "live", number: 2, reason: "second", expected: 1 })).toEqual({ tags: { clean: 1, live: 2 } });
  const stale = await problemOf(trainer.post(path, { tag: "live", number: 1, reason: "stale", expected: 1 }));
  expect(stale).toMatchObject({ status: 409, detail: expect.stringContaining("points at 2") });
  expect(await trainer.post(path, { tag: "live", number: null, reason: "over" })).toEqual({ tags: { clean: 1 } });
  const { moves, versions } = await viewer.get<DatasetDetailView>("/v1/datasets/credit");
  expect(moves.filter(({ label }) => label === "live")).toMatchObject([
    { from: null, to: 1, reason: "first" },
    { from: 1, to: 2, reason: "second" },
    { from: 2, to: null, reason: "over" },
  ]);
  expect(versions.map(({ number }) => number)).toEqual([2, 1]);
});

test("what is wrong with a file or its declaration is said by place, and nothing is kept", async () => {
  const ragged = await problemOf(add(trainer, "ragged", Buffer.from("a,b\n1,2\n3\n")));
  expect(ragged).toMatchObject({ status: 400, errors: [{ line: 3 }] });
  const typo = await problemOf(add(trainer, "typo", clean, { spec: JSON.stringify({ protectd: [] }) }));
  expect(typo).toMatchObject({ status: 400, errors: [{ path: "/spec/protectd", hint: 'did you mean "protected"?' }] });
  const column = await problemOf(add(trainer, "column", clean, { spec: JSON.stringify({ key: ["ids"] }) }));
  expect(column).toMatchObject({ status: 400, errors: [{ path: "/spec/key/0", hint: 'did you mean "id"?' }] });
  expect(await problemOf(add(trainer, "json", clean, { spec: "{" }))).toMatchObject({ status: 400, errors: [{ path: "/spec" }] });
  expect(await problemOf(add(trainer, "tag", clean, { tag: "7" }))).toMatchObject({ status: 400, errors: [{ path: "/tag" }] });
  expect(await problemOf(add(trainer, "query", clean, { tags: "x" }))).toMatchObject({ status: 400, errors: [{ path: "/tags" }] });
  expect(await problemOf(add(trainer, "credit", clean, { spec: JSON.stringify({ key: ["income"] }) }))).toMatchObject({ status: 409 });
  const { datasets } = await viewer.get<{ readonly datasets: readonly DatasetView[] }>("/v1/datasets");
  expect(datasets.map(({ name }) => name)).toEqual(["credit", "plain"]);
});

test("what isn't there is 404 with what is, and a reference that moves unsaid is 400", async () => {
  expect((await problemOf(viewer.get("/v1/datasets/nobody"))).status).toBe(404);
  const near = await problemOf(viewer.get("/v1/dataset-version", { reference: "credits/1" }));
  expect(near).toMatchObject({ status: 404, detail: expect.stringContaining("did you mean credit?") });
  expect((await problemOf(viewer.get("/v1/datasets/credit/versions/9"))).detail).toContain("versions 1 to 2");
  expect((await problemOf(trainer.post("/v1/datasets/nobody/tags", { tag: "a", number: 1, reason: "x" }))).status).toBe(404);
  expect((await problemOf(trainer.post("/v1/datasets/credit/tags", { tag: "a", number: 9, reason: "x" }))).status).toBe(404);
  expect((await problemOf(viewer.get("/v1/dataset-version", { reference: "credit" }))).status).toBe(400);
});

test("readers can't write, and applications can't read", async () => {
  expect((await problemOf(add(viewer, "credit", clean))).status).toBe(403);
  expect((await problemOf(viewer.post("/v1/datasets/credit/tags", { tag: "a", number: 1, reason: "x" }))).status).toBe(403);
  expect((await problemOf((await server.as("application")).get("/v1/datasets"))).status).toBe(403);
});
