/** What a test hands over when it has its proof, and who fed it. Pure. */
import type { SourceTotalRow } from "../decisions/index.ts";
import type { CellSides } from "./counting.ts";
import { thresholdOf } from "./evidence.ts";
import { metricOf } from "./metrics.ts";
import type { PlannedTest } from "./plan.ts";
import type { Breach, RunningTest } from "./test-record.ts";

/** Whoever sends this much of the group's decisions could have made the evidence alone. */
const ONE_SOURCE = 0.9;

/** The token on whose requests a breach rests, where it rests on one: whoever holds it could have made it. */
export function restsOn({ sources }: Breach): string | undefined {
  const [largest] = sources;
  return largest && largest.share >= ONE_SOURCE ? largest.source : undefined;
}

export function breachOf(
  { id, release, armClass, plan, consumed, state }: RunningTest,
  found: Pick<Breach, "endpoint" | "provenAtMs" | "sources">,
): Breach {
  const [groupN = 0, referenceN = 0] = consumed.n;
  const [groupK = 0, referenceK = 0] = consumed.k;
  return {
    ...found,
    test: id,
    release,
    armClass,
    guardrail: plan.guardrail,
    metric: plan.metric,
    action: plan.action,
    limit: plan.definition.limit,
    group: plan.group,
    groupLabel: plan.groupLabel,
    reference: plan.reference,
    groupN,
    groupK,
    referenceN,
    referenceK,
    decisions: groupN + referenceN,
    logE: state.test.logE,
    threshold: thresholdOf(plan.alpha),
    alpha: plan.alpha,
    block: state.test.blocks,
  };
}

/** Who sent the group's decisions. @param rows - of the release's arm class */
export function sourcesOf(plan: PlannedTest, rows: readonly SourceTotalRow[], sides: CellSides): Breach["sources"] {
  const isCounted = metricOf(plan.metric).counts !== "substitutions";
  const bySource = new Map<string, number>();
  let all = 0;
  for (const row of rows) {
    if (sides.of(plan, row.cell) !== "group") continue;
    const count = isCounted ? row.counted : row.decisions;
    all += count;
    bySource.set(row.source, (bySource.get(row.source) ?? 0) + count);
  }
  return [...bySource]
    .filter(([, count]) => count > 0)
    .map(([source, count]) => ({ source, share: count / all }))
    .toSorted((a, b) => b.share - a.share || (a.source < b.source ? -1 : 1));
}
