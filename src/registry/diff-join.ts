/** Brings rows of two tables together that have the same key, or, without a key, the same content. */
import { RECORD, type Part } from "./diff-spill.ts";

/** Told of every row of both parts once. Rows are told by their word in the part. */
export interface JoinSink {
  /** @param isSame - whether their content is the same too */
  pair(a: number, b: number, isSame: boolean): void;
  missing(a: number): void;
  added(b: number): void;
  /** More than one row of a table with one key; they are told of as pairs, missing or added besides. */
  duplicated(key: { readonly a: readonly number[]; readonly b: readonly number[] }): void;
}

const NONE = -1;

export function joinParts(a: Part, b: Part, sink: JoinSink): void {
  const [rowsA, rowsB] = [recordsOf(a), recordsOf(b)];
  const keys = new KeyTable(a, b, rowsA.length + rowsB.length);
  for (const record of rowsA) keys.addA(record);
  for (const record of rowsB) keys.addB(record);
  const same = (x: number, y: number) => equalWords(a.words, x + RECORD.row, b.words, y + RECORD.row);
  for (let key = 0; key < keys.count; key++) {
    const [ofA, ofB] = [keys.rowsA(key), keys.rowsB(key)];
    const [onlyA, onlyB] = [ofA[0], ofB[0]];
    if (ofA.length === 1 && ofB.length === 1 && onlyA !== undefined && onlyB !== undefined) sink.pair(onlyA, onlyB, same(onlyA, onlyB));
    else if (ofA.length === 1 && ofB.length === 0 && onlyA !== undefined) sink.missing(onlyA);
    else if (ofA.length === 0 && ofB.length === 1 && onlyB !== undefined) sink.added(onlyB);
    else {
      sink.duplicated({ a: ofA, b: ofB });
      joinSeveral(byContent(a, ofA), byContent(b, ofB), { a, b, sink });
    }
  }
}

/** Rows of the same content meet first, those that are left in the order of their content: so the order of the files doesn't matter. */
function joinSeveral(ofA: readonly number[], ofB: readonly number[], { a, b, sink }: { a: Part; b: Part; sink: JoinSink }): void {
  const [restA, restB]: [number[], number[]] = [[], []];
  let [i, j] = [0, 0];
  for (;;) {
    const [x, y] = [ofA[i], ofB[j]];
    if (x === undefined && y === undefined) break;
    const side = x === undefined ? 1 : y === undefined ? -1 : compareRows(a, x, b, y);
    if (side === 0 && x !== undefined && y !== undefined) sink.pair(x, y, true);
    else if (side < 0 && x !== undefined) restA.push(x);
    else if (y !== undefined) restB.push(y);
    if (side <= 0) i++;
    if (side >= 0) j++;
  }
  for (let at = 0; at < Math.max(restA.length, restB.length); at++) {
    const [x, y] = [restA[at], restB[at]];
    if (x !== undefined && y !== undefined) sink.pair(x, y, false);
    else if (x !== undefined) sink.missing(x);
    else if (y !== undefined) sink.added(y);
  }
}

const byContent = (part: Part, rows: readonly number[]) =>
  rows.length < 2 ? rows : rows.toSorted((x, y) => compareRows(part, x, part, y));

function compareRows(a: Part, x: number, b: Part, y: number): number {
  for (let i = 0; i < 4; i++) {
    const difference = (a.words[x + RECORD.row + i] ?? 0) - (b.words[y + RECORD.row + i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function recordsOf({ words }: Part): number[] {
  const records: number[] = [];
  for (let at = 0; at < words.length; at += RECORD.head + Math.ceil((words[at + RECORD.bytes] ?? 0) / 4)) records.push(at);
  return records;
}

function equalWords(a: Uint32Array, at: number, b: Uint32Array, other: number): boolean {
  return a[at] === b[other] && a[at + 1] === b[other + 1] && a[at + 2] === b[other + 2] && a[at + 3] === b[other + 3];
}

/** Keys by their hash, with the rows of either table that have them. Arrays instead of maps: ten million keys pass through. */
class KeyTable {
  readonly #a: Part;
  readonly #b: Part;
  readonly #mask: number;
  readonly #slots: Int32Array;
  /** By key: its first row in either table. By row: the next with the same key. */
  readonly #firstA: Int32Array;
  readonly #firstB: Int32Array;
  readonly #next = { a: new Map<number, number>(), b: new Map<number, number>() };
  count = 0;

  constructor(a: Part, b: Part, rows: number) {
    const size = 2 ** Math.ceil(Math.log2(Math.max(2, rows * 2)));
    [this.#a, this.#b] = [a, b];
    this.#mask = size - 1;
    this.#slots = new Int32Array(size).fill(NONE);
    this.#firstA = new Int32Array(rows).fill(NONE);
    this.#firstB = new Int32Array(rows).fill(NONE);
  }

  addA(record: number): void {
    const key = this.#find(this.#a.words, record);
    const first = this.#firstA[key] ?? NONE;
    if (first !== NONE) this.#next.a.set(record, first);
    this.#firstA[key] = record;
  }

  addB(record: number): void {
    const key = this.#find(this.#b.words, record);
    const first = this.#firstB[key] ?? NONE;
    if (first !== NONE) this.#next.b.set(record, first);
    this.#firstB[key] = record;
  }

  rowsA(key: number): readonly number[] {
    return chain(this.#firstA[key] ?? NONE, this.#next.a);
  }

  rowsB(key: number): readonly number[] {
    return chain(this.#firstB[key] ?? NONE, this.#next.b);
  }

  #find(words: Uint32Array, record: number): number {
    // The first byte is the same in all of a part.
    for (let slot = (words[record + 1] ?? 0) & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const key = this.#slots[slot] ?? NONE;
      if (key === NONE) {
        this.#slots[slot] = this.count;
        return this.count++;
      }
      const [inA, inB] = [this.#firstA[key] ?? NONE, this.#firstB[key] ?? NONE];
      const isSame = inA === NONE ? equalWords(this.#b.words, inB, words, record) : equalWords(this.#a.words, inA, words, record);
      if (isSame) return key;
    }
  }
}

function chain(first: number, next: ReadonlyMap<number, number>): readonly number[] {
  if (first === NONE) return [];
  const rows: number[] = [];
  for (let at: number | undefined = first; at !== undefined; at = next.get(at)) rows.push(at);
  return rows;
}
