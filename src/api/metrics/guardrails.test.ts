/** What a scrape shows of guardrails: to whom which numbers, and how much of them. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { endpoint, fairRelease, Lender } from "../../../test/lender.ts";
import type { RunningTest } from "../../monitoring/index.ts";
import { systemRuntime } from "../../store/index.ts";
import { GroupNames } from "../group-names.ts";
import { GuardrailGauges } from "./guardrails.ts";

let lender: Lender;
let known: readonly RunningTest[];
beforeAll(async () => {
  lender = await Lender.open(systemRuntime());
  const [good] = await lender.define(fairRelease(40));
  if (!good) throw new Error("no release");
  await lender.promote(good);
  await lender.control.tick(); // what comes before the first look isn't counted
  await lender.applications(200);
  await lender.control.tick();
  known = (await lender.control.tests(lender.room)).filter(({ release }) => release === good.id);
});
afterAll(() => lender.drop());

const collect = (tests: readonly RunningTest[], areVisible: boolean) =>
  new GuardrailGauges({ tests: async () => tests }).collect([lender.room], () => new GroupNames(endpoint.groups, areVisible));
/** The first test of those that there are, as if it had come to something else. */
function like(change: Partial<Pick<RunningTest, "consumed" | "breach">> & { readonly logE?: number }): RunningTest {
  const [first] = known;
  if (!first) throw new Error("nothing is watched");
  const { logE = first.state.test.logE, ...more } = change;
  return { ...first, ...more, state: { ...first.state, test: { ...first.state.test, logE } } };
}

test("estimate, band, limit and evidence of every group, by the names that the reader may know", async () => {
  expect(known).toHaveLength(2);
  for (const [areVisible, groups] of [
    [false, ["A", "B"]],
    [true, ["education=high_school", "education=university"]],
  ] as const) {
    const gauges = await collect(known, areVisible);
    for (const samples of [gauges.evenkeel_guardrail_estimate, gauges.evenkeel_guardrail_band_low, gauges.evenkeel_guardrail_evidence])
      expect(samples.map(({ labels }) => String(labels?.["group"])).toSorted()).toEqual(groups);
    expect(gauges.evenkeel_guardrail_estimate.map(({ value }) => value)).toEqual([1, 1]);
    expect(gauges.evenkeel_guardrail_limit.map(({ value }) => value)).toEqual([0.8, 0.8]);
    expect(gauges.evenkeel_guardrail_tests.find(({ labels }) => labels?.["state"] === "ok")?.value).toBe(2);
  }
});

test("numbers about fewer than ten people are for those who may see groups; what is proven about them is for everybody", async () => {
  const few = like({ consumed: { n: [9, 300], k: [1, 200] }, logE: 3 });
  const [hidden, seen] = [await collect([few], false), await collect([few], true)];
  for (const name of ["evenkeel_guardrail_estimate", "evenkeel_guardrail_band_low", "evenkeel_guardrail_band_high"] as const)
    expect([name, hidden[name].length, seen[name].length]).toEqual([name, 0, 1]);
  expect(hidden.evenkeel_guardrail_evidence).toMatchObject([{ value: Math.exp(3) }]);
});

test("however many groups there are, five hundred are shown, those closest to proof, and all are counted", async () => {
  const many = Array.from({ length: 700 }, (_, i) => like({ logE: i / 1000 }));
  const gauges = await collect(many, true);
  const evidence = gauges.evenkeel_guardrail_evidence.map(({ value }) => Math.log(value));
  expect(evidence).toHaveLength(500);
  expect(Math.min(...evidence)).toBeCloseTo(0.2);
  expect(gauges.evenkeel_guardrail_tests.reduce((sum, { value }) => sum + value, 0)).toBe(700);
});

test("while bands are computed, others get their turn", async () => {
  let turns = 0;
  const timer = setInterval(() => turns++, 0);
  await collect(
    Array.from({ length: 200 }, (_, i) => like({ logE: i / 1000 })),
    true,
  );
  clearInterval(timer);
  expect(turns).toBeGreaterThan(5);
});
