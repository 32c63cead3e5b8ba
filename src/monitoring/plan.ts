/** The tests that follow from an endpoint's guardrails and groups, each with its share of the error budget. Pure. */
import { UNKNOWN_GROUP, type ArmClass } from "../decisions/index.ts";
import { REST, watchedSets, type DeclaredGroups, type GuardrailSpec } from "./guardrail.ts";
import { metricOf, type MetricName } from "./metrics.ts";
import { splitBudget } from "./multiplicity.ts";
import { cellsOf, type TestDefinition } from "./sequential-test.ts";

/** Values of attributes that make a group: `{ sex: "female", education: "high_school" }`. Empty: everybody. */
export type Group = Readonly<Record<string, string>>;

/** One group of one guardrail, compared with its reference. */
export interface PlannedTest {
  readonly guardrail: string;
  readonly metric: MetricName;
  readonly action: GuardrailSpec["action"];
  readonly group: Group;
  /** `education=high_school`, attributes in the order in which they were written; `everybody` for all. */
  readonly groupLabel: string;
  /** `rest`, or the value that the group is compared with; null where the metric compares with nothing. */
  readonly reference: string | null;
  readonly definition: TestDefinition;
  /** This test's share of the release's error budget. */
  readonly alpha: number;
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
    .map((guardrail) => {
      const { reference = REST } = guardrail;
      const sets = watchedSets(guardrail, groups);
      return {
        guardrail,
        reference: cellsOf(metricOf(guardrail.metric).kind) === 1 ? null : reference,
        singles: sets.singles.flatMap((set) => combinations(set, groups)).filter((group) => !Object.values(group).includes(reference)),
        intersections: sets.intersections.flatMap((set) => combinations(set, groups)),
      };
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
      // A single value isn't a comparison for people of several attributes.
      reference: reference !== null && Object.keys(group).length > 1 ? REST : reference,
      definition: {
        kind: metricOf(guardrail.metric).kind,
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
 * On which side of a comparison somebody is. Those whose value of a compared attribute isn't known are on neither.
 * @param groups - what the person is, by attribute
 */
export function sideOf({ group, reference }: Pick<PlannedTest, "group" | "reference">, groups: Readonly<Record<string, string>>): Side {
  let isMember = true;
  for (const [attribute, value] of Object.entries(group)) {
    const theirs = groups[attribute];
    if (theirs === undefined || theirs === UNKNOWN_GROUP) return "neither";
    if (theirs !== value) isMember = false;
    if (reference !== REST && reference !== null && theirs !== value && theirs !== reference) return "neither";
  }
  return isMember ? "group" : "reference";
}
