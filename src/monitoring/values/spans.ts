/**
 * The stretches of days by which readers who may not see groups get numbers, so that two windows can't be subtracted to tell of few people
 * (fairness-metrics §10, trap 14; reliability-security T21). Every number for such a reader is a sum over whole stretches, of groups that
 * are hidden in none of them: so all windows together tell no more than the stretches one by one, which don't overlap. Pure.
 */
import { sumOf, groupTable, type CellCounts } from "./groups.ts";
import { fewOutcomes, hiddenGroups, keyOf, type Hidden } from "./small-cells.ts";
import type { DeclaredGroups } from "../guardrail.ts";

/** Counts of one day, by cell. */
export interface DayCells {
  /** Whole days since 1970 (UTC). */
  readonly day: number;
  readonly cells: readonly CellCounts[];
}
/** Half open. */
export interface DaySpan {
  readonly fromDay: number;
  readonly toDay: number;
}

const WEEK_DAYS = 7;
/** 1970 began on a Thursday. */
const isMonday = (day: number): boolean => (day + 3) % WEEK_DAYS === 0;
const DAY_MS = 86_400_000;
const isFirstOfMonth = (day: number): boolean => new Date(day * DAY_MS).getUTCDate() === 1;
/** Where a stretch always ends, so that which stretches there are doesn't depend on what is asked for, nor on what came weeks ago. */
export const isEdge = (day: number): boolean => isMonday(day) || isFirstOfMonth(day);

/** The last edge that isn't after the day. */
export function edgeBefore(day: number): number {
  let at = day;
  while (!isEdge(at)) at--;
  return at;
}

/**
 * Days are taken together until every group of every attribute is nobody or at least `k` people, at most until the week or the month ends.
 * @param days - those on which anybody was decided about, of all that follows `fromDay`, oldest first
 * @param period - from an edge to the first day that isn't over
 * @returns stretches without gaps; what isn't closed yet is in none
 */
export function spansOf(
  days: readonly DayCells[],
  { fromDay, toDay }: DaySpan,
  { declared, k }: { readonly declared: DeclaredGroups; readonly k: number },
): readonly DaySpan[] {
  const byDay = new Map(days.map(({ day, cells }) => [day, cells]));
  const spans: DaySpan[] = [];
  let [begin, open]: [number, CellCounts[]] = [fromDay, []];
  for (let day = fromDay; day < toDay; day++) {
    open.push(...(byDay.get(day) ?? []));
    if (!isEdge(day + 1) && hasSmall(open, declared, k)) continue;
    spans.push({ fromDay: begin, toDay: day + 1 });
    [begin, open] = [day + 1, []];
  }
  return spans;
}

function hasSmall(cells: readonly CellCounts[], declared: DeclaredGroups, k: number): boolean {
  return [[], ...Object.keys(declared).map((attribute) => [attribute])].some((attributes) =>
    groupTable(cells, declared, attributes).rows.some(({ counts: { n } }) => n > 0 && n < k),
  );
}

/** The stretches that lie wholly in a period. */
export function spansIn(spans: readonly DaySpan[], { fromDay, toDay }: DaySpan): readonly DaySpan[] {
  return spans.filter((span) => span.fromDay >= fromDay && span.toDay <= toDay);
}

/** Months that are over, as far as they lie in these stretches: outcomes come slowly, so they are told by month. */
export function monthsIn(spans: readonly DaySpan[]): readonly DaySpan[] {
  const months: DaySpan[] = [];
  const [first, last] = [spans[0], spans.at(-1)];
  if (!first || !last) return [];
  let begin: number | undefined;
  for (let day = first.fromDay; day <= last.toDay; day++) {
    if (!isFirstOfMonth(day)) continue;
    if (begin !== undefined) months.push({ fromDay: begin, toDay: day });
    begin = day;
  }
  return months;
}

export interface HiddenTerms {
  readonly declared: DeclaredGroups;
  readonly sets: readonly (readonly string[])[];
  readonly k: number;
}

/** What is hidden in any of these stretches is hidden in all of them together. */
export function hiddenInSpans(days: readonly DayCells[], spans: readonly DaySpan[], { declared, sets, k }: HiddenTerms): Hidden {
  const each = spans.map((span) => hiddenGroups(cellsIn(days, span), declared, sets, k));
  return { groups: (group) => each.some((one) => one.groups(group)), total: each.some((one) => one.total) };
}

/** Groups of whose outcomes so few are of one kind in any of these stretches that a rate would tell of single people. */
export function fewOutcomesIn(
  days: readonly DayCells[],
  spans: readonly DaySpan[],
  { declared, sets, k }: HiddenTerms,
): ReadonlySet<string> {
  const tables = spans.flatMap((span) => {
    const cells = cellsIn(days, span);
    return [[], ...sets].map((set) => groupTable(cells, declared, set));
  });
  return fewOutcomes(tables, k);
}

/** Cells of the days of a stretch, each once. */
function cellsIn(days: readonly DayCells[], { fromDay, toDay }: DaySpan): readonly CellCounts[] {
  const within = days.filter(({ day }) => day >= fromDay && day < toDay).flatMap(({ cells }) => cells);
  const byCell = Map.groupBy(within, ({ groups }) => keyOf(groups));
  return [...byCell.values()].flatMap((of) => {
    const [first] = of;
    return first ? [{ ...first, counts: sumOf(of) }] : [];
  });
}
