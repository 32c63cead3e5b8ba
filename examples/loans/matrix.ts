/** The training matrix between the steps of the pipeline: one file, a line of JSON that says its shape, then plain numbers. */
import { readFileSync, writeFileSync } from "node:fs";

export interface Matrix {
  /** Features, in the order of the columns. */
  readonly names: readonly string[];
  /** Row keys, as in the source. */
  readonly ids: Int32Array;
  /** 1 where the loan was repaid. */
  readonly labels: Uint8Array;
  /** Row-major, `ids.length` by `names.length`. */
  readonly x: Float32Array;
}

/** The same matrix gives the same bytes (little-endian, as every machine is on which onnxruntime runs). */
export function writeMatrix(path: string, { names, ids, labels, x }: Matrix): void {
  const head = Buffer.from(`${JSON.stringify({ names, rows: ids.length })}\n`);
  writeFileSync(path, Buffer.concat([head, bytesOf(ids), bytesOf(x), labels]));
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Int32Array | Float32Array) => new Uint8Array(buffer, byteOffset, byteLength);

/** @throws Error when the file is no matrix, or not a whole one */
export function readMatrix(path: string): Matrix {
  const bytes = readFileSync(path);
  const end = bytes.indexOf(0x0a) + 1;
  const { names, rows } = headIn(JSON.parse(bytes.toString("utf8", 0, end)), path);
  const width = names.length;
  // A copy, because numbers of four bytes must begin at a multiple of four.
  const body = new Uint8Array(bytes.subarray(end)).buffer;
  const length = rows * (4 + width * 4 + 1);
  if (body.byteLength !== length) throw new Error(`${path}: expected ${length} bytes after the first line, got ${body.byteLength}`);
  return {
    names,
    ids: new Int32Array(body, 0, rows),
    x: new Float32Array(body, rows * 4, rows * width),
    labels: new Uint8Array(body, rows * (4 + width * 4), rows),
  };
}

function headIn(value: unknown, path: string): { readonly names: readonly string[]; readonly rows: number } {
  if (typeof value === "object" && value !== null && "names" in value && "rows" in value) {
    const { names, rows } = value;
    if (Array.isArray(names) && names.every((name) => typeof name === "string") && typeof rows === "number") return { names, rows };
  }
  throw new Error(`${path}: expected a first line with names and rows`);
}
