/** Scores by rules, in this process: the scorer that is always there. */
import { err, ok, unreachable, type Issue, type Result } from "../std.ts";
import { CelFailure, compileCelCondition, type CelVariable } from "./cel.ts";
import { compileTable } from "./decision-table.ts";
import type { InputsSpec } from "./endpoint-spec.ts";
import type { Inputs } from "./inputs.ts";
import { compileScorecard } from "./scorecard.ts";
import { ScorerError, type ConditionsSpec, type RulesScorerSpec, type Scored, type Scorer } from "./scorer.ts";

/** What rules may speak of. */
export interface RuleInputs {
  readonly inputs: InputsSpec;
  readonly variables: ReadonlyMap<string, CelVariable>;
}

/** Issues have paths below the scorer. */
export function compileRules(spec: RulesScorerSpec, inputs: RuleInputs): Result<Scorer, readonly Issue[]> {
  const rule = compileRule(spec, inputs);
  if (!rule.ok) return rule;
  const score = (given: Inputs): Scored => {
    try {
      return rule.value(given);
    } catch (error) {
      if (error instanceof CelFailure) throw new ScorerError("not-computable", error.message, { cause: error });
      throw error;
    }
  };
  return ok({
    score,
    scoreMany: async (all) =>
      all.map((given) => {
        try {
          return score(given);
        } catch (error) {
          if (error instanceof ScorerError) return error;
          throw error;
        }
      }),
    close: async () => {},
  });
}

/** @throws CelFailure or ScorerError where it can't be computed for a person */
type Rule = (inputs: Inputs) => Scored;

function compileRule(spec: RulesScorerSpec, { inputs, variables }: RuleInputs): Result<Rule, readonly Issue[]> {
  if ("rules" in spec) return compileConditions(spec, variables);
  if ("scorecard" in spec) return compileScorecard(spec.scorecard, { inputs, variables });
  if ("table" in spec) return compileTable(spec.table, { inputs, variables });
  return unreachable(spec);
}

function compileConditions(spec: ConditionsSpec, variables: ReadonlyMap<string, CelVariable>): Result<Rule, readonly Issue[]> {
  const issues: Issue[] = [];
  const rules = spec.rules.flatMap(({ when, score, reason }, index) => {
    const condition = compileCelCondition(when, variables, `/rules/${index}/when`);
    if (condition.ok) return [{ holds: (given: Inputs) => condition.value.evaluate(given), scored: { score, reasons: listOf(reason) } }];
    issues.push(...condition.error);
    return [];
  });
  if (issues.length > 0) return err(issues);
  const otherwise: Scored = { score: spec.otherwise.score, reasons: listOf(spec.otherwise.reason) };
  return ok((given) => {
    for (const rule of rules) if (rule.holds(given)) return rule.scored;
    return otherwise;
  });
}

const listOf = (reason: string | undefined): readonly string[] => (reason === undefined ? [] : [reason]);
