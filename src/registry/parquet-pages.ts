/**
 * Looks over what a Parquet file says about itself before it is decoded: the decoder believes every count it reads and takes memory for it.
 * Descriptions are Thrift structures in the compact protocol; only their numbers matter here.
 */
import { TableProblem } from "./csv-text.ts";

const PAGE_BYTES_MAX = 256 << 20;
const DEPTH_MAX = 16;
const DATA_PAGE = 0;
const INDEX_PAGE = 1;
const DICTIONARY_PAGE = 2;
const DATA_PAGE_V2 = 3;

type Numbers = ReadonlyMap<number, number | Numbers>;

/** The description at a file's end: well formed, and no list in it says that it is longer than its bytes. @throws RangeError */
export function checkDescription(footer: Buffer): void {
  new StructReader(footer, 0).struct(0);
}

/** @param chunk - all bytes of one column in one row group @throws TableProblem, RangeError where the bytes end too early */
export function checkPages(chunk: Buffer, { rows, column }: { readonly rows: number; readonly column: string }): void {
  const bad = (got: string) => new TableProblem({ expected: "a Parquet file that can be read", got: `${got} in the column "${column}"` });
  let at = 0;
  let seen = 0;
  while (seen < rows) {
    const header = new StructReader(chunk, at);
    const fields = header.struct(0);
    const part = (field: number): Numbers => {
      const found = fields.get(field);
      if (!(found instanceof Map)) throw bad("a page without its description");
      return found;
    };
    const [type, unpacked, packed] = [numberAt(fields, 1), numberAt(fields, 2), numberAt(fields, 3)];
    const end = header.at + packed;
    if (packed < 0 || end > chunk.length || unpacked < 0 || unpacked > PAGE_BYTES_MAX) throw bad("a page that is longer than it can be");
    if (type === DATA_PAGE) seen += pageValues(numberAt(part(5), 1), rows - seen, bad);
    else if (type === DATA_PAGE_V2) {
      const page = part(8);
      const values = pageValues(numberAt(page, 1), rows - seen, bad);
      const [nulls, count, definitions, repetitions] = [numberAt(page, 2), numberAt(page, 3), numberAt(page, 5), numberAt(page, 6)];
      const isSound =
        nulls >= 0 && nulls <= values && count === values && definitions >= 0 && repetitions >= 0 && definitions + repetitions <= packed;
      if (!isSound) throw bad("a page that contradicts itself");
      seen += values;
    } else if (type === DICTIONARY_PAGE) {
      // An entry takes at least one bit.
      const entries = numberAt(part(7), 1);
      if (entries < 0 || entries > unpacked * 8) throw bad("a dictionary with more entries than bits");
    } else if (type !== INDEX_PAGE) throw bad("a page of an unknown kind");
    at = end;
  }
}

function pageValues(values: number, left: number, bad: (got: string) => TableProblem): number {
  if (values <= 0 || values > left) throw bad("a page with other counts than its row group");
  return values;
}

function numberAt(fields: Numbers, field: number): number {
  const found = fields.get(field);
  return typeof found === "number" ? found : -1;
}

/** Reads what a structure says in numbers, and passes over the rest. */
class StructReader {
  readonly #bytes: Buffer;
  at: number;

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes;
    this.at = at;
  }

  struct(depth: number): Map<number, number | Numbers> {
    if (depth > DEPTH_MAX) throw new RangeError("a description that is nested too deeply");
    const fields = new Map<number, number | Numbers>();
    let field = 0;
    for (;;) {
      const head = this.#byte();
      const type = head & 15;
      if (type === 0) return fields;
      const step = head >> 4;
      field = step === 0 ? this.#zigzag() : field + step;
      const value = this.#value(type, depth);
      if (value !== undefined) fields.set(field, value);
    }
  }

  #value(type: number, depth: number): number | Numbers | undefined {
    switch (type) {
      case 1:
      case 2:
        return undefined; // a boolean is in its type
      case 3:
        return this.#byte();
      case 4:
      case 5:
      case 6:
        return this.#zigzag();
      case 7:
        return this.#skip(8);
      case 8:
        return this.#skip(this.#varint());
      case 9:
      case 10:
        return this.#list(depth);
      case 12:
        return this.struct(depth + 1);
      default:
        throw new RangeError("a description with parts that pages don't have");
    }
  }

  #list(depth: number): undefined {
    const head = this.#byte();
    const count = head >> 4 === 15 ? this.#varint() : head >> 4;
    const type = head & 15;
    // Every element takes a byte at least.
    if (count > this.#bytes.length - this.at) throw new RangeError("a list that is longer than its bytes");
    for (let i = 0; i < count; i++) {
      if (type === 1 || type === 2) this.#byte();
      else this.#value(type, depth);
    }
  }

  #byte(): number {
    return this.#bytes.readUInt8(this.at++);
  }

  #varint(): number {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.#byte();
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
    throw new RangeError("a number that doesn't end");
  }

  #zigzag(): number {
    const value = this.#varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  #skip(bytes: number): undefined {
    if (this.at + bytes > this.#bytes.length) throw new RangeError("a description that isn't complete");
    this.at += bytes;
  }
}
