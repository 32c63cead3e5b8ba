/** What can be said of many tests together: who is named is said of the past, who is warned of is said of now (sequential-tests §6). */
import { expect, test } from "vitest";
import type { EndpointName, ReleaseId } from "../std.ts";
import { testsFromTheStart } from "./fold.ts";
import { guardrailStates } from "./guardrail-state.ts";
import { planTests } from "./plan.ts";
import type { RunningTest } from "./test-record.ts";

const owner = { endpoint: "loans" as EndpointName, release: "rel:a" as ReleaseId, armClass: "serving", epoch: 0 } as const;
const groups = { region: Array.from({ length: 10 }, (_, i) => `r${i}`) };
const spec = { name: "parity", metric: "adverse_impact_ratio", limit: 0.8, action: "warn" } as const;
const fresh = testsFromTheStart({
  owner,
  plans: planTests([spec], groups, 0.01, "serving"),
  favourable: new Set(["approve"]),
  budget: 0.01,
});
/** The tests with this evidence: what it is, and the most that it was. */
const withEvidence = (evidence: readonly (readonly [logE: number, maxLogE: number])[]): readonly RunningTest[] =>
  fresh.map((one, i) => {
    const [logE, maxLogE] = evidence[i] ?? [0, 0];
    return { ...one, state: { ...one.state, test: { ...one.state.test, logE, maxLogE } } };
  });
const words = (tests: readonly RunningTest[]) =>
  guardrailStates(tests).map(({ isNamed, isWarned }) => `${isNamed ? "named" : ""}${isWarned ? "warned" : ""}`);

test("whoever was named stays named though the evidence has gone down, and is warned of no more", () => {
  // Ten tests with 0.0009 each: the first proof takes 7.01, and each one that is named makes it easier for the next.
  expect(
    words(
      withEvidence([
        [0, 8],
        [7.2, 7.2],
        [6.95, 6.95],
      ]),
    ),
  ).toEqual(["named", "namedwarned", "namedwarned", ...Array.from({ length: 7 }, () => "")]);
  expect(words(withEvidence([[6.95, 6.95]])).slice(0, 1)).toEqual(["warned"]);
});

test("many with some evidence are warned of together where one of them alone isn't", () => {
  // ln(10 / (0.1 · 4)) = 3.22; ln(10 / 0.1) = 4.61.
  const some = [3.3, 3.3] as const;
  expect(words(withEvidence([some, some, some, some])).filter((word) => word === "warned")).toHaveLength(4);
  expect(words(withEvidence([some])).join("")).toBe("");
  // The most that it was is not what it is: e-BH on maxima doesn't hold what it promises.
  expect(
    words(
      withEvidence([
        [1, 6],
        [1, 6],
        [1, 6],
        [1, 6],
      ]),
    ).join(""),
  ).toBe("");
});
