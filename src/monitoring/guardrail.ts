/** Guardrails as people write them. Pure. */
import { Type, type Static } from "typebox";
import { nearest } from "../checked.ts";
import { Duration, Latency } from "../duration.ts";
import type { Issue } from "../std.ts";
import { anyLimitTrouble } from "./any-test.ts";
import { METRICS, kindOf, metricNames, metricOf, type Direction, type MetricName } from "./metrics.ts";
import { edgesOf } from "./value-buckets.ts";

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
      Type.String({
        description:
          "`rest` (everybody else whose group is known; the default), a value of the watched attribute, `every pair` (each group with each other: the group with the highest rate can't be read off the data without paying), or `previous release` (the same group, answered by live beside this canary)",
      }),
    ),
    direction: Type.Optional(
      Type.Unsafe<Direction>(Type.Enum(["at_least", "at_most"], { description: "On which side of the limit the metric has to stay" })),
    ),
    limit: Type.Number({ description: "What is still fair; compared with the metric as it says" }),
    action: Type.Union([Type.Literal("warn"), Type.Literal("hold"), Type.Literal("roll_back"), Type.Literal("fall_back")], {
      description: "What a proven breach of a release that serves does",
    }),
    actions: Type.Optional(
      Type.Array(Type.String({ minLength: 1 }), {
        minItems: 1,
        maxItems: 20,
        uniqueItems: true,
        description: "Of `action_rate`: whose share it is",
      }),
    ),
    slower_than: Type.Optional(Latency),
    matures_after: Type.Optional(
      Type.Intersect([Duration], {
        description: "Of metrics with outcomes: an outcome enters when its decision reaches this age, with what is then known",
      }),
    ),
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
/** Each group of an attribute with each other. */
export const EVERY_PAIR = "every pair";
/** The same people's group, answered at the same time by the release that is live beside a canary. */
export const PREVIOUS = "previous release";
/** More tests than this are a mistake: each would get next to nothing of the error budget. */
const TESTS_MAX = 1000;

/** What is wrong with guardrails for an endpoint's groups, actions and outcomes; paths begin with the guardrail's index. Empty: they can be planned. */
export function guardrailIssues(
  guardrails: readonly GuardrailSpec[],
  groups: DeclaredGroups,
  { actions, hasOutcomes }: { readonly actions: readonly string[]; readonly hasOutcomes: boolean } = { actions: [], hasOutcomes: false },
): readonly Issue[] {
  const issues = guardrails.flatMap((guardrail, i) =>
    [...ownIssues(guardrail, guardrails, i), ...extraIssues(guardrail, actions, hasOutcomes), ...groupIssues(guardrail, groups)].map(
      (issue) => ({ ...issue, path: `/${i}${issue.path}` }),
    ),
  );
  if (issues.length > 0) return issues;
  const tests = guardrails.reduce((sum, guardrail) => sum + testsOf(guardrail, groups), 0);
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

/** How many tests a guardrail comes to. */
function testsOf(guardrail: GuardrailSpec, groups: DeclaredGroups): number {
  const { singles, intersections } = watchedSets(guardrail, groups);
  const size = (set: readonly string[]) => set.reduce((product, attribute) => product * (groups[attribute]?.length ?? 0), 1);
  const isPaired = guardrail.reference === EVERY_PAIR;
  const parts = metricOf(guardrail.metric).parts?.length ?? 1;
  const single = singles.reduce((all, set) => all + (isPaired ? size(set) * (size(set) - 1) : size(set)), 0);
  return parts * (single + intersections.reduce((all, set) => all + size(set), 0));
}

function ownIssues(guardrail: GuardrailSpec, all: readonly GuardrailSpec[], i: number): Issue[] {
  const { name, metric, limit, direction } = guardrail;
  const { kinds, counts, onlyPrevious } = metricOf(metric);
  const issues: Issue[] = [];
  if (direction !== undefined && kinds[direction] === undefined)
    issues.push({ path: "/direction", expected: `${Object.keys(kinds).join(" or ")} for ${metric}`, got: direction });
  const kind = kindOf(metric, direction);
  const trouble = anyLimitTrouble(kind, limit, edgesOf(counts));
  const isTurned = kind === "ratio_min" && direction === "at_most";
  if (trouble) issues.push({ path: "/limit", expected: trouble, got: String(limit) });
  else if (kind === "ratio_min" && !isTurned && limit > 1)
    issues.push({ path: "/limit", expected: "a ratio of at most 1, 0.8 for four fifths", got: String(limit) });
  else if (isTurned && limit < 1)
    issues.push({ path: "/limit", expected: "a ratio of at least 1, 1.25 for five quarters", got: String(limit) });
  if (all.findIndex((other) => other.name === name) < i)
    issues.push({ path: "/name", expected: "a name that no other guardrail has", got: name });
  const { reference } = guardrail;
  if (reference !== undefined && reference !== REST && !comparesGroups(guardrail) && reference !== PREVIOUS)
    issues.push({ path: "/reference", expected: `nothing: ${metric} compares a group with no other`, got: reference });
  if (reference === PREVIOUS && !mayComparePrevious(guardrail))
    issues.push({ path: "/reference", expected: `another: ${metric} can't be compared with the previous release`, got: reference });
  if (onlyPrevious && reference !== undefined && reference !== PREVIOUS)
    issues.push({ path: "/reference", expected: `${PREVIOUS}, or nothing: ${metric} compares with nobody else`, got: reference });
  return issues;
}

/** Whether a guardrail's test has a reference of its own beside the group. */
export const comparesGroups = ({ metric, direction }: GuardrailSpec): boolean => {
  const kind = kindOf(metric, direction);
  return kind === "ratio_min" || kind === "diff_min" || kind === "did_min";
};

/** Ratios and differences of answers: outcomes come a year later, and then nobody answers beside. */
function mayComparePrevious({ metric, direction }: GuardrailSpec): boolean {
  const kind = kindOf(metric, direction);
  return metricOf(metric).counts === "selections" && (kind === "ratio_min" || kind === "diff_min" || kind === "did_min");
}

/** What some metrics need said, and others don't. */
function extraIssues(
  { metric, actions, slower_than, matures_after }: GuardrailSpec,
  known: readonly string[],
  hasOutcomes: boolean,
): Issue[] {
  const { counts } = metricOf(metric);
  const issues: Issue[] = [];
  const needs = (path: string, value: string | readonly string[] | undefined, isNeeded: boolean, expected: string) => {
    if (isNeeded && value === undefined) issues.push({ path, expected, got: "nothing" });
    if (!isNeeded && value !== undefined) issues.push({ path, expected: `nothing: ${metric} has none`, got: String(value) });
  };
  needs("/actions", actions, counts === "actions", `actions of the endpoint: ${known.join(", ")}`);
  needs("/slower_than", slower_than, counts === "slow", "a time, such as 300ms");
  needs("/matures_after", matures_after, counts === "outcomes", "the age at which outcomes enter, such as 365d");
  for (const [j, action] of (actions ?? []).entries()) {
    if (known.includes(action)) continue;
    const near = nearest(action, known);
    issues.push({
      path: `/actions/${j}`,
      expected: `an action of the endpoint: ${known.join(", ")}`,
      got: action,
      ...(near ? { hint: `did you mean ${near}?` } : {}),
    });
  }
  if (counts === "outcomes" && !hasOutcomes)
    issues.push({
      path: "/metric",
      expected: "outcomes that the endpoint declares, for a metric with outcomes",
      got: metric,
      hint: "declare them under outcomes:",
    });
  return issues;
}

function groupIssues(guardrail: GuardrailSpec, groups: DeclaredGroups): Issue[] {
  const attributes = Object.keys(groups);
  const expected = `an attribute of groups: ${attributes.join(", ") || "none is declared"}`;
  const unknown = (named: readonly string[], path: string) =>
    named.flatMap((attribute, j): Issue[] => {
      if (attributes.includes(attribute)) return [];
      const near = nearest(attribute, attributes);
      return [{ path: `${path}/${j}`, expected, got: attribute, ...(near ? { hint: `did you mean ${near}?` } : {}) }];
    });
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
  if (metricOf(metric).knowsNoGroups && watched.length > 0)
    issues.push({ path: "/groups", expected: "nothing: how long answers take isn't counted by group", got: watched.join(", ") });
  const isWord = reference === REST || reference === EVERY_PAIR || reference === PREVIOUS;
  if (!isWord && !watched.every((attribute) => groups[attribute]?.includes(reference))) {
    const near = nearest(reference, [REST, EVERY_PAIR, PREVIOUS, ...watched.flatMap((attribute) => groups[attribute] ?? [])]);
    issues.push({
      path: "/reference",
      expected: `${REST}, ${EVERY_PAIR}, ${PREVIOUS}, or a value that every watched attribute has`,
      got: reference,
      ...(near ? { hint: `did you mean ${near}?` } : {}),
    });
  }
  return [...issues, ...lonelyIssues(guardrail, groups, watched)];
}

/** A group whom there is nobody to compare with: no number of decisions would ever decide. */
function lonelyIssues(guardrail: GuardrailSpec, groups: DeclaredGroups, watched: readonly string[]): Issue[] {
  if (!comparesGroups(guardrail) || guardrail.reference === PREVIOUS) return [];
  const lonely = watched.find((attribute) => groups[attribute]?.length === 1);
  return lonely === undefined
    ? []
    : [
        {
          path: "/groups",
          expected: `attributes with two groups or more: ${lonely} has one, which no number of decisions can compare with another`,
          got: lonely,
        },
      ];
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
