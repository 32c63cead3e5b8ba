import { afterEach, beforeEach, expect, test } from "vitest";
import type { FreshStore } from "../../test/sqlite.ts";
import { compileEndpoint, type CompiledExpectations, type ExpectationCount, type ExpectationSpec } from "../serving/index.ts";
import { assert, type EndpointName } from "../std.ts";
import type { SimulatedRuntime } from "../store/index.ts";
import { ExpectationWatch } from "./expectation-watch.ts";

const loans = "loans" as EndpointName;
const HOUR_MS = 3_600_000;

function compile(...expected: ExpectationSpec[]): CompiledExpectations {
  const endpoint = compileEndpoint({
    name: loans,
    inputs: { income: { type: "number" }, bonus: { type: "number", optional: true } },
    groups: {},
    actions: { yes: { favourable: true }, no: { favourable: false } },
    expected,
  });
  assert(endpoint.ok && endpoint.value.expectations, "an endpoint that expects something");
  return endpoint.value.expectations;
}
const WARNS: ExpectationSpec = { input: "income", max: 100, on_breach: "warn" };

/** A gateway as the watch sees it: counts by definition. */
class Counting {
  inForce: CompiledExpectations;
  readonly counts = new Map<CompiledExpectations, Float64Array>();
  constructor(inForce: CompiledExpectations) {
    this.inForce = inForce;
  }
  ask(income: number, times = 1, expectations = this.inForce): void {
    const counts = this.counts.get(expectations) ?? expectations.emptyCounts();
    this.counts.set(expectations, counts);
    for (let i = 0; i < times; i++) expectations.check({ income, bonus: null }, counts);
  }
  expectationCounts(): readonly ExpectationCount[] {
    return [...this.counts].map(([expectations, counts]) => ({ endpoint: loans, expectations, figures: expectations.read(counts) }));
  }
  forgetExpectations(expectations: CompiledExpectations): void {
    this.counts.delete(expectations);
  }
}

export function expectationWatchSuite(open: () => Promise<FreshStore & { readonly runtime: SimulatedRuntime }>): void {
  let fresh: FreshStore & { readonly runtime: SimulatedRuntime };
  beforeEach(async () => void (fresh = await open()));
  afterEach(() => fresh.drop());

  const watching = (gateway: Counting) =>
    new ExpectationWatch({
      store: fresh.store,
      gateway,
      endpoints: () => [{ name: loans, expectations: gateway.inForce }],
    });
  const stateOf = async (watch: ExpectationWatch, gateway: Counting) => {
    const [state] = await watch.states(loans, gateway.inForce);
    const [breach] = state?.breaches ?? [];
    return { checked: state?.checked, count: breach?.count, word: breach?.word };
  };

  test("counts are there at once, survive the process, and add up over processes without being counted twice", async () => {
    const gateway = new Counting(compile(WARNS));
    const watch = watching(gateway);
    expect(await stateOf(watch, gateway)).toEqual({ checked: 0, count: 0, word: "no-data" });
    gateway.ask(50, 30);
    gateway.ask(500, 1);
    expect(await stateOf(watch, gateway)).toEqual({ checked: 31, count: 1, word: "ok" });
    await watch.tick();
    await watch.tick();
    gateway.ask(50, 9);
    await watch.close();
    const other = new Counting(gateway.inForce);
    const next = watching(other);
    other.ask(50, 10);
    expect(await stateOf(next, other)).toEqual({ checked: 50, count: 1, word: "ok" });
    expect(next.totals()).toEqual([expect.objectContaining({ endpoint: loans, expectation: "income", checked: 10 })]);
  });

  test("a share that is proven beyond its limit gives one warning a day, which stays for the day", async () => {
    const gateway = new Counting(compile(WARNS));
    const watch = watching(gateway);
    gateway.ask(500, 20);
    // Somebody looks before it is judged: that takes nothing away.
    expect(await stateOf(watch, gateway)).toMatchObject({ word: "beyond", count: 20 });
    await watch.tick();
    expect(await stateOf(watch, gateway)).toMatchObject({ word: "warned", count: 20 });
    gateway.ask(50, 5000);
    await watch.tick();
    expect(await stateOf(watch, gateway)).toMatchObject({ word: "warned", checked: 5020 });
    expect(await watch.warnings(loans)).toEqual([
      {
        expectation: "income",
        key: gateway.inForce.list[0]?.key,
        breach: "above",
        atMs: fresh.runtime.clock.nowMs(),
        checked: 20,
        breached: 20,
        limit: 0.01,
      },
    ]);
    await fresh.runtime.advance(24 * HOUR_MS);
    expect(await stateOf(watch, gateway)).toEqual({ checked: 0, count: 0, word: "no-data" });
    expect(await watch.warnings(loans)).toEqual([]);
  });

  test("what says something else is counted apart from what it replaced; what is only counted gives no warning", async () => {
    const gateway = new Counting(compile(WARNS));
    const watch = watching(gateway);
    gateway.ask(500, 40);
    const before = gateway.inForce;
    gateway.inForce = compile({ input: "income", max: 200, on_breach: "count" });
    gateway.ask(500, 3, before);
    gateway.ask(500, 7);
    await watch.tick();
    expect(gateway.counts.has(before)).toBe(false);
    expect(await stateOf(watch, gateway)).toEqual({ checked: 7, count: 7, word: "ok" });
    expect(await watch.warnings(loans)).toEqual([]);
    const sums = await watch.sums(loans, { fromMs: fresh.runtime.clock.nowMs() - HOUR_MS, toMs: fresh.runtime.clock.nowMs() });
    expect(sums.get("income")).toMatchObject({ checked: 50 });
  });

  test("what was counted long ago is let go of", async () => {
    const gateway = new Counting(compile(WARNS));
    const watch = watching(gateway);
    gateway.ask(500, 40);
    await watch.tick();
    await fresh.runtime.advance(101 * 24 * HOUR_MS);
    gateway.ask(50);
    await watch.tick();
    const rows = await fresh.store.db.selectFrom("expectation_hour").select("hour").execute();
    expect(rows).toHaveLength(1);
    expect(await watch.warnings(loans, 0)).toEqual([]);
  });
}
