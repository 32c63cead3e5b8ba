import { expect, test } from "vitest";
import { undecidableIssues } from "./decidable.ts";
import type { GuardrailSpec } from "./guardrail.ts";

const groups = { sex: ["female", "male"] };
const parity: GuardrailSpec = { name: "parity", metric: "adverse_impact_ratio", limit: 0.8, action: "warn" };

test("a limit that nobody would be seen to break is refused, with how many decisions it would need", () => {
  const [issue] = undecidableIssues([parity, { ...parity, name: "nothing", limit: 1e-7 }], groups, 0.01);
  expect(issue?.path).toBe("/1/limit");
  expect(issue?.got).toMatch(/needs some \d{2,3},\d{3},\d{3} with these groups/);
});

test("what slows a proof down is counted in: groups, the budget, clusters", () => {
  const many = { region: Array.from({ length: 400 }, (_, i) => `r${i}`) };
  const strict: GuardrailSpec = { ...parity, limit: 0.0005 };
  expect(undecidableIssues([strict], groups, 0.01)).toEqual([]);
  expect(undecidableIssues([strict], many, 0.01)).toHaveLength(1);
  expect(undecidableIssues([{ ...strict, dependence: 1000 }], groups, 0.01)).toHaveLength(1);
});

test.each<GuardrailSpec>([
  parity,
  { ...parity, metric: "selection_rate_difference", limit: 0.1 },
  { ...parity, metric: "selection_rate", limit: 0.2 },
  { ...parity, metric: "fallback_rate", limit: 0.02 },
  { ...parity, metric: "flips_to_worse", limit: 0.5 },
  { ...parity, metric: "net_flips_to_worse", limit: 0.05 },
  { ...parity, metric: "selection_gap_increase", limit: 0.05 },
  { ...parity, metric: "equalized_odds_difference", limit: 0.1, matures_after: "365d" },
])("ordinary guardrails can be decided: $metric", (guardrail) => {
  expect(undecidableIssues([guardrail], groups, 0.01)).toEqual([]);
});
