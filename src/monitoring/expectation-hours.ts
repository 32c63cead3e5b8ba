/** Counts of expectations by hour: kept in memory while they grow, written as sums of this process, read over all processes. */
import { Type } from "typebox";
import { checked } from "../checked.ts";
import type { EndpointName } from "../std.ts";
import { canonicalJson, type Store } from "../store/index.ts";
import { BREACHES, type Breach } from "../serving/index.ts";

const KINDS = [...BREACHES, "unknown"] as const;
export type BreachCounts = Readonly<Record<Breach | "unknown", number>>;

/** Of one expectation. */
export interface ExpectationSum {
  readonly checked: number;
  readonly breaches: BreachCounts;
}
/** By the expectation's key. */
export type ExpectationSums = ReadonlyMap<string, ExpectationSum>;

export const NO_BREACHES: BreachCounts = { missing: 0, type: 0, below: 0, above: 0, category: 0, condition: 0, unknown: 0 };

/** By key: requests that were looked at, then breaches in the order of `KINDS`. */
const Counts = Type.Record(Type.String(), Type.Array(Type.Integer({ minimum: 0 })));
const parse = checked(Counts);

export function addSums(into: Map<string, ExpectationSum>, sums: ExpectationSums): void {
  for (const [key, sum] of sums) into.set(key, added(into.get(key), sum));
}
function added(before: ExpectationSum | undefined, sum: ExpectationSum): ExpectationSum {
  if (before === undefined) return sum;
  const breaches = mapKinds((kind) => before.breaches[kind] + sum.breaches[kind]);
  return { checked: before.checked + sum.checked, breaches };
}

/** @param valueOf - of each kind of breach */
export function mapKinds(valueOf: (kind: Breach | "unknown") => number): BreachCounts {
  return {
    missing: valueOf("missing"),
    type: valueOf("type"),
    below: valueOf("below"),
    above: valueOf("above"),
    category: valueOf("category"),
    condition: valueOf("condition"),
    unknown: valueOf("unknown"),
  };
}

const written = (sums: ExpectationSums): string =>
  canonicalJson(Object.fromEntries([...sums].map(([key, { checked: n, breaches }]) => [key, [n, ...KINDS.map((kind) => breaches[kind])]])));

function sumsIn(json: string): ExpectationSums {
  const parsed = parse(JSON.parse(json));
  if (!parsed.ok) throw new Error(`counts of expectations that can't be read: ${JSON.stringify(parsed.error)}`);
  return new Map(
    Object.entries(parsed.value).map(([key, [n = 0, ...counts]]) => [
      key,
      { checked: n, breaches: mapKinds((kind) => counts[KINDS.indexOf(kind)] ?? 0) },
    ]),
  );
}

export const HOUR_MS = 3_600_000;
export const hourOf = (atMs: number): number => Math.floor(atMs / HOUR_MS);

interface Hour {
  readonly endpoint: EndpointName;
  readonly hour: number;
  readonly sums: Map<string, ExpectationSum>;
  isDirty: boolean;
}

export class ExpectationHours {
  readonly #store: Store;
  /** Of this process alone and of this life of it: it writes what it has counted itself, so that writing twice changes nothing. */
  readonly #writer: string;
  #hours: Hour[] = [];

  constructor(store: Store) {
    this.#store = store;
    this.#writer = store.runtime.ids.next();
  }

  add(endpoint: EndpointName, hour: number, sums: ExpectationSums): void {
    let known = this.#hours.find((each) => each.hour === hour && each.endpoint === endpoint);
    if (!known) {
      known = { endpoint, hour, sums: new Map(), isDirty: true };
      this.#hours.push(known);
    }
    addSums(known.sums, sums);
    known.isDirty = true;
  }

  /** Writes what was counted since the last time. What can't be written is tried again the next time. @throws StorageError */
  async flush(): Promise<void> {
    for (const hour of this.#hours.filter(({ isDirty }) => isDirty)) {
      hour.isDirty = false;
      const row = { endpoint: hour.endpoint, hour: hour.hour, writer: this.#writer, counts_json: written(hour.sums) };
      try {
        await this.#store.db
          .insertInto("expectation_hour")
          .values(row)
          .onConflict((on) => on.columns(["endpoint", "hour", "writer"]).doUpdateSet({ counts_json: row.counts_json }))
          .execute();
      } catch (error) {
        hour.isDirty = true;
        throw error;
      }
    }
    const newest = Math.max(...this.#hours.map(({ hour }) => hour));
    this.#hours = this.#hours.filter(({ hour, isDirty }) => isDirty || hour > newest - 48);
  }

  /** Sums of the hours in `[from, to)` over all processes; of this one as they stand now. */
  async read(endpoint: EndpointName, from: number, to: number): Promise<ExpectationSums> {
    const own = this.#hours.filter((each) => each.endpoint === endpoint && each.hour >= from && each.hour < to);
    const inMemory = new Set(own.map(({ hour }) => hour));
    const rows = await this.#store.db
      .selectFrom("expectation_hour")
      .select(["hour", "writer", "counts_json"])
      .where("endpoint", "=", endpoint)
      .where("hour", ">=", from)
      .where("hour", "<", to)
      .execute();
    const sums = new Map<string, ExpectationSum>();
    for (const row of rows) if (row.writer !== this.#writer || !inMemory.has(row.hour)) addSums(sums, sumsIn(row.counts_json));
    for (const hour of own) addSums(sums, hour.sums);
    return sums;
  }

  async drop(beforeHour: number): Promise<void> {
    await this.#store.db.deleteFrom("expectation_hour").where("hour", "<", beforeHour).execute();
  }
}
