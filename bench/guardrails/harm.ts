/** Releases that do harm: how many decisions until it is proven (sequential-tests §13 and §11)? */
import type { TestDefinition } from "../../src/monitoring/index.ts";

export const FOUR_FIFTHS: TestDefinition = { kind: "ratio_min", limit: 0.8, dependence: 1, prior: null, priorN: 2 };

/** Budgets, the last one split over 120 pairs, and the bars: median and 90 % point as multiples of the bound. */
export const BUDGETS = [
  { name: "0.05", alpha: 0.05, median: 1.8, p90: 3.4 },
  { name: "0.01", alpha: 0.01, median: 1.7, p90: 2.9 },
  { name: "0.01 over 120 pairs", alpha: 0.01 / 120, median: 1.5, p90: 2.4 },
] as const;

export interface HarmScenario {
  readonly share: number;
  readonly rate: number;
  readonly ratio: number;
}

export const harmGrid: readonly HarmScenario[] = [
  { share: 0.5, rate: 0.7, ratio: 0.5 },
  { share: 0.5, rate: 0.7, ratio: 0.6 },
  { share: 0.5, rate: 0.7, ratio: 0.7 },
  { share: 0.5, rate: 0.3, ratio: 0.5 },
  { share: 0.5, rate: 0.3, ratio: 0.7 },
  { share: 0.1, rate: 0.7, ratio: 0.5 },
  { share: 0.1, rate: 0.7, ratio: 0.6 },
  { share: 0.1, rate: 0.3, ratio: 0.6 },
  { share: 0.1, rate: 0.3, ratio: 0.7 },
  { share: 0.02, rate: 0.7, ratio: 0.5 },
  { share: 0.02, rate: 0.3, ratio: 0.7 },
];

export interface LateScenario {
  /** Good decisions before. */
  readonly after: number;
  readonly ratio: number;
}

/** Group share 0.2, the others' rate 0.6, ratio 0.95 before the harm. */
export const LATE = { share: 0.2, rate: 0.6, fairRatio: 0.95, look: 75 } as const;
export const lateGrid: readonly LateScenario[] = [
  { after: 0, ratio: 0.7 },
  { after: 10_000, ratio: 0.7 },
  { after: 100_000, ratio: 0.7 },
  { after: 1_000_000, ratio: 0.7 },
  { after: 0, ratio: 0.5 },
  { after: 100_000, ratio: 0.5 },
  { after: 1_000_000, ratio: 0.5 },
];
