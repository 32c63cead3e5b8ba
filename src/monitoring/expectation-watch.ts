/** Watches what comes in against what is expected: takes the gateway's counts over, keeps them by hour, and gives warnings. */
import type { Breach, CompiledExpectations, Expectation, ExpectationCount } from "../serving/index.ts";
import type { EndpointName } from "../std.ts";
import type { Store } from "../store/index.ts";
import { breachVerdict, type BreachWord } from "./breach-evidence.ts";
import type { Band } from "./confidence-sequence.ts";
import {
  ExpectationHours,
  HOUR_MS,
  NO_BREACHES,
  addSums,
  hourOf,
  mapKinds,
  type BreachCounts,
  type ExpectationSum,
  type ExpectationSums,
} from "./expectation-hours.ts";
import { wilson } from "./intervals.ts";

const DAY_MS = 24 * HOUR_MS;
/** Counts and warnings are kept for so long: reports are of a quarter at most, and read them. */
const KEPT_DAYS = 100;

export interface ExpectationWatchParts {
  readonly store: Store;
  readonly gateway: {
    expectationCounts(): readonly ExpectationCount[];
    forgetExpectations(expectations: CompiledExpectations): void;
  };
  /** Endpoints with what is expected of them now. */
  readonly endpoints: () => readonly { readonly name: EndpointName; readonly expectations: CompiledExpectations | null }[];
}

/** One way in which an expectation can be breached, and how that stands today (UTC). */
export interface BreachState {
  readonly breach: Breach;
  readonly count: number;
  /** Null where nothing was looked at. */
  readonly share: number | null;
  /** Wilson's 95 % interval, for one look. */
  readonly interval: Band | null;
  /** Null: it gives no warning. */
  readonly limit: number | null;
  /** `warned`: proven beyond its limit at some time of the day, which stays so until the day ends. */
  readonly word: BreachWord | "warned";
}

export interface ExpectationState {
  readonly expectation: Expectation;
  readonly checked: number;
  /** Requests of which a condition couldn't be computed, since an input that it reads was missing. */
  readonly unknown: number;
  readonly breaches: readonly BreachState[];
}

export interface ExpectationWarning {
  /** Name of the expectation, and what it was then. */
  readonly expectation: string;
  readonly key: string;
  readonly breach: string;
  readonly atMs: number;
  readonly checked: number;
  readonly breached: number;
  readonly limit: number;
}

/** Since this process started, for counters. */
export interface ExpectationTotal {
  readonly endpoint: EndpointName;
  readonly expectation: string;
  readonly checked: number;
  readonly breaches: BreachCounts;
}

export class ExpectationWatch {
  readonly #parts: ExpectationWatchParts;
  readonly #hours: ExpectationHours;
  /** What was taken over of each definition's counts so far. */
  readonly #taken = new WeakMap<CompiledExpectations, readonly ExpectationSum[]>();
  readonly #totals = new Map<EndpointName, Map<string, ExpectationSum>>();
  readonly #refused = new Map<EndpointName, number>();
  readonly #refusedTaken = new WeakMap<CompiledExpectations, number>();
  /** Endpoints with counts that nobody has judged yet. */
  readonly #changed = new Set<EndpointName>();
  #droppedDay = 0;

  constructor(parts: ExpectationWatchParts) {
    this.#parts = parts;
    this.#hours = new ExpectationHours(parts.store);
  }

  /** Takes counts over, writes them, and looks whether a share is beyond its limit. */
  async tick(): Promise<void> {
    this.#take();
    await this.#hours.flush();
    for (const { name, expectations } of this.#parts.endpoints()) {
      if (!expectations || !this.#changed.delete(name)) continue;
      try {
        await this.#warn(name, expectations);
      } catch (error) {
        this.#changed.add(name);
        throw error;
      }
    }
    const day = dayOf(this.#nowMs());
    if (day === this.#droppedDay) return;
    this.#droppedDay = day;
    await this.#hours.drop((day - KEPT_DAYS) * 24);
    await this.#parts.store.db
      .deleteFrom("expectation_warning")
      .where("day", "<", day - KEPT_DAYS)
      .execute();
  }

  /** How each expectation of an endpoint stands today, in the order of the declaration. */
  async states(endpoint: EndpointName, expectations: CompiledExpectations): Promise<readonly ExpectationState[]> {
    this.#take();
    const day = dayOf(this.#nowMs());
    const sums = await this.#hours.read(endpoint, day * 24, (day + 1) * 24);
    const warned = new Set((await this.warnings(endpoint, day)).map(({ key, breach }) => `${key}\0${breach}`));
    return statesOf(expectations, sums, (key, breach) => warned.has(`${key}\0${breach}`));
  }

  /** Sums of the hours that lie in a period, by name of the expectation. */
  async sums(endpoint: EndpointName, period: { readonly fromMs: number; readonly toMs: number }): Promise<ExpectationSums> {
    this.#take();
    const byName = new Map<string, ExpectationSum>();
    for (const [key, sum] of await this.#hours.read(endpoint, hourOf(period.fromMs), Math.ceil(period.toMs / HOUR_MS)))
      addSums(byName, new Map([[nameIn(key), sum]]));
    return byName;
  }

  /** Warnings of an endpoint since a day (UTC), newest first. */
  async warnings(endpoint: EndpointName, sinceDay = dayOf(this.#nowMs())): Promise<readonly ExpectationWarning[]> {
    const rows = await this.#parts.store.db
      .selectFrom("expectation_warning")
      .selectAll()
      .where("endpoint", "=", endpoint)
      .where("day", ">=", sinceDay)
      .orderBy("at_ms", "desc")
      .orderBy("expectation")
      .orderBy("breach")
      .limit(1000)
      .execute();
    return rows.map((row) => ({
      expectation: nameIn(row.expectation),
      key: row.expectation,
      breach: row.breach,
      atMs: row.at_ms,
      checked: row.checked,
      breached: row.breached,
      limit: row.share_limit,
    }));
  }

  /** Counters since the process started, by endpoint and name of the expectation. */
  totals(): readonly ExpectationTotal[] {
    this.#take();
    return [...this.#totals].flatMap(([endpoint, byName]) =>
      [...byName].map(([expectation, { checked, breaches }]) => ({ endpoint, expectation, checked, breaches })),
    );
  }

  /** Requests that an endpoint refused since the process started, though valid. */
  refused(endpoint: EndpointName): number {
    this.#take();
    return this.#refused.get(endpoint) ?? 0;
  }

  /** Writes what was counted last. */
  async close(): Promise<void> {
    this.#take();
    await this.#hours.flush();
  }

  #nowMs(): number {
    return this.#parts.store.runtime.clock.nowMs();
  }

  /** What the gateway counted since the last time belongs to the hour in which it is taken over: the way of a request has no clock. */
  #take(): void {
    const { gateway } = this.#parts;
    const inForce = new Set(this.#parts.endpoints().map(({ expectations }) => expectations));
    const hour = hourOf(this.#nowMs());
    for (const { endpoint, expectations, figures } of gateway.expectationCounts()) {
      const before = this.#taken.get(expectations);
      const now = expectations.list.map((_, i) => ({ checked: figures.checked, breaches: figures.breaches[i] ?? NO_BREACHES }));
      this.#taken.set(expectations, now);
      const fresh = new Map(expectations.list.map(({ key }, i) => [key, less(now[i], before?.[i])]));
      this.#refused.set(endpoint, (this.#refused.get(endpoint) ?? 0) + figures.refused - (this.#refusedTaken.get(expectations) ?? 0));
      this.#refusedTaken.set(expectations, figures.refused);
      if (figures.checked > (before?.[0]?.checked ?? 0)) {
        this.#changed.add(endpoint);
        this.#hours.add(endpoint, hour, fresh);
        const totals = this.#totals.get(endpoint) ?? new Map<string, ExpectationSum>();
        this.#totals.set(endpoint, totals);
        for (const [key, sum] of fresh) addSums(totals, new Map([[nameIn(key), sum]]));
      }
      if (inForce.has(expectations)) continue;
      gateway.forgetExpectations(expectations);
      this.#taken.delete(expectations);
      this.#refusedTaken.delete(expectations);
    }
  }

  async #warn(endpoint: EndpointName, expectations: CompiledExpectations): Promise<void> {
    const nowMs = this.#nowMs();
    const beyond = (await this.states(endpoint, expectations)).flatMap(({ expectation, checked, breaches }) =>
      breaches.filter(({ word }) => word === "beyond").map((state) => ({ expectation, checked, ...state })),
    );
    for (const { expectation, checked, breach, count, limit } of beyond)
      await this.#parts.store.db
        .insertInto("expectation_warning")
        .values({
          endpoint,
          day: dayOf(nowMs),
          expectation: expectation.key,
          breach,
          at_ms: nowMs,
          checked,
          breached: count,
          share_limit: limit ?? 0,
        })
        .onConflict((on) => on.columns(["endpoint", "day", "expectation", "breach"]).doNothing())
        .execute();
  }
}

const dayOf = (atMs: number): number => Math.floor(atMs / DAY_MS);
const nameIn = (key: string): string => key.slice(0, key.lastIndexOf("#"));

function less(now: ExpectationSum | undefined, before: ExpectationSum | undefined): ExpectationSum {
  const sum = now ?? { checked: 0, breaches: NO_BREACHES };
  if (before === undefined) return sum;
  return { checked: sum.checked - before.checked, breaches: mapKinds((kind) => sum.breaches[kind] - before.breaches[kind]) };
}

/** How expectations stand by the counts of a day. */
function statesOf(
  { list }: CompiledExpectations,
  sums: ExpectationSums,
  isWarned: (key: string, breach: Breach) => boolean,
): readonly ExpectationState[] {
  const tests = list.reduce((sum, { limits }) => sum + [...limits.values()].filter((limit) => limit !== null).length, 0);
  return list.map((expectation) => {
    const { checked, breaches } = sums.get(expectation.key) ?? { checked: 0, breaches: NO_BREACHES };
    const n = checked - breaches.unknown;
    const states = [...expectation.limits].map(([breach, limit]): BreachState => {
      const k = breaches[breach];
      const isLooked = n > 0;
      const word = isWarned(expectation.key, breach)
        ? "warned"
        : limit === null
          ? isLooked
            ? "ok"
            : "no-data"
          : breachVerdict({ n, k }, limit, tests).word;
      return { breach, count: k, share: isLooked ? k / n : null, interval: isLooked ? wilson({ n, k }) : null, limit, word };
    });
    return { expectation, checked: n, unknown: breaches.unknown, breaches: states };
  });
}
