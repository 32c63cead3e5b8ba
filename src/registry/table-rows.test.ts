/** Every format gives the same rows the same identity, and says where a file is wrong. */
import fc from "fast-check";
import { parquetWriteBuffer } from "hyparquet-writer";
import { expect, test } from "vitest";
import type { Issue } from "../std.ts";
import type { Cell } from "./csv-parser.ts";
import { TableProblem } from "./csv-text.ts";
import { bytesInMemory } from "./table-file.ts";
import { formatOf, readRows, type TableFormat } from "./table-rows.ts";
import { tableFacts } from "./table-facts.ts";
import { inspectTable } from "./table-scan.ts";

/** Tables of tests are small: nothing is ever written there. */
const NO_SPILL = "/nowhere";

const fileOf = (content: string | Uint8Array, name = "") =>
  bytesInMemory(typeof content === "string" ? Buffer.from(content) : content, name);

async function rowsOf(format: TableFormat, ...contents: (string | Uint8Array)[]) {
  let names: readonly string[] = [];
  const rows: (readonly Cell[])[] = [];
  const files = contents.map((content, i) => fileOf(content, contents.length > 1 ? `part-${i + 1}` : ""));
  await readRows({ format, files }, { header: (header) => void (names = header), row: (cells) => void rows.push([...cells]) });
  return { names, rows };
}

async function idOf(format: TableFormat, ...contents: (string | Uint8Array)[]) {
  const table = { format, files: contents.map((content) => fileOf(content)) };
  const columns = await inspectTable(table);
  return { columns, id: (await tableFacts(table, columns, { key: ["id"] }, NO_SPILL)).id };
}

async function problemOf(format: TableFormat, ...contents: (string | Uint8Array)[]): Promise<Issue | undefined> {
  try {
    await rowsOf(format, ...contents);
    return undefined;
  } catch (error) {
    if (!(error instanceof TableProblem)) throw error;
    return error.issue;
  }
}

const csv =
  'id,name,rate,ok,born,at\n1,Ana,0.5,true,2001-02-03,2026-01-02T03:04:05.5Z\n2,"",2.0,false,,\n3,Bo,,true,1999-12-31,2026-01-02T03:04:05Z\n';
const ndjson = `{"id":3,"name":"Bo","rate":null,"ok":true,"born":"1999-12-31","at":"2026-01-02T03:04:05Z"}
{"ok":true,"name":"Ana","rate":0.5,"id":1,"born":"2001-02-03","at":"2026-01-02T04:04:05.500+01:00"}
{"id":2, "name":"", "rate":2.0, "ok":false}
`;
function parquet(options: { readonly rowGroupSize?: number } = {}): Uint8Array {
  return new Uint8Array(
    parquetWriteBuffer({
      columnData: [
        { name: "id", data: [1, 2, 3], type: "INT32" },
        { name: "name", data: ["Ana", "", "Bo"], type: "STRING" },
        { name: "rate", data: [0.5, 2, null], type: "DOUBLE" },
        { name: "ok", data: [true, false, true], type: "BOOLEAN" },
        { name: "born", data: ["2001-02-03", null, "1999-12-31"], type: "STRING" },
        { name: "at", data: [new Date("2026-01-02T03:04:05.500Z"), null, new Date("2026-01-02T03:04:05Z")], type: "TIMESTAMP" },
      ],
      ...options,
    }),
  );
}

test("the same rows have the same id as CSV, NDJSON and Parquet, in another order and in several files", async () => {
  const one = await idOf("csv", csv);
  expect(one.columns.map(({ type }) => type)).toEqual(["integer", "string", "number", "boolean", "date", "timestamp"]);
  expect(await idOf("ndjson", ndjson)).toEqual(one);
  expect(await idOf("parquet", parquet())).toEqual(one);
  expect(await idOf("parquet", parquet({ rowGroupSize: 2 }))).toEqual(one);
  const [header = "", first = "", ...rest] = csv.trimEnd().split("\n");
  expect(await idOf("csv", [header, ...rest].join("\n"), [header, first].join("\n"))).toEqual(one);
});

test("what a file is shows in its first bytes", async () => {
  expect(await formatOf(fileOf(csv))).toBe("csv");
  expect(await formatOf(fileOf(` \n${ndjson}`))).toBe("ndjson");
  expect(await formatOf(fileOf(`\ufeff${ndjson}`))).toBe("ndjson");
  expect(await formatOf(fileOf(parquet()))).toBe("parquet");
  await expect(formatOf(fileOf('[{"id":1}]'))).rejects.toThrow("a JSON object on each line");
});

test("any flat rows come back from NDJSON as they were written", async () => {
  const text = fc.string({ unit: "grapheme" }).filter((value) => !value.includes("\0"));
  const value = fc.oneof(text, fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean(), fc.constant(null));
  const names = fc.uniqueArray(
    text.filter((name) => name.trim() !== "" && name !== "__proto__"),
    { minLength: 1, maxLength: 4 },
  );
  const table = names.chain((header) =>
    fc.record({ header: fc.constant(header), rows: fc.array(fc.tuple(...header.map(() => value)), { minLength: 1, maxLength: 6 }) }),
  );
  await fc.assert(
    fc.asyncProperty(table, async ({ header, rows }) => {
      const lines = rows.map((row) => JSON.stringify(Object.fromEntries(header.map((name, i) => [name, row[i]]))));
      const order = Object.keys(Object.fromEntries(header.map((name) => [name, 0])));
      const read = await rowsOf("ndjson", lines.join("\n"));
      expect(read.names).toEqual(order);
      const texts = rows.map((row) =>
        order.map((name) => {
          const cell = row[header.indexOf(name)];
          return cell === null ? null : typeof cell === "string" ? cell : JSON.stringify(cell);
        }),
      );
      expect(read.rows).toEqual(texts);
    }),
  );
});

test("digits that a double can't hold survive NDJSON", async () => {
  expect((await rowsOf("ndjson", '{"a":12345678901234567890,"b":1.10}')).rows).toEqual([["12345678901234567890", "1.10"]]);
});

test("NDJSON that is wrong is refused with line and column", async () => {
  const first = '{"id":1,"x":2}\n';
  const cases: readonly (readonly [string, Partial<Issue>])[] = [
    ["", { expected: "rows", got: "an empty file" }],
    [`${first}\n${first}`, { expected: "a JSON object", got: "an empty line", line: 2, column: 1 }],
    [`${first}[1]`, { expected: "a JSON object", line: 2, column: 1 }],
    [`${first}{"id":2,"y":1}`, { expected: "a key that the first line has too", got: '"y"', line: 2, column: 9 }],
    [`${first}{"id":2,"id":3}`, { expected: "keys that differ", got: '"id" twice', line: 2, column: 9 }],
    ['{"id":1,"id":2}', { expected: "keys that differ", line: 1, column: 9 }],
    [`${first}{"id":{"a":1}}`, { got: "an object", line: 2, column: 7 }],
    [`${first}{"id":[1]}`, { got: "a list", line: 2, column: 7 }],
    [`${first}{"id":01}`, { expected: "a comma or the end of the object", line: 2, column: 8 }],
    [`${first}{"id":nope}`, { expected: "a text, a number, true, false or null", line: 2, column: 7 }],
    [`${first}{"id":1} x`, { expected: "the end of the line after the object", line: 2, column: 10 }],
    [`${first}{"id":"a`, { expected: "a closing quote", line: 2, column: 7 }],
    [`${first}{"id":"\\ud800"}`, { expected: "text", line: 2, column: 7 }],
    [`${first}{"id":"\\q"}`, { expected: "a text in JSON", line: 2, column: 7 }],
    [`${first}{id:1}`, { expected: "a key in quotes", line: 2, column: 2 }],
    [`${first}{"id":1,}`, { expected: "a key in quotes", line: 2, column: 9 }],
    ['{"":1}', { expected: "a name for column 1" }],
  ];
  for (const [content, issue] of cases) expect({ content, ...(await problemOf("ndjson", content)) }).toMatchObject({ content, ...issue });
  expect(await problemOf("ndjson", Buffer.concat([Buffer.from(first), Buffer.from([0x7b, 0xff])]))).toMatchObject({
    expected: "text in UTF-8",
    line: 2,
    column: 2,
  });
  expect(await problemOf("ndjson", `{"id":"${"x".repeat(17 << 20)}`)).toMatchObject({ expected: "a line of at most 16 MiB", line: 1 });
});

test("files of one table have the same columns, in any order", async () => {
  expect((await rowsOf("csv", "a,b\n1,2\n", "b,a\n4,3\n")).rows).toEqual([
    ["1", "2"],
    ["3", "4"],
  ]);
  expect(await problemOf("csv", "a,b\n1,2\n", "a,c\n1,2\n")).toMatchObject({ path: "part-2", got: 'none named "b"' });
  expect(await problemOf("csv", "a,b\n1,2\n", "a,b\n1\n")).toMatchObject({ path: "part-2", line: 2 });
});

test("Parquet keeps every digit and every kind of moment", async () => {
  const file = new Uint8Array(
    parquetWriteBuffer({
      columnData: [
        { name: "big", data: [9007199254740993n, -1n], type: "INT64" },
        { name: "whole", data: [1, 1e21], type: "DOUBLE" },
        { name: "single", data: [Math.fround(0.1), -0], type: "FLOAT" },
      ],
    }),
  );
  expect((await rowsOf("parquet", file)).rows).toEqual([
    ["9007199254740993", "1.0", "0.1"],
    ["-1", "1e+21", "-0.0"],
  ]);
});

test("Parquet that is cut, or lies about itself, is refused and takes no memory", async () => {
  const good = parquet();
  for (const end of [1, 4, 11, 12, 40, good.length - 1, good.length - 9]) {
    const issue = await problemOf("parquet", good.subarray(0, end));
    expect(issue?.expected).toMatch(/Parquet/);
  }
  await fc.assert(
    fc.asyncProperty(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
      const bent = Uint8Array.from(good);
      bent[at] = (bent[at] ?? 0) ^ flip;
      await problemOf("parquet", bent); // read otherwise, or refused; never anything else
    }),
    { numRuns: 400 },
  );
});

test("nested columns are refused by name", async () => {
  const nested = new Uint8Array(
    parquetWriteBuffer({
      schema: [
        { name: "root", num_children: 1 },
        { name: "tags", num_children: 1, repetition_type: "OPTIONAL", converted_type: "LIST" },
        { name: "list", num_children: 1, repetition_type: "REPEATED" },
        { name: "element", type: "INT32", repetition_type: "OPTIONAL" },
      ],
      columnData: [{ name: "tags", data: [[1, 2]] }],
    }),
  );
  expect(await problemOf("parquet", nested)).toMatchObject({ got: 'lists or structures in the column "tags"' });
});

test("a line of 2 GB is refused with file, line and column when 16 MiB of it are there, and no more is asked for", async () => {
  const piece = Buffer.alloc(1 << 20, "x");
  for (const [format, before, expected] of [
    ["csv", "", { expected: "a row of at most 16 MiB", line: 1, column: 1 }],
    ["csv", 'id,x\n1,"a\nb"\n2,', { expected: "a row of at most 16 MiB", line: 4, column: 1 }],
    ["csv", 'id,x\n1,"', { expected: "a row of at most 16 MiB", hint: "perhaps a quote is never closed", line: 2, column: 1 }],
    ["ndjson", '{"id":1}\n{"id":"', { expected: "a line of at most 16 MiB", line: 2, column: 1 }],
  ] as const) {
    let asked = 0;
    const file = {
      ...fileOf("", "long"),
      async *stream() {
        yield Buffer.from(before);
        for (; asked < 2048; asked++) yield piece;
      },
    };
    const read = readRows({ format, files: [file] }, { header: () => undefined, row: () => undefined });
    await expect(read).rejects.toMatchObject({ issue: { path: "long", got: "a longer one", ...expected } });
    expect(asked).toBeLessThanOrEqual(17);
  }
});
