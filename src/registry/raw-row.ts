/** A row as bytes: cells are places in a buffer, so that nothing is made for a cell that is only counted and hashed. */

/** null is an empty cell, `""` one that was written as two quotes. */
export type Cell = string | null;

/** Valid until the next row is read; whoever keeps a cell copies its bytes. */
export interface RawRow {
  readonly bytes: Buffer;
  /** Of `bytes`. */
  readonly view: DataView;
  /** Cell `i` is the UTF-8 from `starts[i]` up to `ends[i]`. */
  readonly starts: Int32Array;
  /** -1 for an empty cell; a text that was written as two quotes ends where it starts. */
  readonly ends: Int32Array;
  /** Whether no byte of it is beyond ASCII, as far as that is known: false may be wrong. */
  readonly isAscii: boolean;
}

/** Takes the rows of one file. */
export interface RawSink {
  header(names: readonly string[]): void;
  /** @param line - where the row begins, from 1 */
  row(row: RawRow, line: number): void;
}

export const viewOf = ({ buffer, byteOffset, length }: Buffer): DataView => new DataView(buffer, byteOffset, length);

/** One cell as text. */
export function cellOf({ bytes, starts, ends }: RawRow, column: number): Cell {
  const end = ends[column] ?? -1;
  return end < 0 ? null : bytes.toString("utf8", starts[column], end);
}

/** All cells as text. One string is made of the row, and the cells are cut out of it. */
export function cellsOf({ bytes, starts, ends, isAscii }: RawRow, width: number, into: Cell[]): void {
  const from = starts[0] ?? 0;
  const to = Math.max(ends[width - 1] ?? 0, starts[width - 1] ?? 0);
  const text = bytes.toString("latin1", from, to);
  for (let i = 0; i < width; i++) {
    const [start, end] = [starts[i] ?? 0, ends[i] ?? -1];
    if (end < 0) into[i] = null;
    else {
      const cell = text.slice(start - from, end - from);
      into[i] = isAscii || isPlain(cell) ? cell : bytes.toString("utf8", start, end);
    }
  }
}

function isPlain(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) > 127) return false;
  return true;
}

/** Writes rows of text as rows of bytes, for formats whose cells come as text. One buffer for all rows. */
export class RawEncoder {
  readonly #row: { bytes: Buffer; view: DataView; readonly starts: Int32Array; readonly ends: Int32Array; readonly isAscii: boolean };

  constructor(width: number) {
    const bytes = Buffer.allocUnsafe(4096);
    this.#row = { bytes, view: viewOf(bytes), starts: new Int32Array(width), ends: new Int32Array(width), isAscii: false };
  }

  encode(cells: readonly Cell[]): RawRow {
    const { starts, ends } = this.#row;
    let at = 0;
    for (let i = 0; i < starts.length; i++) {
      const cell = cells[i] ?? null;
      starts[i] = at;
      if (cell === null) ends[i] = -1;
      else ends[i] = at = this.#write(cell, at);
    }
    return this.#row;
  }

  #write(cell: string, from: number): number {
    if (from + cell.length * 3 > this.#row.bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#row.bytes.length * 2, from + cell.length * 3));
      this.#row.bytes.copy(larger, 0, 0, from);
      this.#row.bytes = larger;
      this.#row.view = viewOf(larger);
    }
    const { bytes } = this.#row;
    for (let i = 0; i < cell.length; i++) {
      const code = cell.charCodeAt(i);
      if (code > 127) return from + bytes.write(cell, from);
      bytes[from + i] = code;
    }
    return from + cell.length;
  }
}

export interface HeldRow {
  readonly row: RawRow;
  readonly line: number;
  readonly file: number;
}

/** Copies of the first rows of a table, to be looked at before they are read. */
export class HeldRows {
  readonly #rows: HeldRow[] = [];
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  get rows(): number {
    return this.#rows.length;
  }

  /** In order; none are left. */
  take(): readonly HeldRow[] {
    return this.#rows.splice(0);
  }

  add({ bytes, starts, ends, isAscii }: RawRow, width: number, place: { readonly line: number; readonly file: number }): void {
    const own = { starts: new Int32Array(width), ends: new Int32Array(width) };
    const pieces: Buffer[] = [];
    let at = 0;
    for (let i = 0; i < width; i++) {
      const [start, end] = [starts[i] ?? 0, ends[i] ?? -1];
      own.starts[i] = at;
      if (end < 0) own.ends[i] = -1;
      else {
        pieces.push(bytes.subarray(start, end));
        own.ends[i] = at += end - start;
      }
    }
    const copy = Buffer.concat(pieces);
    this.#rows.push({ row: { bytes: copy, view: viewOf(copy), ...own, isAscii }, ...place });
    this.#bytes += at;
  }
}
