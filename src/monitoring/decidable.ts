/** Whether a guardrail can ever be decided with the declared groups. Pure. */
import { unreachable, type Issue } from "../std.ts";
import { isMean } from "./any-test.ts";
import { boundDecisions, type Truth } from "./expected-delay.ts";
import type { DeclaredGroups, GuardrailSpec } from "./guardrail.ts";
import { planTests, type PlannedTest } from "./plan.ts";
import type { TestDefinition } from "./sequential-test.ts";

/** A harm that this many people must suffer before it is proven isn't guarded against. */
const DECIDABLE_WITHIN = 10_000_000;
/** Medians lie at up to so many times the bound (sequential-tests §13). */
const OVER_BOUND = 1.5;

/**
 * Guardrails whose limit nobody would be seen to break: even if a group were refused altogether and all others favoured, with groups of one
 * size, proof would need more decisions than anybody waits for.
 * @param guardrails - without other issues
 */
export function undecidableIssues(guardrails: readonly GuardrailSpec[], groups: DeclaredGroups, budget: number): readonly Issue[] {
  return guardrails.flatMap((guardrail, i): Issue[] => {
    const tests = (["serving", "shadow"] as const).flatMap((armClass) => planTests(guardrails, groups, budget, armClass));
    const slowest = Math.max(
      0,
      ...tests.filter((test) => test.guardrail === guardrail.name).map((test) => decisionsForTotalHarm(test, groups)),
    );
    if (slowest <= DECIDABLE_WITHIN) return [];
    return [
      {
        path: `/${i}/limit`,
        expected: `a limit that is decided within ${DECIDABLE_WITHIN.toLocaleString("en")} decisions`,
        got: `${guardrail.limit}, which needs ${Number.isFinite(slowest) ? `some ${Math.ceil(slowest).toLocaleString("en")}` : "more than there are"} with these groups, though all of a group were refused`,
        hint: "a stricter limit, fewer groups or a smaller dependence are decided sooner: evenkeel guardrail plan tells",
      },
    ];
  });
}

/** Decisions of both sides until even the largest possible harm to a group of ordinary size is proven. */
function decisionsForTotalHarm({ definition, alpha, group, reference }: PlannedTest, groups: DeclaredGroups): number {
  if (isMean(definition)) return 0;
  const share = Object.keys(group).reduce((part, attribute) => part / Math.max(1, groups[attribute]?.length ?? 1), 1);
  const others = reference === null || reference === "rest" ? 1 - share : share;
  return OVER_BOUND * boundDecisions(definition, worst(definition, share / (share + others)), alpha);
}

/**
 * Nobody of the group favoured, and of the others half, or as many as it takes to be beyond the limit; for a rate, nobody or everybody.
 * (The bound of rates at 0 and 1 both would hang on how near to them the pivot may come.)
 */
function worst({ kind, limit }: TestDefinition, share: number): Truth {
  const rate = Math.max(0.5, (1 + Math.abs(limit)) / 2);
  switch (kind) {
    case "rate_min":
      return { rates: [0], shares: [1] };
    case "rate_max":
      return { rates: [1], shares: [1] };
    case "ratio_min":
      return { rates: [0, 0.5], shares: [share, 1 - share] };
    case "diff_min":
      return { rates: [0, rate], shares: [share, 1 - share] };
    case "did_min":
      return { rates: [0, rate, rate, rate], shares: [share / 2, (1 - share) / 2, share / 2, (1 - share) / 2] };
    default:
      return unreachable(kind);
  }
}
