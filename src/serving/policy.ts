/** How a score becomes an action. Pure. */
import { Type, type Static } from "typebox";
import { nearest } from "../checked.ts";
import { err, ok, type Issue, type Result } from "../std.ts";
import type { ActionsSpec, GroupsSpec } from "./endpoint-spec.ts";

const Bands = Type.Array(
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
);
type Bands = Static<typeof Bands>;

/**
 * Bands over the scores 0 to 1. A band holds its `from` and everything up to its `to`, which belongs to the next band; the last one
 * holds 1 as well. `to` may be left out: it is where the next band begins. Bands leave no gap and don't overlap.
 */
export const PolicySpec = Type.Object(
  {
    bands: Bands,
    by: Type.Optional(
      Type.Object(
        {
          attribute: Type.String({ description: "A protected attribute of the endpoint" }),
          groups: Type.Record(Type.String(), Type.Object({ bands: Bands }, { additionalProperties: false }), { minProperties: 1 }),
        },
        {
          additionalProperties: false,
          description:
            "Bands of their own for groups of a protected attribute; everybody else has `bands`. Unlawful in many places: refused unless the endpoint's allow_group_thresholds says in words why it may be",
        },
      ),
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
  /**
   * @param score - in [0, 1]; anything else is an error of the program
   * @param groups - the person's, where they are told; of no matter but for a policy by group
   */
  decide(score: number, groups: Readonly<Record<string, string>>): PolicyAnswer;
}

/** What an endpoint says of groups, and whether thresholds may differ by them: the words that allow it, undefined where none do. */
export interface GroupRules {
  readonly groups: GroupsSpec;
  readonly allowGroupThresholds?: string | undefined;
}

/** Compiles a policy against its endpoint. Issues have paths below `/bands` and `/by`. */
export function compilePolicy(
  { bands, by }: PolicySpec,
  actions: ActionsSpec,
  rules: GroupRules = { groups: {} },
): Result<Policy, readonly Issue[]> {
  const general = compileBands(bands, actions, "/bands");
  if (!by) return general;
  const issues = [...(general.ok ? [] : general.error), ...groupIssues(by, rules)];
  const byGroup = new Map<string, Policy>();
  for (const [group, own] of Object.entries(by.groups)) {
    const compiled = compileBands(own.bands, actions, `/by/groups/${group}/bands`);
    if (compiled.ok) byGroup.set(group, compiled.value);
    else issues.push(...compiled.error);
  }
  if (!general.ok || issues.length > 0) return err(issues);
  const { attribute } = by;
  return ok({ decide: (score, groups) => (byGroup.get(groups[attribute] ?? "") ?? general.value).decide(score, groups) });
}

function groupIssues({ attribute, groups }: NonNullable<PolicySpec["by"]>, rules: GroupRules): Issue[] {
  if (rules.allowGroupThresholds === undefined)
    return [
      {
        path: "/by",
        expected: "the same bands for everybody",
        got: `bands by ${attribute}`,
        hint: "thresholds by group treat people by what they are and are unlawful in many places; where they are lawful, the endpoint says so: allow_group_thresholds with the legal basis, and who approved it",
      },
    ];
  const attributes = Object.keys(rules.groups);
  const values = rules.groups[attribute];
  if (!values)
    return [{ path: "/by/attribute", expected: `an attribute of groups: ${attributes.join(", ") || "none is declared"}`, got: attribute }];
  return Object.keys(groups)
    .filter((group) => !values.includes(group))
    .map((group) => ({ path: `/by/groups/${group}`, expected: `a group of ${attribute}: ${values.join(", ")}`, got: group }));
}

function compileBands(spec: Bands, actions: ActionsSpec, at: string): Result<Policy, readonly Issue[]> {
  const issues: Issue[] = [];
  const known = Object.keys(actions);
  const bands = spec.map((band, index) => ({ ...band, path: `${at}/${index}` })).toSorted((a, b) => a.from - b.from);
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
  if (end < 1) issues.push({ path: at, expected: "bands up to 1", got: `a gap from ${end} to 1` });
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
