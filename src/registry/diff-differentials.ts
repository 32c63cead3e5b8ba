/** What moved in a group, less what moved for all others: a change that everybody shares is nobody's harm in particular. */
import type { BinnedColumn } from "./diff-distributions.ts";
import type { Histograms } from "./diff-bins.ts";
import type { Group, GroupChange } from "./diff-groups.ts";
import { chiSquareZ, psi } from "./diff-statistics.ts";
import { attributeSets, groupText, groupWithin } from "./group-counts.ts";
import type { TableGroups } from "./group-index.ts";

export interface Differential {
  readonly group: Group;
  /** Rows of the group. */
  readonly rows: { readonly before: number; readonly after: number };
  /**
   * `share`: of all rows. `label`: of the group's rows. `empty`: cells of a column. `values`: how far those of a column have
   * moved inside the group, as a population stability index; `before` is 0 then.
   */
  readonly measure: "share" | "label" | "empty" | "values";
  readonly column: string | null;
  readonly label: string | null;
  readonly before: number;
  readonly after: number;
  readonly change: number;
  readonly changeOfRest: number;
  /** `change` less `changeOfRest`. */
  readonly differential: number;
  /** The differential in standard errors, as of independent samples. */
  readonly z: number;
}

const ROWS_MIN = 100;
const KEPT_MAX = 500;
const EMPTY_BIN = -1;
const BIN_ROWS_MIN = 10;

interface Rate {
  readonly count: number;
  readonly of: number;
}

export interface DifferentialsOf {
  readonly a: TableGroups;
  readonly b: TableGroups;
  readonly by: readonly string[];
  readonly changes: readonly GroupChange[];
  readonly label: string | null;
  readonly columns: readonly BinnedColumn[];
  readonly histograms: { readonly a: Histograms; readonly b: Histograms };
}

/** Of groups and pairs with at least a hundred rows; most telling first, at most 500. */
export function differentialsOf(given: DifferentialsOf): Differential[] {
  const all = given.changes.filter(({ group }) => Object.keys(group).length > 0);
  const labels = new Set(given.changes.flatMap(({ label }) => label ?? [])).size;
  // Of two labels, the one rises by what the other falls.
  const [spare] =
    labels === 2
      ? given.changes
          .flatMap(({ label }) => label ?? [])
          .toSorted()
          .slice(-1)
      : [];
  const found = [
    ...all.filter(({ label }) => label === null || label !== spare).flatMap((change) => ofRates(change, given)),
    ...ofColumns(given),
  ].filter(({ z }) => z !== 0 && Number.isFinite(z));
  return found.toSorted((x, y) => Math.abs(y.z) - Math.abs(x.z) || (groupText(x.group) < groupText(y.group) ? -1 : 1)).slice(0, KEPT_MAX);
}

function ofRates(change: GroupChange, { changes, label: column }: DifferentialsOf): Differential[] {
  const everybody = changes.find(({ group, label }) => Object.keys(group).length === 0 && label === null);
  if (!everybody || Math.max(change.before, change.after) < ROWS_MIN) return [];
  const { group, label, before, after } = change;
  const rows = { before, after };
  if (label === null) {
    const [x, y] = [rate(before, everybody.before), rate(after, everybody.after)];
    // What a group gains of all rows, the rest loses: it is told as it is, against no change.
    return [differential({ group, rows, measure: "share", column: null, label }, [x, y], [rate(0, 1), rate(0, 1)])];
  }
  const ofGroup = changes.find((one) => one.label === null && groupText(one.group) === groupText(group));
  const ofLabel = changes.find((one) => one.label === label && Object.keys(one.group).length === 0);
  if (!ofGroup || !ofLabel || Math.max(ofGroup.before, ofGroup.after) < ROWS_MIN) return [];
  const inside = [rate(before, ofGroup.before), rate(after, ofGroup.after)] as const;
  const outside = [
    rate(ofLabel.before - before, everybody.before - ofGroup.before),
    rate(ofLabel.after - after, everybody.after - ofGroup.after),
  ] as const;
  return [
    differential({ group, rows: { before: ofGroup.before, after: ofGroup.after }, measure: "label", column, label }, inside, outside),
  ];
}

function ofColumns({ a, b, by, columns, histograms }: DifferentialsOf): Differential[] {
  const groups = new Map<string, { readonly group: Group; readonly a: number[]; readonly b: number[]; before: number; after: number }>();
  for (const [side, { cells }] of [
    ["a", a],
    ["b", b],
  ] as const) {
    for (const [number, { groups: of, rows }] of cells.entries()) {
      for (const attributes of attributeSets(by)) {
        const group = groupWithin(of, attributes);
        const key = JSON.stringify(group);
        const known = groups.get(key) ?? { group, a: [], b: [], before: 0, after: 0 };
        known[side].push(number);
        known[side === "a" ? "before" : "after"] += rows;
        groups.set(key, known);
      }
    }
  }
  const large = [...groups.values()].filter(({ before, after }) => Math.max(before, after) >= ROWS_MIN);
  return columns.flatMap(({ before: { name } }, i) => {
    const [allA, allB] = [histograms.a.of(i, "everybody"), histograms.b.of(i, "everybody")];
    return large.flatMap(({ group, a: cellsA, b: cellsB, before, after }) => {
      const [inA, inB] = [histograms.a.of(i, cellsA), histograms.b.of(i, cellsB)];
      if (!allA || !allB || !inA || !inB) return [];
      const [outA, outB] = [allA.map((count, at) => count - (inA[at] ?? 0)), allB.map((count, at) => count - (inB[at] ?? 0))];
      const of = { group, rows: { before, after }, column: name, label: null };
      const emptyIn = (counts: Float64Array) =>
        rate(
          counts.at(EMPTY_BIN) ?? 0,
          counts.reduce((sum, count) => sum + count, 0),
        );
      return [
        differential({ ...of, measure: "empty" }, [emptyIn(inA), emptyIn(inB)], [emptyIn(outA), emptyIn(outB)]),
        valuesMoved(of, [inA, inB], [outA, outB]),
      ];
    });
  });
}

type About = Pick<Differential, "group" | "rows" | "measure" | "column" | "label">;
type Pair<T> = readonly [T, T];

function differential(about: About, [before, after]: Pair<Rate>, outside: Pair<Rate>): Differential {
  const change = shareOf(after) - shareOf(before);
  const changeOfRest = shareOf(outside[1]) - shareOf(outside[0]);
  const difference = change - changeOfRest;
  const variance = spread(before, after) + spread(...outside);
  const z = variance > 0 ? difference / Math.sqrt(variance) : 0;
  return { ...about, before: shareOf(before), after: shareOf(after), change, changeOfRest, differential: difference, z };
}

/** Variance of the difference of two rates, pooled: a rate of 0 isn't certain. */
function spread(a: Rate, b: Rate): number {
  if (a.of === 0 || b.of === 0) return 0;
  const pooled = (a.count + b.count) / (a.of + b.of);
  return pooled * (1 - pooled) * (1 / a.of + 1 / b.of);
}

function valuesMoved(about: Omit<About, "measure">, inside: Pair<Float64Array>, outside: Pair<Float64Array>): Differential {
  const values = ([x, y]: Pair<Float64Array>) => [x.subarray(0, EMPTY_BIN), y.subarray(0, EMPTY_BIN)] as const;
  const [change, changeOfRest] = [psi(...values(inside)), psi(...values(outside))];
  const { statistic, freedom } = changeDiffers([values(inside), values(outside)]);
  const z = change > changeOfRest ? Math.max(0, chiSquareZ(statistic, freedom)) : 0;
  return { ...about, measure: "values", before: 0, after: change, change, changeOfRest, differential: change - changeOfRest, z };
}

/** Whether shares of bins changed inside otherwise than outside: each bin's difference of changes over its variance, as in Pearson's test. */
function changeDiffers([inside, outside]: Pair<Pair<Float64Array>>): { readonly statistic: number; readonly freedom: number } {
  const sums = [inside, outside].map((pair) => pair.map(total));
  const [[n = 0, m = 0] = [], [restN = 0, restM = 0] = []] = sums;
  if (n === 0 || m === 0 || restN === 0 || restM === 0) return { statistic: 0, freedom: 0 };
  let [statistic, bins] = [0, 0];
  for (let i = 0; i < inside[0].length; i++) {
    const [a, b, restA, restB] = [inside[0][i] ?? 0, inside[1][i] ?? 0, outside[0][i] ?? 0, outside[1][i] ?? 0];
    // The approximation needs some rows in each bin.
    if (a + b < BIN_ROWS_MIN) continue;
    const difference = b / m - a / n - (restB / restM - restA / restN);
    const variance = ((a + b) / (n + m)) * (1 / n + 1 / m) + ((restA + restB) / (restN + restM)) * (1 / restN + 1 / restM);
    statistic += difference ** 2 / variance;
    bins++;
  }
  return { statistic, freedom: bins - 1 };
}

const total = (counts: Float64Array) => counts.reduce((sum, count) => sum + count, 0);
const rate = (count: number, of: number): Rate => ({ count, of });
const shareOf = ({ count, of }: Rate) => (of > 0 ? count / of : 0);
