import { expect, test } from "vitest";
import { featureChangeText, featureHistory, featureSetChanges } from "./feature-set-diff.ts";
import type { FeatureSetSpec, FeatureSpec } from "./feature-set-spec.ts";

const set = (...features: FeatureSpec[]): FeatureSetSpec => ({ name: "credit", features });
const ratio = (cel: string, more: Partial<FeatureSpec> = {}): FeatureSpec => ({ name: "debt_ratio", cel, ...more });
const income: FeatureSpec = { name: "income", from: "income" };
const age: FeatureSpec = { name: "months", from: "months" };
const texts = (before: FeatureSetSpec, now: FeatureSetSpec) => featureSetChanges(before, now).map(featureChangeText);

test("what differs between two feature sets is told feature by feature, and whether models see it", () => {
  expect(texts(set(income, age), set(income, age))).toEqual([]);
  expect(texts(set(income, age), set(income, ratio("debt / income")))).toEqual([
    "- months at 2: from months",
    "+ debt_ratio at 2: debt / income",
  ]);
  expect(texts(set(ratio("debt / income")), set(ratio("debt / max(1, income)", { reason: "Much is owed" })))).toEqual([
    "~ debt_ratio: debt / income → debt / max(1, income)",
    '  debt_ratio: its reason nothing → "Much is owed"; models see the same',
  ]);
  expect(texts(set(income, age), set(age, income))).toEqual(["~ order: income, months → months, income"]);
});

test("the life of a feature: when it came, what changed in it, when it moved, went and came back, in every set that has it", () => {
  const versions = [
    set(income),
    set(income, ratio("debt / income")),
    set(income, ratio("debt / max(1, income)")),
    set(ratio("debt / max(1, income)", { text: "Share" }), income),
    set(income),
    set(income, ratio("debt")),
  ].map((spec, i) => ({ name: "credit", number: i + 1, spec }));
  const other = { name: "cards", number: 1, spec: { ...set(ratio("x")), name: "cards" } };
  const events = featureHistory([...versions.toReversed(), other], "debt_ratio");
  expect(events.map(({ version: { name, number }, change }) => [name, number, change.kind])).toEqual([
    ["cards", 1, "added"],
    ["credit", 2, "added"],
    ["credit", 3, "derivation"],
    ["credit", 4, "told"],
    ["credit", 4, "moved"],
    ["credit", 5, "removed"],
    ["credit", 6, "added"],
  ]);
  expect(featureHistory(versions, "nothing")).toEqual([]);
});
