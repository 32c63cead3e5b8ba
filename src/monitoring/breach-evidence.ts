/** Whether the share of requests that breach an expectation is beyond its limit. Pure. */
import { rateBand, type Band } from "./confidence-sequence.ts";

/**
 * Chance that an endpoint whose inputs all keep their limits is warned of at all on a day, over all of its expectations and however often
 * one looks: the band of each holds at all times of the day, and together they share this.
 */
export const WARNING_BUDGET = 0.01;

/** `no-data`: nothing was looked at, which is neither good nor bad. */
export type BreachWord = "no-data" | "ok" | "beyond";

export interface BreachVerdict {
  readonly word: BreachWord;
  /** Where the true share is, at all times of the day together. */
  readonly band: Band;
}

/**
 * @param total - requests that were looked at since the day began, and those that breached
 * @param limit - 0: any breach is one too many
 * @param tests - how many shares of the endpoint are watched together
 */
export function breachVerdict(total: { readonly n: number; readonly k: number }, limit: number, tests: number): BreachVerdict {
  // Half of a band's chance of missing is on the side that doesn't matter here.
  const band = rateBand(total, (2 * WARNING_BUDGET) / Math.max(1, tests));
  if (total.n === 0) return { word: "no-data", band };
  const isBeyond = limit === 0 ? total.k > 0 : band[0] > limit;
  return { word: isBeyond ? "beyond" : "ok", band };
}
