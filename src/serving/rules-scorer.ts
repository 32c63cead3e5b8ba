/** Scores by conditions in CEL: the rule that is always there. */
import { err, ok, type Issue, type Result } from "../std.ts";
import { CelFailure, compileCelCondition, type CelVariable } from "./cel.ts";
import type { Inputs } from "./inputs.ts";
import { ScorerError, type RulesScorerSpec, type Scored, type Scorer } from "./scorer.ts";

/** Issues have paths below `/rules`. */
export function compileRules(spec: RulesScorerSpec, variables: ReadonlyMap<string, CelVariable>): Result<Scorer, readonly Issue[]> {
  const issues: Issue[] = [];
  const rules = spec.rules.flatMap(({ when, score, reason }, index) => {
    const condition = compileCelCondition(when, variables, `/rules/${index}/when`);
    if (condition.ok) return [{ holds: (inputs: Inputs) => condition.value.evaluate(inputs), scored: { score, reason: reason ?? null } }];
    issues.push(...condition.error);
    return [];
  });
  if (issues.length > 0) return err(issues);
  const otherwise: Scored = { score: spec.otherwise.score, reason: spec.otherwise.reason ?? null };

  const score = (inputs: Inputs): Scored => {
    try {
      for (const rule of rules) if (rule.holds(inputs)) return rule.scored;
      return otherwise;
    } catch (error) {
      if (error instanceof CelFailure) throw new ScorerError("not-computable", error.message, { cause: error });
      throw error;
    }
  };
  return ok({
    score,
    scoreMany: async (all) =>
      all.map((inputs) => {
        try {
          return score(inputs);
        } catch (error) {
          if (error instanceof ScorerError) return error;
          throw error;
        }
      }),
    close: async () => {},
  });
}
