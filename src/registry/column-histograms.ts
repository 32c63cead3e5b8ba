/** How the values of some columns of a dataset version are distributed: by deciles, or by value. */
import type { Blobs } from "../store/index.ts";
import { apart } from "./apart.ts";
import type { ColumnType } from "./cell-types.ts";
import { isEmpty, plainText } from "./cell-types.ts";
import type { DatasetVersion } from "./dataset-version.ts";
import { storedTable } from "./stored-table.ts";
import { readRows } from "./table-rows.ts";

export type ColumnHistogram =
  | {
      readonly kind: "numbers";
      /** Distinct deciles, rising. Bin i is above edge i-1 and up to edge i; the last one is above all. */
      readonly edges: readonly number[];
      readonly counts: readonly number[];
      readonly min: number;
      readonly max: number;
      readonly sd: number;
      readonly empty: number;
    }
  | {
      readonly kind: "categories";
      /** The most frequent first. */
      readonly values: readonly string[];
      readonly counts: readonly number[];
      /** Rows with other values. */
      readonly others: number;
      readonly empty: number;
    };

/** Of larger tables every so many-eth row is taken. */
const ROWS_MAX = 200_000;
const CATEGORIES_MAX = 50;
const DECILES = 10;

/** Below that a thread takes longer to start than to read. */
const APART_BYTES = 256 * 1024;

/** What a thread is to read, as plain data. */
export interface HistogramsAsked {
  readonly version: Pick<DatasetVersion, "blob" | "format" | "layout" | "rows">;
  readonly columns: readonly { readonly name: string; readonly type: ColumnType }[];
}
export interface HistogramsOrder {
  /** Of the blob store. */
  readonly folder: string;
  readonly asked: HistogramsAsked;
}

/**
 * Large tables are read by a thread of its own: a release must not slow down those that answer because it is given a place.
 * @param names - columns that aren't there, or have no value, are left out
 * @throws StorageError, BlobError; Error where reading takes too long or too much memory
 */
export async function columnHistograms(
  blobs: Blobs,
  version: DatasetVersion,
  names: readonly string[],
): Promise<ReadonlyMap<string, ColumnHistogram>> {
  if (version.format === "none") return new Map();
  const { blob, format, layout, rows, bytes, profile } = version;
  const columns = profile.columns.filter(({ name }) => names.includes(name)).map(({ name, type }) => ({ name, type }));
  const asked: HistogramsAsked = { version: { blob, format, layout, rows }, columns };
  if (bytes <= APART_BYTES) return readHistograms(blobs, asked);
  const order: HistogramsOrder = { folder: blobs.folder, asked };
  const done = await apart<ReadonlyMap<string, ColumnHistogram>>({
    module: "./histograms-thread",
    name: "histograms",
    order,
    bytes,
    of: "a table",
  });
  if (!done.ok) throw new Error(done.error.map(({ expected, got }) => `expected ${expected}, got ${got}`).join("; "));
  return done.value;
}

export async function readHistograms(blobs: Blobs, { version, columns }: HistogramsAsked): Promise<ReadonlyMap<string, ColumnHistogram>> {
  const collected = columns.map(({ type, name }) => new Collected(type, name));
  const step = Math.ceil(version.rows / ROWS_MAX);
  let places: readonly number[] = [];
  let row = 0;
  await readRows(await storedTable(blobs, version), {
    header: (header) => {
      places = collected.map(({ name }) => header.indexOf(name));
    },
    row: (cells) => {
      if (row++ % step !== 0) return;
      for (const [i, column] of collected.entries()) column.add(cells[places[i] ?? -1] ?? null);
    },
  });
  return new Map(
    collected.flatMap((column) => {
      const histogram = column.histogram();
      return histogram ? [[column.name, histogram]] : [];
    }),
  );
}

class Collected {
  readonly name: string;
  readonly #type: ColumnType;
  readonly #numbers: number[] = [];
  readonly #texts = new Map<string, number>();
  #empty = 0;

  constructor(type: ColumnType, name: string) {
    this.#type = type;
    this.name = name;
  }

  add(cell: string | null): void {
    if (isEmpty(this.#type, cell)) this.#empty++;
    else if (this.#type === "integer" || this.#type === "number") {
      const value = Number(cell);
      if (Number.isFinite(value)) this.#numbers.push(value);
      else this.#empty++;
    } else {
      const text = plainText(this.#type, cell);
      if (this.#texts.size < 100_000 || this.#texts.has(text)) this.#texts.set(text, (this.#texts.get(text) ?? 0) + 1);
    }
  }

  histogram(): ColumnHistogram | undefined {
    return this.#type === "integer" || this.#type === "number" ? this.#ofNumbers() : this.#ofTexts();
  }

  #ofNumbers(): ColumnHistogram | undefined {
    const sorted = Float64Array.from(this.#numbers).toSorted();
    const n = sorted.length;
    const [min, max] = [sorted[0], sorted[n - 1]];
    if (min === undefined || max === undefined) return undefined;
    const deciles = Array.from({ length: DECILES - 1 }, (_, i) => sorted[Math.ceil(((i + 1) / DECILES) * n) - 1] ?? max);
    const edges = [...new Set(deciles)].filter((edge) => edge < max);
    const counts = Array.from({ length: edges.length + 1 }, () => 0);
    let bin = 0;
    for (const value of sorted) {
      while (bin < edges.length && value > (edges[bin] ?? max)) bin++;
      counts[bin] = (counts[bin] ?? 0) + 1;
    }
    const mean = sorted.reduce((sum, value) => sum + value, 0) / n;
    const sd = Math.sqrt(sorted.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, n - 1));
    return { kind: "numbers", edges, counts, min, max, sd, empty: this.#empty };
  }

  #ofTexts(): ColumnHistogram | undefined {
    const frequent = [...this.#texts].toSorted(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
    if (frequent.length === 0) return undefined;
    const [kept, rest] = [frequent.slice(0, CATEGORIES_MAX), frequent.slice(CATEGORIES_MAX)];
    return {
      kind: "categories",
      values: kept.map(([value]) => value),
      counts: kept.map(([, count]) => count),
      others: rest.reduce((sum, [, count]) => sum + count, 0),
      empty: this.#empty,
    };
  }
}
