/** A first look at two tables, for what has to be known before their rows are compared: which column names a row, which was renamed. */
import { commonType, isEmpty, plainText, type ColumnType } from "./cell-types.ts";
import type { ColumnProfile } from "./column-profile.ts";
import type { Cell } from "./csv-parser.ts";
import type { DiffTable, SharedColumn } from "./diff-scan.ts";
import { HASH_BYTES, RowHasher } from "./row-hash.ts";

export interface RenamedColumn {
  readonly from: string;
  readonly to: string;
  readonly type: ColumnType;
  /** Share of equal cells; 1 where the columns are told by their values alone. */
  readonly equal: number;
}

/** So many keys are looked at to find renamed columns and keys; which, follows from their hash, so that both tables give the same. */
const SAMPLE = 50_000;
const EQUAL_MIN = 0.99;
/** Of a key that is proposed, so many of the smaller table's must be in the other. */
const OVERLAP_MIN = 0.5;
const HASHES = 2 ** 32;

/** The first column that seems to have another value in every row of both tables, and mostly the same in both; undefined for none. */
export async function proposedKey(a: DiffTable, b: DiffTable, columns: readonly SharedColumn[]): Promise<SharedColumn | undefined> {
  const candidates = columns.filter(
    ({ name, after, type }) =>
      type !== "number" && type !== "boolean" && mayNameRows(profileOf(a, name), a.rows) && mayNameRows(profileOf(b, after), b.rows),
  );
  if (candidates.length === 0) return undefined;
  // A value is in the sample of all its rows or of none: one that is there twice shows, if it is in the sample.
  const below = sampleBelow(a, b);
  const valuesOf = async (table: DiffTable, names: readonly string[]) => {
    const values = candidates.map(() => new Set<string>());
    const isDouble = candidates.map(() => false);
    let places: readonly number[] = [];
    await table.read({
      header: (header) => (places = names.map((name) => header.indexOf(name))),
      row(cells) {
        for (const [i, { type }] of candidates.entries()) {
          const cell = cells[places[i] ?? -1] ?? null;
          if (isDouble[i] || cell === null) continue;
          const text = plainText(type, cell);
          if (textHash(text, 0) >= below) continue;
          if (values[i]?.has(text)) isDouble[i] = true;
          values[i]?.add(text);
        }
      },
    });
    return values.map((set, i) => (isDouble[i] ? undefined : set));
  };
  const inA = await valuesOf(
    a,
    candidates.map(({ name }) => name),
  );
  const inB = await valuesOf(
    b,
    candidates.map(({ after }) => after),
  );
  return candidates.find((_, i) => {
    const [x, y] = [inA[i], inB[i]];
    return (
      x &&
      y &&
      x
        .values()
        .filter((text) => y.has(text))
        .toArray().length >=
        OVERLAP_MIN * Math.min(x.size, y.size) &&
      Math.min(x.size, y.size) > 0
    );
  });
}

const profileOf = (table: DiffTable, name: string) => table.columns.find((column) => column.name === name);
const mayNameRows = (column: ColumnProfile | undefined, rows: number) =>
  column !== undefined && column.empty === 0 && (column.distinct === null || column.distinct === rows);
const sampleBelow = (a: DiffTable, b: DiffTable) => Math.min(1, SAMPLE / Math.max(1, a.rows, b.rows)) * HASHES;

/**
 * Columns of the first table that the second has under another name: the same values in all, or at least 99 % equal cells in rows of
 * the same key. Two that could be the same one are neither.
 * @param key - columns that both tables have; none where rows have no name
 */
export async function renamedColumns(a: DiffTable, b: DiffTable, key: readonly SharedColumn[]): Promise<RenamedColumn[]> {
  const removed = a.columns.filter(({ name }) => !profileOf(b, name));
  const added = b.columns.filter(({ name }) => !profileOf(a, name));
  const pairs = removed.flatMap((from) =>
    added
      .filter((to) => from.type === to.type || commonType(from.type, to.type) === "number")
      .map((to) => ({ from, to, type: commonType(from.type, to.type), equal: 0, both: 0 })),
  );
  if (pairs.length === 0) return [];
  const below = sampleBelow(a, b);
  const typeOf = ({ from, to }: (typeof pairs)[number]) => commonType(from.type, to.type);
  const before = await looked(
    a,
    removed.map(({ name }) => name),
    { key: key.map(({ name, type }) => ({ name, type })), below },
  );
  const after = await looked(
    b,
    added.map(({ name }) => name),
    { key: key.map(({ after: name, type }) => ({ name, type })), below },
  );
  const found = pairs.flatMap((pair): RenamedColumn[] => {
    const { from, to } = pair;
    const type = typeOf(pair);
    const [i, j] = [removed.indexOf(from), added.indexOf(to)];
    const isSame = a.rows === b.rows && before.sums[i]?.low === after.sums[j]?.low && before.sums[i]?.high === after.sums[j]?.high;
    if (isSame) return [{ from: from.name, to: to.name, type, equal: 1 }];
    let [both, equal] = [0, 0];
    for (const [name, cells] of before.sample) {
      const others = after.sample.get(name);
      if (!others) continue;
      both++;
      if (spelling(type, cells[i] ?? null) === spelling(type, others[j] ?? null)) equal++;
    }
    return both > 0 && equal >= EQUAL_MIN * both ? [{ from: from.name, to: to.name, type, equal: equal / both }] : [];
  });
  const isOnly = (column: RenamedColumn) => found.filter(({ from, to }) => from === column.from || to === column.to).length === 1;
  return found.filter(isOnly);
}

interface Looked {
  /** For each column, a sum over its values that doesn't depend on the order of rows. */
  readonly sums: readonly { low: number; high: number }[];
  /** Cells by the hash of the row's key. */
  readonly sample: ReadonlyMap<string, readonly Cell[]>;
}

async function looked(
  table: DiffTable,
  names: readonly string[],
  { key, below }: { readonly key: readonly { readonly name: string; readonly type: ColumnType }[]; readonly below: number },
): Promise<Looked> {
  const sums = names.map(() => ({ low: 0, high: 0 }));
  const sample = new Map<string, readonly Cell[]>();
  const hasher = new RowHasher();
  const hash = Buffer.alloc(HASH_BYTES);
  const types = names.map((name) => profileOf(table, name)?.type ?? "string");
  let [places, keyPlaces]: [readonly number[], readonly number[]] = [[], []];
  await table.read({
    header(header) {
      places = names.map((name) => header.indexOf(name));
      keyPlaces = key.map(({ name }) => header.indexOf(name));
    },
    row(cells) {
      for (const [i, sum] of sums.entries()) {
        const text = spelling(types[i] ?? "string", cells[places[i] ?? -1] ?? null);
        sum.low = (sum.low + textHash(text, 1)) % HASHES;
        sum.high = (sum.high + textHash(text, 2)) % HASHES;
      }
      if (key.length === 0) return;
      hasher.start();
      for (const [i, { type }] of key.entries()) hasher.add(type, cells[keyPlaces[i] ?? -1] ?? null);
      hasher.finish(hash, 0);
      if (hash.readUInt32BE(0) < below)
        sample.set(
          hash.toString("latin1"),
          places.map((place) => cells[place] ?? null),
        );
    },
  });
  return { sums, sample };
}

/** Whole numbers are spelled the same as integers and as doubles, so columns of both can be the same. */
const spelling = (type: ColumnType, cell: Cell): string => (isEmpty(type, cell) ? "\0" : plainText(type, cell));

/** FNV-1a over UTF-16 units, stirred: quick, and nobody gains by two texts that have the same. */
function textHash(text: string, seed: number): number {
  let hash = 0x811c9dc5 ^ Math.imul(seed, 0x9e3779b1);
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
