/** People who game guardrails (reliability-security.md T20): do they force a rollback unseen, or hide a harm unseen? */
import {
  MIN_CELL,
  arrivals,
  binomial,
  closeBlock,
  evidenceWithoutEach,
  restsOnWriter,
  startTest,
  writerDrifts,
  type BlocksByWriter,
  type Uniform,
  type WriterCells,
} from "../../src/monitoring/index.ts";
import { FOUR_FIFTHS } from "./harm.ts";
import { luckOf } from "./lives.ts";
import type { Bar } from "./report.ts";

const ALPHA = 0.01;
const THRESHOLD = -Math.log(ALPHA);
const HONEST = ["branch 1", "branch 2", "branch 3", "branch 4"];
const ATTACKER = "attacker";
/** Of each honest writer in a minute: 5 of the group, 20 others. */
const A_MINUTE = { people: 25, share: 0.2, rate: 0.7 } as const;
const MINUTES = 2000;

type Minute = (i: number, next: Uniform) => BlocksByWriter;

const honest = (ratio: number, next: Uniform): Map<string, { n: number[]; k: number[] }> =>
  new Map(
    HONEST.map((writer) => {
      const n = [...arrivals(A_MINUTE.people, [A_MINUTE.share, 1 - A_MINUTE.share], next)];
      return [writer, { n, k: n.map((count, g) => binomial(count, g === 0 ? ratio * A_MINUTE.rate : A_MINUTE.rate, next)) }];
    }),
  );

/** Applications that are sure to be refused from the group, and sure to be granted from the others. */
const forged = (people: number) => ({ n: [people / 2, people / 2], k: [0, people / 2] });

interface End {
  readonly isProven: boolean;
  readonly restsOn: string | undefined;
}

function live(minuteOf: Minute, minutes: number, next: Uniform): End {
  let state = startTest(FOUR_FIFTHS);
  const spans: BlocksByWriter[] = [];
  let open = { n: [0, 0], k: [0, 0] };
  for (let i = 0; i < minutes; i++) {
    const span = minuteOf(i, next);
    spans.push(span);
    for (const { n, k } of span.values())
      open = { n: open.n.map((count, g) => count + (n[g] ?? 0)), k: open.k.map((count, g) => count + (k[g] ?? 0)) };
    if (open.n.some((count) => count < MIN_CELL)) continue;
    state = closeBlock(FOUR_FIFTHS, state, open);
    open = { n: [0, 0], k: [0, 0] };
    if (state.logE < THRESHOLD) continue;
    return { isProven: true, restsOn: restsOnWriter(evidenceWithoutEach(FOUR_FIFTHS, spans)) };
  }
  return { isProven: false, restsOn: undefined };
}

function cellsOf(spans: readonly BlocksByWriter[]): ReadonlyMap<string, WriterCells> {
  const all = new Map<string, Map<string, { n: number; k: number }>>();
  for (const span of spans)
    for (const [writer, { n, k }] of span) {
      let cells = all.get(writer);
      if (!cells) all.set(writer, (cells = new Map()));
      for (const [g, count] of n.entries()) {
        const cell = cells.get(String(g)) ?? { n: 0, k: 0 };
        cells.set(String(g), { n: cell.n + count, k: cell.k + (k[g] ?? 0) });
      }
    }
  return all;
}

/** A day of a harmful release, half an hour of it from each minute's people; with the second day's traffic of one writer made up or not. */
function isHidingSeen(isHidden: boolean, next: Uniform): boolean {
  const day = (isMadeUp: boolean) =>
    Array.from({ length: 60 }, () => {
      const minute = honest(0.78, next);
      const mine = minute.get("branch 4");
      // From one writer, as much again: people of the group who are sure to be approved.
      if (isMadeUp && mine) {
        mine.n[0] = (mine.n[0] ?? 0) + A_MINUTE.people / 2;
        mine.k[0] = (mine.k[0] ?? 0) + A_MINUTE.people / 2;
      }
      return minute;
    });
  const drifts = writerDrifts(cellsOf(day(false)), cellsOf(day(isHidden)));
  return drifts.some(({ found }) => found.length > 0);
}

const share = (all: readonly boolean[]): number => all.filter(Boolean).length / all.length;
const atLeast = (what: string, value: number, least: number): Bar => ({ what, value, bar: `at least ${least}`, isReached: value >= least });
const atMost = (what: string, value: number, most: number): Bar => ({ what, value, bar: `at most ${most}`, isReached: value <= most });

export function attackBars(lives: number, seed: number): readonly Bar[] {
  const runs = Math.max(20, lives);
  const ends = (scenario: number, minuteOf: Minute, minutes = MINUTES) =>
    Array.from({ length: runs }, (_, life) => live(minuteOf, minutes, luckOf(seed, 4000 + scenario, life)));
  const forcing = ends(0, (_, next) => honest(1, next).set(ATTACKER, forged(20))).filter(({ isProven }) => isProven);
  const real = ends(1, (_, next) => honest(0.6, next)).filter(({ isProven }) => isProven);
  // Ten identities, each of which counts once a day, whatever is sent: a day has 1,440 minutes.
  const repeating = ends(2, (i, next) => (i % 1440 === 0 ? honest(1, next).set(ATTACKER, forged(10)) : honest(1, next)));
  const luck = ALPHA + 3 * Math.sqrt((ALPHA * (1 - ALPHA)) / runs);
  const hiding = (isHidden: boolean, scenario: number) =>
    share(Array.from({ length: runs }, (_, life) => isHidingSeen(isHidden, luckOf(seed, 4000 + scenario, life))));
  return [
    atLeast("forcing with ever new people: said to rest on the attacker", share(forcing.map(({ restsOn }) => restsOn === ATTACKER)), 0.95),
    atMost("a real harm of four equal writers: said to rest on one", share(real.map(({ restsOn }) => restsOn !== undefined)), 0.1),
    atMost("forcing with ten people who ask all day: rolled back", share(repeating.map(({ isProven }) => isProven)), luck),
    atLeast("hiding a harm by one writer's made-up people: seen as drift", hiding(true, 3), 0.95),
    atMost("an ordinary second day: seen as drift", hiding(false, 4), 0.05),
  ];
}
