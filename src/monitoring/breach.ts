/** What a test hands over when it has its proof, and who fed it. Pure. */
import type { SourceTotalRow } from "../decisions/index.ts";
import type { CellSides } from "./counting.ts";
import { thresholdOf } from "./evidence.ts";
import { figuresOf, sidesOf } from "./figures.ts";
import type { PlannedTest } from "./plan.ts";
import type { Breach, RunningTest } from "./test-record.ts";

/** Whoever sends this much of the group's decisions could have made the evidence alone. */
const ONE_SOURCE = 0.9;

/** The token on whose requests a breach rests, where it rests on one: whoever holds it could have made it. */
export function restsOn({ sources, restsOn: found }: Breach): string | undefined {
  if (found !== undefined) return found ?? undefined;
  const [largest] = sources;
  return largest && largest.share >= ONE_SOURCE ? largest.source : undefined;
}

/** What a test hands over. @param found - who sent its decisions, and when its proof was found */
export function breachOf(
  test: RunningTest,
  found: Pick<Breach, "endpoint" | "provenAtMs" | "sources"> & Partial<Pick<Breach, "restsOn" | "without">>,
): Breach {
  const { id, release, armClass, plan, state } = test;
  const { group, reference } = sidesOf(plan, test.consumed);
  const { estimate, band } = figuresOf(plan, test.consumed);
  const [low, high] = band();
  return {
    ...found,
    test: id,
    release,
    armClass,
    guardrail: plan.guardrail,
    metric: plan.metric,
    action: plan.action,
    limit: plan.limit,
    direction: plan.direction,
    group: plan.group,
    groupLabel: plan.groupLabel,
    reference: plan.reference,
    groupN: group.n,
    groupK: group.k,
    referenceN: reference.n,
    referenceK: reference.k,
    decisions: group.n + reference.n,
    logE: state.test.logE,
    threshold: thresholdOf(plan.alpha),
    alpha: plan.alpha,
    block: state.test.blocks,
    figures: { estimate, band: { low, high: Number.isFinite(high) ? high : null } },
  };
}

/** Who sent the group's decisions. @param rows - of the release's arm class */
export function sourcesOf(plan: PlannedTest, rows: readonly SourceTotalRow[], sides: CellSides): Breach["sources"] {
  const isCounted = plan.counted.kind !== "substitutions";
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
