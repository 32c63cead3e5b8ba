/** Looks at an endpoint's tallies, closes blocks, and hands over what is proven. One at a time for an endpoint; the rest is pure. */
import { armClassOf, readFlips, readTotals, readTotalsBySource, type ArmClass, type TotalRow } from "../decisions/index.ts";
import { canonicalJson, type Store } from "../store/index.ts";
import { assert, unreachable, type EndpointName, type ReleaseId } from "../std.ts";
import { breachOf, sourcesOf } from "./breach.ts";
import {
  CellSides,
  cumulativeOf,
  flips,
  selections,
  shadowFailures,
  substitutions,
  type CellCounts,
  type ServedRoute,
} from "./counting.ts";
import type { DeclaredGroups, GuardrailSpec } from "./guardrail.ts";
import { metricOf } from "./metrics.ts";
import { planTests, type PlannedTest } from "./plan.ts";
import { advance, isProven, reconcile, type Reading } from "./running-tests.ts";
import { readTests, saveTests } from "./stored-tests.ts";
import { claimOf, readTestId, type Breach, type RunningTest, type TestOwner } from "./test-record.ts";

/** What of an endpoint is watched: declarations, and the releases that answer now. */
export interface WatchedEndpoint {
  readonly endpoint: EndpointName;
  readonly groups: DeclaredGroups;
  readonly guardrails: readonly GuardrailSpec[];
  /** Chance that a fair release is ever rolled back: one budget for each release's answers to people, one for its shadow answers. */
  readonly budget: number;
  /** Actions that count as selected. */
  readonly favourable: ReadonlySet<string>;
  readonly releases: readonly WatchedRelease[];
  /** Tells who was meant to answer where somebody else did. Without it `fallback_rate` has no data of what serves. */
  readonly route?: ServedRoute;
}
/**
 * A release to watch: whatever answers people (live, canary, standby, fallback alike, so that tests go on when it changes place), and
 * shadows.
 */
export interface WatchedRelease {
  readonly release: ReleaseId;
  readonly armClass: ArmClass;
  /** How often a person has reinstated it: each time it starts with a new budget. */
  readonly epoch: number;
}

/** What the tests of one life of a release have come to. */
interface Watch {
  /** Every test that it ever had, by id. */
  readonly tests: ReadonlyMap<string, RunningTest>;
  readonly running: readonly RunningTest[];
  /** The declarations that they follow, in one text; empty before the first look. */
  readonly declared: string;
  /** The counts of the last look, in one text. */
  readonly seen: string;
}
/** What a look at one release has found, not yet stored. */
interface Found {
  readonly watch: Watch;
  readonly changed: readonly RunningTest[];
  readonly breaches: readonly Breach[];
}

type CountsOf = ReadonlyMap<ReturnType<typeof metricOf>["counts"], { readonly cells: CellCounts; readonly context: string | null }>;

/**
 * Holds the tests of endpoints, stored with the counts that they have consumed. A look costs one read of sums for each watched release,
 * whatever the traffic; where no count has moved it does nothing more.
 */
export class GuardrailEvaluator {
  readonly #store: Store;
  readonly #watches = new Map<string, Watch>();
  readonly #sides = new CellSides();
  #turn: Promise<unknown> = Promise.resolve();

  constructor(store: Store) {
    this.#store = store;
  }

  /**
   * One look at everything that is watched of an endpoint. What it found is stored before it is returned. To be called every second or
   * so, for endpoints without guardrails too: one that is added later counts from then on.
   * @returns breaches that were proven by this look, strongest first; each is returned once in the life of its test (`latched` has all)
   * @throws StorageError: nothing has been found then, and the next look finds it
   */
  look(watched: WatchedEndpoint): Promise<readonly Breach[]> {
    return this.#inTurn(() => this.#look(watched));
  }

  /** The tests of an endpoint's releases as they stand, in the order of releases and guardrails. None before the first look at a release. */
  tests(watched: WatchedEndpoint): Promise<readonly RunningTest[]> {
    return this.#inTurn(async () => {
      const found: RunningTest[] = [];
      for (const release of watched.releases) {
        const owner: TestOwner = { endpoint: watched.endpoint, ...release };
        const { tests } = await this.#watchOf(owner);
        const goingOn = [...tests.values()].filter(({ state }) => !state.hasEnded);
        const byClaim = new Map(goingOn.map((test) => [readTestId(test.id).claim, test]));
        for (const plan of plansOf(watched, release)) {
          const test = byClaim.get(claimOf(owner, plan, watched.favourable));
          if (test) found.push(test);
        }
      }
      return found;
    });
  }

  /** Breaches of what is watched that were proven at any time: after a crash between proof and act they still have to be acted on. */
  async latched(watched: WatchedEndpoint): Promise<readonly Breach[]> {
    return (await this.tests(watched)).flatMap(({ breach }) => breach ?? []);
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(work, work);
    this.#turn = mine.catch(() => undefined);
    return mine;
  }

  async #look(watched: WatchedEndpoint): Promise<readonly Breach[]> {
    const rows = new Map<ReleaseId, readonly TotalRow[]>();
    for (const { release } of watched.releases)
      if (!rows.has(release)) rows.set(release, await readTotals(this.#store.db, { endpoint: watched.endpoint, release }));
    const found = new Map<string, Found>();
    for (const release of watched.releases) {
      const owner: TestOwner = { endpoint: watched.endpoint, ...release };
      found.set(keyOf(owner), await this.#lookAt(watched, owner, rows));
    }
    // First stored, then believed: a look that can't be stored hasn't happened, and the next one sees the same again.
    const changed = [...found.values()].flatMap((one) => one.changed);
    if (changed.length > 0) await saveTests(this.#store, watched.endpoint, changed);
    for (const [key, { watch }] of found) this.#watches.set(key, watch);
    return [...found.values()].flatMap(({ breaches }) => breaches).toSorted((a, b) => b.logE - b.threshold - (a.logE - a.threshold));
  }

  async #lookAt(watched: WatchedEndpoint, owner: TestOwner, rows: ReadonlyMap<ReleaseId, readonly TotalRow[]>): Promise<Found> {
    const watch = await this.#watchOf(owner);
    const counts = await this.#countsOf(watched, owner, rows);
    const [declared, seen] = [declarationsOf(watched), seenIn(counts)];
    if (declared === watch.declared && seen === watch.seen) return { watch, changed: [], breaches: [] };

    const reading = (plan: PlannedTest): Reading => {
      const counted = counts.get(metricOf(plan.metric).counts);
      assert(counted, `${plan.metric} is planned and counted`);
      return { counts: cumulativeOf(plan, counted.cells, this.#sides), context: counted.context };
    };
    const { favourable, budget } = watched;
    const { running, changed } =
      declared === watch.declared
        ? { running: watch.running, changed: [] }
        : reconcile(
            [...watch.tests.values()],
            { owner, plans: plansOf(watched, owner), favourable, budget, isFirstSight: watch.declared === "" },
            reading,
          );
    const moved = new Map(changed.map((test) => [test.id, test]));
    const breaches: Breach[] = [];
    const after: RunningTest[] = [];
    for (const test of running) {
      let next = advance(test, reading(test.plan));
      if (isProven(next)) {
        const breach = breachOf(next, {
          endpoint: watched.endpoint,
          sources: await this.#sourcesOf(owner, next.plan),
          provenAtMs: this.#store.runtime.clock.nowMs(),
        });
        next = { ...next, breach };
        breaches.push(breach);
      }
      if (next !== test) moved.set(next.id, next);
      after.push(next);
    }
    const tests = new Map([...watch.tests, ...moved]);
    return { watch: { tests, running: after, declared, seen }, changed: [...moved.values()], breaches };
  }

  /** What the guardrails of a release need counted. */
  async #countsOf(watched: WatchedEndpoint, owner: TestOwner, rows: ReadonlyMap<ReleaseId, readonly TotalRow[]>): Promise<CountsOf> {
    const { endpoint, release, armClass } = owner;
    const { favourable, guardrails, route } = watched;
    const mine = (rows.get(release) ?? []).filter((row) => armClassOf(row.arm) === armClass);
    const metrics = guardrails.map(({ metric }) => metricOf(metric)).filter(({ watches }) => watches.includes(armClass));
    const counts = new Map<ReturnType<typeof metricOf>["counts"], { cells: CellCounts; context: string | null }>();
    for (const kind of new Set(metrics.map((metric) => metric.counts))) {
      switch (kind) {
        case "selections":
          counts.set(kind, { cells: selections(mine, favourable), context: "" });
          break;
        case "flips":
          counts.set(kind, {
            cells: flips(await readFlips(this.#store.db, { endpoint, shadowRelease: release }), favourable),
            context: "",
          });
          break;
        case "substitutions": {
          if (armClass === "shadow") counts.set(kind, { cells: shadowFailures(mine), context: "" });
          else if (!route) counts.set(kind, { cells: new Map(), context: null });
          else counts.set(kind, substitutions(release, route, rows, this.#store.runtime.clock.nowMs()));
          break;
        }
        default:
          return unreachable(kind);
      }
    }
    return counts;
  }

  async #sourcesOf({ endpoint, release, armClass }: TestOwner, plan: PlannedTest): Promise<Breach["sources"]> {
    const rows = await readTotalsBySource(this.#store.db, { endpoint, release });
    return sourcesOf(
      plan,
      rows.filter((row) => armClassOf(row.arm) === armClass),
      this.#sides,
    );
  }

  /** After a restart: what was stored, with the counts that were consumed. */
  async #watchOf(owner: TestOwner): Promise<Watch> {
    const key = keyOf(owner);
    const known = this.#watches.get(key);
    if (known) return known;
    const tests = await readTests(this.#store, owner);
    const watch: Watch = { tests: new Map(tests.map((test) => [test.id, test])), running: [], declared: "", seen: "" };
    this.#watches.set(key, watch);
    return watch;
  }
}

const keyOf = ({ endpoint, release, armClass, epoch }: TestOwner): string => [endpoint, release, armClass, epoch].join(" ");

const plansOf = ({ guardrails, groups, budget }: WatchedEndpoint, { armClass }: WatchedRelease): readonly PlannedTest[] =>
  planTests(guardrails, groups, budget, armClass);

const declarationsOf = ({ guardrails, groups, budget, favourable }: WatchedEndpoint): string =>
  canonicalJson({ guardrails, groups, budget, favourable: [...favourable].toSorted() });

/** Counts only grow, so their sums tell whether any has moved. */
function seenIn(counts: CountsOf): string {
  return [...counts]
    .map(([kind, { cells, context }]) => {
      const totals = [...cells.values()];
      return `${kind} ${context} ${totals.reduce((sum, { n }) => sum + n, 0)} ${totals.reduce((sum, { k }) => sum + k, 0)}`;
    })
    .join("; ");
}
