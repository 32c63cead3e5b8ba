/** What a reader who may not see groups gets of an endpoint: which days, and which groups are hidden in them. */
import {
  armClassOf,
  readDailyCells,
  readDailyOutcomes,
  type Arm,
  type DailyCellRow,
  type DailyOutcomeRow,
  type TotalRow,
} from "../../decisions/index.ts";
import type { EndpointName, ReleaseId } from "../../std.ts";
import type { Store } from "../../store/index.ts";
import type { DeclaredGroups } from "../guardrail.ts";
import { countCells } from "./groups.ts";
import type { Window } from "./read-cells.ts";
import type { Hidden } from "./small-cells.ts";
import { edgeBefore, fewOutcomesIn, hiddenInSpans, monthsIn, spansIn, spansOf, type DayCells, type DaySpan } from "./spans.ts";

const DAY_MINUTES = 1440;

export interface PublishedQuestion {
  readonly endpoint: EndpointName;
  readonly declared: DeclaredGroups;
  readonly sets: readonly (readonly string[])[];
  /** Cells of fewer are hidden. */
  readonly k: number;
  readonly favourable: ReadonlySet<string>;
  /** Days that are over. */
  readonly period: DaySpan;
}

/** A window, what is hidden in it, and of which groups the outcomes are. */
export interface PublishedPart {
  readonly window: Window;
  readonly hidden: Hidden;
  /** Keys of groups. */
  readonly few: ReadonlySet<string>;
}
export interface Published {
  readonly decisions: PublishedPart;
  /** Of whole months. */
  readonly outcomes: PublishedPart;
}

/** @param whose - one release and arm, or several whose counts are added up: what is hidden of one is hidden of the sum */
export async function readPublished(
  db: Store["db"],
  { endpoint, declared, sets, k, favourable, period }: PublishedQuestion,
  whose: readonly { readonly release: ReleaseId; readonly arm: Arm }[],
): Promise<Published> {
  const all = { endpoint, fromDay: edgeBefore(period.fromDay), toDay: period.toDay };
  const [rows, outcomes] = [await readDailyCells(db, all), await readDailyOutcomes(db, all)];
  const serving = dayCells(
    rows.filter(({ arm }) => armClassOf(arm) === "serving" && arm !== "pinned"),
    [],
    favourable,
  );
  const spans = spansIn(spansOf(serving, all, { declared, k }), period);
  const months = monthsIn(spans);
  const parts = whose.map(({ release, arm }) => {
    const mine = <R extends DailyCellRow | DailyOutcomeRow>(row: R) => row.release === release && row.arm === arm;
    return dayCells(rows.filter(mine), outcomes.filter(mine), favourable);
  });
  const terms = { declared, sets, k };
  const partOf = (over: readonly DaySpan[], few: ReadonlySet<string>): PublishedPart => {
    const each = parts.map((days) => hiddenInSpans(days, spansWithin(spans, over), terms));
    return {
      window: windowOf(over, period.toDay),
      hidden: { groups: (group) => each.some((one) => one.groups(group)), total: each.some((one) => one.total) },
      few,
    };
  };
  const few = new Set(parts.flatMap((days) => [...fewOutcomesIn(days, months, terms)]));
  return { decisions: partOf(spans, NONE), outcomes: partOf(months, few) };
}

const NONE: ReadonlySet<string> = new Set();

/** Stretches of decisions that make up these. */
const spansWithin = (spans: readonly DaySpan[], over: readonly DaySpan[]): readonly DaySpan[] => {
  const [first, last] = [over[0], over.at(-1)];
  return first && last ? spansIn(spans, { fromDay: first.fromDay, toDay: last.toDay }) : [];
};

/** Without any stretch it is a window of nobody. */
function windowOf(spans: readonly DaySpan[], otherwise: number): Window {
  const [first, last] = [spans[0], spans.at(-1)];
  return { fromMinute: (first?.fromDay ?? otherwise) * DAY_MINUTES, toMinute: (last?.toDay ?? otherwise) * DAY_MINUTES };
}

/** Counts by day, as far as hiding needs them. */
function dayCells(
  rows: readonly DailyCellRow[],
  outcomes: readonly DailyOutcomeRow[],
  favourable: ReadonlySet<string>,
): readonly DayCells[] {
  const byDay = Map.groupBy(rows, ({ day }) => day);
  const knownByDay = Map.groupBy(outcomes, ({ day }) => day);
  const days = [...new Set([...byDay.keys(), ...knownByDay.keys()])].toSorted((a, b) => a - b);
  return days.map((day) => {
    const totals = (byDay.get(day) ?? []).map((row): TotalRow => ({
      ...row,
      counted: 0,
      fallback: 0,
      scored: 0,
      scoreSumU6: 0,
      latencySumUs: 0,
    }));
    return { day, cells: countCells(totals, knownByDay.get(day) ?? [], favourable) };
  });
}
