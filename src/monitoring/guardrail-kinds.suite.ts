/** Guardrails of every kind, from tallies to what is proven and shown. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { START_MS, type FreshStore } from "../../test/sqlite.ts";
import { matureOutcomes, minuteOf, readMatured, type Arm } from "../decisions/index.ts";
import type { EndpointName, ReleaseId } from "../std.ts";
import type { SimulatedRuntime, Store } from "../store/index.ts";
import { GuardrailEvaluator } from "./evaluator.ts";
import type { GuardrailSpec } from "./guardrail.ts";
import { guardrailStates } from "./guardrail-state.ts";
import type { WatchedEndpoint } from "./watched.ts";

const endpoint = "loans" as EndpointName;
const [live, canary] = ["rel:live", "rel:canary"] as [ReleaseId, ReleaseId];
const DAY_MS = 86_400_000;

interface Answers {
  readonly release?: ReleaseId;
  readonly arm?: Arm;
  readonly source?: string;
}

export function guardrailKindsSuite(open: () => Promise<FreshStore & { readonly runtime: SimulatedRuntime }>): void {
  let drop: FreshStore["drop"];
  let store: Store;
  let runtime: SimulatedRuntime;
  let evaluator: GuardrailEvaluator;
  beforeEach(async () => {
    ({ store, runtime, drop } = await open());
    evaluator = new GuardrailEvaluator(store);
  });
  afterEach(() => drop());

  /** Adds to the tallies, of all time and of the minute, as the log does. */
  async function count(cell: string, action: string, counted: number, { release = live, arm = "live", source = "web" }: Answers = {}) {
    const key = { endpoint, release, arm, cell, action, writer: "w", source };
    const counts = { decisions: counted, counted, fallback: 0, scored: 0, score_sum_u6: 0, latency_sum_us: 0 };
    await store.db
      .insertInto("tally_total")
      .values({ ...key, ...counts })
      .onConflict((conflict) =>
        conflict.columns(["endpoint", "release", "arm", "cell", "action", "writer", "source"]).doUpdateSet((eb) => ({
          counted: eb("tally_total.counted", "+", counted),
          decisions: eb("tally_total.decisions", "+", counted),
        })),
      )
      .execute();
    await store.db
      .insertInto("tally")
      .values({ ...key, ...counts, minute: minuteOf(runtime.clock.nowMs()) })
      .onConflict((conflict) =>
        conflict
          .columns(["endpoint", "release", "arm", "minute", "cell", "action", "writer", "source"])
          .doUpdateSet((eb) => ({ counted: eb("tally.counted", "+", counted), decisions: eb("tally.decisions", "+", counted) })),
      )
      .execute();
  }
  /** 50 women and 50 men, so many of whom are approved. */
  async function people(women: number, men: number, answers: Answers = {}) {
    for (const [cell, approved] of [
      ["sex=female", women],
      ["sex=male", men],
    ] as const) {
      await count(cell, "approve", approved, answers);
      await count(cell, "deny", 50 - approved, answers);
    }
  }

  const spec = (more: Partial<GuardrailSpec>): GuardrailSpec => ({
    name: "watch",
    metric: "adverse_impact_ratio",
    limit: 0.8,
    action: "hold",
    ...more,
  });
  const watching = (guardrails: GuardrailSpec[], more: Partial<WatchedEndpoint> = {}): WatchedEndpoint => ({
    endpoint,
    groups: { sex: ["female", "male"] },
    guardrails,
    budget: 0.01,
    favourable: new Set(["approve"]),
    releases: [{ release: live, armClass: "serving", epoch: 0 }],
    ...more,
  });
  const states = async (watched: WatchedEndpoint) => guardrailStates(await evaluator.tests(watched));
  const stateOf = async (watched: WatchedEndpoint, groupLabel: string) =>
    (await states(watched)).find((state) => state.groupLabel === groupLabel);

  test("a ratio that must be at most its limit is the same test with its cells turned round, and reads as it was written", async () => {
    const watched = watching([spec({ limit: 1.25, direction: "at_most" })]);
    const found = [];
    for (let i = 0; i < 8; i++) {
      await people(20, 40);
      found.push(...(await evaluator.look(watched)));
    }
    expect(found).toMatchObject([{ groupLabel: "sex=male", groupK: 40 * (found[0]?.block ?? 0), limit: 1.25, direction: "at_most" }]);
    expect(await stateOf(watched, "sex=male")).toMatchObject({ word: "breached", estimate: 2, isBeyondLimit: true, limit: 1.25 });
    const other = await stateOf(watched, "sex=female");
    expect(other).toMatchObject({ word: "ok", estimate: 0.5, isBeyondLimit: false });
    expect((await stateOf(watched, "sex=male"))?.likeForLike).toBeCloseTo(2, 9);
  });

  test("every pair: each group is compared with each other, so that nobody has to be called the best", async () => {
    const watched = watching([spec({ reference: "every pair" })], { groups: { sex: ["female", "male", "other"] } });
    await people(35, 35);
    await count("sex=other", "approve", 20);
    await evaluator.look(watched);
    const tests = await evaluator.tests(watched);
    expect(tests.map(({ plan }) => `${plan.groupLabel} ${plan.reference}`)).toEqual([
      "sex=female male",
      "sex=female other",
      "sex=male female",
      "sex=male other",
      "sex=other female",
      "sex=other male",
    ]);
    expect(tests.reduce((sum, { plan }) => sum + plan.alpha, 0)).toBeCloseTo(0.009, 12);
    expect(tests.map(({ consumed }) => consumed.n)).toEqual([
      [50, 50],
      [50, 20],
      [50, 50],
      [50, 20],
      [20, 50],
      [20, 50],
    ]);
  });

  const beside = (guardrails: GuardrailSpec[]) =>
    watching(guardrails, {
      releases: [live, canary].map((release) => ({ release, armClass: "serving" as const, epoch: 0 })),
      route: { live, beside: [canary], sinceMs: START_MS },
    });

  test("a canary is compared with live, the same group at the same time: times of day cancel", async () => {
    const watched = beside([spec({ reference: "previous release", limit: 0.9 })]);
    await evaluator.look(watched);
    const found = [];
    for (let i = 0; i < 12; i++) {
      // Everybody's chances halve and double with the hour.
      const hour = i % 2 === 0 ? 1 : 0.5;
      await people(Math.round(36 * hour), Math.round(40 * hour));
      await people(Math.round(18 * hour), Math.round(40 * hour), { release: canary, arm: "canary" });
      found.push(...(await evaluator.look(watched)));
    }
    expect(found).toMatchObject([{ release: canary, groupLabel: "sex=female", reference: "previous release" }]);
    const [, , women, men] = await states(watched);
    expect([women?.word, men?.word, women?.estimate]).toEqual(["breached", "ok", 0.5]);
    // Live has nobody to be compared with.
    expect((await states(watched))[0]).toMatchObject({ word: "no-data" });
  });

  test("what came in while nobody answered beside belongs to nobody", async () => {
    const guardrails = [spec({ reference: "previous release", limit: 0.9 })];
    const watched = beside(guardrails);
    await people(0, 0, { release: canary, arm: "canary" });
    const alone = { ...watched, route: { live: canary, beside: [], sinceMs: START_MS } };
    await evaluator.look(alone);
    await people(0, 0, { release: canary, arm: "live" });
    await evaluator.look(alone);
    await evaluator.look(watched);
    await people(40, 40);
    await people(40, 40, { release: canary, arm: "canary" });
    await evaluator.look(watched);
    const test = (await evaluator.tests(watched)).find(({ release }) => release === canary);
    expect([test?.state.test.blocks, test?.state.test.logE ?? 0]).toEqual([1, expect.any(Number)]);
    expect(test?.state.test.logE).toBeLessThan(0.5);
  });

  test("a gap that is wider than with the release beside is proven, and shown as how much wider", async () => {
    const watched = beside([spec({ metric: "selection_gap_increase", limit: 0.05 })]);
    await evaluator.look(watched);
    const found = [];
    for (let i = 0; i < 20; i++) {
      await people(35, 38);
      await people(20, 38, { release: canary, arm: "canary" });
      found.push(...(await evaluator.look(watched)));
    }
    expect(found).toMatchObject([{ release: canary, groupLabel: "sex=female", metric: "selection_gap_increase" }]);
    expect(found[0]?.figures?.estimate).toBeCloseTo(0.3, 9);
    const state = (await states(watched)).find(({ word }) => word === "breached");
    expect(state?.isBeyondLimit).toBe(true);
    expect((state?.band[0] ?? 9) < 0.3 && (state?.band[1] ?? 0) > 0.3).toBe(true);
  });

  async function flips(cell: string, liveAction: string, shadowAction: string, counted: number) {
    const key = {
      endpoint,
      live_release: live,
      shadow_release: canary,
      cell,
      writer: "w",
      live_action: liveAction,
      shadow_action: shadowAction,
    };
    await store.db
      .insertInto("flip_total")
      .values({ ...key, counted })
      .onConflict((conflict) =>
        conflict
          .columns(["endpoint", "shadow_release", "live_release", "cell", "live_action", "shadow_action", "writer"])
          .doUpdateSet((eb) => ({ counted: eb("flip_total.counted", "+", counted) })),
      )
      .execute();
  }

  test("a shadow may answer a few people worse, by as many points as are tolerated", async () => {
    const watched = watching([spec({ metric: "net_flips_to_worse", limit: 0.05 })], {
      releases: [{ release: canary, armClass: "shadow", epoch: 0 }],
    });
    await evaluator.look(watched);
    const found = [];
    for (let i = 0; i < 12; i++) {
      await flips("sex=female", "approve", "deny", 16);
      await flips("sex=female", "deny", "approve", 2);
      await flips("sex=female", "approve", "approve", 32);
      await flips("sex=male", "approve", "deny", 3);
      await flips("sex=male", "deny", "approve", 2);
      await flips("sex=male", "deny", "deny", 45);
      found.push(...(await evaluator.look(watched)));
      await runtime.advance(1000);
    }
    expect(found).toMatchObject([{ groupLabel: "sex=female", armClass: "shadow", reference: null }]);
    expect(await stateOf(watched, "sex=female")).toMatchObject({ word: "breached", estimate: 14 / 50, isBeyondLimit: true });
    expect(await stateOf(watched, "sex=male")).toMatchObject({ word: "ok", estimate: 1 / 50, isBeyondLimit: false });
    // A mean's state is stored and read back as well.
    const restarted = new GuardrailEvaluator(store);
    expect(await restarted.tests(watched)).toEqual(await evaluator.tests(watched));
  });

  test("a share of actions: too many are left to a person", async () => {
    const watched = watching([spec({ metric: "action_rate", actions: ["refer"], limit: 0.2 })]);
    await evaluator.look(watched);
    const found = [];
    for (let i = 0; i < 8; i++) {
      await count("sex=female", "refer", 20);
      await count("sex=female", "approve", 30);
      found.push(...(await evaluator.look(watched)));
    }
    expect(found).toMatchObject([{ groupLabel: "everybody", metric: "action_rate" }]);
    expect((await states(watched))[0]).toMatchObject({ estimate: 0.4, groupK: 160 });
  });

  test("slow answers: only those that surely took longer are counted against a release", async () => {
    const watched = watching([spec({ metric: "slow_rate", slower_than: "300ms", limit: 0.15 })]);
    await evaluator.look(watched);
    // Buckets are up to 2^(i/8) seconds: -14 is from 272 to 297 ms, -13 from 297 to 324, -12 from 324 to 354.
    const answers = async (bucket: number, more: number) => {
      await store.db
        .insertInto("latency_total")
        .values({ endpoint, release: live, arm: "live", bucket, writer: "w", count: more })
        .onConflict((conflict) =>
          conflict
            .columns(["endpoint", "release", "arm", "bucket", "writer"])
            .doUpdateSet((eb) => ({ count: eb("latency_total.count", "+", more) })),
        )
        .execute();
    };
    const found = [];
    for (let i = 0; i < 6; i++) {
      await answers(-30, 70);
      await answers(-13, 20);
      await answers(-12, 10);
      found.push(...(await evaluator.look(watched)));
    }
    expect(found).toEqual([]);
    expect((await states(watched))[0]).toMatchObject({ groupLabel: "everybody", groupN: 600, groupK: 60, estimate: 0.1 });
    for (let i = 0; i < 6; i++) {
      await answers(-12, 100);
      found.push(...(await evaluator.look(watched)));
    }
    expect(found).toMatchObject([{ metric: "slow_rate", groupLabel: "everybody" }]);
  });

  test("a mean of scores is held to its limit from either side, by group", async () => {
    const watched = watching([
      spec({ metric: "mean_score", limit: 0.5, groups: ["sex"] }),
      spec({ name: "most", metric: "mean_score", direction: "at_most", limit: 0.9 }),
    ]);
    await evaluator.look(watched);
    const scored = async (cell: string, score: number, more: number) => {
      const sum = Math.round(score * 1e6) * more;
      await store.db
        .insertInto("score_total")
        .values({ endpoint, release: live, arm: "live", cell, bin: Math.floor(score * 100), writer: "w", count: more, sum_u6: sum })
        .onConflict((conflict) =>
          conflict
            .columns(["endpoint", "release", "arm", "cell", "bin", "writer"])
            .doUpdateSet((eb) => ({ count: eb("score_total.count", "+", more), sum_u6: eb("score_total.sum_u6", "+", sum) })),
        )
        .execute();
    };
    const found = [];
    for (let i = 0; i < 12; i++) {
      for (const score of [0.123456, 0.305, 0.45, 0.7]) await scored("sex=female", score, 10);
      for (const score of [0.3, 0.6, 0.95, 0.999999]) await scored("sex=male", score, 10);
      await runtime.advance(1000);
      found.push(...(await evaluator.look(watched)));
    }
    expect(found).toMatchObject([{ guardrail: "watch", groupLabel: "sex=female", reference: null }]);
    const [women, men, most] = await states(watched);
    expect(women?.estimate).toBeCloseTo((0.123456 + 0.305 + 0.45 + 0.7) / 4, 9);
    expect([women?.isBeyondLimit, men?.word, most?.word, most?.groupN]).toEqual([true, "ok", "ok", 960]);
    expect((women?.band[0] ?? 9) < (women?.estimate ?? 0) && (women?.band[1] ?? 0) > (women?.estimate ?? 9)).toBe(true);
  });

  test("a test that begins starts from the rates of the release before, in its own cells", async () => {
    const route = { live, beside: [canary], sinceMs: START_MS };
    const both = watching([spec({})], {
      releases: [live, canary].map((release) => ({ release, armClass: "serving" as const, epoch: 0 })),
      route,
    });
    await evaluator.look({ ...both, releases: both.releases.slice(0, 1) });
    await people(30, 40);
    await people(30, 40);
    await evaluator.look({ ...both, releases: both.releases.slice(0, 1) });
    await evaluator.look(both);
    const [first, , third] = await evaluator.tests(both);
    expect(first?.plan.definition).toMatchObject({ prior: null, priorN: 2 });
    expect(third).toMatchObject({ release: canary, plan: { definition: { prior: [0.6, 0.8], priorN: 50 } } });
    // The claim is what is declared: with other rates it is found again.
    expect((await new GuardrailEvaluator(store).tests(both))[2]?.id).toBe(third?.id);
  });

  test("a proof says what would be left of it without each token", async () => {
    const watched = watching([spec({ action: "roll_back" })]);
    await evaluator.look(watched);
    const found = [];
    for (let i = 0; i < 20 && found.length === 0; i++) {
      await people(36, 37, { source: "tok:branch" });
      await people(36, 36, { source: "tok:web" });
      await people(0, 50, { source: "tok:forger" });
      await runtime.advance(60_000);
      found.push(...(await evaluator.look(watched)));
    }
    const [breach] = found;
    expect(breach?.restsOn).toBe("tok:forger");
    expect(breach?.without?.map(({ source }) => source)[0]).toBe("tok:forger");
    expect(breach?.sources).toHaveLength(3);

    const honest = new GuardrailEvaluator(store);
    const second = watching([spec({ name: "again", action: "roll_back" })], {
      releases: [{ release: canary, armClass: "serving", epoch: 0 }],
    });
    await honest.look(second);
    const real = [];
    for (let i = 0; i < 20 && real.length === 0; i++) {
      for (const source of ["tok:branch", "tok:web", "tok:app"]) await people(23, 38, { source, release: canary });
      await runtime.advance(60_000);
      real.push(...(await honest.look(second)));
    }
    expect(real[0]).toMatchObject({ restsOn: null, groupLabel: "sex=female" });
  });

  let numbered = 0;
  /** Decisions as the log has them, and what became known of each after so many days: `missing` never. */
  async function decided(
    cell: string,
    action: string,
    becomes: "good" | "bad" | "missing",
    times: number,
    { afterDays = 10, counted = true } = {},
  ) {
    const nowMs = runtime.clock.nowMs();
    const ids = Array.from({ length: times }, () => `dec:${++numbered}`);
    const decisions = ids.map((id) => ({
      id,
      endpoint,
      release: live,
      arm: "live",
      generation: 1,
      cell,
      score: 0.5,
      action,
      favourable: action === "approve" ? (1 as const) : (0 as const),
      reasons_json: "[]",
      answered_by: "live",
      because: null,
      decided_at_ms: nowMs,
      latency_us: 1,
      source: "web",
      idempotency_key: null,
      body_hash: null,
      counted: counted ? (1 as const) : (0 as const),
      commitment: "",
      batch: 1,
    }));
    await store.db.insertInto("decision").values(decisions).execute();
    if (becomes === "missing") return;
    const atMs = nowMs + afterDays * DAY_MS;
    const outcome = {
      value: becomes,
      good: becomes === "good" ? (1 as const) : (0 as const),
      at_ms: atMs,
      recorded_at_ms: atMs,
      source: "o",
      writer: "w",
    };
    await store.db
      .insertInto("outcome")
      .values(ids.map((decision) => ({ decision, ...outcome })))
      .execute();
  }
  const age = { endpoint, maturesAfterMs: 30 * DAY_MS };
  const maturedCounts = async () =>
    ((await readMatured(store.db, age, live)) ?? []).map(({ cell, action, state, count: n }) => [cell, action, state, n]);

  test("an outcome enters when its decision reaches the age, with what is then known, once, and never for a repeat", async () => {
    expect(await readMatured(store.db, age, live)).toBeNull();
    await decided("sex=female", "approve", "good", 3);
    await decided("sex=female", "approve", "bad", 2, { afterDays: 29 });
    await decided("sex=female", "approve", "good", 4, { afterDays: 31 });
    await decided("sex=female", "deny", "missing", 1);
    await decided("sex=female", "approve", "good", 5, { counted: false });
    await runtime.advance(10 * DAY_MS);
    await decided("sex=male", "approve", "good", 7);
    expect(await matureOutcomes(store, age)).toBe(true);
    expect(await maturedCounts()).toEqual([]);
    await runtime.advance(20 * DAY_MS);
    await matureOutcomes(store, age);
    const first = [
      ["sex=female", "approve", "bad", 2],
      ["sex=female", "approve", "good", 3],
      ["sex=female", "approve", "missing", 4],
      ["sex=female", "deny", "missing", 1],
    ];
    expect(new Set(await maturedCounts())).toEqual(new Set(first));
    await matureOutcomes(store, age);
    expect(new Set(await maturedCounts())).toEqual(new Set(first));
    await runtime.advance(10 * DAY_MS);
    await matureOutcomes(store, age);
    expect((await maturedCounts()).at(-1)).toEqual(["sex=male", "approve", "good", 7]);
  });

  test("two processes on one database count every decision once", async () => {
    await decided("sex=male", "approve", "good", 20);
    await runtime.advance(40 * DAY_MS);
    await Promise.all([matureOutcomes(store, age), matureOutcomes(store, age), matureOutcomes(store, age)]);
    await matureOutcomes(store, age);
    expect(await maturedCounts()).toEqual([["sex=male", "approve", "good", 20]]);
  });

  const opportunity = watching([spec({ metric: "equal_opportunity_difference", limit: 0.1, matures_after: "30d" })]);

  test("good payers of one group who are refused more often are found, once their outcomes are due", async () => {
    await evaluator.look(opportunity);
    for (let i = 0; i < 6; i++) {
      await decided("sex=female", "approve", "good", 12);
      await decided("sex=female", "deny", "good", 18);
      await decided("sex=male", "approve", "good", 24);
      await decided("sex=male", "deny", "good", 6);
      await decided("sex=male", "deny", "bad", 6);
      await runtime.advance(DAY_MS);
      // Bad outcomes are known long before good ones are: nobody bets on them yet.
      expect(await evaluator.look(opportunity)).toEqual([]);
    }
    const found = [];
    for (let i = 0; i < 40; i++) {
      await runtime.advance(DAY_MS);
      found.push(...(await evaluator.look(opportunity)));
    }
    expect(found).toMatchObject([{ groupLabel: "sex=female", metric: "equal_opportunity_difference" }]);
    expect(await stateOf(opportunity, "sex=female")).toMatchObject({
      word: "breached",
      groupN: 180,
      groupK: 72,
      referenceN: 180,
      referenceK: 144,
    });
  });

  test("equalised odds are two tests a group, for good and for bad outcomes, with half of the budget each", async () => {
    const odds = watching([spec({ metric: "equalized_odds_difference", limit: 0.1, matures_after: "30d" })]);
    await evaluator.look(odds);
    const tests = await evaluator.tests(odds);
    expect(tests.map(({ plan }) => plan.counted.kind === "outcomes" && plan.counted.part)).toEqual([
      "positives",
      "negatives",
      "positives",
      "negatives",
    ]);
    expect(tests.map(({ plan }) => plan.alpha)).toEqual(Array.from({ length: 4 }, () => expect.closeTo(0.00225, 12)));
  });

  test("where outcomes exist for the approved only, true-positive rates are not identifiable; parity of what came of the approved is", async () => {
    const parity = watching([
      spec({ metric: "equal_opportunity_difference", limit: 0.1, matures_after: "30d" }),
      spec({ name: "paid", metric: "predictive_parity_ratio", limit: 0.8, matures_after: "30d" }),
    ]);
    await evaluator.look(parity);
    for (const cell of ["sex=female", "sex=male"]) {
      await decided(cell, "approve", "good", 40);
      await decided(cell, "approve", "bad", 10);
      await decided(cell, "deny", "missing", 50);
    }
    await runtime.advance(31 * DAY_MS);
    await evaluator.look(parity);
    const words = (await states(parity)).map(({ guardrail, word, why }) => [guardrail, word, why?.slice(0, 30) ?? null]);
    expect(words).toEqual([
      ["watch", "not-identifiable", "outcomes are known for 100 % o"],
      ["watch", "not-identifiable", "outcomes are known for 100 % o"],
      ["paid", "ok", null],
      ["paid", "ok", null],
    ]);
  });

  test("where one group's outcomes are missing more often, nothing is compared, and nothing that came in meanwhile is bet on later", async () => {
    const paid = watching([spec({ metric: "predictive_parity_ratio", limit: 0.8, matures_after: "30d" })]);
    await evaluator.look(paid);
    await decided("sex=female", "approve", "bad", 60);
    await decided("sex=female", "approve", "missing", 30);
    await decided("sex=male", "approve", "good", 90);
    await runtime.advance(31 * DAY_MS);
    expect(await evaluator.look(paid)).toEqual([]);
    expect(await stateOf(paid, "sex=female")).toMatchObject({ word: "not-comparable", logE: 0 });
    expect((await stateOf(paid, "sex=female"))?.why).toContain("67 %");
    // Many more, all known: the shares are alike again.
    await decided("sex=female", "approve", "good", 900);
    await decided("sex=male", "approve", "good", 900);
    await runtime.advance(31 * DAY_MS);
    await evaluator.look(paid);
    await decided("sex=female", "approve", "good", 50);
    await decided("sex=male", "approve", "good", 50);
    await runtime.advance(31 * DAY_MS);
    await evaluator.look(paid);
    const state = await stateOf(paid, "sex=female");
    expect([state?.word, state?.why, state?.blocks]).toEqual(["ok", null, 1]);
    expect(state?.logE).toBeLessThan(0.1);
  });
}
