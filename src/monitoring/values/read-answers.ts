/** Metrics of one release and arm in a window, read and computed; what a reader may not see is left out. */
import { readLatencyTotals, readLatencyWindow, readScoreOutcomes, readScoreTotals, readScoreWindow } from "../../decisions/index.ts";
import type { Store } from "../../store/index.ts";
import type { MetricAnswer } from "./answer.ts";
import { GROUP_METRICS, groupAnswers, type GroupQuestion } from "./group-metrics.ts";
import { withScores, type CellCounts } from "./groups.ts";
import { readCells, type CellsFilter, type Window } from "./read-cells.ts";
import { serviceAnswers, type ServiceMetricName } from "./service.ts";
import { readTraffic } from "./read-traffic.ts";
import type { Published, PublishedPart } from "./read-published.ts";
import { suppressed, withoutSmallCells } from "./small-cells.ts";

export interface MetricsQuestion extends GroupQuestion, CellsFilter {
  readonly service: readonly ServiceMetricName[];
  /** Actions that are good for the person. */
  readonly favourable: ReadonlySet<string>;
  /** For a reader who may not see groups: its windows stand for the one that is asked for, which such a question hasn't. */
  readonly published: Published | null;
}

/** With the window that was counted: bins are those of whole hours or days, so it may be wider than what was asked for. */
export interface WindowedAnswer {
  readonly answer: MetricAnswer;
  readonly window: Window | undefined;
}

const HOUR_MINUTES = 60;
const DAY_MINUTES = 1440;

/** The smallest window of whole hours or days that holds this one. */
function widened(window: Window | undefined, toMinutes: number): Window | undefined {
  if (!window) return undefined;
  const { fromMinute, toMinute } = window;
  return {
    fromMinute: fromMinute === null ? null : Math.floor(fromMinute / toMinutes) * toMinutes,
    toMinute: Math.ceil(toMinute / toMinutes) * toMinutes,
  };
}

export async function readAnswers(db: Store["db"], question: MetricsQuestion): Promise<readonly WindowedAnswer[]> {
  const { published, metrics } = question;
  if (!published) return [...(await service(db, question, null)), ...(await ofGroups(db, question, null))];
  const within = (part: PublishedPart, usesOutcomes: boolean) => ({
    ...question,
    window: part.window,
    metrics: metrics.filter((name) => GROUP_METRICS[name].usesOutcomes === usesOutcomes),
  });
  const { decisions, outcomes } = published;
  return [
    ...(await service(db, within(decisions, false), decisions)),
    ...(await ofGroups(db, within(decisions, false), decisions)),
    ...(await ofGroups(db, within(outcomes, true), outcomes)),
  ];
}

async function ofGroups(db: Store["db"], question: MetricsQuestion, part: PublishedPart | null): Promise<readonly WindowedAnswer[]> {
  const coarse = question.metrics.filter((name) => !GROUP_METRICS[name].usesBins);
  const byBin = question.metrics.filter((name) => GROUP_METRICS[name].usesBins);
  const answers: WindowedAnswer[] = [];
  const { window } = question;
  if (coarse.length > 0) {
    const cells = await readCells(db, question, question.favourable);
    answers.push(...shown(cells, { ...question, metrics: coarse }, part).map((answer) => ({ answer, window })));
  }
  if (byBin.length > 0) {
    const days = widened(window, DAY_MINUTES);
    const cells = await readScoredCells(db, { ...question, ...(days ? { window: days } : {}) }, question.favourable);
    answers.push(...shown(cells, { ...question, metrics: byBin }, part).map((answer) => ({ answer, window: days })));
  }
  return answers;
}

function shown(cells: readonly CellCounts[], question: GroupQuestion, part: PublishedPart | null): readonly MetricAnswer[] {
  const { tables, answers } = groupAnswers(cells, question);
  return part ? withoutSmallCells(answers, tables, part.hidden, part.few) : answers;
}

async function readScoredCells(db: Store["db"], filter: CellsFilter, favourable: ReadonlySet<string>): Promise<readonly CellCounts[]> {
  const { window, ...of } = filter;
  const cells = await readCells(db, filter, favourable);
  const days = window && { fromDay: (window.fromMinute ?? 0) / DAY_MINUTES, toDay: window.toMinute / DAY_MINUTES };
  const scores = days ? await readScoreWindow(db, { ...of, ...days }) : await readScoreTotals(db, of);
  return withScores(cells, scores, await readScoreOutcomes(db, { ...of, ...days }));
}

async function service(db: Store["db"], question: MetricsQuestion, part: PublishedPart | null): Promise<readonly WindowedAnswer[]> {
  const { window, endpoint, release, arm, service: names } = question;
  if (names.length === 0) return [];
  const hours = widened(window, HOUR_MINUTES);
  const of = { endpoint, release, arm };
  const latencies = hours
    ? await readLatencyWindow(db, { ...of, fromHour: (hours.fromMinute ?? 0) / HOUR_MINUTES, toHour: hours.toMinute / HOUR_MINUTES })
    : await readLatencyTotals(db, of);
  const cells = await readCells(db, question, question.favourable);
  const hourly = hours ? await readCells(db, { ...question, window: hours }, question.favourable) : cells;
  const traffic = await readTraffic(db, question);
  const counts = { cells, latencies, traffic, latencySumUs: hourly.reduce((sum, { counts: one }) => sum + one.latencySumUs, 0) };
  return serviceAnswers(names, counts).map((answer) => ({
    // What few people were told, they were told one by one.
    answer: answer.metric === "action_rate" && part?.hidden.total ? suppressed(answer) : answer,
    window: answer.metric === "latency_seconds" ? hours : window,
  }));
}
