/** Looks at an endpoint's tallies, closes blocks, and hands over what is proven. One at a time for an endpoint; the rest is pure. */
import { readTotals, type TotalRow } from "../decisions/index.ts";
import { canonicalJson, type Store } from "../store/index.ts";
import type { ReleaseId } from "../std.ts";
import { breachOf } from "./breach.ts";
import { CellSides, cumulativeOf } from "./counting.ts";
import { fedBy } from "./fed-by.ts";
import { PREVIOUS } from "./guardrail.ts";
import { matureAll, tallyFor, type Look, type Tallies } from "./look.ts";
import { outcomeObstacle } from "./outcome-obstacle.ts";
import { planTests, type PlannedTest } from "./plan.ts";
import { advance, isProven, reconcile, type Reading } from "./running-tests.ts";
import { readTests, saveTests } from "./stored-tests.ts";
import { claimOf, readTestId, type Breach, type RunningTest, type TestOwner } from "./test-record.ts";
import type { WatchedEndpoint, WatchedRelease } from "./watched.ts";

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
    await matureAll(this.#store, watched);
    const look: Look = { store: this.#store, watched, rows };
    const found = new Map<string, Found>();
    for (const release of watched.releases) {
      const owner: TestOwner = { endpoint: watched.endpoint, ...release };
      found.set(keyOf(owner), await this.#lookAt(look, owner));
    }
    // First stored, then believed: a look that can't be stored hasn't happened, and the next one sees the same again.
    const changed = [...found.values()].flatMap((one) => one.changed);
    if (changed.length > 0) await saveTests(this.#store, watched.endpoint, changed);
    for (const [key, { watch }] of found) this.#watches.set(key, watch);
    return [...found.values()].flatMap(({ breaches }) => breaches).toSorted((a, b) => b.logE - b.threshold - (a.logE - a.threshold));
  }

  async #lookAt(look: Look, owner: TestOwner): Promise<Found> {
    const { watched } = look;
    const watch = await this.#watchOf(owner);
    const plans = plansOf(watched, owner);
    const own = await tallyFor(look, owner, plans);
    const other = await this.#besideOf(look, owner, plans);
    const [declared, seen] = [declarationsOf(watched), `${own.seen} | ${other?.seen ?? ""}`];
    if (declared === watch.declared && seen === watch.seen) return { watch, changed: [], breaches: [] };

    const reading = (plan: PlannedTest): Reading => this.#reading(plan, own, plan.reference === PREVIOUS ? other : null, watched);
    const { favourable, budget } = watched;
    const nowMs = this.#store.runtime.clock.nowMs();
    const { running, changed } =
      declared === watch.declared
        ? { running: watch.running, changed: [] }
        : reconcile(
            [...watch.tests.values()],
            { owner, plans, favourable, budget, isFirstSight: watch.declared === "", nowMs, ...(await this.#priors(look, owner, plans)) },
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
          provenAtMs: nowMs,
          ...(await fedBy(look, next, this.#sides)),
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

  #reading(plan: PlannedTest, own: Tallies, other: Tallies | null, { favourable, route }: WatchedEndpoint): Reading {
    const mine = own.of(plan.counted);
    const theirs = other?.of(plan.counted) ?? null;
    const counts = cumulativeOf(plan, mine.tallied, theirs?.tallied ?? null, this.#sides);
    // Who answers beside whom: counts of two releases can be compared while it stays.
    if (plan.reference === PREVIOUS) return { counts, context: theirs === null ? null : `beside ${route?.live}` };
    const obstacle = mine.matured ? outcomeObstacle(plan, mine.matured, favourable, this.#sides) : null;
    return { counts, context: mine.context, obstacle };
  }

  /** What live answers at the same time as this canary or arm: time of day and campaigns cancel. Null where nobody does. */
  async #besideOf(look: Look, owner: TestOwner, plans: readonly PlannedTest[]): Promise<Tallies | null> {
    const { route, releases } = look.watched;
    const compared = plans.filter(({ reference }) => reference === PREVIOUS);
    if (compared.length === 0 || owner.armClass !== "serving" || !route?.beside.includes(owner.release)) return null;
    const live = releases.find(({ release, armClass }) => release === route.live && armClass === "serving");
    return live ? tallyFor(look, { endpoint: owner.endpoint, ...live }, compared) : null;
  }

  /** Rates of the release that answered before, for tests that begin: a better start than none, and valid, since it is of the past. */
  async #priors(look: Look, owner: TestOwner, plans: readonly PlannedTest[]) {
    const { watched } = look;
    const before = [watched.route?.live, watched.route?.previous].find((release) => release !== undefined && release !== owner.release);
    if (before === undefined || owner.armClass !== "serving" || owner.epoch > 0) return {};
    const tallies = await tallyFor(look, { ...owner, release: before }, plans);
    return {
      priorOf: (plan: PlannedTest): readonly number[] | null => {
        if (plan.reference === PREVIOUS || plan.counted.kind === "substitutions") return null;
        const { n, k } = cumulativeOf(plan, tallies.of(plan.counted).tallied, null, this.#sides);
        return n.every((count) => count >= PRIOR_FROM) ? n.map((count, g) => Math.min(0.99, Math.max(0.01, (k[g] ?? 0) / count))) : null;
      },
    };
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

/** Decisions of a cell from which on its rate is worth starting from. */
const PRIOR_FROM = 50;

const keyOf = ({ endpoint, release, armClass, epoch }: TestOwner): string => [endpoint, release, armClass, epoch].join(" ");

const plansOf = ({ guardrails, groups, budget }: WatchedEndpoint, { armClass }: WatchedRelease): readonly PlannedTest[] =>
  planTests(guardrails, groups, budget, armClass);

const declarationsOf = ({ guardrails, groups, budget, favourable }: WatchedEndpoint): string =>
  canonicalJson({ guardrails, groups, budget, favourable: [...favourable].toSorted() });
