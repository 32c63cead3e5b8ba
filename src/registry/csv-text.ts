/** Bytes of a table's file to text: UTF-8 and nothing else, or a line and column where it isn't. */
import { TextDecoder } from "node:util";
import type { Issue } from "../std.ts";

/** What is wrong with a file, thrown through the reading of it; `datasets.ts` turns it into a refusal. */
export class TableProblem extends Error {
  override readonly name = "TableProblem";
  readonly issue: Issue;
  /** @param file - which file of a table that has several */
  constructor(issue: Omit<Issue, "path">, file = "") {
    super(issue.expected);
    this.issue = { path: file, ...issue };
  }

  /** The same problem, with the file of the table that has it. */
  within(file: string): TableProblem {
    const { path: _path, ...issue } = this.issue;
    return new TableProblem(issue, file);
  }
}

const COLUMNS_MAX = 10_000;

/** Names of columns as they may be. @param before - how many columns came before these @throws TableProblem */
export function checkedNames(names: readonly (string | null)[], before = 0): string[] {
  if (before + names.length > COLUMNS_MAX) throw new TableProblem({ expected: `at most ${COLUMNS_MAX} columns`, got: "more", line: 1 });
  const first = new Map<string, number>();
  return names.map((name, i) => {
    if (name === null || name.trim() === "") {
      throw new TableProblem({
        expected: `a name for column ${before + i + 1}`,
        got: "nothing",
        hint: "the first line names the columns",
        line: 1,
      });
    }
    if (name.length > 250) throw new TableProblem({ expected: "column names of at most 250 characters", got: `${name.length}`, line: 1 });
    const other = first.get(name);
    if (other !== undefined) {
      throw new TableProblem({ expected: "column names that differ", got: `"${name}" for columns ${other + 1} and ${i + 1}`, line: 1 });
    }
    first.set(name, i);
    return name;
  });
}

const formats: readonly { readonly start: readonly number[]; readonly got: string; readonly hint: string }[] = [
  { start: [0xff, 0xfe], got: "UTF-16", hint: "save the file as UTF-8" },
  { start: [0xfe, 0xff], got: "UTF-16", hint: "save the file as UTF-8" },
  { start: [0x1f, 0x8b], got: "a gzip file", hint: "unpack it first" },
  { start: [0x28, 0xb5, 0x2f, 0xfd], got: "a zstd file", hint: "unpack it first" },
  { start: [0x50, 0x4b, 0x03, 0x04], got: "a zip archive, or a spreadsheet", hint: "save the table as CSV" },
  { start: [0x50, 0x41, 0x52, 0x31], got: "a Parquet file", hint: "save the table as CSV" },
];

/**
 * Decodes chunk by chunk; a byte-order mark at the beginning is left out.
 * @param what - the file was expected to be, for an error
 * @throws TableProblem
 */
export async function* decodedText(chunks: AsyncIterable<Uint8Array>, what = "a CSV file"): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let carried: Uint8Array = new Uint8Array();
  let at: Place = { line: 1, column: 1 };
  let isFirst = true;
  const take = (bytes: Uint8Array) => {
    const text = decode(decoder, bytes, at);
    at = after(at, text);
    const isMarked = isFirst && text.startsWith("\uFEFF");
    isFirst = false;
    return isMarked ? text.slice(1) : text;
  };
  for await (const chunk of chunks) {
    const bytes = carried.length > 0 ? Buffer.concat([carried, chunk]) : chunk;
    if (isFirst && bytes.length < 4) {
      carried = bytes;
      continue;
    }
    if (isFirst) refuseOtherFormats(bytes, what);
    const end = lastBoundary(bytes);
    carried = bytes.subarray(end);
    yield take(bytes.subarray(0, end));
  }
  yield take(carried);
}

interface Place {
  readonly line: number;
  readonly column: number;
}

function after({ line, column }: Place, text: string): Place {
  const lastNewline = text.lastIndexOf("\n");
  if (lastNewline < 0) return { line, column: column + text.length };
  let newlines = 0;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) newlines++;
  return { line: line + newlines, column: text.length - lastNewline };
}

function refuseOtherFormats(bytes: Uint8Array, what: string): void {
  const found = formats.find(({ start }) => start.every((byte, i) => bytes[i] === byte));
  if (found) throw new TableProblem({ expected: `${what} in UTF-8`, got: found.got, hint: found.hint });
}

/** Where the last complete character ends: at most three bytes of a cut one are left over. */
function lastBoundary(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] ?? 0;
    if ((byte & 0xc0) === 0x80) continue;
    const width = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return width > back ? bytes.length - back : bytes.length;
  }
  return bytes.length;
}

function decode(decoder: TextDecoder, bytes: Uint8Array, from: Place): string {
  try {
    return decoder.decode(bytes);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    const good = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes).split("\uFFFD")[0] ?? "";
    throw new TableProblem({ expected: "text in UTF-8", got: "bytes that are none", hint: "save the file as UTF-8", ...after(from, good) });
  }
}
