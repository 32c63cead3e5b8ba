/** How a score becomes an action. Pure. */
import { Type, type Static } from "typebox";
import { nearest } from "../checked.ts";
import { err, ok, type Issue, type Result } from "../std.ts";
import type { ActionsSpec } from "./endpoint-spec.ts";

/**
 * Bands over the scores 0 to 1. A band holds its `from` and everything up to its `to`, which belongs to the next band; the last one
 * holds 1 as well. `to` may be left out: it is where the next band begins. Bands leave no gap and don't overlap.
 */
export const PolicySpec = Type.Object(
  {
    bands: Type.Array(
      Type.Object(
        {
          action: Type.String(),
          from: Type.Number({ minimum: 0, maximum: 1 }),
          to: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
          reason: Type.Optional(Type.String({ maxLength: 1000, description: "Told to the person with the answer" })),
        },
        { title: "Band", additionalProperties: false },
      ),
      { minItems: 1, maxItems: 100 },
    ),
  },
  { title: "Policy", additionalProperties: false },
);
export type PolicySpec = Static<typeof PolicySpec>;

/** What a policy makes of a score. */
export interface PolicyAnswer {
  readonly action: string;
  readonly favourable: boolean;
  readonly reason: string | null;
}

/** A policy, compiled: every score has exactly one answer. */
export interface Policy {
  /** @param score - in [0, 1]; anything else is an error of the program */
  decide(score: number): PolicyAnswer;
}

/** Compiles a policy against the actions of its endpoint. Issues have paths below `/bands`. */
export function compilePolicy(spec: PolicySpec, actions: ActionsSpec): Result<Policy, readonly Issue[]> {
  const issues: Issue[] = [];
  const known = Object.keys(actions);
  const bands = spec.bands.map((band, index) => ({ ...band, path: `/bands/${index}` })).toSorted((a, b) => a.from - b.from);
  let end = 0;
  for (const [i, band] of bands.entries()) {
    if (!Object.hasOwn(actions, band.action)) {
      const near = nearest(band.action, known);
      const hint = near ? { hint: `did you mean ${near}?` } : {};
      issues.push({ path: `${band.path}/action`, expected: `an action of the endpoint: ${known.join(", ")}`, got: band.action, ...hint });
    }
    if (band.from > end)
      issues.push({ path: `${band.path}/from`, expected: `a band from ${end} on`, got: `a gap from ${end} to ${band.from}` });
    if (band.from < end || (i > 0 && band.from === bands[i - 1]?.from))
      issues.push({ path: `${band.path}/from`, expected: `${end}, where the band before ends`, got: `${band.from}: they overlap` });
    const to = band.to ?? bands[i + 1]?.from ?? 1;
    if (to <= band.from) issues.push({ path: `${band.path}/to`, expected: `more than ${band.from}`, got: `${to}` });
    end = Math.max(end, to);
  }
  if (end < 1) issues.push({ path: "/bands", expected: "bands up to 1", got: `a gap from ${end} to 1` });
  if (issues.length > 0) return err(issues);

  const starts = bands.map(({ from }) => from);
  const answers = bands.map(({ action, reason }): PolicyAnswer => ({
    action,
    favourable: actions[action]?.favourable ?? false,
    reason: reason ?? null,
  }));
  return ok({
    decide(score) {
      let at = starts.length - 1;
      while (at > 0 && score < (starts[at] ?? 0)) at--;
      const answer = answers[at];
      if (!(score >= 0 && score <= 1) || answer === undefined) throw new RangeError(`expected a score from 0 to 1, got ${score}`);
      return answer;
    },
  });
}
