/** Tables that are read as bytes: what is found in them is what is found in their text. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { decimalOf, kindsOfBytes, microsecondsOfBytes, numberForm } from "./cell-bytes.ts";
import { kindsOf, microsecondsOf } from "./cell-types.ts";
import type { Cell } from "./csv-parser.ts";
import type { DatasetSpec } from "./dataset-spec.ts";
import { readTable, tableFacts } from "./table-facts.ts";
import { bytesInMemory, type TableFile } from "./table-file.ts";
import { readRawRows, readRows } from "./table-rows.ts";
import { cellOf } from "./raw-row.ts";
import { inspectTable } from "./table-scan.ts";

/** Tables of tests are small: nothing is ever written there. */
const NO_SPILL = "/nowhere";

/** What looks like a number, a day, a moment or a word, and nearly so. */
const digits = fc.stringMatching(/^\d{0,18}$/);
const nearly = fc.oneof(
  fc.stringMatching(/^-?\d{0,17}\.?\d{0,6}(?:[eE][+-]?\d{1,3})?$/),
  fc.stringMatching(/^\d{4}-[01]\d-[0-3]\d$/),
  fc.stringMatching(/^\d{4}-[01]\d-[0-3]\d[T ][0-2]\d:[0-6]\d:[0-6]\d(?:\.\d{0,7})?(?:Z|[+-][0-2]\d:?[0-6]\d)?$/),
  fc.constantFrom("true", "TRUE", "tRUE", "False", "NaN", "Infinity", "-Infinity", "-NaN", "-0", "-", ".", "-.5", "007", "1_0", "é"),
  fc.string({ unit: "grapheme" }),
);

test("a cell is of the same kinds by its bytes as by its text", () => {
  fc.assert(
    fc.property(nearly, fc.string(), (text, before) => {
      fc.pre(text !== "");
      const bytes = Buffer.from(before + text);
      const start = bytes.length - Buffer.byteLength(text);
      expect(kindsOfBytes(bytes, start, bytes.length)).toBe(kindsOf(text));
      expect(microsecondsOfBytes(bytes, start, bytes.length)).toBe(microsecondsOf(text));
    }),
    { numRuns: 3000 },
  );
});

test("digits are the number that is nearest to them", () => {
  fc.assert(
    fc.property(fc.boolean(), digits, fc.option(digits), (isNegative, whole, fraction) => {
      const text = `${isNegative ? "-" : ""}${whole}${fraction === null ? "" : `.${fraction}`}`;
      const bytes = Buffer.from(text);
      fc.pre(numberForm(bytes, 0, bytes.length) !== 0);
      expect(decimalOf(bytes, 0, bytes.length)).toBe(Number(text));
    }),
    { numRuns: 3000 },
  );
});

function countedFile(text: string): { readonly file: TableFile; readonly readings: () => number } {
  const file = bytesInMemory(Buffer.from(text));
  let readings = 0;
  const stream = () => {
    readings++;
    return file.stream();
  };
  return { file: { ...file, stream }, readings: () => readings };
}

test("a table is read once where its first rows show its types, and again where a type changes late in it", async () => {
  const rows = Array.from({ length: 150_000 }, (_, i) => `${i}`);
  const same = countedFile(["n", ...rows].join("\n"));
  const once = await readTable({ format: "csv", files: [same.file] }, {}, NO_SPILL);
  expect(once).toMatchObject({ ok: true, value: { columns: [{ name: "n", type: "integer" }], facts: { rows: 150_000 } } });
  expect(same.readings()).toBe(1);
  const other = countedFile(["n", ...rows, "0.5"].join("\n"));
  const again = await readTable({ format: "csv", files: [other.file] }, {}, NO_SPILL);
  expect(again).toMatchObject({ ok: true, value: { columns: [{ name: "n", type: "number" }], facts: { rows: 150_001 } } });
  expect(other.readings()).toBe(3);
});

const late = fc.record({
  early: fc.constantFrom("", "1", "0.5", "x", '""', "true", "2026-01-02", "2026-01-02T00:00:00Z", "9007199254740993"),
  late: fc.constantFrom("", "2", "-0", "1.0", "y", '""', "False", "2026-02-30", "1", "1e3"),
});

test("whatever the first rows show, the rest is read as if all had been looked at before", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(late, { minLength: 1, maxLength: 3 }), fc.boolean(), async (columns, hasKey) => {
      const line = (cells: readonly string[], i: number) => [`${i}`, ...cells].join(",");
      const early = Array.from({ length: 1100 }, (_, i) =>
        line(
          columns.map((column) => column.early),
          i,
        ),
      );
      const rest = line(
        columns.map((column) => column.late),
        5000,
      );
      const text = [["id", ...columns.map((_, i) => `c${i}`)].join(","), ...early, rest].join("\n");
      const table = { format: "csv" as const, files: [bytesInMemory(Buffer.from(text))] };
      const spec: DatasetSpec = hasKey ? { key: ["id"], protected: [{ column: "c0" }], label: { column: "c0" } } : {};
      const whole = await inspectTable(table);
      const read = await readTable(table, spec, NO_SPILL);
      expect(read).toEqual({ ok: true, value: { columns: whole, facts: await tableFacts(table, whole, spec, NO_SPILL) } });
    }),
    { numRuns: 60 },
  );
});

test("rows of bytes and rows of text are the same rows", async () => {
  const cell = fc.option(fc.stringMatching(/^[a,"\r\né€𝄞01.]{0,6}$/u), { nil: null });
  const written = (value: Cell) => (value === null ? "" : `"${value.replaceAll('"', '""')}"`);
  const rowsOf = fc.array(fc.tuple(cell, cell), { minLength: 1, maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(rowsOf, rowsOf, async (first, second) => {
      const text = (header: string, rows: readonly (readonly Cell[])[]) =>
        [header, ...rows.map((row) => row.map(written).join(","))].join("\n");
      const files = [text("a,b", first), text("b,a", second)].map((content) => bytesInMemory(Buffer.from(content)));
      const [texts, bytes]: [Cell[][], Cell[][]] = [[], []];
      await readRows({ format: "csv", files }, { header: () => undefined, row: (cells) => void texts.push([...cells]) });
      await readRawRows(
        { format: "csv", files },
        { header: () => undefined, row: (row) => void bytes.push([cellOf(row, 0), cellOf(row, 1)]) },
      );
      expect(texts).toEqual([...first, ...second.map(([b, a]) => [a, b])]);
      expect(bytes).toEqual(texts);
    }),
  );
});

test("quantiles of rows that are mostly the same are those of all rows", async () => {
  const rows = Array.from({ length: 200_000 }, (_, i) => (i % 2 === 0 ? "0" : `${i}`));
  const read = await readTable({ format: "csv", files: [bytesInMemory(Buffer.from(["n", ...rows].join("\n")))] }, {}, NO_SPILL);
  const numbers = read.ok ? read.value.facts.columns[0]?.numbers : undefined;
  expect(numbers?.isExact).toBe(false);
  expect(numbers?.quantiles["0.25"]).toBe(0);
  expect(Math.abs((numbers?.quantiles["0.75"] ?? 0) - 100_000)).toBeLessThan(3000);
});
