import { afterEach, beforeEach, expect, test } from "vitest";
import { freshSqliteStore, type FreshStore } from "../../test/sqlite.ts";
import type { EndpointName, ReleaseId } from "../std.ts";
import { GuardrailEvaluator, type WatchedEndpoint } from "./evaluator.ts";
import type { GuardrailSpec } from "./guardrail.ts";

let fresh: FreshStore;
beforeEach(async () => {
  fresh = await freshSqliteStore();
});
afterEach(() => fresh.drop());

const endpoint = "loans" as EndpointName;
const release = "rel:a" as ReleaseId;
const guardrail: GuardrailSpec = { name: "parity", metric: "adverse_impact_ratio", groups: "all", limit: 0.8, action: "roll_back" };
const watched: WatchedEndpoint = {
  endpoint,
  groups: { sex: ["female", "male"] },
  guardrails: [guardrail],
  budget: 0.01,
  favourable: new Set(["approve"]),
  releases: [{ release, armClass: "serving", epoch: 0 }],
};

/** Two tests share nine tenths of the budget. */
const ALPHA = (0.9 * 0.01) / 2;

/** Adds counted decisions to a cell, as the decision log does. */
async function count(cell: string, action: string, counted: number, source = "web") {
  await fresh.store.db
    .insertInto("tally_total")
    .values({
      endpoint,
      release,
      arm: "live",
      cell,
      action,
      writer: "w",
      source,
      decisions: counted,
      counted,
      fallback: 0,
      scored: 0,
      score_sum_u6: 0,
      latency_sum_us: 0,
    })
    .onConflict((conflict) =>
      conflict
        .columns(["endpoint", "release", "arm", "cell", "action", "writer", "source"])
        .doUpdateSet((eb) => ({ counted: eb("tally_total.counted", "+", counted) })),
    )
    .execute();
}
async function minute(womenApproved: number, menApproved: number, people = 50) {
  await count("sex=female", "approve", womenApproved);
  await count("sex=female", "deny", people - womenApproved);
  await count("sex=male", "approve", menApproved);
  await count("sex=male", "deny", people - menApproved);
}

test("a harm is proven once, with who it hits, and the state survives a restart with the same bytes", async () => {
  const evaluator = new GuardrailEvaluator(fresh.store);
  const found = [];
  for (let i = 0; i < 6; i++) {
    await minute(20, 40);
    found.push(...(await evaluator.look(watched)));
  }
  expect(found).toHaveLength(1);
  expect(found[0]).toMatchObject({
    release,
    groupLabel: "sex=female",
    reference: "rest",
    action: "roll_back",
    sources: [{ source: "web", share: 1 }],
  });
  expect(found[0]?.logE).toBeGreaterThanOrEqual(Math.log(1 / 0.0045));
  const restarted = new GuardrailEvaluator(fresh.store);
  expect(await restarted.tests(watched)).toEqual(await evaluator.tests(watched));
  expect(await restarted.look(watched)).toEqual([]);
  expect(await restarted.latched(watched)).toEqual(found);
});

test("a fair release is not accused, however often one looks", async () => {
  const evaluator = new GuardrailEvaluator(fresh.store);
  for (let i = 0; i < 40; i++) {
    await minute(34, 35);
    expect(await evaluator.look(watched)).toEqual([]);
    expect(await evaluator.look(watched)).toEqual([]);
  }
});

test("a look without new decisions writes nothing", async () => {
  const evaluator = new GuardrailEvaluator(fresh.store);
  await minute(34, 35);
  await evaluator.look(watched);
  const before = await fresh.store.db.selectFrom("guardrail_test").selectAll().execute();
  await evaluator.look(watched);
  expect(await fresh.store.db.selectFrom("guardrail_test").selectAll().execute()).toEqual(before);
});

test("people whose group isn't known are in no cell", async () => {
  const evaluator = new GuardrailEvaluator(fresh.store);
  await count("sex=unknown", "deny", 500);
  await minute(20, 20);
  await evaluator.look(watched);
  expect((await evaluator.tests(watched)).map(({ consumed }) => consumed.n)).toEqual([
    [50, 50],
    [50, 50],
  ]);
});

test("counts that shrink pause the test instead of fooling it", async () => {
  const evaluator = new GuardrailEvaluator(fresh.store);
  await minute(20, 20);
  await evaluator.look(watched);
  await fresh.store.db.updateTable("tally_total").set({ counted: 1 }).execute();
  await evaluator.look(watched);
  expect((await evaluator.tests(watched))[0]?.paused).toContain("shrunk");
});

test("a guardrail that is added later is paid from the reserve and counts from then on", async () => {
  const evaluator = new GuardrailEvaluator(fresh.store);
  await minute(20, 20);
  await evaluator.look(watched);
  const more = { ...watched, guardrails: [guardrail, { ...guardrail, name: "strict", limit: 0.9 }] };
  await minute(20, 20);
  await evaluator.look(more);
  const tests = await evaluator.tests(more);
  expect(tests.map(({ plan }) => plan.alpha)).toEqual([ALPHA, ALPHA, 0.00025, 0.00025]);
  expect(tests.map(({ consumed, state }) => [consumed.n[0], state.test.blocks])).toEqual([
    [100, 2],
    [100, 2],
    [100, 0],
    [100, 0],
  ]);
});

test("a reinstated release starts with a new budget", async () => {
  const evaluator = new GuardrailEvaluator(fresh.store);
  await minute(20, 20);
  await evaluator.look(watched);
  const again = { ...watched, releases: [{ release, armClass: "serving" as const, epoch: 1 }] };
  await evaluator.look(again);
  expect((await evaluator.tests(again)).map(({ consumed }) => consumed.n)).toEqual([
    [50, 50],
    [50, 50],
  ]);
  expect((await evaluator.tests(again)).map(({ plan, state }) => [plan.alpha, state.addition])).toEqual([
    [ALPHA, 0],
    [ALPHA, 0],
  ]);
});
