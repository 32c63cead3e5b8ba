import fc from "fast-check";
import { expect, test } from "vitest";
import type { Issue } from "../std.ts";
import { CsvParser, type Cell } from "./csv-parser.ts";
import { TableProblem, decodedText } from "./csv-text.ts";

interface Table {
  readonly header: readonly string[];
  readonly rows: readonly { readonly cells: readonly Cell[]; readonly line: number }[];
}

async function parse(bytes: Uint8Array, chunkBytes = 7): Promise<Table> {
  let header: readonly string[] = [];
  const rows: { readonly cells: readonly Cell[]; readonly line: number }[] = [];
  const parser = new CsvParser({
    header: (names) => {
      header = names;
    },
    row: (cells, line) => void rows.push({ cells: [...cells], line }),
  });
  const chunks = async function* slices() {
    for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
  };
  for await (const text of decodedText(chunks())) parser.push(text);
  parser.end();
  return { header, rows };
}

async function problemOf(content: string | Uint8Array): Promise<Issue | undefined> {
  const bytes = typeof content === "string" ? Buffer.from(content) : content;
  const problems: (Issue | undefined)[] = [];
  for (const chunkBytes of [1, 3, 1000]) {
    try {
      await parse(bytes, chunkBytes);
      problems.push(undefined);
    } catch (error) {
      if (!(error instanceof TableProblem)) throw error;
      problems.push(error.issue);
    }
  }
  expect(problems[1]).toEqual(problems[0]);
  expect(problems[2]).toEqual(problems[0]);
  return problems[0];
}

const written = (cell: Cell, style: number): string => {
  if (cell === null) return "";
  return cell === "" || /[",\r\n]/.test(cell) || style % 2 === 1 ? `"${cell.replaceAll('"', '""')}"` : cell;
};

test("any table comes back as it was written, however its bytes are cut", async () => {
  const text = fc.string({ unit: "grapheme" }).filter((value) => !value.includes("\0"));
  const awkward = fc.stringMatching(/^[a,"\r\n é€𝄞]{0,6}$/u);
  const cell = fc.option(fc.oneof(text, awkward), { nil: null });
  const table = fc.integer({ min: 1, max: 5 }).chain((width) =>
    fc.record({
      rows: fc.array(fc.array(cell, { minLength: width, maxLength: width }), { minLength: 1, maxLength: 8 }),
      styles: fc.array(fc.nat(3), { minLength: 1, maxLength: 10 }),
      newline: fc.constantFrom("\n", "\r\n"),
      hasLastNewline: fc.boolean(),
      chunkBytes: fc.integer({ min: 1, max: 40 }),
    }),
  );
  await fc.assert(
    fc.asyncProperty(table, async ({ rows, styles, newline, hasLastNewline, chunkBytes }) => {
      const width = rows[0]?.length ?? 0;
      // Without its newline, a last row of one empty cell is no row at all.
      fc.pre(hasLastNewline || width > 1 || rows.at(-1)?.[0] !== null);
      const header = Array.from({ length: width }, (_, i) => `c${i}`);
      let n = 0;
      const lines = [header, ...rows].map((cells) => cells.map((each) => written(each, styles[n++ % styles.length] ?? 0)).join(","));
      const parsed = await parse(Buffer.from(lines.join(newline) + (hasLastNewline ? newline : "")), chunkBytes);
      expect(parsed.header).toEqual(header);
      expect(parsed.rows.map(({ cells }) => cells)).toEqual(rows);
    }),
    { numRuns: 300 },
  );
});

test("an empty cell is empty, two quotes are an empty text, and rows know the line they begin in", async () => {
  const { rows } = await parse(Buffer.from('a,b\n,""\n"x\ny",1\nz,2\n'));
  expect(rows).toEqual([
    { cells: [null, ""], line: 2 },
    { cells: ["x\ny", "1"], line: 3 },
    { cells: ["z", "2"], line: 5 },
  ]);
});

test("a byte-order mark is no part of the first column's name", async () => {
  expect((await parse(Buffer.from("\uFEFFa,b\n1,2\n"))).header).toEqual(["a", "b"]);
});

test("what doesn't fit is told with line and column", async () => {
  expect(await problemOf("a,b\n1,2\n3\n")).toMatchObject({ expected: "2 cells, as in the header", got: "1", line: 3, column: 2 });
  expect(await problemOf("a,b\n1,2\n3,4,5\n")).toMatchObject({ expected: "2 cells, as in the header", got: "more", line: 3, column: 5 });
  expect(await problemOf("a,b\n1,2\n\n3,4\n")).toMatchObject({ got: "an empty line", line: 3 });
  expect(await problemOf("a,b\n1,2\n")).toBeUndefined();
  expect(await problemOf("a,a\n1,2\n")).toMatchObject({ got: '"a" for columns 1 and 2', line: 1 });
  expect(await problemOf("a,\n1,2\n")).toMatchObject({ expected: "a name for column 2", line: 1 });
  expect(await problemOf("")).toMatchObject({ got: "an empty file" });
  expect(await problemOf("a,b\n")).toMatchObject({ expected: "at least one row after the header" });
  expect(await problemOf('a,b\n"x\n",2\n1,"open\n3,4\n')).toMatchObject({ expected: "a closing quote", line: 4, column: 3 });
  expect(await problemOf('a,b\n1,2"3\n')).toMatchObject({ line: 2, column: 4 });
  expect(await problemOf('a,b\n1,"2"3\n')).toMatchObject({ got: '"3"', line: 2, column: 6 });
  expect(await problemOf("a,b\r1,2\r")).toMatchObject({ got: "a carriage return alone", line: 1, column: 4 });
  expect(await problemOf("a,b\n1,\0\n")).toMatchObject({ got: "a NUL character", line: 2, column: 3 });
});

test("what is no UTF-8 is told with line and column, and other formats by their name", async () => {
  const latin1 = Buffer.concat([Buffer.from("name,n\nA€,1\nRen"), Buffer.from([0xe9]), Buffer.from(",2\n")]);
  expect(await problemOf(latin1)).toMatchObject({ expected: "text in UTF-8", line: 3, column: 4 });
  expect(await problemOf(Buffer.from([0xff, 0xfe, 0x61, 0x00, 0x2c, 0x00]))).toMatchObject({ got: "UTF-16" });
  expect(await problemOf(Buffer.from([0x1f, 0x8b, 0x08, 0x00, 0x00]))).toMatchObject({ got: "a gzip file" });
  expect(await problemOf(Buffer.from("PAR1xxxxPAR1"))).toMatchObject({ got: "a Parquet file" });
});

test("a quote that is never closed doesn't take the machine's memory", async () => {
  const parser = new CsvParser({ header: () => undefined, row: () => undefined });
  parser.push('a,b\n1,"');
  const more = "x".repeat(1 << 20);
  const fill = () => {
    for (let i = 0; i < 20; i++) parser.push(more);
  };
  expect(fill).toThrow("a row of at most 16 MiB");
});
