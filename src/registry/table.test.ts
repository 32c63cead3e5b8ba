/** Identity, types, profile and difference of tables, without a store. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { TypeGuess, microsecondsOf, type ColumnType } from "./cell-types.ts";
import { ColumnProfiler } from "./column-profile.ts";
import { TableProblem } from "./csv-text.ts";
import { groupOf, parseDatasetSpec, type DatasetSpec } from "./dataset-spec.ts";
import { groupCounts } from "./group-counts.ts";
import { HASH_BYTES, RootBuilder, RowHasher, tableIdOf } from "./row-hash.ts";
import { bytesInMemory } from "./table-file.ts";
import type { Table } from "./table-rows.ts";
import { tableFacts, type TableFacts } from "./table-facts.ts";
import { inspectTable } from "./table-scan.ts";

/** Tables of tests are small: nothing is ever written there. */
const NO_SPILL = "/nowhere";

async function read(text: string, spec: DatasetSpec = {}): Promise<TableFacts> {
  const table: Table = { format: "csv", files: [bytesInMemory(Buffer.from(text))] };
  return tableFacts(table, await inspectTable(table), spec, NO_SPILL);
}
const idOf = async (text: string, spec: DatasetSpec = {}) => (await read(text, spec)).id;
const typeOf = (...cells: (string | null)[]): ColumnType => {
  const guess = new TypeGuess();
  for (const cell of cells) guess.add(cell);
  return guess.type();
};

test("a column is of the narrowest type that all its cells have, and its names of things stay text", () => {
  expect(typeOf("1", "-2", null)).toBe("integer");
  expect(typeOf("1", "2.5")).toBe("number");
  expect(typeOf("1e3", "NaN", "-Infinity", ".5", "5.")).toBe("number");
  expect(typeOf("true", "False")).toBe("boolean");
  expect(typeOf("2026-02-28")).toBe("date");
  expect(typeOf("2026-02-28T10:00:00Z", "2026-02-28 10:00:00.123456+01:00")).toBe("timestamp");
  expect(typeOf("007")).toBe("string");
  expect(typeOf("1", "x")).toBe("string");
  expect(typeOf("2026-02-30")).toBe("string");
  expect(typeOf("2026-02-28T10:00:00")).toBe("string");
  expect(typeOf("0", "true")).toBe("string");
  expect(typeOf(null, "")).toBe("string");
  expect(typeOf("9007199254740993")).toBe("integer");
  expect(typeOf("9007199254740993", "0.5")).toBe("string");
});

test("a moment is the same whatever its offset", () => {
  expect(microsecondsOf("1970-01-01T00:00:00.000001Z")).toBe(1n);
  expect(microsecondsOf("1970-01-01T01:00:00+01:00")).toBe(0n);
  expect(microsecondsOf("1970-01-01 01:00:00+0100")).toBe(0n);
  expect(microsecondsOf("1970-02-30T00:00:00Z")).toBeUndefined();
});

/** Computed from the description in row-hash.ts by a program in another language. */
test("the id of a table doesn't change from one version of the product to the next", async () => {
  const text = "id,when,score,ok,name,day\n1,2026-01-02T03:04:05Z,0.5,true,Ana,2026-01-02\n2,,,,,\n";
  expect(await idOf(text)).toBe("tbl:ea778d158027f979ae4556b49a2e4e6ba1debca143889cf78eb2547d1b2497ef");
  expect(await idOf(text, { key: ["id"] })).toBe("tbl:e5c405a45bd755e7adc17b92c06bc490bcebe33e4061d4b85fbfd9985f9000ec");
});

test("the id of a table whose rows are hashed together is that of its rows hashed one by one, however long they are", async () => {
  const types = ["integer", "string", "number"] as const;
  // Now and then one that is too long for lanes, and one that ends a block early.
  const note = (id: number) => (id % 1999 === 0 ? "long ".repeat(id % 2 ? 400 : 900_000) : `note ${"x".repeat(id % 150)}`);
  const rows = Array.from({ length: 6000 }, (_, id) => [`${id}`, note(id), `${id / 8}`]);
  const hasher = new RowHasher();
  const hashOf = (cells: readonly string[]) => {
    const digest = Buffer.alloc(HASH_BYTES);
    hasher.start();
    for (const [i, cell] of cells.entries()) hasher.add(types[i] ?? "string", cell);
    hasher.finish(digest, 0);
    return digest;
  };
  const hashes = rows.map((cells) => ({ key: hashOf(cells.slice(0, 1)), row: hashOf(cells) }));
  const root = new RootBuilder();
  for (const { row } of hashes.toSorted((a, b) => Buffer.compare(a.key, b.key)))
    root.add(
      Uint32Array.from({ length: HASH_BYTES / 4 }, (_, word) => row.readUInt32BE(word * 4)),
      0,
    );
  const columns = ["id", "note", "x"].map((name, i) => ({ name, type: types[i] ?? "string" }));
  const text = `id,note,x\n${rows.map((cells) => cells.join(",")).join("\n")}\n`;
  expect(await idOf(text, { key: ["id"] })).toBe(tableIdOf({ columns, key: ["id"], rows: rows.length }, root.finish()));
});

test("frequent moments are told as they are written, also where there are too many to count", async () => {
  const moment = (i: number) => (i % 10 === 0 ? "2026-01-02 03:04:05.5+01:00" : new Date(1e12 + i * 1000).toISOString());
  const { sketches } = await read(`at\n${Array.from({ length: 4000 }, (_, i) => moment(i)).join("\n")}\n`);
  expect(sketches.columns[0]).toMatchObject({ type: "timestamp", all: { isCounted: false } });
  expect(sketches.columns[0]?.all.frequent[0]).toEqual({ value: "2026-01-02 03:04:05.5+01:00", count: 400 });
});

const rowsOf = fc.uniqueArray(
  fc.record({ id: fc.nat(1_000_000), x: fc.double({ noNaN: true }), name: fc.string({ unit: "grapheme-ascii" }) }),
  {
    selector: ({ id }) => id,
    minLength: 1,
    maxLength: 40,
  },
);
const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;

test("the same rows have the same id in any order and notation, with and without a key", async () => {
  await fc.assert(
    fc.asyncProperty(rowsOf, fc.constantFrom<DatasetSpec>({}, { key: ["id"] }), fc.nat(), async (rows, spec, seed) => {
      const plain = rows.map(({ id, x, name }) => `${id},${Object.is(x, -0) ? "-0.0" : x},${quoted(name)}`);
      const shuffled = rows.toSorted((a, b) => ((a.id * 7919 + seed) % 101) - ((b.id * 7919 + seed) % 101));
      const other = shuffled.map(({ id, x, name }) => `"${id}",${x === 0 ? "0e5" : x.toExponential()},${quoted(name)}`);
      const [a, b] = [["id,x,name", ...plain].join("\n"), ["id,x,name", ...other, ""].join("\r\n")];
      // Where no cell shows a fraction, the column is of integers in one notation and of numbers in the other.
      fc.pre(rows.some(({ x }) => !Number.isInteger(x)));
      expect(await idOf(a, spec)).toBe(await idOf(b, spec));
    }),
    { numRuns: 200 },
  );
});

test("any change of any cell, row or column name changes the id", async () => {
  await fc.assert(
    fc.asyncProperty(rowsOf, fc.nat(), fc.constantFrom("cell", "delete", "double", "rename"), async (rows, at, change) => {
      const lines = rows.map(({ id, name }) => `${id},${quoted(`n${name}`)}`);
      const index = at % lines.length;
      const line = lines[index] ?? "";
      const changed = {
        cell: ["id,name", ...lines.with(index, line.replace(/"$/, '!"'))],
        delete: ["id,name", ...lines.toSpliced(index, 1)],
        double: ["id,name", ...lines, line],
        rename: ["id,nom", ...lines],
      }[change];
      fc.pre(changed.length > 1);
      expect(await idOf(changed.join("\n"))).not.toBe(await idOf(["id,name", ...lines].join("\n")));
    }),
    { numRuns: 200 },
  );
});

test("a table of more rows than a node holds has a root of its own", async () => {
  const lines = Array.from({ length: 5000 }, (_, i) => `${i}`);
  const whole = await idOf(["n", ...lines].join("\n"));
  expect(await idOf(["n", ...lines.toReversed()].join("\n"))).toBe(whole);
  expect(await idOf(["n", ...lines.with(4321, "5000")].join("\n"))).not.toBe(whole);
});

test("an empty cell, an empty text and the word null are three things", async () => {
  const ids = await Promise.all(["a,b\n1,x\n2,\n", 'a,b\n1,x\n2,""\n', "a,b\n1,x\n2,null\n"].map((text) => idOf(text)));
  expect(new Set(ids).size).toBe(3);
});

test("rows with the same key, or without one, are told with their lines", async () => {
  const problem = async (text: string) => {
    try {
      await read(text, { key: ["id"] });
    } catch (error) {
      if (error instanceof TableProblem) return error.issue;
    }
    return undefined;
  };
  expect(await problem("id,x\n1,a\n2,b\n1,c\n")).toMatchObject({ got: "lines 2 and 4 have the same", line: 4 });
  expect(await problem("id,x\n1,a\n,b\n")).toMatchObject({ expected: "a value in the key id", line: 3 });
});

test("a profile counts, and its moments and quantiles are right", () => {
  const profiler = new ColumnProfiler([
    { name: "x", type: "number" },
    { name: "c", type: "string" },
  ]);
  for (let i = 1; i <= 1000; i++) profiler.add([`${1e9 + i}`, i % 3 === 0 ? "fizz" : "other"], (i * 0.618) % 1);
  profiler.add([null, ""], 0.5);
  const [x, c] = profiler.profiles();
  expect(x).toMatchObject({ empty: 1, distinct: 1000, numbers: { min: 1e9 + 1, max: 1e9 + 1000, mean: 1e9 + 500.5, isExact: true } });
  expect(x?.numbers?.variance).toBeCloseTo((1000 * 1001) / 12, 6);
  expect(x?.numbers?.quantiles).toMatchObject({ "0.01": 1e9 + 10, "0.5": 1e9 + 500, "0.99": 1e9 + 990 });
  expect(c).toMatchObject({
    empty: 0,
    distinct: 3,
    numbers: null,
    top: [
      { value: "other", count: 667 },
      { value: "fizz", count: 333 },
      { value: "", count: 1 },
    ],
  });
});

test("quantiles of more rows than are kept are near, and don't depend on the rows' order", () => {
  const rows = Array.from({ length: 20_000 }, (_, i) => ({ value: `${i}`, hash: (i * 0.6180339887498949) % 1 }));
  const profileOf = (list: readonly { value: string; hash: number }[]) => {
    const profiler = new ColumnProfiler([{ name: "x", type: "integer" }], { sampleMin: 500 });
    for (const { value, hash } of list) profiler.add([value], hash);
    return profiler.profiles()[0]?.numbers;
  };
  const numbers = profileOf(rows);
  expect(numbers?.isExact).toBe(false);
  expect(Math.abs((numbers?.quantiles["0.5"] ?? 0) - 10_000)).toBeLessThan(600);
  expect(profileOf(rows.toReversed())?.quantiles).toEqual(numbers?.quantiles);
});

test("a code has the group that was declared for it", () => {
  const education = { column: "education", words: { "3": "high_school", "*": "other" } };
  expect(["3", "9", null].map((code) => groupOf(education, code))).toEqual(["high_school", "other", "missing"]);
  expect(groupOf({ column: "x", words: { a: "b" } }, "constructor")).toBe("constructor");
  const age = { column: "age", bands: [26, 40] };
  expect(["18", "26", "39", "40", "99"].map((code) => groupOf(age, code))).toEqual(["<26", "26-39", "26-39", "40+", "40+"]);
  expect(groupOf({ column: "x", bands: [0.5, 1] }, "0.7")).toBe("0.5 to <1");
  expect(parseDatasetSpec({ protected: [{ column: "age", bands: [40, 26] }] })).toMatchObject({
    ok: false,
    error: [{ path: "/protected/0/bands" }],
  });
  expect(parseDatasetSpec({ protcted: [] })).toMatchObject({
    ok: false,
    error: [{ path: "/protcted", hint: 'did you mean "protected"?' }],
  });
});

test("groups add up to the table, singly and in pairs, with their base rates", async () => {
  const { cells } = await read("sex,edu,y\nm,a,0\nm,b,1\nf,a,0\nf,a,1\nf,b,\n", {
    label: { column: "y" },
    protected: [{ column: "sex" }, { column: "edu" }],
  });
  const groups = groupCounts(cells);
  expect(groups.map(({ group, rows }) => [Object.values(group).join("/"), rows])).toEqual([
    ["f", 3],
    ["m", 2],
    ["a", 3],
    ["b", 2],
    ["f/a", 2],
    ["f/b", 1],
    ["m/a", 1],
    ["m/b", 1],
  ]);
  expect(groups[0]).toMatchObject({ group: { sex: "f" }, labels: { "0": 1, "1": 1 }, rates: { "0": 0.5, "1": 0.5 } });
});

test("an attribute with a group for every value asks for words or bands", async () => {
  const text = ["age", ...Array.from({ length: 60 }, (_, i) => `${i}`)].join("\n");
  await expect(read(text, { protected: [{ column: "age" }] })).rejects.toMatchObject({ issue: { hint: "declare words or bands for age" } });
});
