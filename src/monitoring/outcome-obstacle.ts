/** Whether what became of people tells anything of how they were treated (sequential-tests §8). Pure. */
import type { MaturedRow } from "../decisions/index.ts";
import type { CellSides } from "./counting.ts";
import type { PlannedTest } from "./plan.ts";
import type { Obstacle } from "./test-record.ts";

/** Points between two shares of known outcomes from which on what is known of the two can't be compared. */
const APART = 0.05;
/** Fewer decisions on a side say nothing about its share. */
const ENOUGH = 30;

interface Known {
  all: number;
  known: number;
}

/** For people: how many of whose outcomes are known at the age at which they enter. */
export interface OutcomeCoverage {
  readonly groupKnown: number | null;
  readonly referenceKnown: number | null;
  readonly favouredKnown: number | null;
  readonly othersKnown: number | null;
}

function countKnown(plan: PlannedTest, rows: readonly MaturedRow[], favourable: ReadonlySet<string>, sides: CellSides) {
  const known = {
    group: { all: 0, known: 0 },
    reference: { all: 0, known: 0 },
    favoured: { all: 0, known: 0 },
    others: { all: 0, known: 0 },
  };
  const isOfFavoured = plan.counted.kind === "outcomes" && plan.counted.part === "approved";
  const add = (side: Known, { state, count }: MaturedRow) => {
    side.all += count;
    if (state !== "missing") side.known += count;
  };
  for (const row of rows) {
    const side = sides.of(plan, row.cell);
    if (side === "neither" || (side === "reference" && plan.reference === null)) continue;
    const isFavoured = favourable.has(row.action);
    add(isFavoured ? known.favoured : known.others, row);
    if (isFavoured || !isOfFavoured) add(side === "group" ? known.group : known.reference, row);
  }
  return known;
}

/** Shares of known outcomes of a test's people; null without decisions. */
export function outcomeCoverage(
  plan: PlannedTest,
  rows: readonly MaturedRow[],
  favourable: ReadonlySet<string>,
  sides: CellSides,
): OutcomeCoverage {
  const { group, reference, favoured, others } = countKnown(plan, rows, favourable, sides);
  const share = ({ all, known }: Known) => (all === 0 ? null : known / all);
  return { groupKnown: share(group), referenceKnown: share(reference), favouredKnown: share(favoured), othersKnown: share(others) };
}

/**
 * Why a test of outcomes can't say anything: those of the refused are hardly ever seen (selective labels), or one group's are missing
 * more often than the other's. Looks at whether outcomes are known, never at what they are.
 */
export function outcomeObstacle(
  plan: PlannedTest,
  rows: readonly MaturedRow[],
  favourable: ReadonlySet<string>,
  sides: CellSides,
): Obstacle | null {
  if (plan.counted.kind !== "outcomes") return null;
  const { group, reference, favoured, others } = countKnown(plan, rows, favourable, sides);
  const share = ({ all, known }: Known) => known / all;
  const percent = (side: Known) => `${(100 * share(side)).toFixed(0)} %`;
  const areApart = (a: Known, b: Known) => a.all >= ENOUGH && b.all >= ENOUGH && Math.abs(share(a) - share(b)) > APART;
  if (plan.counted.part !== "approved" && areApart(favoured, others))
    return {
      word: "not-identifiable",
      why: `outcomes are known for ${percent(favoured)} of the favourable answers and ${percent(others)} of the others: what would have become of the others can't be known`,
    };
  if (areApart(group, reference))
    return {
      word: "not-comparable",
      why: `outcomes are known for ${percent(group)} of the group and ${percent(reference)} of those whom it is compared with`,
    };
  return null;
}
