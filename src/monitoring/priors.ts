/** Rates that tests begin from: better than none, and valid, since they are of the past. A bad guess costs speed only. */
import { cumulativeOf, type CellSides } from "./counting.ts";
import { PREVIOUS } from "./guardrail.ts";
import { tallyFor, type Look } from "./look.ts";
import type { PlannedTest } from "./plan.ts";
import type { Planned } from "./running-tests.ts";
import type { TestOwner } from "./test-record.ts";

/** Decisions of a cell from which on its rate is worth starting from. */
const PRIOR_FROM = 50;

/** Those of the release that answered before, for tests of a serving release in its first life. */
export async function priorsFor(
  look: Look,
  owner: TestOwner,
  plans: readonly PlannedTest[],
  sides: CellSides,
): Promise<Pick<Planned, "priorOf">> {
  const { route } = look.watched;
  const before = [route?.live, route?.previous].find((release) => release !== undefined && release !== owner.release);
  if (before === undefined || owner.armClass !== "serving" || owner.epoch > 0) return {};
  const tallies = await tallyFor(look, { ...owner, release: before }, plans);
  return {
    priorOf(plan) {
      if (plan.reference === PREVIOUS || plan.counted.kind === "substitutions") return null;
      const { n, k } = cumulativeOf(plan, tallies.of(plan.counted).tallied, null, sides);
      return n.every((count) => count >= PRIOR_FROM) ? n.map((count, g) => Math.min(0.99, Math.max(0.01, (k[g] ?? 0) / count))) : null;
    },
  };
}
