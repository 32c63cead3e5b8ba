import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ToldFeature } from "../serving/index.ts";
import { principalReasons, towardsAction, type Moved } from "./principal-reasons.ts";

const feature = (name: string, more: Partial<ToldFeature> = {}): ToldFeature => ({
  name,
  code: name,
  reason: null,
  text: name,
  attributes: [],
  ...more,
});
const moved = (name: string, contribution: number, more: Partial<ToldFeature> = {}, standardError = 0): Moved => ({
  feature: feature(name, more),
  contribution,
  standardError,
});
const against = { towards: -1, isFavourable: false } as const;
const codesOf = (all: readonly Moved[], how: Parameters<typeof principalReasons>[1] = against) =>
  principalReasons(all, how).reasons.map(({ code }) => code);

describe("the reasons that a person is told", () => {
  // From the reference of fairness metrics, section 11: weights times the distance from the reference's mean.
  test("are those that lost most, in order, and not filled up to four", () => {
    const all = [moved("utilisation", -1.1), moved("late_payments", -1.08), moved("file_years", -0.5), moved("income", 0.05)];
    expect(codesOf(all)).toEqual(["utilisation", "late_payments", "file_years"]);
  });
  test("come in declared order where they weigh the same but for rounding", () => {
    const all = [moved("utilisation", -0.9), moved("late_payments", -0.9000000000000001), moved("file_years", 0.1)];
    expect(codesOf(all)).toEqual(["utilisation", "late_payments"]);
  });
  test("are four at most", () => {
    expect(codesOf(Array.from({ length: 9 }, (_, i) => moved(`f${i}`, -1 - i)))).toEqual(["f8", "f7", "f6", "f5"]);
  });
  test("of one code are one, with what its features moved together", () => {
    const late = { code: "R07", reason: "Recent payments were late" };
    const { reasons } = principalReasons([moved("pay_0", -0.2, late), moved("debt", -0.25), moved("pay_2", -0.1, late)], against);
    expect(reasons[0]).toMatchObject({ code: "R07", text: "Recent payments were late", features: ["pay_0", "pay_2"] });
    expect(reasons[0]?.contribution).toBeCloseTo(-0.3, 12);
  });
  test("are never what a protected attribute moved, however much it was; that is told apart", () => {
    const all = [moved("studied", -5, { attributes: ["education"] }), moved("income", -1)];
    const { reasons, withheld } = principalReasons(all, against);
    expect(reasons.map(({ code }) => code)).toEqual(["income"]);
    expect(withheld).toEqual({ attributes: ["education"], features: ["studied"], contribution: -5, share: 5 / 6 });
  });
  test("are none that may be chance: a sampled one within two of its standard errors", () => {
    expect(codesOf([moved("sure", -0.1, {}, 0.02), moved("chance", -0.1, {}, 0.06)])).toEqual(["sure"]);
  });
  test("of an approval are told by what features mean, not by their faults", () => {
    const all = [moved("income", 1, { reason: "The income is low", text: "what they earn" })];
    expect(principalReasons(all, { towards: 1, isFavourable: true }).reasons[0]?.text).toBe("what they earn");
  });
  test("are none where nothing moved", () => {
    expect(principalReasons([moved("income", 0)], against)).toEqual({ reasons: [], withheld: null, others: 0 });
  });

  test("together with what is withheld and all others, they are the whole difference", () => {
    const any = fc.record({
      name: fc.constantFrom("a", "b", "c", "d", "e", "f"),
      contribution: fc.double({ min: -1, max: 1, noNaN: true }),
      isProtected: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(any), fc.constantFrom(1 as const, -1 as const), (all, towards) => {
        const parts = all.map(({ name, contribution, isProtected }, i) =>
          moved(`${name}${i}`, contribution, { code: name, attributes: isProtected ? ["sex"] : [] }),
        );
        const { reasons, withheld, others } = principalReasons(parts, { towards, isFavourable: towards === 1 });
        const told = reasons.reduce((sum, { contribution }) => sum + contribution, 0) + (withheld?.contribution ?? 0) + others;
        expect(told).toBeCloseTo(
          all.reduce((sum, { contribution }) => sum + contribution, 0),
          6,
        );
        for (const { contribution } of reasons) expect(Math.sign(contribution)).toBe(towards);
      }),
    );
  });
});

describe("the way to an action", () => {
  const bands = (...names: readonly string[]) => ({ bands: names.map((action, i) => ({ action, from: i / names.length })) });
  const isFavourable = (action: string) => action === "approve";
  const way = (policy: ReturnType<typeof bands>, score: number, difference: number) => {
    const at = policy.bands.findLast(({ from }) => from <= score)?.action ?? "";
    return towardsAction(policy, { score, isFavourable: isFavourable(at), difference }, isFavourable);
  };
  test("leads away from the bands of the other kind", () => {
    const up = bands("deny", "refer", "approve");
    expect([way(up, 0.1, 1), way(up, 0.5, 1), way(up, 0.9, -1)]).toEqual([-1, -1, 1]);
    const down = bands("approve", "refer", "deny");
    expect([way(down, 0.1, 1), way(down, 0.5, -1), way(down, 0.9, -1)]).toEqual([-1, 1, 1]);
  });
  test("is the one that the score went where these are on both sides, or nowhere", () => {
    const middle = bands("approve", "deny", "approve");
    expect([way(middle, 0.5, 0.2), way(middle, 0.5, -0.2)]).toEqual([1, -1]);
    expect([way(bands("deny"), 0.5, 0.2), way(bands("deny"), 0.5, -0.2)]).toEqual([1, -1]);
  });
});
