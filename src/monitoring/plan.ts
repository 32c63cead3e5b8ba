/** The tests that follow from an endpoint's guardrails and groups, each with its share of the error budget. Pure. */
import { UNKNOWN_GROUP, type ArmClass } from "../decisions/index.ts";
import { millisecondsOf } from "../duration.ts";
import { assert, unreachable } from "../std.ts";
import type { AnyDefinition } from "./any-test.ts";
import { EVERY_PAIR, PREVIOUS, REST, comparesGroups, watchedSets, type DeclaredGroups, type GuardrailSpec } from "./guardrail.ts";
import { kindOf, metricOf, type Direction, type MetricName, type OutcomePart } from "./metrics.ts";
import { splitBudget } from "./multiplicity.ts";
import { edgesOf } from "./value-buckets.ts";

/** Values of attributes that make a group: `{ sex: "female", education: "high_school" }`. Empty: everybody. */
export type Group = Readonly<Record<string, string>>;

/** What a test counts: the metric's, with what its guardrail says of it. */
export type Counted =
  | { readonly kind: "selections" | "substitutions" | "flips" | "net-flips" | "scores" }
  | { readonly kind: "actions"; readonly actions: readonly string[] }
  | { readonly kind: "slow"; readonly slowerThanMs: number }
  | { readonly kind: "outcomes"; readonly part: OutcomePart; readonly maturesAfterMs: number };

/** One group of one guardrail, compared with its reference. */
export interface PlannedTest {
  readonly guardrail: string;
  readonly metric: MetricName;
  readonly action: GuardrailSpec["action"];
  readonly group: Group;
  /** `education=high_school`, attributes in the order in which they were written; `everybody` for all. */
  readonly groupLabel: string;
  /** `rest`, the value that the group is compared with, or `previous release`; null where the metric compares with nothing. */
  readonly reference: string | null;
  readonly counted: Counted;
  readonly direction: Direction;
  /** What is still fair, as it was written. */
  readonly limit: number;
  /** Cells are (group, reference), turned round where a ratio or difference must be at most its limit; then a ratio's limit is 1 over it. */
  readonly definition: AnyDefinition;
  /** This test's share of the release's error budget. */
  readonly alpha: number;
}

/** A group and whom it is compared with. */
interface Comparison {
  readonly group: Group;
  readonly reference: string | null;
}

/**
 * Every test of a release's answers, those of shadows apart.
 * @param guardrails - without issues (`guardrailIssues`)
 * @param budget - chance that a fair release ever breaches any of them
 */
export function planTests(
  guardrails: readonly GuardrailSpec[],
  groups: DeclaredGroups,
  budget: number,
  armClass: ArmClass,
): readonly PlannedTest[] {
  const expanded = guardrails
    .filter(({ metric }) => metricOf(metric).watches.includes(armClass))
    .filter((guardrail) => armClass === "serving" || referenceOf(guardrail) !== PREVIOUS)
    .map((guardrail) => ({ guardrail, ...comparisonsOf(guardrail, groups) }));
  const shares = splitBudget(
    budget,
    expanded.map(({ guardrail, singles, intersections }) => ({
      weight: guardrail.weight ?? 1,
      singles: singles.length,
      intersections: intersections.length,
    })),
  );
  return expanded.flatMap(({ guardrail, singles, intersections }, i) => {
    const { metric, name, action, limit } = guardrail;
    const direction = guardrail.direction ?? metricOf(metric).unlessSaid;
    const counted = countedBy(guardrail);
    const plan = ({ group, reference }: Comparison, alpha: number): readonly PlannedTest[] =>
      counted.map((one) => ({
        guardrail: name,
        metric,
        action,
        group,
        groupLabel: labelOf(group),
        reference,
        counted: one,
        direction,
        limit,
        definition: definitionOf(guardrail, direction),
        alpha: alpha / counted.length,
      }));
    const share = shares[i] ?? { single: 0, intersection: 0 };
    return [...singles.flatMap((one) => plan(one, share.single)), ...intersections.flatMap((one) => plan(one, share.intersection))];
  });
}

function definitionOf(guardrail: GuardrailSpec, direction: Direction): AnyDefinition {
  const { metric, limit, dependence = 1 } = guardrail;
  const kind = kindOf(metric, direction);
  const start = { dependence, prior: null, priorN: 2 };
  if (kind !== "mean_min" && kind !== "mean_max")
    return { kind, limit: kind === "ratio_min" && direction === "at_most" ? 1 / limit : limit, ...start };
  const edges = edgesOf(metricOf(metric).counts);
  assert(edges, `${metric} has values between edges`);
  return { kind, limit, ...start, edges };
}

/** Whether a test's cells are (reference, group): a ratio or difference that must be at most its limit. */
export const isTurned = ({ definition, direction }: Pick<PlannedTest, "definition" | "direction">): boolean =>
  direction === "at_most" && (definition.kind === "ratio_min" || definition.kind === "diff_min");

const referenceOf = (guardrail: GuardrailSpec): string | null =>
  metricOf(guardrail.metric).onlyPrevious ? PREVIOUS : comparesGroups(guardrail) ? (guardrail.reference ?? REST) : null;

/** What a guardrail's tests of one group count: one, or more where the metric is of parts. */
function countedBy({ metric, actions, slower_than, matures_after }: GuardrailSpec): readonly Counted[] {
  const { counts, parts } = metricOf(metric);
  switch (counts) {
    case "selections":
    case "substitutions":
    case "flips":
    case "net-flips":
    case "scores":
      return [{ kind: counts }];
    case "actions":
      return [{ kind: counts, actions: (actions ?? []).toSorted() }];
    case "slow":
      assert(slower_than !== undefined, "a guardrail on slow answers says what is slow");
      return [{ kind: counts, slowerThanMs: millisecondsOf(slower_than) }];
    case "outcomes":
      assert(matures_after !== undefined && parts, "a guardrail on outcomes says when they enter");
      return parts.map((part) => ({ kind: counts, part, maturesAfterMs: millisecondsOf(matures_after) }));
    default:
      return unreachable(counts);
  }
}

function comparisonsOf(guardrail: GuardrailSpec, groups: DeclaredGroups) {
  const reference = referenceOf(guardrail);
  const sets = watchedSets(guardrail, groups);
  const all = (set: readonly string[]) => combinations(set, groups);
  // A single value isn't a comparison for people of several attributes.
  const ofMany = reference === null || reference === PREVIOUS ? reference : REST;
  return {
    singles: sets.singles.flatMap((set): Comparison[] =>
      reference === EVERY_PAIR
        ? pairsOf(set, groups)
        : all(set)
            .filter((group) => reference === null || !Object.values(group).includes(reference))
            .map((group) => ({ group, reference })),
    ),
    intersections: sets.intersections.flatMap((set) => all(set).map((group): Comparison => ({ group, reference: ofMany }))),
  };
}

/** Every ordered pair of the groups of an attribute. */
function pairsOf(set: readonly string[], groups: DeclaredGroups): Comparison[] {
  return set.flatMap((attribute) => {
    const values = groups[attribute] ?? [];
    return values.flatMap((value) =>
      values.filter((other) => other !== value).map((other): Comparison => ({ group: { [attribute]: value }, reference: other })),
    );
  });
}

/** A group as text: `education=high_school,sex=female`, attributes in the order given; `everybody` for no attribute. */
export const labelOf = (group: Group): string =>
  Object.entries(group)
    .map(([attribute, value]) => `${attribute}=${value}`)
    .join(",") || "everybody";

function combinations(attributes: readonly string[], groups: DeclaredGroups): Group[] {
  return attributes.reduce<Group[]>(
    (made, attribute) => made.flatMap((group) => (groups[attribute] ?? []).map((value) => ({ ...group, [attribute]: value }))),
    [{}],
  );
}

/** Where somebody is in a comparison. */
export type Side = "group" | "reference" | "neither";

/**
 * On which side of a comparison somebody is. Those whose value of a compared attribute isn't known are on neither. Compared with the
 * previous release, the reference is everybody else, of whom only the comparison of gaps speaks.
 * @param groups - what the person is, by attribute
 */
export function sideOf({ group, reference }: Pick<PlannedTest, "group" | "reference">, groups: Readonly<Record<string, string>>): Side {
  let isMember = true;
  const isNamed = reference !== REST && reference !== PREVIOUS && reference !== null;
  for (const [attribute, value] of Object.entries(group)) {
    const theirs = groups[attribute];
    if (theirs === undefined || theirs === UNKNOWN_GROUP) return "neither";
    if (theirs !== value) isMember = false;
    if (isNamed && theirs !== value && theirs !== reference) return "neither";
  }
  return isMember ? "group" : "reference";
}
