/**
 * Which people the harm hit most: slices of up to three conditions over the declared groups, searched on one half of the people and
 * tested on the other, so that what is shown isn't what chance made look worst. Pure; the cost depends on the number of different
 * cells, not of people.
 */
import { wilson } from "../monitoring/index.ts";

/** One person that both releases answered. */
export interface SlicePerson {
  /** Values by attribute. */
  readonly groups: Readonly<Record<string, string>>;
  /** Favourable under the good release, not under the bad one. */
  readonly isHarmed: boolean;
  /** As in bootstrap.ts: says which half the person is in. */
  readonly person: number;
}

export interface Slice {
  readonly conditions: Readonly<Record<string, string>>;
  /** People in the slice, and how many of them were harmed. */
  readonly people: number;
  readonly harmed: number;
  readonly rate: number;
  /** The rate of everybody else. */
  readonly rateOutside: number;
  /** On the half that wasn't searched: chance of so large a difference if there were none, adjusted (Benjamini and Yekutieli). */
  readonly p: number;
}

const CONDITIONS_MAX = 3;
const SHOWN_MAX = 5;
/** Fewer people than this, or half a percent, are too few to say something of. */
const SUPPORT_MIN = 50;
const SUPPORT_SHARE_MIN = 0.005;
/** What a further condition must raise the rate by. */
const CHILD_GAIN = 1.1;
const P_MAX = 0.05;

interface Total {
  readonly n: number;
  readonly k: number;
}
type Conditions = readonly (readonly [attribute: string, value: string])[];
interface Candidate {
  readonly conditions: Conditions;
  readonly searched: Total;
  readonly tested: Total;
}

/** The most harmed slices, worst first; at most five, none where no slice is clearly worse off than the rest. */
export function mostHarmed(people: readonly SlicePerson[]): readonly Slice[] {
  const slices = allSlices(people);
  const everybody = slices.get(keyOf([]));
  if (!everybody) return [];
  const support = Math.max(SUPPORT_MIN, SUPPORT_SHARE_MIN * people.length);
  const ranked = [...slices.values()]
    .filter((slice) => slice.conditions.length > 0 && slice.searched.n + slice.tested.n >= support && addsToItsParents(slice, slices))
    .map((slice) => ({ ...slice, rank: lowerBound(slice.searched, rest(everybody.searched, slice.searched)) * slice.searched.k }))
    .filter(({ rank }) => rank > 0)
    .toSorted((a, b) => b.rank - a.rank || (keyOf(a.conditions) < keyOf(b.conditions) ? -1 : 1))
    .slice(0, SHOWN_MAX);
  const adjusted = benjaminiYekutieli(ranked.map(({ tested }) => chance(tested, rest(everybody.tested, tested))));
  return ranked
    .map(({ conditions, searched, tested }, i): Slice => {
      const slice = { n: searched.n + tested.n, k: searched.k + tested.k };
      const outside = rest({ n: everybody.searched.n + everybody.tested.n, k: everybody.searched.k + everybody.tested.k }, slice);
      return {
        conditions: Object.fromEntries(conditions),
        people: slice.n,
        harmed: slice.k,
        rate: rate(slice),
        rateOutside: rate(outside),
        p: adjusted[i] ?? 1,
      };
    })
    .filter(({ p }) => p <= P_MAX);
}

/** People with the same values are counted together first; then every cell adds to each slice that it lies in. */
function allSlices(people: readonly SlicePerson[]): ReadonlyMap<string, Candidate> {
  const cells = new Map<string, { conditions: Conditions; n: [number, number]; k: [number, number] }>();
  for (const { groups, isHarmed, person } of people) {
    const conditions = Object.entries(groups).toSorted(([a], [b]) => (a < b ? -1 : 1));
    const key = keyOf(conditions);
    const cell = cells.get(key) ?? { conditions, n: [0, 0], k: [0, 0] };
    cells.set(key, cell);
    const half = person & 1 ? 1 : 0;
    cell.n[half]++;
    if (isHarmed) cell.k[half]++;
  }
  const slices = new Map<string, Candidate>();
  for (const { conditions, n, k } of cells.values()) {
    for (const some of upTo(CONDITIONS_MAX, conditions)) {
      const key = keyOf(some);
      const before = slices.get(key) ?? { searched: { n: 0, k: 0 }, tested: { n: 0, k: 0 } };
      slices.set(key, {
        conditions: some,
        searched: { n: before.searched.n + n[0], k: before.searched.k + k[0] },
        tested: { n: before.tested.n + n[1], k: before.tested.k + k[1] },
      });
    }
  }
  return slices;
}

const keyOf = (conditions: Conditions) => JSON.stringify(conditions);

/** All choices of at most `most` of the conditions, the empty one first. */
function upTo(most: number, conditions: Conditions): Conditions[] {
  let found: Conditions[] = [[]];
  for (const condition of conditions) {
    found = found.concat(found.filter((some) => some.length < most).map((some) => [...some, condition]));
  }
  return found;
}

function addsToItsParents({ conditions, searched }: Candidate, slices: ReadonlyMap<string, Candidate>): boolean {
  return conditions.every((dropped) => {
    const parent = slices.get(keyOf(conditions.filter((condition) => condition !== dropped)));
    return parent !== undefined && rate(searched) >= CHILD_GAIN * rate(parent.searched);
  });
}

const rest = (all: Total, part: Total): Total => ({ n: all.n - part.n, k: all.k - part.k });
const rate = ({ n, k }: Total) => (n === 0 ? 0 : k / n);

/** Of the difference of the two rates. Newcombe 1998, hybrid score. */
function lowerBound(slice: Total, outside: Total): number {
  if (slice.n === 0 || outside.n === 0) return 0;
  const [low, high] = [wilson(slice)[0], wilson(outside)[1]];
  return rate(slice) - rate(outside) - Math.hypot(rate(slice) - low, high - rate(outside));
}

/** One-sided, pooled: the chance of a difference of two rates at least as large, if there were none. */
function chance(slice: Total, outside: Total): number {
  const n = slice.n + outside.n;
  const pooled = (slice.k + outside.k) / n;
  const variance = pooled * (1 - pooled) * (1 / slice.n + 1 / outside.n);
  return variance > 0 ? normalTail((rate(slice) - rate(outside)) / Math.sqrt(variance)) : 1;
}

/** Chance that a standard normal variable exceeds `z` (Abramowitz and Stegun 26.2.17, right to 7.5e-8). */
function normalTail(z: number): number {
  if (z < 0) return 1 - normalTail(-z);
  const t = 1 / (1 + 0.2316419 * z);
  const series = t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * series;
}

/** Adjusted chances that hold whatever the slices share. Benjamini and Yekutieli 2001. */
function benjaminiYekutieli(chances: readonly number[]): number[] {
  const m = chances.length;
  const harmonic = Array.from({ length: m }, (_, i) => 1 / (i + 1)).reduce((a, b) => a + b, 0);
  const order = chances.map((_, i) => i).toSorted((a, b) => (chances[b] ?? 0) - (chances[a] ?? 0));
  const adjusted = [...chances];
  let least = 1;
  for (const [place, i] of order.entries()) {
    least = Math.min(least, ((chances[i] ?? 1) * m * harmonic) / (m - place));
    adjusted[i] = least;
  }
  return adjusted;
}
