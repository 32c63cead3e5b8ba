/** What looking costs, in user and system time of this process, so that it can be told on a machine that does other things as well. */
import {
  CellSides,
  advance,
  closeBlock,
  cumulativeOf,
  planTests,
  ratioBand,
  reconcile,
  selections,
  startTest,
  uniformStream,
  type GuardrailSpec,
  type TestKind,
} from "../../src/monitoring/index.ts";
import type { TotalRow } from "../../src/decisions/index.ts";
import type { EndpointName, ReleaseId } from "../../src/std.ts";

export interface Cost {
  readonly what: string;
  readonly unit: "µs" | "ms";
  readonly value: number;
  readonly most: number;
}

const KINDS = [
  { kind: "rate_max", limit: 0.05, n: [50], k: [2], most: 10 },
  { kind: "ratio_min", limit: 0.8, n: [20, 80], k: [12, 56], most: 10 },
  { kind: "diff_min", limit: 0.05, n: [20, 80], k: [12, 50], most: 40 },
  { kind: "did_min", limit: 0.05, n: [20, 80, 20, 80], k: [12, 50, 12, 50], most: 40 },
] as const satisfies readonly { kind: TestKind; limit: number; n: number[]; k: number[]; most: number }[];

/** User and system time of one call, the best of several tries. */
function cpuMs(times: number, work: (i: number) => void): number {
  for (let i = 0; i < times; i++) work(i); // compiled by now
  let best = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < 5; attempt++) {
    const before = process.cpuUsage();
    for (let i = 0; i < times; i++) work(i);
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, (user + system) / 1000 / times);
  }
  return best;
}

export function costs(): readonly Cost[] {
  const blocks = KINDS.map(({ kind, limit, n, k, most }): Cost => {
    const definition = { kind, limit, dependence: 1, prior: null, priorN: 2 };
    let state = startTest(definition);
    const next = uniformStream(1, 1);
    const value =
      1000 *
      cpuMs(20_000, () => (state = closeBlock(definition, state, { n, k: k.map((count) => Math.max(0, count - (next() < 0.5 ? 1 : 0))) })));
    return { what: `one block, ${kind}`, unit: "µs", value, most };
  });
  const band = cpuMs(50, (i) => void ratioBand({ n: 2000 + i, k: 900 }, { n: 8000, k: 5600 }, 0.05));
  return [...blocks, { what: "a band of a ratio", unit: "ms", value: band, most: 5 }, tick()];
}

const GROUPS = 100;
const GUARDRAILS = 5;

/** One look at a release with many groups and guardrails while all counts have moved: from tallies to closed blocks, without storing. */
function tick(): Cost {
  const groups = { region: Array.from({ length: GROUPS }, (_, i) => `g${i}`) };
  const specs = Array.from({ length: GUARDRAILS }, (_, i): GuardrailSpec => ({
    name: `g${i}`,
    metric: "adverse_impact_ratio",
    limit: 0.5 + i / 20,
    action: "warn",
  }));
  const plans = planTests(specs, groups, 0.01, "serving");
  const [endpoint, release] = ["loans" as EndpointName, "rel:a" as ReleaseId];
  const favourable = new Set(["approve"]);
  const rowsAfter = (looks: number): TotalRow[] =>
    groups.region.flatMap((value) =>
      ["approve", "deny"].map((action): TotalRow => {
        const counted = looks * (action === "approve" ? 6 : 4);
        const counts = { decisions: counted, counted, fallback: 0, scored: 0, scoreSumU6: 0, latencySumUs: 0 };
        return { release, arm: "live", cell: `region=${value}`, action, ...counts };
      }),
    );
  const sides = new CellSides();
  const reading = (looks: number) => {
    const counts = selections(rowsAfter(looks), favourable);
    const tallied = { kind: "totals", cells: counts } as const;
    return (plan: (typeof plans)[number]) => ({ counts: cumulativeOf(plan, tallied, null, sides), context: "" });
  };
  const owner = { endpoint, release, armClass: "serving", epoch: 0 } as const;
  let tests = reconcile([], { owner, plans, favourable, budget: 0.01, isFirstSight: true, nowMs: 0 }, reading(0)).running;
  let looks = 0;
  const value = cpuMs(100, () => {
    const now = reading(++looks);
    tests = tests.map((test) => advance(test, now(test.plan)));
  });
  return { what: `a look at ${GROUPS} groups x ${GUARDRAILS} guardrails`, unit: "ms", value, most: 2 };
}
