/** How an endpoint's guardrails on ratios would stand among replayed answers. Pure. A few hundred answers prove no release fair, but can prove one harmful. */
import { groupsOf } from "../decisions/index.ts";
import { PREVIOUS, planTests, ratioBand, ratioOf, sideOf, type Band, type Group, type MetricName } from "../monitoring/index.ts";
import type { ReplayedAnswer } from "../serving/index.ts";
import type { EndpointDefinition } from "./endpoint-spec.ts";

export interface ReplayedGuardrail {
  readonly guardrail: string;
  readonly metric: MetricName;
  readonly group: Group;
  readonly groupLabel: string;
  readonly limit: number;
  readonly groupN: number;
  readonly referenceN: number;
  /** Null where it can't be computed. */
  readonly estimate: number | null;
  /** For the ratio, at 95 %. */
  readonly band: Band;
  /** The whole band lies below the limit. */
  readonly wouldBreach: boolean;
}

const BAND_ALPHA = 0.05;

export function replayedGuardrails(
  { guardrails, spec, budget }: EndpointDefinition,
  answers: readonly ReplayedAnswer[],
): readonly ReplayedGuardrail[] {
  const tests = planTests(guardrails, spec.groups ?? {}, budget, "serving").filter(
    ({ definition, direction, counted, reference }) =>
      definition.kind === "ratio_min" && direction === "at_least" && counted.kind === "selections" && reference !== PREVIOUS,
  );
  return tests.map(({ guardrail, metric, group, groupLabel, reference, definition: { limit } }) => {
    const sides = { group: { n: 0, k: 0 }, reference: { n: 0, k: 0 } };
    for (const answer of answers) {
      if (answer.kind !== "answered") continue;
      const side = sideOf({ group, reference }, groupsOf(answer.cell));
      if (side !== "group" && side !== "reference") continue;
      sides[side].n++;
      if (answer.favourable) sides[side].k++;
    }
    const band = ratioBand(sides.group, sides.reference, BAND_ALPHA);
    return {
      guardrail,
      metric,
      group,
      groupLabel,
      limit,
      groupN: sides.group.n,
      referenceN: sides.reference.n,
      estimate: ratioOf(sides.group, sides.reference) ?? null,
      band,
      wouldBreach: band[1] < limit,
    };
  });
}
