/** Bytes of a table's file to text: UTF-8 and nothing else, or a line and column where it isn't. */
import { isUtf8 } from "node:buffer";
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

export const COLUMNS_MAX = 10_000;

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
 * The bytes of a text without its byte-order mark; the first piece has at least four, where there are so many.
 * @param what - the file was expected to be, for an error
 * @throws TableProblem for what begins as a file of another kind does
 */
export async function* textBytes(chunks: AsyncIterable<Uint8Array>, what: string): AsyncGenerator<Uint8Array> {
  let first: Uint8Array | undefined = new Uint8Array();
  const begin = (bytes: Uint8Array) => {
    refuseOtherFormats(bytes, what);
    return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes;
  };
  for await (const chunk of chunks) {
    if (!first) yield chunk;
    else {
      first = Buffer.concat([first, chunk]);
      if (first.length < 4) continue;
      yield begin(first);
      first = undefined;
    }
  }
  if (first) yield begin(first);
}

/**
 * Decodes chunk by chunk; a byte-order mark at the beginning is left out.
 * @param what - the file was expected to be, for an error
 * @throws TableProblem
 */
export async function* decodedText(chunks: AsyncIterable<Uint8Array>, what = "a CSV file"): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let carried: Uint8Array = new Uint8Array();
  let at: Place = { line: 1, column: 1 };
  const take = (bytes: Uint8Array) => {
    const text = decode(decoder, bytes, at);
    at = after(at, text);
    return text;
  };
  for await (const chunk of textBytes(chunks, what)) {
    const bytes = carried.length > 0 ? Buffer.concat([carried, chunk]) : chunk;
    const end = lastBoundary(bytes);
    carried = Uint8Array.from(bytes.subarray(end));
    yield take(bytes.subarray(0, end));
  }
  yield take(carried);
}

/** Up to where bytes are whole characters; undefined where they are no UTF-8. */
export function textEnd(bytes: Uint8Array): number | undefined {
  const end = lastBoundary(bytes);
  return isUtf8(bytes.subarray(0, end)) ? end : undefined;
}

/** @param bytes - that are no UTF-8 @param from - where they begin */
export function notText(bytes: Uint8Array, from: Place): TableProblem {
  const good = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes).split("\uFFFD")[0] ?? "";
  return new TableProblem({ expected: "text in UTF-8", got: "bytes that are none", hint: "save the file as UTF-8", ...after(from, good) });
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
    throw notText(bytes, from);
  }
}
