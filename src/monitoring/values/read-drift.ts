/** Drift of scores and of the mix of groups of one release and arm in a window, and what they are compared with. */
import {
  SCORE_BINS,
  readScoreTotals,
  readScoreWindow,
  readTotalsBySource,
  readWindow,
  readWindowBySource,
  type ScoreRow,
  type SourceTotalRow,
} from "../../decisions/index.ts";
import type { Store } from "../../store/index.ts";
import type { DeclaredGroups } from "../guardrail.ts";
import type { MetricAnswer } from "./answer.ts";
import type { DriftMeasure } from "./drift.ts";
import { countCells } from "./groups.ts";
import type { InputReference } from "./input-answers.ts";
import { mixDrift, type Mix } from "./mix-drift.ts";
import type { WindowedAnswer } from "./read-answers.ts";
import type { CellsFilter, Window } from "./read-cells.ts";
import { scoreDrift } from "./score-drift.ts";
import { suppressed, type Hidden } from "./small-cells.ts";

const DAY_MINUTES = 1440;
const WEEK_DAYS = 7;
const MINUTE_MS = 60_000;

/** What is known of the training data of a release. */
export interface Trained {
  /** The scores that the release gives to its own training data, by bin; null where that can't be told. */
  readonly scores: readonly number[] | null;
  readonly mix: Mix | null;
}

export interface DriftQuestion extends CellsFilter {
  readonly names: readonly DriftMeasure[];
  readonly declared: DeclaredGroups;
  readonly sets: readonly (readonly string[])[];
  readonly favourable: ReadonlySet<string>;
  readonly against: InputReference;
  readonly trained: Trained;
  readonly nowMs: number;
  /** Of a reader who may not see groups: what is hidden. Such a reader isn't told of writers either. */
  readonly hidden: Hidden | null;
}

/** Scores are counted by day, so their window may be wider than what was asked for. */
export async function readDriftAnswers(db: Store["db"], question: DriftQuestion): Promise<readonly WindowedAnswer[]> {
  if (question.names.length === 0) return [];
  const first = await firstDay(db, question);
  const week = first === null ? null : { fromMinute: first * DAY_MINUTES, toMinute: (first + WEEK_DAYS) * DAY_MINUTES };
  // Only a whole week holds every day of it.
  const launch = week && week.toMinute * MINUTE_MS <= question.nowMs ? week : null;
  return [...(await ofScores(db, question, launch)), ...(await ofGroups(db, question, launch))];
}

async function ofScores(db: Store["db"], question: DriftQuestion, launch: Span | null): Promise<readonly WindowedAnswer[]> {
  const { window, trained, names } = question;
  const days = window && {
    fromMinute: window.fromMinute === null ? null : Math.floor(window.fromMinute / DAY_MINUTES) * DAY_MINUTES,
    toMinute: Math.ceil(window.toMinute / DAY_MINUTES) * DAY_MINUTES,
  };
  const read = async (span: Window | undefined) => {
    const { endpoint, release, arm } = question;
    const of = { endpoint, release, arm };
    if (!span) return binsOf(await readScoreTotals(db, of));
    return binsOf(await readScoreWindow(db, { ...of, fromDay: (span.fromMinute ?? 0) / DAY_MINUTES, toDay: span.toMinute / DAY_MINUTES }));
  };
  const against = question.against === "training" && trained.scores === null ? "launch" : question.against;
  const before = spanBefore(against, days, launch);
  const reference = against === "training" ? trained.scores : before && (await read(before));
  const answers = scoreDrift(names, { live: await read(days), reference, against });
  return answers.map((answer) => ({ answer: withoutOdds(answer, question.hidden), window: days }));
}

async function ofGroups(db: Store["db"], question: DriftQuestion, launch: Span | null): Promise<readonly WindowedAnswer[]> {
  const { window, trained, names, declared, sets, favourable, hidden, endpoint, release, arm } = question;
  if (sets.length === 0) return [];
  const of = { endpoint, release, arm };
  const rows: readonly SourceTotalRow[] = window
    ? await readWindowBySource(db, { ...of, fromMinute: window.fromMinute ?? 0, toMinute: window.toMinute })
    : await readTotalsBySource(db, of);
  const against = question.against === "training" && trained.mix === null ? "launch" : question.against;
  const before = spanBefore(against, window, launch);
  const reference =
    against === "training"
      ? trained.mix
      : before && {
          cells: countCells(await readWindow(db, { ...of, ...before }), [], favourable),
          attributes: new Set(Object.keys(declared)),
        };
  const bySource = Map.groupBy(rows, ({ source }) => source);
  const writers = new Map([...bySource].map(([source, mine]) => [source, countCells(mine, [], favourable)]));
  const answers = mixDrift(names, {
    declared,
    sets,
    live: countCells(rows, [], favourable),
    reference,
    against,
    writers: hidden ? null : writers,
    // Days of a first week, or of a week before, are others than those by which such a reader is told of groups.
    isHidden: (group) => hidden !== null && (against !== "training" || hidden.groups(group)),
  });
  return answers.map((answer) => ({ answer, window }));
}

/**
 * As a reader who may not see groups gets what is about everybody: nothing of few, and no counts of days that could be subtracted from
 * those that are told.
 */
export function withoutOdds(answer: MetricAnswer, hidden: Hidden | null): MetricAnswer {
  if (!hidden) return answer;
  if (hidden.total) return suppressed(answer);
  const { bins, ...rest } = answer;
  return bins === undefined || answer.against === "training" ? answer : rest;
}

interface Span {
  readonly fromMinute: number;
  readonly toMinute: number;
}

/** The time that a window is compared with; null where there was none. */
function spanBefore(against: InputReference, window: Window | undefined, launch: Span | null): Span | null {
  switch (against) {
    case "training":
      return null;
    case "launch":
      return launch;
    case "previous": {
      if (!window || window.fromMinute === null) return null;
      const week = WEEK_DAYS * DAY_MINUTES;
      return { fromMinute: window.fromMinute - week, toMinute: window.toMinute - week };
    }
    default:
      return against satisfies never;
  }
}

function binsOf(rows: readonly ScoreRow[]): readonly number[] {
  const bins = Array.from({ length: SCORE_BINS }, () => 0);
  for (const { bin, count } of rows) bins[bin] = (bins[bin] ?? 0) + count;
  return bins;
}

async function firstDay(db: Store["db"], { endpoint, release, arm }: DriftQuestion): Promise<number | null> {
  const first = await db
    .selectFrom("tally_day")
    .select((eb) => eb.fn.min<number | null>("day").as("day"))
    .where("endpoint", "=", endpoint)
    .where("release", "=", release)
    .where("arm", "=", arm)
    .executeTakeFirst();
  return first?.day ?? null;
}
