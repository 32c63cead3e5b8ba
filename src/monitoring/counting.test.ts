import { expect, test } from "vitest";
import type { Arm, FlipRow, TotalRow } from "../decisions/index.ts";
import type { ReleaseId } from "../std.ts";
import { CellSides, cumulativeOf, flips, groupCoverage, selections, shadowFailures, substitutions } from "./counting.ts";
import { planTests } from "./plan.ts";

const [live, canary, standby] = ["rel:live", "rel:canary", "rel:standby"] as [ReleaseId, ReleaseId, ReleaseId];
const row = (
  release: ReleaseId,
  arm: Arm,
  cell: string,
  action: string,
  decisions: number,
  counted = decisions,
  fallback = 0,
): TotalRow => ({
  release,
  arm,
  cell,
  action,
  decisions,
  counted,
  fallback,
  scored: 0,
  scoreSumU6: 0,
  latencySumUs: 0,
});
const favourable = new Set(["approve"]);

test("repeats of one person are no evidence of who is selected", () => {
  const rows = [row(live, "live", "sex=female", "approve", 30, 10), row(live, "live", "sex=female", "deny", 20, 15)];
  expect(selections(rows, favourable).get("sex=female")).toEqual({ n: 25, k: 10 });
});

test("a flip is a pair of answers of which one is favourable; only those to the worse are harm", () => {
  const pair = (liveAction: string, shadowAction: string, counted: number): FlipRow => ({
    liveRelease: live,
    shadowRelease: canary,
    cell: "sex=female",
    liveAction,
    shadowAction,
    counted,
  });
  const rows = [
    pair("approve", "approve", 90),
    pair("deny", "refer", 7),
    pair("approve", "deny", 5),
    pair("approve", "refer", 2),
    pair("deny", "approve", 3),
  ];
  expect(flips(rows, favourable).get("sex=female")).toEqual({ n: 10, k: 7 });
});

test("a shadow's failures count against the requests that it was asked", () => {
  const rows = [row(canary, "shadow", "", "approve", 95), row(canary, "shadow", "", "deny", 5, 0, 5)];
  expect(shadowFailures(rows).get("")).toEqual({ n: 100, k: 5 });
});

const rows = new Map<ReleaseId, readonly TotalRow[]>([
  [live, [row(live, "live", "", "approve", 900), row(live, "fallback", "", "approve", 8)]],
  [canary, [row(canary, "canary", "", "approve", 92)]],
  [standby, [row(standby, "live", "", "approve", 5000), row(standby, "fallback", "", "deny", 3)]],
]);
const route = { live, beside: [canary], sinceMs: 0 };

test("who failed is told by who answered: live for the canary, others for live", () => {
  expect(substitutions(canary, route, rows, 10_000).cells.get("")).toEqual({ n: 100, k: 8 });
  expect(substitutions(live, route, rows, 10_000).cells.get("")).toEqual({ n: 903, k: 3 });
  expect(substitutions(standby, route, rows, 10_000).cells.size).toBe(0);
});

test("of several releases beside live nothing tells which one failed, so nothing is said of them", () => {
  const arms = { ...route, beside: [canary, "rel:third" as ReleaseId] };
  expect(substitutions(canary, arms, rows, 10_000)).toEqual({ cells: new Map(), context: null });
  expect(substitutions(live, arms, rows, 10_000).cells.get("")).toEqual({ n: 903, k: 3 });
});

test("failures counted under another route, or before the one before has come to rest, can't be compared", () => {
  const { context } = substitutions(live, route, rows, 10_000);
  expect(substitutions(live, route, rows, 99_000).context).toBe(context);
  const others = [
    substitutions(live, { ...route, beside: [] }, rows, 10_000),
    substitutions(live, route, new Map([...rows, ["rel:new" as ReleaseId, []]]), 10_000),
    substitutions(live, { ...route, sinceMs: 9000 }, rows, 10_000),
  ].map((each) => each.context);
  expect(new Set([context, ...others]).size).toBe(4);
  expect(others[2]).toBeNull();
  expect(substitutions(standby, route, rows, 10_000).context).toBeNull();
});

test("cells add up to the sides of a comparison, or to the group alone", () => {
  const groups = { sex: ["female", "male"], education: ["low", "high"] };
  const spec = { name: "parity", limit: 0.8, action: "warn", groups: ["sex"] } as const;
  const counts = new Map(
    [
      ["education=low,sex=female", 10],
      ["education=high,sex=female", 20],
      ["education=low,sex=male", 40],
      ["education=low,sex=unknown", 80],
    ].map(([cell, n]) => [String(cell), { n: Number(n), k: Number(n) / 2 }]),
  );
  const [ratio] = planTests([{ ...spec, groups: [...spec.groups], metric: "adverse_impact_ratio" }], groups, 0.01, "serving");
  const [failures] = planTests([{ ...spec, groups: [...spec.groups], metric: "fallback_rate" }], groups, 0.01, "serving");
  if (!ratio || !failures) throw new Error("no plan");
  const tallied = { kind: "totals", cells: counts } as const;
  expect(cumulativeOf(ratio, tallied, null, new CellSides())).toEqual({ n: [30, 40], k: [15, 20] });
  expect(cumulativeOf(failures, tallied, null, new CellSides())).toEqual({ n: [30], k: [15] });
});

test("groups that are told depending on the answer are noticed", () => {
  const rowsOf = (unknownDenied: number) => [
    row(live, "live", "sex=female", "approve", 90),
    row(live, "live", "sex=unknown", "approve", 10),
    row(live, "live", "sex=male", "deny", 100 - unknownDenied),
    row(live, "live", "sex=unknown", "deny", unknownDenied),
  ];
  expect(groupCoverage(rowsOf(14), favourable, "sex")).toEqual({
    decisions: 200,
    unknown: 24,
    unknownOfFavourable: 0.1,
    unknownOfOthers: 0.14,
    dependsOnAnswer: false,
  });
  expect(groupCoverage(rowsOf(30), favourable, "sex").dependsOnAnswer).toBe(true);
  expect(groupCoverage([], favourable, "sex")).toMatchObject({ unknownOfFavourable: null, dependsOnAnswer: false });
});
