/** Guardrails as people write them. Pure. */
import { Type, type Static } from "typebox";
import type { Issue } from "../std.ts";
import { METRICS, metricNames, metricOf, type MetricName } from "./metrics.ts";
import { cellsOf, limitTrouble } from "./sequential-test.ts";

const AttributeList = (limits: { minItems: number; maxItems: number }) =>
  Type.Array(Type.String({ minLength: 1 }), { ...limits, uniqueItems: true });

/** A metric with a limit and what to do when it is proven not to be kept. Proof is sequential (`sequential-test.ts`); estimates never trigger. */
export const GuardrailSpec = Type.Object(
  {
    name: Type.String({ pattern: "^[a-z][a-z0-9-]{0,62}$" }),
    metric: Type.Unsafe<MetricName>(
      Type.Enum([...metricNames], { description: metricNames.map((name) => `${name}: ${METRICS[name].text}`).join("\n") }),
    ),
    groups: Type.Optional(
      Type.Union([Type.Literal("all"), AttributeList({ minItems: 1, maxItems: 20 })], {
        description: "Attributes whose groups are watched. Left out: all, or everybody as one for a metric that compares no groups",
      }),
    ),
    intersections: Type.Optional(
      Type.Union([Type.Literal(true), Type.Array(AttributeList({ minItems: 2, maxItems: 4 }), { minItems: 1, maxItems: 20 })], {
        description: "Attributes to watch together as well; `true`: every two of the watched ones",
      }),
    ),
    reference: Type.Optional(
      Type.String({ description: "`rest` (everybody else whose group is known; the default), or a value of the watched attribute" }),
    ),
    limit: Type.Number({ description: "What is still fair; compared with the metric as it says" }),
    action: Type.Union([Type.Literal("warn"), Type.Literal("hold"), Type.Literal("roll_back"), Type.Literal("fall_back")], {
      description: "What a proven breach of a release that serves does",
    }),
    tell: Type.Optional(
      Type.Array(Type.String({ pattern: "^[a-z][a-z0-9-]{0,62}$" }), {
        minItems: 1,
        maxItems: 20,
        uniqueItems: true,
        description: "Channels that are told of a breach, in place of those that the endpoint's alerts tell first",
      }),
    ),
    weight: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 1000, description: "Share of the error budget; 1 by default" })),
    dependence: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 1000, description: "Decisions that may be correlated come in clusters of at most this many" }),
    ),
  },
  { title: "Guardrail", additionalProperties: false },
);
export type GuardrailSpec = Static<typeof GuardrailSpec>;

/** Values by attribute, as an endpoint declares them. */
export type DeclaredGroups = Readonly<Record<string, readonly string[]>>;

/** Everybody else whose group is known. */
export const REST = "rest";
/** More tests than this are a mistake: each would get next to nothing of the error budget. */
const TESTS_MAX = 1000;

/** What is wrong with guardrails for an endpoint's groups; paths begin with the guardrail's index. Empty: they can be planned. */
export function guardrailIssues(guardrails: readonly GuardrailSpec[], groups: DeclaredGroups): readonly Issue[] {
  const issues = guardrails.flatMap((guardrail, i) =>
    [...ownIssues(guardrail, guardrails, i), ...groupIssues(guardrail, groups)].map((issue) => ({ ...issue, path: `/${i}${issue.path}` })),
  );
  if (issues.length > 0) return issues;
  const tests = guardrails.reduce((sum, guardrail) => {
    const { singles, intersections } = watchedSets(guardrail, groups);
    return (
      sum + [...singles, ...intersections].reduce((all, set) => all + set.reduce((product, a) => product * (groups[a]?.length ?? 0), 1), 0)
    );
  }, 0);
  return tests <= TESTS_MAX
    ? []
    : [
        {
          path: "",
          expected: `at most ${TESTS_MAX} groups to watch over all guardrails`,
          got: String(tests),
          hint: "leave out intersections",
        },
      ];
}

function ownIssues(guardrail: GuardrailSpec, all: readonly GuardrailSpec[], i: number): Issue[] {
  const { name, metric, limit, reference = REST } = guardrail;
  const { kind } = metricOf(metric);
  const issues: Issue[] = [];
  const trouble = limitTrouble(kind, limit);
  if (trouble) issues.push({ path: "/limit", expected: trouble, got: String(limit) });
  else if (kind === "ratio_min" && limit > 1)
    issues.push({ path: "/limit", expected: "a ratio of at most 1, 0.8 for four fifths", got: String(limit) });
  if (all.findIndex((other) => other.name === name) < i)
    issues.push({ path: "/name", expected: "a name that no other guardrail has", got: name });
  if (cellsOf(kind) === 1 && reference !== REST)
    issues.push({ path: "/reference", expected: `nothing: ${metric} compares a group with no other`, got: reference });
  return issues;
}

function groupIssues(guardrail: GuardrailSpec, groups: DeclaredGroups): Issue[] {
  const attributes = Object.keys(groups);
  const expected = `an attribute of groups: ${attributes.join(", ") || "none is declared"}`;
  const unknown = (named: readonly string[], path: string) =>
    named.flatMap((attribute, j): Issue[] => (attributes.includes(attribute) ? [] : [{ path: `${path}/${j}`, expected, got: attribute }]));
  const { metric, intersections = [], reference = REST } = guardrail;
  const issues: Issue[] = [];
  const named = guardrail.groups === "all" || guardrail.groups === undefined ? [] : guardrail.groups;
  issues.push(...unknown(named, "/groups"));
  if (intersections !== true) for (const [j, set] of intersections.entries()) issues.push(...unknown(set, `/intersections/${j}`));
  const watched = watchedAttributes(guardrail, groups);
  const needsGroups = guardrail.groups !== undefined || metricOf(metric).unlessNamed === "groups";
  if (needsGroups && watched.length === 0)
    issues.push({ path: "/groups", expected: "attributes to watch, under the endpoint's groups", got: "none" });
  if (intersections === true && watched.length < 2)
    issues.push({ path: "/intersections", expected: "two watched attributes or more", got: watched.join(", ") || "none" });
  if (reference !== REST && !watched.every((attribute) => groups[attribute]?.includes(reference)))
    issues.push({ path: "/reference", expected: `${REST}, or a value that every watched attribute has`, got: reference });
  return issues;
}

function watchedAttributes({ metric, groups: named }: GuardrailSpec, groups: DeclaredGroups): readonly string[] {
  if (named === undefined) return metricOf(metric).unlessNamed === "groups" ? Object.keys(groups) : [];
  return named === "all" ? Object.keys(groups) : named;
}

/** Sets of attributes whose combined values make the groups of a guardrail. A set of none stands for everybody. */
export function watchedSets(
  guardrail: GuardrailSpec,
  groups: DeclaredGroups,
): { readonly singles: readonly (readonly string[])[]; readonly intersections: readonly (readonly string[])[] } {
  const attributes = watchedAttributes(guardrail, groups);
  const { intersections = [] } = guardrail;
  return {
    singles: attributes.length === 0 ? [[]] : attributes.map((attribute) => [attribute]),
    intersections:
      intersections === true ? attributes.flatMap((first, i) => attributes.slice(i + 1).map((second) => [first, second])) : intersections,
  };
}
