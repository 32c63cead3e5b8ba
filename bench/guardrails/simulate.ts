/** All scenarios, all lives. */
import { fairScenarios } from "./fair.ts";
import { attackBars } from "./attacks.ts";
import { costs } from "./costs.ts";
import { harmGrid, lateGrid } from "./harm.ts";
import type { Job, JobEnd } from "./jobs.ts";
import type { Progress } from "./progress.ts";
import { barsOf, fairRow, groupRows, harmRows, lateRows, type Report } from "./report.ts";
import { RIVALS } from "./rivals.ts";
import { runJobs } from "./threads.ts";

export interface Asked {
  readonly lives: number;
  readonly decisions: number;
  readonly seed: number;
  /** Threads. */
  readonly width: number;
  readonly onProgress: (progress: Progress) => void;
}

/** Lives from which on, with lives of a million, no room is left for luck. */
const FULL = { lives: 2000, decisions: 1_000_000 };
/** What late changes are measured on: each life is a long one. */
const LATE_LIVES = 0.15;
const LIVES_A_JOB = 50;

interface Piece {
  readonly part: Job["part"];
  readonly index: number;
  readonly lives: number;
  readonly decisions: number;
}

export async function simulate({ lives, decisions, seed, width, onProgress }: Asked): Promise<Report> {
  const startedMs = performance.now();
  const pieces: Piece[] = [
    ...fairScenarios.map(({ livesShare = 1 }, index): Piece => ({ part: "fair", index, lives: few(lives * livesShare), decisions })),
    { part: "groups", index: 0, lives, decisions },
    ...harmGrid.map((_, index): Piece => ({ part: "harm", index, lives, decisions })),
    ...lateGrid.map((_, index): Piece => ({ part: "late", index, lives: few(lives * LATE_LIVES), decisions })),
  ];
  const jobs = pieces.flatMap(({ part, index, lives: all, decisions: each }) =>
    Array.from({ length: Math.ceil(all / LIVES_A_JOB) }, (_, i): Job => ({
      part,
      index,
      from: i * LIVES_A_JOB,
      to: Math.min(all, (i + 1) * LIVES_A_JOB),
      decisions: each,
      seed,
    })),
  );
  const ends = await runJobs(jobs, onProgress, width);
  const of = (part: Job["part"], index: number): readonly JobEnd[] =>
    ends.flatMap((end, i) => (jobs[i]?.part === part && jobs[i].index === index ? end : []));
  const fair = [...fairScenarios.map((_, i) => fairRow(i, of("fair", i), decisions)), ...groupRows(of("groups", 0), decisions)];
  const harm = harmGrid.flatMap((_, i) => harmRows(i, of("harm", i)));
  const late = lateGrid.flatMap((_, i) => lateRows(i, of("late", i), decisions));
  const attacks = attackBars(few(lives / 10), seed);
  const measured = costs();
  const isFull = lives >= FULL.lives && decisions >= FULL.decisions;
  return {
    seed,
    lives,
    decisions,
    threads: width,
    node: process.version,
    rivals: RIVALS,
    fair,
    harm,
    late,
    attacks,
    costs: measured,
    bars: [...barsOf({ fair, harm, late, costs: measured }, isFull), ...attacks],
    seconds: (performance.now() - startedMs) / 1000,
  };
}

const few = (lives: number): number => Math.max(1, Math.round(lives));
