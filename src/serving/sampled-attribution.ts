/**
 * Interventional Shapley values (see `attribution.ts`) of a model that can only be asked, by antithetic sampling of orders: from the
 * reference row to the person's, one feature after the other, and back in the reverse order. What a feature adds on the way, averaged
 * over orders and reference rows, is its value; the parts sum exactly. R. Mitchell et al., "Sampling Permutations for Shapley Value
 * Estimation", JMLR 23 (2022).
 */
import { assert } from "../std.ts";
import { seededDraws } from "./samples.ts";

/** Sums to `score - referenceMean`. */
export interface SampledAttribution {
  readonly contributions: Float64Array;
  /** Of each contribution. */
  readonly standardErrors: Float64Array;
  readonly score: number;
  /** Over the reference rows that were used. */
  readonly referenceMean: number;
  /** All of them, unless there are so many features that the budget allows fewer. */
  readonly referencesUsed: number;
  /** Rows that the model was asked about. */
  readonly rows: number;
}

export interface SampledGame<T> {
  readonly person: readonly T[];
  readonly references: readonly (readonly T[])[];
  /** Scores in the order of the rows. */
  readonly score: (rows: readonly (readonly T[])[]) => Promise<Float64Array>;
  readonly seed: number;
  /** Rows that may be asked about besides the person's and the references' own. Default 20,000. */
  readonly maxRows?: number;
}

/** Orders and their reverses for each reference row: two, so that each says how uncertain the other is. */
const PAIRS = 2;
const ROWS_AT_ONCE = 1024;

/** The same seed gives the same values. @throws what `score` throws */
export async function sampledAttribution<T>({
  person,
  references,
  score,
  seed,
  maxRows = 20_000,
}: SampledGame<T>): Promise<SampledAttribution> {
  assert(references.length > 1, "two reference rows or more");
  const draw = seededDraws(seed);
  const perReference = 2 * PAIRS * Math.max(1, person.length - 1);
  const used = shuffled(references, draw).slice(0, Math.max(2, Math.floor(maxRows / perReference)));
  const [own = Number.NaN, ...others] = await score([person, ...used]);
  const walks = new Walks(person, score);
  const deltas: Float64Array[][] = used.map(() => Array.from({ length: PAIRS }, () => new Float64Array(person.length)));
  for (const [at, reference] of used.entries()) {
    const apart = [...person.keys()].filter((i) => !Object.is(person[i], reference[i]));
    for (const into of deltas[at] ?? []) {
      const order = shuffled(apart, draw);
      const ends = { from: others[at] ?? Number.NaN, to: own };
      walks.add(reference, order, ends, into);
      walks.add(reference, order.toReversed(), ends, into);
    }
    if (walks.waiting >= ROWS_AT_ONCE) await walks.run();
  }
  await walks.run();
  return {
    ...estimates(deltas, used.length < references.length),
    score: own,
    referenceMean: others.reduce((sum, value) => sum + value, 0) / others.length,
    referencesUsed: used.length,
    rows: 1 + used.length + walks.rows,
  };
}

interface PlannedWalk {
  readonly order: readonly number[];
  readonly ends: { readonly from: number; readonly to: number };
  readonly into: Float64Array;
}

/** Walks wait until there are enough of them for a batch. */
class Walks<T> {
  readonly #person: readonly T[];
  readonly #score: SampledGame<T>["score"];
  #walks: PlannedWalk[] = [];
  #rows: (readonly T[])[] = [];
  rows = 0;

  constructor(person: readonly T[], score: SampledGame<T>["score"]) {
    this.#person = person;
    this.#score = score;
  }

  get waiting(): number {
    return this.#rows.length;
  }

  /** @param into - gets half of what each feature adds: a walk is one of two */
  add(reference: readonly T[], order: readonly number[], ends: PlannedWalk["ends"], into: Float64Array): void {
    this.#walks.push({ order, ends, into });
    const row = [...reference];
    for (const feature of order.slice(0, -1)) {
      row.splice(feature, 1, ...this.#person.slice(feature, feature + 1));
      this.#rows.push([...row]);
    }
  }

  async run(): Promise<void> {
    const [walks, rows] = [this.#walks, this.#rows];
    [this.#walks, this.#rows] = [[], []];
    const scores = rows.length > 0 ? await this.#score(rows) : new Float64Array();
    this.rows += rows.length;
    let next = 0;
    for (const { order, ends, into } of walks) {
      let before = ends.from;
      for (const [i, feature] of order.entries()) {
        const after = i === order.length - 1 ? ends.to : (scores[next++] ?? Number.NaN);
        into[feature] = (into[feature] ?? 0) + (after - before) / 2;
        before = after;
      }
    }
  }
}

/** @param deltas - for each reference row and pair of walks, what each feature added */
function estimates(
  deltas: readonly (readonly Float64Array[])[],
  isSubset: boolean,
): Pick<SampledAttribution, "contributions" | "standardErrors"> {
  const count = deltas.length;
  const width = deltas[0]?.[0]?.length ?? 0;
  const perReference = deltas.map((pairs) =>
    Float64Array.from({ length: width }, (_, i) => pairs.reduce((sum, pair) => sum + (pair[i] ?? 0), 0) / PAIRS),
  );
  const contributions = Float64Array.from({ length: width }, (_, i) => perReference.reduce((sum, each) => sum + (each[i] ?? 0), 0) / count);
  const standardErrors = contributions.map((mean, i) => {
    let squares = 0;
    for (const [at, [first, second]] of deltas.entries())
      // All reference rows were used: only the orders are a sample. Else the rows are one too, and their spread holds both.
      squares += isSubset ? ((perReference[at]?.[i] ?? 0) - mean) ** 2 : ((first?.[i] ?? 0) - (second?.[i] ?? 0)) ** 2 / 4;
    return isSubset ? Math.sqrt(squares / (count - 1) / count) : Math.sqrt(squares) / count;
  });
  return { contributions, standardErrors };
}

function shuffled<E>(values: readonly E[], draw: () => number): E[] {
  return values.map((value) => ({ value, at: draw() })).toSorted((a, b) => a.at - b.at).map(({ value }) => value); // prettier-ignore
}
