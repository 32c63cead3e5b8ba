/** Guardrails as people write them, and the tests that follow from them. Pure. */
import { Type, type Static } from "typebox";
import type { Issue } from "../std.ts";
import { splitBudget } from "./multiplicity.ts";
import { limitTrouble, type TestDefinition, type TestKind } from "./sequential-test.ts";

/** What each metric is: the kind of test that proves its breach, and how it is called. Cells are (group, reference) in this order. */
export const METRICS = {
  adverse_impact_ratio: { kind: "ratio_min", text: "selection rate of the group over that of the reference, at least the limit" },
  selection_rate_difference: { kind: "diff_min", text: "selection rate of the group below that of the reference by at most the limit" },
} as const satisfies Record<string, { readonly kind: TestKind; readonly text: string }>;
export type MetricName = keyof typeof METRICS;

export const GuardrailSpec = Type.Object(
  {
    name: Type.String({ pattern: "^[a-z][a-z0-9-]{0,62}$" }),
    metric: Type.Union([Type.Literal("adverse_impact_ratio"), Type.Literal("selection_rate_difference")]),
    groups: Type.Union([Type.Literal("all"), Type.Array(Type.String(), { minItems: 1, maxItems: 20 })], {
      description: "Attributes to watch",
    }),
    intersections: Type.Optional(
      Type.Array(Type.Array(Type.String(), { minItems: 2, maxItems: 4 }), { maxItems: 20, description: "Attributes to watch together" }),
    ),
    reference: Type.Optional(
      Type.String({ description: "`rest` (everybody else whose group is known; the default), or a value of the attribute" }),
    ),
    limit: Type.Number(),
    action: Type.Union([Type.Literal("warn"), Type.Literal("hold"), Type.Literal("roll_back"), Type.Literal("fall_back")]),
    weight: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 1000, description: "Share of the error budget; 1 by default" })),
    dependence: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 1000, description: "Decisions that may be correlated come in clusters of at most this many" }),
    ),
  },
  { title: "Guardrail", additionalProperties: false },
);
export type GuardrailSpec = Static<typeof GuardrailSpec>;

/** Values of attributes that make a group: `{ sex: "female", education: "high_school" }`. */
export type Group = Readonly<Record<string, string>>;

/** One group of one guardrail, compared with its reference. */
export interface PlannedTest {
  readonly guardrail: string;
  readonly metric: MetricName;
  readonly action: GuardrailSpec["action"];
  readonly group: Group;
  /** `education=high_school`, attributes in the order in which they were written. */
  readonly groupLabel: string;
  /** `rest`, or the value that the group is compared with. */
  readonly reference: string;
  readonly definition: TestDefinition;
  /** This test's share of the release's error budget. */
  readonly alpha: number;
}

export const REST = "rest";
/** Decides on people whose group isn't known: they are in no cell. */
const UNKNOWN = "unknown";

/** What is wrong with guardrails for an endpoint's groups; paths begin with the guardrail's index. */
export function guardrailIssues(
  guardrails: readonly GuardrailSpec[],
  groups: Readonly<Record<string, readonly string[]>>,
): readonly Issue[] {
  const attributes = Object.keys(groups);
  const known = attributes.join(", ") || "none is declared";
  return guardrails.flatMap((guardrail, i) => {
    const issues: Issue[] = [];
    const trouble = limitTrouble(METRICS[guardrail.metric].kind, guardrail.limit);
    if (trouble) issues.push({ path: `/${i}/limit`, expected: trouble, got: String(guardrail.limit) });
    if (guardrails.findIndex((other) => other.name === guardrail.name) < i)
      issues.push({ path: `/${i}/name`, expected: "a name that no other guardrail has", got: guardrail.name });
    if (guardrail.groups === "all" && attributes.length === 0)
      issues.push({ path: `/${i}/groups`, expected: "attributes to watch, under the endpoint's groups", got: "none" });
    const named = guardrail.groups === "all" ? [] : guardrail.groups;
    for (const [j, attribute] of named.entries())
      if (!attributes.includes(attribute))
        issues.push({ path: `/${i}/groups/${j}`, expected: `an attribute of groups: ${known}`, got: attribute });
    for (const [j, set] of (guardrail.intersections ?? []).entries()) {
      for (const [l, attribute] of set.entries())
        if (!attributes.includes(attribute))
          issues.push({ path: `/${i}/intersections/${j}/${l}`, expected: `an attribute of groups: ${known}`, got: attribute });
    }
    const { reference = REST } = guardrail;
    const watched = guardrail.groups === "all" ? attributes : named;
    if (reference !== REST && !watched.every((attribute) => groups[attribute]?.includes(reference))) {
      issues.push({ path: `/${i}/reference`, expected: `${REST}, or a value that every watched attribute has`, got: reference });
    }
    return issues;
  });
}

/** Every test that a release starts with, with its share of the budget. */
export function planTests(
  guardrails: readonly GuardrailSpec[],
  groups: Readonly<Record<string, readonly string[]>>,
  budget: number,
): readonly PlannedTest[] {
  const expanded = guardrails.map((guardrail) => {
    const { reference = REST } = guardrail;
    const attributes = guardrail.groups === "all" ? Object.keys(groups) : guardrail.groups;
    const singles = attributes.flatMap((attribute) =>
      (groups[attribute] ?? []).filter((value) => value !== reference).map((value): Group => ({ [attribute]: value })),
    );
    const intersections = (guardrail.intersections ?? []).flatMap((set) => combinations(set, groups));
    return { guardrail, reference, singles, intersections };
  });
  const shares = splitBudget(
    budget,
    expanded.map(({ guardrail, singles, intersections }) => ({
      weight: guardrail.weight ?? 1,
      singles: singles.length,
      intersections: intersections.length,
    })),
  );
  return expanded.flatMap(({ guardrail, reference, singles, intersections }, i) => {
    const plan = (group: Group, alpha: number): PlannedTest => ({
      guardrail: guardrail.name,
      metric: guardrail.metric,
      action: guardrail.action,
      group,
      groupLabel: labelOf(group),
      reference: Object.keys(group).length > 1 ? REST : reference,
      definition: {
        kind: METRICS[guardrail.metric].kind,
        limit: guardrail.limit,
        dependence: guardrail.dependence ?? 1,
        prior: null,
        priorN: 2,
      },
      alpha,
    });
    const share = shares[i] ?? { single: 0, intersection: 0 };
    return [...singles.map((group) => plan(group, share.single)), ...intersections.map((group) => plan(group, share.intersection))];
  });
}

export const labelOf = (group: Group): string =>
  Object.entries(group)
    .map(([attribute, value]) => `${attribute}=${value}`)
    .join(",");

function combinations(attributes: readonly string[], groups: Readonly<Record<string, readonly string[]>>): Group[] {
  return attributes.reduce<Group[]>(
    (made, attribute) => made.flatMap((group) => (groups[attribute] ?? []).map((value) => ({ ...group, [attribute]: value }))),
    [{}],
  );
}

/**
 * On which side of a comparison the people of a cell are. Those whose value of a compared attribute isn't known are on neither.
 * @param groups - what the cell's people are, by attribute
 */
export function sideOf(
  { group, reference }: Pick<PlannedTest, "group" | "reference">,
  groups: Readonly<Record<string, string>>,
): "group" | "reference" | "neither" {
  let isMember = true;
  for (const [attribute, value] of Object.entries(group)) {
    const theirs = groups[attribute];
    if (theirs === undefined || theirs === UNKNOWN) return "neither";
    if (theirs !== value) isMember = false;
    if (reference !== REST && theirs !== value && theirs !== reference) return "neither";
  }
  return isMember ? "group" : "reference";
}
