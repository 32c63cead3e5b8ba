/** What must hold on every database: run by `registry.test.ts` and `registry.pg.test.ts`. */
import { readdirSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { FreshStore } from "../../test/sqlite.ts";
import { Audit } from "../access/index.ts";
import { parseBlobId } from "../store/index.ts";
import type { BlobId, Result } from "../std.ts";
import type { FeatureSetSpec } from "./feature-set-spec.ts";
import type { LineageNode } from "./lineage.ts";
import type { ModelSignature } from "./model-signature.ts";
import { openRegistry, type Registry } from "./registry.ts";

const valueOf = <T>(result: Result<T, unknown>): T => {
  if (!result.ok) throw new Error(JSON.stringify(result.error));
  return result.value;
};
const missingBlob = (): BlobId => {
  const id = parseBlobId(`sha256:${"0".repeat(64)}`);
  if (!id) throw new Error("no blob id");
  return id;
};

/** @param open - gives an empty store */
export function registrySuite(open: () => Promise<FreshStore>): void {
  let fresh: FreshStore;
  let audit: Audit;
  let registry: Registry;
  beforeEach(async () => {
    fresh = await open();
    audit = new Audit(fresh.store);
    registry = openRegistry(fresh.store, audit);
  });
  afterEach(async () => {
    expect((await audit.verify()).ok).toBe(true);
    await fresh.drop();
  });
  const blobFiles = () =>
    readdirSync(join(fresh.store.folder, "blobs"), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).length;
  const rowsIn = async (table: "dataset" | "dataset_version" | "audit" | "model_version" | "run_metric") =>
    (await fresh.store.db.selectFrom(table).selectAll().execute()).length;

  describe("datasets", () => {
    const table = Buffer.from("id,sex,y\n1,m,0\n2,f,1\n3,f,0\n");
    const spec = { key: ["id"], label: { column: "y" }, protected: [{ column: "sex" }] };
    const add = (bytes: Uint8Array, more: { readonly tag?: string } = {}) =>
      registry.datasets.add({ dataset: "credit", source: { bytes }, ...more }, "ana");

    test("the same bytes again are the same version, and what differs is the next", async () => {
      const first = valueOf(await registry.datasets.add({ dataset: "credit", source: { bytes: table }, spec, tag: "clean" }, "ana"));
      expect(first).toMatchObject({ isNew: true, version: { number: 1, rows: 3, tags: ["clean"], bytes: table.length } });
      expect(first.version.groups).toMatchObject([
        { group: { sex: "f" }, rows: 2, rates: { "0": 0.5, "1": 0.5 } },
        { group: { sex: "m" }, rows: 1, rates: { "0": 1 } },
      ]);
      const entries = await rowsIn("audit");
      expect(valueOf(await add(table))).toEqual({ isNew: false, version: first.version });
      expect(await rowsIn("audit")).toBe(entries);
      const second = valueOf(await add(Buffer.from("id,sex,y\n1,m,0\n2,f,1\n"), { tag: "cut" }));
      expect(second.version).toMatchObject({ number: 2, tags: ["cut"] });
      expect(await fresh.store.blobs.get(first.version.blob)).toEqual(table);
      expect((await registry.datasets.versions("credit")).map(({ number }) => number)).toEqual([2, 1]);
      expect(await registry.datasets.list()).toMatchObject([{ name: "credit", spec, latest: { number: 2 }, tags: { clean: 1, cut: 2 } }]);
    });

    test("the same rows in another order are another version with the same table id", async () => {
      const first = valueOf(await registry.datasets.add({ dataset: "credit", source: { bytes: table }, spec }, "ana")).version;
      const second = valueOf(await add(Buffer.from("id,sex,y\n3,f,0\n1,m,0\n2,f,1\n"))).version;
      const third = valueOf(await add(Buffer.from('"id",sex,y\r\n1,m,0\r\n2,f,1\r\n3,f,0\r\n'))).version;
      expect([second.number, second.id, third.number, third.id]).toEqual([2, first.id, 3, first.id]);
      const diff = async (to: string) => valueOf(await registry.datasets.diff("credit/1", to));
      expect(await diff("credit/1")).toMatchObject({ identity: "identical" });
      expect(await diff("credit/2")).toMatchObject({ identity: "same rows, other order", rows: { unchanged: 3 } });
      expect(await diff("credit/3")).toMatchObject({ identity: "same rows, other notation", rows: { unchanged: 3 } });
    });

    test("a version is found by number, tag and id, and what isn't there is told with what is", async () => {
      const { version } = valueOf(await registry.datasets.add({ dataset: "credit", source: { bytes: table }, spec, tag: "clean" }, "ana"));
      for (const reference of ["credit/1", "credit@clean", version.id])
        expect(valueOf(await registry.datasets.get(reference)).number).toBe(1);
      expect(await registry.datasets.get("credit@cleam")).toMatchObject({
        error: { kind: "unknown", hint: expect.stringContaining("clean") },
      });
      expect(await registry.datasets.get("credti/1")).toMatchObject({ error: { kind: "unknown", hint: "did you mean credit?" } });
      expect(await registry.datasets.get("credit")).toMatchObject({ error: { kind: "invalid" } });
    });

    test("from a file as from memory", async () => {
      const path = join(fresh.store.folder, "table.csv");
      writeFileSync(path, table);
      const fromFile = valueOf(await registry.datasets.add({ dataset: "credit", source: { path }, spec }, "ana")).version;
      const blob = await fresh.store.blobs.put(table);
      const fromBlob = valueOf(await registry.datasets.add({ dataset: "other", source: { blob }, spec }, "ana")).version;
      expect([fromBlob.id, fromBlob.blob]).toEqual([fromFile.id, fromFile.blob]);
      const missing = await registry.datasets.add({ dataset: "credit", source: { path: `${path}.not` } }, "ana");
      expect(missing).toMatchObject({ error: { kind: "invalid", issues: [{ expected: "a file that can be read" }] } });
      const gone = await registry.datasets.add({ dataset: "credit", source: { blob: missingBlob() } }, "ana");
      expect(gone).toMatchObject({ error: { kind: "invalid", issues: [{ path: "/blob" }] } });
    });

    test("from a folder: one table of its files, the rest kept as it is, and its blob lists them", async () => {
      const folder = join(fresh.store.folder, "in");
      mkdirSync(join(folder, "2026"), { recursive: true });
      const [header = "", ...rows] = table.toString().trimEnd().split("\n");
      writeFileSync(join(folder, "2026", "a.csv"), [header, ...rows.slice(1)].join("\n"));
      writeFileSync(join(folder, "2026", "b.csv"), [header, rows[0]].join("\n"));
      writeFileSync(join(folder, "README.md"), "about");
      const alone = valueOf(await registry.datasets.add({ dataset: "credit", source: { bytes: table }, spec }, "ana")).version;
      const { version } = valueOf(await registry.datasets.add({ dataset: "credit", source: { path: folder } }, "ana"));
      expect(version).toMatchObject({ number: 2, id: alone.id, layout: "folder", format: "csv", rows: alone.rows });
      const manifest: unknown = JSON.parse((await fresh.store.blobs.get(version.blob)).toString());
      expect(manifest).toMatchObject({ files: [{ path: "2026/a.csv" }, { path: "2026/b.csv" }, { path: "README.md", bytes: 5 }] });
      expect(valueOf(await registry.datasets.diff("credit/1", "credit/2")).rows).toMatchObject({ missing: 0, added: 0, changed: 0 });
      expect(valueOf(await registry.datasets.add({ dataset: "credit", source: { path: folder } }, "ana")).isNew).toBe(false);
      symlinkSync("/etc/hostname", join(folder, "link.csv"));
      const linked = await registry.datasets.add({ dataset: "credit", source: { path: folder } }, "ana");
      expect(linked).toMatchObject({ error: { kind: "invalid", issues: [{ path: "link.csv", got: "a link" }] } });
    });

    test("a table with anything wrong leaves nothing behind, no blob either", async () => {
      const wrong = [
        "",
        "id,sex,y\n",
        "id,id\n1,2\n",
        "id,sex,y\n1,m\n",
        'id,sex,y\n1,"m,0\n',
        "id,sex,y\n1,m,0\n1,f,0\n",
        "id,sxe,y\n1,m,0\n",
      ];
      for (const text of wrong) {
        const added = await registry.datasets.add({ dataset: "credit", source: { bytes: Buffer.from(text) }, spec, tag: "x" }, "ana");
        expect(added).toMatchObject({ ok: false, error: { kind: "invalid" } });
      }
      const badName = await registry.datasets.add({ dataset: "../credit", source: { bytes: table }, tag: "12" }, "ana");
      expect(badName).toMatchObject({ error: { kind: "invalid", issues: [{ path: "/dataset" }, { path: "/tag" }] } });
      expect([blobFiles(), await rowsIn("dataset"), await rowsIn("dataset_version"), await rowsIn("audit")]).toEqual([0, 0, 0, 0]);
    });

    test("a column that was declared and isn't there is told with the nearest", async () => {
      const added = await registry.datasets.add({ dataset: "credit", source: { bytes: table }, spec: { label: { column: "Y" } } }, "ana");
      expect(added).toMatchObject({ error: { issues: [{ path: "/spec/label/column", got: "Y", hint: 'did you mean "y"?' }] } });
    });

    test("a dataset that was declared otherwise is not declared anew", async () => {
      valueOf(await registry.datasets.add({ dataset: "credit", source: { bytes: table }, spec }, "ana"));
      const other = await registry.datasets.add(
        { dataset: "credit", source: { bytes: Buffer.from("id\n1\n") }, spec: { key: ["id"] } },
        "ana",
      );
      expect(other).toMatchObject({ error: { kind: "conflict" } });
    });

    test("the same file added many times at once is one version", async () => {
      const added = await Promise.all(
        Array.from({ length: 5 }, () => registry.datasets.add({ dataset: "credit", source: { bytes: table }, spec }, "ana")),
      );
      expect(added.map((each) => valueOf(each).version.number)).toEqual([1, 1, 1, 1, 1]);
      expect(added.filter((each) => valueOf(each).isNew)).toHaveLength(1);
      expect(await rowsIn("dataset_version")).toBe(1);
    });

    test("a tag moves with its history, and of two that move it at once one wins", async () => {
      valueOf(await registry.datasets.add({ dataset: "credit", source: { bytes: table }, spec, tag: "clean" }, "ana"));
      valueOf(await add(Buffer.from("id,sex,y\n1,m,0\n")));
      valueOf(await add(Buffer.from("id,sex,y\n2,m,0\n")));
      const move = (number: number, actor: string) =>
        registry.datasets.setTag(
          { dataset: "credit", tag: "clean", number, reason: "repaired", expected: 1, mayMoveProtected: false },
          actor,
        );
      const moved = await Promise.all([move(2, "ben"), move(3, "cem")]);
      expect(moved.filter(({ ok }) => ok)).toHaveLength(1);
      const winner = moved[0]?.ok ? "ben" : "cem";
      const lost = moved.find(({ ok }) => !ok);
      expect(lost).toMatchObject({ error: { kind: "conflict", message: expect.stringContaining(`${winner} moved it`) } });
      valueOf(
        await registry.datasets.setTag({ dataset: "credit", tag: "clean", number: null, reason: "over", mayMoveProtected: false }, "ana"),
      );
      const history = await registry.datasets.tagHistory("credit");
      expect(history.map(({ from, to, movedBy, reason }) => [from, to, movedBy, reason])).toEqual([
        [null, 1, "ana", ""],
        [1, winner === "ben" ? 2 : 3, winner, "repaired"],
        [winner === "ben" ? 2 : 3, null, "ana", "over"],
      ]);
      const nowhere = await registry.datasets.setTag(
        { dataset: "credit", tag: "clean", number: 9, reason: "", mayMoveProtected: false },
        "ana",
      );
      expect(nowhere).toMatchObject({ error: { kind: "unknown", name: "credit/9" } });
    });

    test("a diff says for whom rows are missing, and refuses an attribute that isn't declared", async () => {
      const rows = Array.from({ length: 400 }, (_, i) => ({
        line: `${i},${i % 2 ? "m" : "f"},${i % 4 < 2 ? 0 : 1}`,
        isLost: i % 4 === 0 && i % 16 !== 0,
      }));
      const text = (lines: readonly string[]) => Buffer.from(["id,sex,y", ...lines].join("\n"));
      valueOf(await registry.datasets.add({ dataset: "credit", source: { bytes: text(rows.map(({ line }) => line)) }, spec }, "ana"));
      valueOf(await add(text(rows.filter(({ isLost }) => !isLost).map(({ line }) => line))));
      const diff = valueOf(await registry.datasets.diff("credit/1", "credit/2"));
      expect(diff.verdict).toContain("Of the rows with y = 0 and sex f, 75 % (75 of 100) are missing; of all others 0 % (0 of 300).");
      expect(await registry.datasets.diff("credit/1", "credit/2", { by: ["age"] })).toMatchObject({
        error: { issues: [{ path: "/by", expected: "some of sex" }] },
      });
    });

    test("columns that come, go and change their type are told, and the others compared", async () => {
      valueOf(await registry.datasets.add({ dataset: "credit", source: { bytes: table }, spec }, "ana"));
      valueOf(await add(Buffer.from("id,sex,y,z\n1,m,zero,5\n2,f,1,6\n3,f,0,7\n")));
      const diff = valueOf(await registry.datasets.diff("credit/1", "credit/2"));
      expect(diff.schema).toEqual({
        added: [{ name: "z", type: "integer" }],
        removed: [],
        renamed: [],
        retyped: [{ name: "y", from: "integer", to: "string" }],
        emptied: [],
      });
      expect(diff.rows).toMatchObject({ changed: 1, unchanged: 2 });
      expect(diff.verdict).toBe(
        "New columns: z. Column y was integer and is string. 0 of 3 rows are missing, 1 changed and 0 are new. " +
          "Labels changed: 1 of 2 from 0 to zero; no group stands out.",
      );
    });

    test("bytes that were changed in the store are never compared", async () => {
      const { version } = valueOf(await registry.datasets.add({ dataset: "credit", source: { bytes: table }, spec }, "ana"));
      writeFileSync(fresh.store.blobs.path(version.blob), "id,sex,y\n1,m,0\n2,f,1\n3,f,1\n");
      await expect(registry.datasets.diff("credit/1", "credit/1")).rejects.toThrow("no longer has the bytes");
    });
  });

  const featureSet: FeatureSetSpec = {
    name: "fs",
    features: [
      { name: "income", from: "income" },
      { name: "ratio", cel: "debt / income" },
    ],
  };
  const signature: ModelSignature = {
    inputs: [{ name: "features", shape: [null, 2], type: "float32" }],
    outputs: [{ name: "probabilities", shape: [null, 2], type: "float32" }],
    features: ["income", "ratio"],
    scoreOutput: "probabilities",
  };
  const onnx = (text: string) => fresh.store.blobs.put(Buffer.concat([Buffer.from([8, 9]), Buffer.from(text)]));

  describe("feature sets", () => {
    test("the same feature set is one version, another of the name is the next", async () => {
      const [first, again] = [
        valueOf(await registry.featureSets.put(featureSet, "ana")),
        valueOf(await registry.featureSets.put(featureSet, "ben")),
      ];
      expect(first).toMatchObject({ name: "fs", number: 1, spec: featureSet, createdBy: "ana" });
      expect(again).toEqual(first);
      const next = valueOf(await registry.featureSets.put({ ...featureSet, features: featureSet.features.slice(0, 1) }, "ana"));
      expect(next.number).toBe(2);
      expect(await registry.featureSets.get(first.id)).toEqual(first);
      expect(await registry.featureSets.numbered("fs", 2)).toEqual(next);
      expect((await registry.featureSets.list()).map(({ number }) => number)).toEqual([2, 1]);
    });

    test("what is no feature set is refused with the place", async () => {
      const twice = await registry.featureSets.put(
        {
          name: "fs",
          features: [
            { name: "a", from: "a" },
            { name: "a", cel: "b" },
          ],
        },
        "ana",
      );
      expect(twice).toMatchObject({ error: { kind: "invalid", issues: [{ path: "/features/1/name", got: "a" }] } });
      const both = await registry.featureSets.put({ name: "fs", features: [{ name: "a", from: "a", cel: "a" }] }, "ana");
      expect(both).toMatchObject({ error: { kind: "invalid" } });
      expect(await rowsIn("audit")).toBe(0);
    });
  });

  describe("runs", () => {
    const start = async (more: object = {}) => valueOf(await registry.runs.start({ experiment: "loans", name: "forest", ...more }, "ana"));

    test("a run keeps what was logged, in order, and what it used and made", async () => {
      const input = { kind: "dataset_version", id: `tbl:${"1".repeat(64)}` } as const;
      const { id } = await start({ params: { trees: 100 }, inputs: [input] });
      const blob = await fresh.store.blobs.put(Buffer.from("plot"));
      const metrics = [
        { key: "auc", value: 0.7, step: 0 },
        { key: "auc", value: 0.8, step: 1 },
      ];
      valueOf(
        await registry.runs.log(
          id,
          { params: { depth: 4 }, metrics, artifacts: [{ path: "plots/roc.svg", blob }], tags: { by: "hand" } },
          "ana",
        ),
      );
      const output = { kind: "model_version", id: `mdl:${"2".repeat(64)}` } as const;
      valueOf(await registry.runs.link(id, { outputs: [output] }, "ana"));
      valueOf(await registry.runs.finish(id, "finished", "ana"));
      expect(valueOf(await registry.runs.get(id))).toMatchObject({
        status: "finished",
        params: { trees: 100, depth: 4 },
        tags: { by: "hand" },
        metrics: { auc: 0.8 },
        history: metrics,
        artifacts: [{ path: "plots/roc.svg", blob, bytes: 4 }],
        inputs: [input],
        outputs: [output],
      });
      expect(await registry.runs.log(id, { params: { late: 1 } }, "ana")).toMatchObject({ error: { kind: "conflict" } });
      expect(await registry.runs.get("none")).toMatchObject({ error: { kind: "unknown", what: "run" } });
    });

    test("a parameter and an artifact don't change, and logging the same again changes nothing", async () => {
      const { id } = await start({ params: { trees: 100 } });
      const [a, b] = [await fresh.store.blobs.put(Buffer.from("a")), await fresh.store.blobs.put(Buffer.from("b"))];
      const log = { params: { trees: 100 }, metrics: [{ key: "auc", value: 0.7, atMs: 5 }], artifacts: [{ path: "x", blob: a }] };
      for (let i = 0; i < 2; i++) valueOf(await registry.runs.log(id, log, "ana"));
      expect(await rowsIn("run_metric")).toBe(1);
      expect(await registry.runs.log(id, { params: { trees: 300 } }, "ana")).toMatchObject({ error: { kind: "conflict" } });
      expect(await registry.runs.log(id, { artifacts: [{ path: "x", blob: b }] }, "ana")).toMatchObject({ error: { kind: "conflict" } });
    });

    test("paths that lead out of their folder, missing blobs and values that are no numbers are refused", async () => {
      const { id } = await start();
      const blob = await fresh.store.blobs.put(Buffer.from("a"));
      for (const path of ["../x", "/x", "a//b", "a/./b", "a\\b", "a\0b", "", "%2e%2e/x", "x".repeat(300), "e\u0301"]) {
        const logged = await registry.runs.log(id, { artifacts: [{ path, blob }] }, "ana");
        expect(logged).toMatchObject({ error: { kind: "invalid", issues: [{ path: "/artifacts/0/path" }] } });
      }
      expect(await registry.runs.log(id, { artifacts: [{ path: "x", blob: missingBlob() }] }, "ana")).toMatchObject({
        error: { kind: "invalid" },
      });
      expect(await registry.runs.log(id, { metrics: [{ key: "auc", value: Number.NaN }] }, "ana")).toMatchObject({
        error: { kind: "invalid" },
      });
      expect(await registry.runs.log(id, { metrics: [{ key: "a\0", value: 1 }] }, "ana")).toMatchObject({ error: { kind: "invalid" } });
    });

    test("runs are listed newest first in pages, and compared side by side", async () => {
      const ids: string[] = [];
      for (const trees of [100, 200, 300]) {
        const { id } = await start({ params: { trees, seed: 7 } });
        valueOf(await registry.runs.log(id, { metrics: [{ key: "auc", value: trees / 1000 }] }, "ana"));
        ids.push(id);
      }
      await start({ experiment: "other" });
      const page = await registry.runs.list({ experiment: "loans", limit: 2 });
      expect(page.runs.map(({ id }) => id)).toEqual([ids[2], ids[1]]);
      expect((await registry.runs.list({ experiment: "loans", before: page.next ?? "" })).runs).toMatchObject([
        { id: ids[0], metrics: { auc: 0.1 } },
      ]);
      expect(valueOf(await registry.runs.compare(ids))).toMatchObject({
        params: [
          { key: "seed", values: [7, 7, 7], differs: false },
          { key: "trees", values: [100, 200, 300], differs: true },
        ],
        metrics: [{ key: "auc", values: [0.1, 0.2, 0.3], differs: true }],
      });
      expect(await registry.runs.compare(["none"])).toMatchObject({ error: { kind: "unknown" } });
    });
  });

  describe("models", () => {
    test("a version is immutable: the same content again is the same version, other bytes are the next", async () => {
      const set = valueOf(await registry.featureSets.put(featureSet, "ana"));
      const run = valueOf(await registry.runs.start({ experiment: "loans", name: "forest" }, "ana"));
      const first = { model: "credit", blob: await onnx("one"), signature, featureSet: set.id, run: run.id };
      const version = valueOf(await registry.models.register(first, "ana"));
      expect(version).toMatchObject({ model: "credit", number: 1, signature, featureSet: set.id, run: run.id, aliases: [] });
      const entries = await rowsIn("audit");
      expect(valueOf(await registry.models.register(first, "ben"))).toEqual(version);
      expect(await rowsIn("audit")).toBe(entries);
      const second = valueOf(await registry.models.register({ ...first, blob: await onnx("two") }, "ana"));
      expect(second.number).toBe(2);
      expect((await registry.models.versions("credit")).map(({ number }) => number)).toEqual([2, 1]);
      const graph = await registry.lineage.upstream({ kind: "model_version", id: version.id });
      expect(graph.nodes.map(({ kind }) => kind).toSorted()).toEqual(["feature_set", "model_version", "run"]);
    });

    test("a version is found by number, alias and id", async () => {
      const version = valueOf(await registry.models.register({ model: "credit", blob: await onnx("one"), signature }, "ana"));
      valueOf(await registry.models.setAlias({ model: "credit", alias: "champion", number: 1, reason: "best" }, "ana"));
      for (const reference of ["credit/1", "credit@champion", "models:/credit@champion", "models:/credit/1", version.id]) {
        expect(valueOf(await registry.models.resolve(reference))).toMatchObject({ number: 1, aliases: ["champion"] });
      }
      expect(await registry.models.resolve("credit@challenger")).toMatchObject({
        error: { kind: "unknown", hint: expect.stringContaining("champion") },
      });
      expect(await registry.models.resolve("credit/2")).toMatchObject({ error: { kind: "unknown" } });
      expect(await registry.models.resolve("creidt/1")).toMatchObject({ error: { hint: "did you mean credit?" } });
      expect(await registry.models.resolve("file:///etc/passwd")).toMatchObject({ error: { kind: "invalid" } });
    });

    test("an alias moves with its history, and only from where its mover thinks it is", async () => {
      for (const text of ["one", "two"])
        valueOf(await registry.models.register({ model: "credit", blob: await onnx(text), signature }, "ana"));
      const move = (number: number | null, expected?: number | null) =>
        registry.models.setAlias(
          { model: "credit", alias: "champion", number, reason: "better", ...(expected === undefined ? {} : { expected }) },
          "ana",
        );
      expect(valueOf(await move(1, null))).toMatchObject({ name: "credit", latest: 2, aliases: { champion: 1 } });
      expect(await move(2, null)).toMatchObject({ error: { kind: "conflict" } });
      expect(valueOf(await move(2, 1)).aliases).toEqual({ champion: 2 });
      expect(valueOf(await move(null)).aliases).toEqual({});
      expect((await registry.models.aliasHistory("credit")).map(({ from, to }) => [from, to])).toEqual([
        [null, 1],
        [1, 2],
        [2, null],
      ]);
      expect(await move(9)).toMatchObject({ error: { kind: "unknown" } });
    });

    test("formats that run code, inputs that don't fit the feature set and unknown parts are refused, and nothing is written", async () => {
      const set = valueOf(await registry.featureSets.put(featureSet, "ana"));
      const entries = await rowsIn("audit");
      const formats = [
        Buffer.from([0x80, 4, 0x95]),
        Buffer.from("PK\x03\x04model"),
        Buffer.from("\x89HDF\r\n", "latin1"),
        Buffer.from("<PMML>"),
        Buffer.from(""),
      ];
      for (const bytes of formats) {
        const registered = await registry.models.register({ model: "credit", blob: await fresh.store.blobs.put(bytes), signature }, "ana");
        expect(registered).toMatchObject({
          error: { kind: "invalid", issues: [{ path: "/blob", hint: expect.stringContaining("ONNX") }] },
        });
      }
      const blob = await onnx("one");
      const turned = { ...signature, features: ["ratio", "income"] };
      expect(await registry.models.register({ model: "credit", blob, signature: turned, featureSet: set.id }, "ana")).toMatchObject({
        error: { issues: [{ path: "/signature/features/0", expected: "income", got: "ratio" }] },
      });
      expect(
        await registry.models.register({ model: "credit", blob, signature: { ...signature, scoreOutput: "label" } }, "ana"),
      ).toMatchObject({
        error: { issues: [{ path: "/signature/scoreOutput", expected: "one of probabilities" }] },
      });
      expect(await registry.models.register({ model: "credit", blob, signature, run: "none" }, "ana")).toMatchObject({
        error: { kind: "unknown" },
      });
      expect(await registry.models.register({ model: "credit", blob: missingBlob(), signature }, "ana")).toMatchObject({
        error: { kind: "invalid" },
      });
      expect([await rowsIn("model_version"), await rowsIn("audit")]).toEqual([0, entries]);
    });

    test("versions registered at once are numbered without gap or double", async () => {
      const blobs = await Promise.all(Array.from({ length: 8 }, (_, i) => onnx(`model ${i}`)));
      const versions = await Promise.all(blobs.map((blob) => registry.models.register({ model: "credit", blob, signature }, "ana")));
      expect(new Set(versions.map((version) => valueOf(version).number))).toEqual(new Set([1, 2, 3, 4, 5, 6, 7, 8]));
    });
  });

  describe("lineage", () => {
    const node = (kind: LineageNode["kind"], id: string): LineageNode => ({ kind, id });
    const add = (...edges: readonly (readonly [LineageNode, LineageNode])[]) =>
      fresh.store.transaction((tx) =>
        registry.lineage.add(
          tx,
          edges.map(([from, to]) => ({ from, to, relation: "made" })),
        ),
      );
    const [data, features, run, model, release] = [
      node("dataset_version", "d"),
      node("feature_set", "f"),
      node("run", "r"),
      node("model_version", "m"),
      node("release", "v"),
    ] as const;

    test("everything upstream and downstream is found, nearest first", async () => {
      await add(
        [data, run],
        [features, run],
        [run, model],
        [features, model],
        [model, release],
        [node("dataset_version", "other"), node("run", "other")],
      );
      const up = await registry.lineage.upstream(release);
      expect(up.nodes.map(({ id, depth }) => `${depth} ${id}`)).toEqual(["0 v", "1 m", "2 f", "2 r", "3 d"]);
      expect(up).toMatchObject({ isComplete: true });
      expect(up.edges).toHaveLength(5);
      expect((await registry.lineage.downstream(data)).nodes.map(({ id }) => id)).toEqual(["d", "r", "m", "v"]);
      expect((await registry.lineage.downstream(release)).nodes).toEqual([{ ...release, depth: 0 }]);
    });

    test("an edge added again is one edge, and a circle ends", async () => {
      await add([data, run], [run, model]);
      await add([data, run], [model, run]);
      const graph = await registry.lineage.downstream(data);
      expect(graph.nodes.map(({ id }) => id)).toEqual(["d", "r", "m"]);
      expect(graph.edges).toHaveLength(3);
    });

    test("a search that ends at its bound says so", async () => {
      const chain = Array.from({ length: 10 }, (_, i) => node("run", `${i}`));
      await add(...chain.slice(1).map((to, i) => [chain[i] ?? to, to] as const));
      const near = await registry.lineage.downstream(node("run", "0"), { depth: 3 });
      expect(near.nodes.map(({ id }) => id)).toEqual(["0", "1", "2", "3"]);
      expect(near.isComplete).toBe(false);
      expect((await registry.lineage.downstream(node("run", "0"))).isComplete).toBe(true);
    });
  });
}
