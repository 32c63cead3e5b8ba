/** What must hold of the evaluator, on every database. */
import { afterEach, beforeEach, expect, test } from "vitest";
import type { FreshStore } from "../../test/sqlite.ts";
import { Audit } from "../access/index.ts";
import type { EndpointName, ReleaseId } from "../std.ts";
import type { SimulatedRuntime, Store } from "../store/index.ts";
import { restsOn } from "./breach.ts";
import { GuardrailEvaluator } from "./evaluator.ts";
import type { WatchedEndpoint, WatchedRelease } from "./watched.ts";
import type { GuardrailSpec } from "./guardrail.ts";
import { guardrailStates } from "./guardrail-state.ts";

const endpoint = "loans" as EndpointName;
const [release, other] = ["rel:a", "rel:b"] as [ReleaseId, ReleaseId];
const guardrail: GuardrailSpec = { name: "parity", metric: "adverse_impact_ratio", groups: "all", limit: 0.8, action: "roll_back" };
const serving: WatchedRelease = { release, armClass: "serving", epoch: 0 };
const shadow: WatchedRelease = { release, armClass: "shadow", epoch: 0 };
const watched: WatchedEndpoint = {
  endpoint,
  groups: { sex: ["female", "male"] },
  guardrails: [guardrail],
  budget: 0.01,
  favourable: new Set(["approve"]),
  releases: [serving],
};
/** Two tests share nine tenths of the budget. */
const ALPHA = (0.9 * 0.01) / 2;

interface Answers {
  readonly cell?: string;
  readonly action?: string;
  readonly release?: ReleaseId;
  readonly arm?: "live" | "canary" | "fallback" | "shadow" | "pinned";
  readonly source?: string;
  readonly writer?: string;
}

export function evaluatorSuite(open: () => Promise<FreshStore & { readonly runtime: SimulatedRuntime }>): void {
  let store: Store;
  let runtime: SimulatedRuntime;
  let drop: () => Promise<void>;
  let evaluator: GuardrailEvaluator;
  beforeEach(async () => {
    ({ store, runtime, drop } = await open());
    evaluator = new GuardrailEvaluator(store);
  });
  afterEach(() => drop());

  /** Adds counted decisions to a cell, as the decision log does. */
  async function count(counted: number, answers: Answers = {}) {
    const { cell = "sex=female", action = "approve", arm = "live", source = "web", writer = "w" } = answers;
    const counts = { decisions: counted, counted, fallback: 0, scored: 0, score_sum_u6: 0, latency_sum_us: 0 };
    await store.db
      .insertInto("tally_total")
      .values({ endpoint, release: answers.release ?? release, arm, cell, action, writer, source, ...counts })
      .onConflict((conflict) =>
        conflict.columns(["endpoint", "release", "arm", "cell", "action", "writer", "source"]).doUpdateSet((eb) => ({
          counted: eb("tally_total.counted", "+", counted),
          decisions: eb("tally_total.decisions", "+", counted),
        })),
      )
      .execute();
  }
  async function minute(women: number, men: number, answers: Answers = {}, people = 50) {
    await count(women, { ...answers, cell: "sex=female", action: "approve" });
    await count(people - women, { ...answers, cell: "sex=female", action: "deny" });
    await count(men, { ...answers, cell: "sex=male", action: "approve" });
    await count(people - men, { ...answers, cell: "sex=male", action: "deny" });
  }
  async function flip(counted: number, liveAction: string, shadowAction: string) {
    const key = { endpoint, live_release: other, shadow_release: release, cell: "sex=female", writer: "w" };
    await store.db
      .insertInto("flip_total")
      .values({ ...key, live_action: liveAction, shadow_action: shadowAction, counted })
      .onConflict((conflict) =>
        conflict
          .columns(["endpoint", "live_release", "shadow_release", "cell", "live_action", "shadow_action", "writer"])
          .doUpdateSet((eb) => ({ counted: eb("flip_total.counted", "+", counted) })),
      )
      .execute();
  }
  const rows = () => store.db.selectFrom("guardrail_test").selectAll().orderBy("id").execute();

  test("a harm is proven once, with who it hits, and the state survives a restart with the same bytes", async () => {
    const found = [];
    for (let i = 0; i < 6; i++) {
      await minute(20, 40);
      found.push(...(await evaluator.look(watched)));
    }
    expect(found).toHaveLength(1);
    const [breach] = found;
    expect(breach).toMatchObject({
      release,
      armClass: "serving",
      guardrail: "parity",
      groupLabel: "sex=female",
      reference: "rest",
      action: "roll_back",
      threshold: -Math.log(ALPHA),
      provenAtMs: runtime.clock.nowMs(),
      sources: [{ source: "web", share: 1 }],
    });
    expect(breach?.logE).toBeGreaterThanOrEqual(-Math.log(ALPHA));
    expect(breach && [breach.groupK / breach.groupN, breach.referenceK / breach.referenceN, breach.decisions / 100]).toEqual([
      0.4,
      0.8,
      breach?.block,
    ]);
    const restarted = new GuardrailEvaluator(store);
    expect(await restarted.tests(watched)).toEqual(await evaluator.tests(watched));
    const stored = await rows();
    expect(await restarted.look(watched)).toEqual([]);
    expect(await restarted.latched(watched)).toEqual(found);
    expect(await rows()).toEqual(stored);
  });

  test("a restart in the middle changes nothing: the same counts at the same looks give the same bytes", async () => {
    const looked: string[][] = [];
    for (const restarts of [false, true]) {
      await store.db.deleteFrom("guardrail_test").execute();
      await store.db.deleteFrom("guardrail_begun").execute();
      await store.db.deleteFrom("tally_total").execute();
      let one = new GuardrailEvaluator(store);
      for (let i = 0; i < 6; i++) {
        await minute(24 + (i % 3), 35);
        if (restarts) one = new GuardrailEvaluator(store);
        await one.look(watched);
      }
      looked.push((await rows()).map((row) => JSON.stringify(row)));
    }
    expect(looked[0]).toHaveLength(2);
    expect(looked[1]).toEqual(looked[0]);
  });

  test("a fair release is not accused, however often one looks", async () => {
    for (let i = 0; i < 40; i++) {
      await minute(34, 35);
      expect(await evaluator.look(watched)).toEqual([]);
      expect(await evaluator.look(watched)).toEqual([]);
    }
    expect((await evaluator.tests(watched)).map(({ state }) => state.test.blocks)).toEqual([40, 40]);
  });

  test("a look without new decisions writes nothing", async () => {
    await minute(34, 35);
    await evaluator.look(watched);
    const before = await rows();
    await runtime.advance(1000);
    await evaluator.look(watched);
    expect(await rows()).toEqual(before);
  });

  test("looks that are asked for together come one after the other: nothing is proven or counted twice", async () => {
    await minute(20, 40, {}, 100);
    await evaluator.look(watched);
    await minute(20, 80, {}, 100);
    const found = await Promise.all(Array.from({ length: 5 }, () => evaluator.look(watched)));
    expect(found.flat()).toHaveLength(1);
    expect((await evaluator.tests(watched)).map(({ state }) => state.test.blocks)).toEqual([2, 2]);
  });

  test("the tallies of all gateways are one", async () => {
    await minute(20, 40, { writer: "w1" });
    await minute(20, 40, { writer: "w2" });
    await evaluator.look(watched);
    expect((await evaluator.tests(watched))[0]?.consumed).toEqual({ n: [100, 100], k: [40, 80] });
  });

  test("people whose group isn't known are in no cell", async () => {
    await count(500, { cell: "sex=unknown", action: "deny" });
    await minute(20, 20);
    await evaluator.look(watched);
    expect((await evaluator.tests(watched)).map(({ consumed }) => consumed.n)).toEqual([
      [50, 50],
      [50, 50],
    ]);
  });

  test("what testers ask a release by name is no evidence", async () => {
    await minute(20, 20);
    await minute(0, 50, { arm: "pinned" });
    await evaluator.look(watched);
    expect((await evaluator.tests(watched)).map(({ consumed }) => consumed)).toEqual([
      { n: [50, 50], k: [20, 20] },
      { n: [50, 50], k: [20, 20] },
    ]);
  });

  test("a canary's tests go on when it is promoted, and a standby's when it answers in another's stead", async () => {
    await minute(20, 40, { arm: "canary" });
    await evaluator.look(watched);
    await minute(20, 40, { arm: "live" });
    await minute(20, 40, { arm: "fallback" });
    await evaluator.look(watched);
    expect((await evaluator.tests(watched))[0]).toMatchObject({ consumed: { n: [150, 150] }, state: { test: { blocks: 2 } } });
  });

  test("counts that shrink pause the test instead of fooling it", async () => {
    await minute(20, 20);
    await evaluator.look(watched);
    await store.db.updateTable("tally_total").set({ counted: 1 }).execute();
    await evaluator.look(watched);
    const [test] = await evaluator.tests(watched);
    expect(test?.paused).toContain("shrunk");
    await minute(0, 50, {}, 1000);
    expect(await evaluator.look(watched)).toEqual([]);
    expect((await new GuardrailEvaluator(store).tests(watched))[0]).toEqual(test);
  });

  test("a look that couldn't be stored hasn't happened: the next one finds the same", async () => {
    await minute(20, 40);
    await evaluator.look(watched);
    for (let i = 0; i < 4; i++) await minute(10, 45);
    let fails = true;
    const failing: Store = {
      ...store,
      transaction: (work) => (fails ? Promise.reject(new Error("the disk is full")) : store.transaction(work)),
    };
    const one = new GuardrailEvaluator(failing);
    await expect(one.look(watched)).rejects.toThrow("the disk is full");
    expect(await one.latched(watched)).toEqual([]);
    fails = false;
    expect(await one.look(watched)).toHaveLength(1);
  });

  test("evidence is stored now and then, a proof at once; after a crash in between the blocks are formed anew from the counts", async () => {
    const one = new GuardrailEvaluator(store, { storeEveryMs: 5000 });
    await one.look(watched); // the tests begin: stored
    await runtime.advance(5000);
    await minute(24, 35);
    await one.look(watched);
    const stored = await rows();
    expect((await one.tests(watched)).map(({ state }) => state.test.blocks)).toEqual([1, 1]);
    for (let i = 0; i < 3; i++) {
      await runtime.advance(1000);
      await minute(24, 35);
      expect(await one.look(watched)).toEqual([]);
    }
    expect(await rows()).toEqual(stored);
    // kill -9: what came since is one block of what is left, and no decision is counted twice or lost.
    const restarted = new GuardrailEvaluator(store, { storeEveryMs: 5000 });
    await restarted.look(watched);
    expect((await restarted.tests(watched)).map(({ consumed, state }) => [consumed.n, state.test.blocks])).toEqual([
      [[200, 200], 2],
      [[200, 200], 2],
    ]);
    const found = [];
    for (let i = 0; i < 8 && found.length === 0; i++) {
      await runtime.advance(500);
      await minute(5, 45);
      found.push(...(await restarted.look(watched)));
    }
    expect(found).toHaveLength(1);
    expect((await rows()).filter(({ breach_json }) => breach_json !== null)).toHaveLength(1);
    await minute(5, 45);
    await restarted.look(watched);
    await restarted.flush();
    expect(await new GuardrailEvaluator(store).tests(watched)).toEqual(await restarted.tests(watched));
  });

  test("a guardrail that is added later is paid from the reserve and counts from then on", async () => {
    await minute(20, 20);
    await evaluator.look(watched);
    const more = { ...watched, guardrails: [guardrail, { ...guardrail, name: "strict", limit: 0.9 }] };
    await minute(20, 20);
    await evaluator.look(more);
    const tests = await evaluator.tests(more);
    // The first addition has half the reserve: 0.1 · 0.01 / 2, for its two groups.
    expect(tests.map(({ plan }) => plan.alpha)).toEqual([ALPHA, ALPHA, 0.00025, 0.00025]);
    expect(tests.map(({ consumed, state }) => [consumed.n[0], state.test.blocks])).toEqual([
      [100, 2],
      [100, 2],
      [100, 0],
      [100, 0],
    ]);
    const evenMore = { ...more, guardrails: [...more.guardrails, { ...guardrail, name: "stricter", limit: 0.95 }] };
    await new GuardrailEvaluator(store).look(evenMore);
    const last = (await evaluator.tests(watched)).length + 2;
    const restarted = await new GuardrailEvaluator(store).tests(evenMore);
    expect(restarted.slice(last).map(({ plan }) => plan.alpha)).toEqual([0.001 / 6 / 2, 0.001 / 6 / 2]);
  });

  test("a first guardrail for a release that people have looked at already counts from then on", async () => {
    await evaluator.look({ ...watched, guardrails: [] });
    await minute(20, 20);
    await evaluator.look(watched);
    expect((await evaluator.tests(watched)).map(({ state, plan }) => [state.test.blocks, plan.alpha])).toEqual([
      [0, ALPHA],
      [0, ALPHA],
    ]);
  });

  test("a guardrail that was dropped and declared again starts anew and pays again: what came in between was seen", async () => {
    await minute(20, 20);
    await evaluator.look(watched);
    await evaluator.look({ ...watched, guardrails: [] });
    expect(await evaluator.tests(watched)).toEqual([]);
    await minute(20, 20);
    await new GuardrailEvaluator(store).look({ ...watched, guardrails: [] });
    await minute(20, 20);
    const again = new GuardrailEvaluator(store);
    await again.look(watched);
    expect((await again.tests(watched)).map(({ state, plan }) => [state.test.blocks, state.addition, plan.alpha])).toEqual([
      [0, 1, 0.00025],
      [0, 1, 0.00025],
    ]);
    expect(await rows()).toHaveLength(4);
  });

  test("another limit or another meaning of favourable is another test; another weight or action is not", async () => {
    await minute(20, 20);
    await evaluator.look(watched);
    const changed: readonly [WatchedEndpoint, number][] = [
      [{ ...watched, guardrails: [{ ...guardrail, weight: 3, action: "hold" }] }, 1],
      [{ ...watched, guardrails: [{ ...guardrail, limit: 0.7 }] }, 0],
      [{ ...watched, favourable: new Set(["approve", "refer"]) }, 0],
      [{ ...watched, guardrails: [{ ...guardrail, dependence: 2 }] }, 0],
    ];
    for (const [declared, blocks] of changed) {
      const one = new GuardrailEvaluator(store);
      await one.look(declared);
      const tests = await one.tests(declared);
      expect(tests.map(({ state }) => state.test.blocks)).toEqual([blocks, blocks]);
      expect(tests[0]?.plan.action).toBe(declared.guardrails[0]?.action);
    }
  });

  test("a reinstated release starts with a new budget, and counts from then on", async () => {
    await minute(20, 20);
    await evaluator.look(watched);
    const again = { ...watched, releases: [{ ...serving, epoch: 1 }] };
    await evaluator.look(again);
    expect(
      (await evaluator.tests(again)).map(({ plan, state, consumed }) => [plan.alpha, state.addition, state.test.blocks, consumed.n]),
    ).toEqual([
      [ALPHA, 0, 0, [50, 50]],
      [ALPHA, 0, 0, [50, 50]],
    ]);
    expect((await evaluator.tests(watched)).map(({ state }) => state.test.blocks)).toEqual([1, 1]);
  });

  test("a breach says whose requests it rests on", async () => {
    await minute(10, 45, { source: "tok:a" }, 100);
    await minute(1, 2, { source: "tok:b" }, 5);
    await evaluator.look(watched);
    await minute(10, 90, { source: "tok:a" }, 100);
    const [breach] = await evaluator.look(watched);
    expect(breach?.sources.map(({ source }) => source)).toEqual(["tok:a", "tok:b"]);
    expect(breach?.sources.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 12);
    expect(breach && restsOn(breach)).toBe("tok:a");
    expect(breach && restsOn({ ...breach, sources: [{ source: "tok:a", share: 0.6 }] })).toBeUndefined();
  });

  const flips: GuardrailSpec = { name: "flips", metric: "flips_to_worse", limit: 0.5, action: "hold" };

  test("a shadow's harm is proven by its flips, with a budget of its own, and nobody was harmed", async () => {
    const both = { ...watched, guardrails: [guardrail, flips], releases: [serving, shadow] };
    await evaluator.look(both);
    await minute(34, 35);
    await minute(20, 35, { arm: "shadow" });
    await flip(2, "deny", "approve");
    await flip(30, "approve", "refer");
    await flip(50, "approve", "approve");
    const [breach, ...more] = await evaluator.look(both);
    expect(more).toEqual([]);
    expect(breach).toMatchObject({ armClass: "shadow", guardrail: "flips", groupN: 32, groupK: 30, referenceN: 0, reference: null });
    const tests = await evaluator.tests(both);
    const spent = (armClass: string) => tests.filter((test) => test.armClass === armClass).reduce((sum, { plan }) => sum + plan.alpha, 0);
    expect([spent("serving"), spent("shadow")]).toEqual([expect.closeTo(0.009, 12), expect.closeTo(0.009, 12)]);
    expect(tests.find(({ armClass }) => armClass === "serving")?.consumed.n).toEqual([50, 50]);
  });

  const failures: GuardrailSpec = { name: "failures", metric: "fallback_rate", limit: 0.05, action: "roll_back" };
  const routed = (live: ReleaseId, canary: ReleaseId | null): WatchedEndpoint => ({
    ...watched,
    guardrails: [failures],
    releases: [serving, { ...serving, release: other }],
    route: { live, beside: canary === null ? [] : [canary], sinceMs: runtime.clock.nowMs() },
  });

  test("a release that fails is proven by what others answer in its stead, and the one that stands in isn't blamed", async () => {
    const route = routed(release, null);
    await runtime.advance(5000);
    await evaluator.look(route);
    const found = [];
    for (let i = 0; i < 5; i++) {
      await count(80);
      await count(20, { release: other, arm: "fallback" });
      found.push(...(await evaluator.look(route)));
    }
    expect(found).toMatchObject([{ release, guardrail: "failures", groupLabel: "everybody", group: {} }]);
    expect((await evaluator.tests(route)).find((test) => test.release === other)).toMatchObject({ consumed: { n: [0] } });
  });

  test("after a rollback the restored release isn't charged with the failures of the one before", async () => {
    const before = routed(release, null);
    await runtime.advance(5000);
    await evaluator.look(before);
    await count(1000, { release: other, arm: "fallback" });
    await evaluator.look(before);
    const after = routed(other, null);
    await evaluator.look(after);
    await count(500, { release, arm: "fallback" }); // answers that were under way
    await evaluator.look(after);
    await runtime.advance(5000);
    await evaluator.look(after);
    await count(200, { release: other });
    expect(await evaluator.look(after)).toEqual([]);
    const restored = (await evaluator.tests(after)).find((test) => test.release === other);
    expect(restored?.state.test.blocks).toBe(1);
    expect(restored?.state.test.logE).toBeLessThan(0);
  });

  test("states tell what is known, how far evidence is, and which groups are named", async () => {
    const state = async () => guardrailStates(await evaluator.tests(watched))[0];
    expect(await state()).toBeUndefined();
    await evaluator.look(watched);
    expect(await state()).toMatchObject({ word: "no-data", estimate: null, band: [0, null], likeForLike: null, isBeyondLimit: null });
    await minute(7, 10, {}, 14);
    await evaluator.look(watched);
    expect((await state())?.word).toBe("no-data");
    await minute(30, 35);
    await evaluator.look(watched);
    expect(await state()).toMatchObject({
      word: "ok",
      groupN: 64,
      groupK: 37,
      referenceN: 64,
      referenceK: 45,
      estimate: 37 / 45,
      isBeyondLimit: false,
    });
    for (let i = 0; i < 4; i++) {
      await minute(23, 38);
      await evaluator.look(watched);
    }
    const middle = await state();
    expect(middle?.word).toBe("watched");
    expect(middle?.meter).toBeGreaterThan(0.5);
    expect(middle?.forecastDecisions).toBeGreaterThan(0);
    expect(middle && middle.band[0] < (middle.estimate ?? 0) && (middle.band[1] ?? 9) > (middle.estimate ?? 9)).toBe(true);
    expect(middle?.likeForLike).toBeCloseTo(middle?.estimate ?? 0, 1);
    for (let i = 0; i < 4; i++) {
      await minute(15, 40);
      await evaluator.look(watched);
    }
    expect(await state()).toMatchObject({
      word: "breached",
      meter: 1,
      isNamed: true,
      isWarned: true,
      isBeyondLimit: true,
      forecastDecisions: null,
    });
    expect(guardrailStates(await evaluator.tests(watched))[1]).toMatchObject({ groupLabel: "sex=male", word: "ok", isNamed: false });
  });

  test("where nobody of the reference got a favourable answer there is no ratio, which is neither good nor bad", async () => {
    await minute(0, 0);
    await evaluator.look(watched);
    expect(guardrailStates(await evaluator.tests(watched))).toMatchObject([
      { word: "not-comparable", estimate: null },
      { word: "not-comparable", estimate: null },
    ]);
  });

  /** Adds the minute's tallies as well. */
  async function recorded(at: number, women: number, men: number) {
    await minute(women, men);
    const key = { endpoint, release, arm: "live" as const, minute: at, writer: "w", source: "web" };
    const none = { fallback: 0, scored: 0, score_sum_u6: 0, latency_sum_us: 0 };
    const rows = [
      ["sex=female", "approve", women],
      ["sex=female", "deny", 50 - women],
      ["sex=male", "approve", men],
      ["sex=male", "deny", 50 - men],
    ] as const;
    for (const [cell, action, counted] of rows)
      await store.db
        .insertInto("tally")
        .values({ ...key, ...none, cell, action, decisions: counted, counted })
        .execute();
  }
  const lose: readonly [string, () => Promise<unknown>][] = [
    ["was deleted", () => store.db.deleteFrom("guardrail_test").execute()],
    ["is of another version", () => store.db.updateTable("guardrail_test").set({ consumed_json: "{}", digest: null }).execute()],
    ["isn't even JSON", () => store.db.updateTable("guardrail_test").set({ state_json: "{", digest: null }).execute()],
    [
      "says less than was bet",
      () =>
        store.db
          .updateTable("guardrail_test")
          .set({ consumed_json: '{"k":[0,0],"n":[0,0]}' })
          .where("group_label", "=", "sex=female")
          .execute(),
    ],
  ];

  test.each(lose)(
    "a state that %s is rebuilt from the recorded minutes, with the share of the budget that it had",
    async (_how, loseIt) => {
      // What a test sees of the very minute in which it begins can't be told from what came before.
      await runtime.advance(60_000 - (runtime.clock.nowMs() % 60_000));
      const startMinute = Math.floor(runtime.clock.nowMs() / 60_000);
      const later = { ...watched, guardrails: [guardrail, { ...guardrail, name: "later", limit: 0.7 }] };
      await evaluator.look(watched);
      for (let at = 0; at < 3; at++) {
        await recorded(startMinute + at, 26, 35);
        await runtime.advance(60_000);
        await evaluator.look(at < 1 ? watched : later);
      }
      const before = await evaluator.tests(later);
      await loseIt();
      const troubles: string[] = [];
      const audit = new Audit(store);
      const restarted = new GuardrailEvaluator(store, { audit, onTrouble: ({ message }) => troubles.push(message) });
      await restarted.look(later);
      // A block a minute, as before the loss.
      expect(await restarted.tests(later)).toMatchObject(
        before.map(({ id, plan, consumed, state }) => ({
          id,
          plan: { alpha: plan.alpha },
          consumed,
          state: { addition: state.addition, test: { blocks: state.test.blocks, logE: expect.closeTo(state.test.logE, 9) } },
        })),
      );
      expect(troubles).toEqual([expect.stringContaining("rebuilt from the recorded minutes")]);
      const { entries } = await audit.list();
      expect(entries).toMatchObject([{ action: "guardrail.rebuilt", object: "endpoint/loans" }]);
      // It is stored, and nothing is rebuilt twice.
      const after = new GuardrailEvaluator(store, { audit, onTrouble: ({ message }) => troubles.push(message) });
      await after.look(later);
      expect(await after.tests(later)).toEqual(await restarted.tests(later));
      expect(troubles).toHaveLength(1);
    },
  );

  test("a proof outlives the state that led to it, and what minutes prove while a test is rebuilt is a proof", async () => {
    const startMinute = Math.floor(runtime.clock.nowMs() / 60_000);
    await evaluator.look(watched);
    for (let at = 0; at < 8; at++) {
      await recorded(startMinute + at, 15, 40);
      await runtime.advance(60_000);
      await evaluator.look(watched);
    }
    const [breach] = await evaluator.latched(watched);
    await store.db.updateTable("guardrail_test").set({ state_json: "{}" }).execute();
    const one = new GuardrailEvaluator(store);
    expect(await one.look(watched)).toEqual([]);
    expect(await one.latched(watched)).toEqual([breach]);
    await store.db.deleteFrom("guardrail_test").execute();
    const found = await new GuardrailEvaluator(store).look(watched);
    expect(found).toMatchObject([{ groupLabel: "sex=female", test: breach?.test, block: breach?.block }]);
  });

  test("what minutes can't rebuild pays again, from the reserve", async () => {
    const failing: WatchedEndpoint = { ...watched, guardrails: [flips], releases: [shadow] };
    await evaluator.look(failing);
    await flip(40, "approve", "refer");
    await store.db.deleteFrom("guardrail_test").execute();
    const troubles: string[] = [];
    const restarted = new GuardrailEvaluator(store, { onTrouble: ({ message }) => troubles.push(message) });
    expect(await restarted.look(failing)).toEqual([]);
    const alphas = (await restarted.tests(failing)).map(({ plan, state, consumed }) => [plan.alpha, state.addition, consumed.n]);
    expect(alphas[0]).toEqual([expect.closeTo(0.00025, 12), 1, [40]]);
    expect(troubles).toEqual([expect.stringContaining("starts anew from the reserve")]);
  });

  test("where not even the beginnings can be read, no test starts with the budget of a new release", async () => {
    await evaluator.look(watched);
    await store.db.updateTable("guardrail_test").set({ state_json: "{}", digest: "x" }).execute();
    await store.db.updateTable("guardrail_begun").set({ begun_json: "{}" }).execute();
    const restarted = new GuardrailEvaluator(store);
    await restarted.look(watched);
    // Each of the two may have been an addition.
    expect((await restarted.tests(watched)).map(({ plan, state }) => [plan.alpha, state.addition])).toEqual([
      [0.001 / 12 / 2, 3],
      [0.001 / 12 / 2, 3],
    ]);
  });
}
