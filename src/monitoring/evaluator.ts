/** Looks at an endpoint's tallies, closes blocks, and hands over what is proven. One at a time for an endpoint; the rest is pure. */
import type { Audit } from "../access/index.ts";
import { readTotals, type TotalRow } from "../decisions/index.ts";
import { canonicalJson, type Store } from "../store/index.ts";
import type { EndpointName, ReleaseId } from "../std.ts";
import { breachOf } from "./breach.ts";
import { CellSides, cumulativeOf } from "./counting.ts";
import { fedBy } from "./fed-by.ts";
import { isInMinutes } from "./fold.ts";
import { PREVIOUS } from "./guardrail.ts";
import { matureAll, tallyFor, type Look, type Tallies } from "./look.ts";
import { outcomeObstacle } from "./outcome-obstacle.ts";
import { priorsFor } from "./priors.ts";
import { planTests, type PlannedTest } from "./plan.ts";
import { advance, isProven, reconcile, type Reading } from "./running-tests.ts";
import { beginAgain, foldRecorded, rebuiltOf, rebuiltPayload, rebuiltText, type RebuiltTests } from "./rebuilt-tests.ts";
import { readTests, saveTests, type LostTest } from "./stored-tests.ts";
import { claimOf, readTestId, type Breach, type RunningTest, type TestOwner } from "./test-record.ts";
import type { WatchedEndpoint, WatchedRelease } from "./watched.ts";

/** What the tests of one life of a release have come to. */
interface Watch {
  /** Every test that it ever had, by id. */
  readonly tests: ReadonlyMap<string, RunningTest>;
  /** Those that go on, in the order of the plans. */
  readonly running: readonly RunningTest[];
  readonly plans: readonly PlannedTest[];
  /** The declarations that they follow, in one text; empty before the first look. */
  readonly declared: string;
  /** The counts of the last look, in one text. */
  readonly seen: string;
  /** Read, and not rebuilt yet. */
  readonly lost: readonly LostTest[];
  readonly unreadable: number;
}
/** What a look at one release has found, not yet stored. */
interface Found {
  readonly watch: Watch;
  readonly changed: readonly RunningTest[];
  readonly breaches: readonly Breach[];
  /** Something that must not be forgotten: a test has begun or ended, has its proof, is paused, or was rebuilt. */
  readonly mustBeStored: boolean;
  /** Null where none was lost. */
  readonly rebuilt: RebuiltTests | null;
}

/**
 * Holds the tests of endpoints, stored with the counts that they have consumed. A look costs one read of sums for each watched release,
 * whatever the traffic; where no count has moved it does nothing more.
 */
export class GuardrailEvaluator {
  readonly #store: Store;
  readonly #watches = new Map<string, Watch>();
  readonly #sides = new CellSides();
  /** What looks have found and nobody would miss, by endpoint and test; and when an endpoint's was last stored. */
  readonly #unsaved = new Map<EndpointName, Map<string, RunningTest>>();
  readonly #savedAtMs = new Map<EndpointName, number>();
  readonly #storeEveryMs: number;
  readonly #audit: Audit | undefined;
  readonly #onTrouble: (error: Error) => void;
  /** Tests whose beginning is stored. */
  readonly #begun = new Set<string>();
  #turn: Promise<unknown> = Promise.resolve();

  /**
   * @param options.storeEveryMs - blocks are stored this often at least; after a crash those since then are formed anew from the counts,
   *   which is as valid. What must not be forgotten is stored with its look. 0, every look, when left out
   * @param options.audit - where it is told that tests were lost and rebuilt
   * @param options.onTrouble - told the same
   */
  constructor(
    store: Store,
    {
      storeEveryMs = 0,
      audit,
      onTrouble = () => undefined,
    }: { readonly storeEveryMs?: number; readonly audit?: Audit; readonly onTrouble?: (error: Error) => void } = {},
  ) {
    this.#store = store;
    this.#storeEveryMs = storeEveryMs;
    this.#audit = audit;
    this.#onTrouble = onTrouble;
  }

  /** Stores what looks have found and isn't stored yet: before the process ends. */
  flush(): Promise<void> {
    return this.#inTurn(async () => {
      for (const endpoint of this.#unsaved.keys()) await this.#save(endpoint);
    });
  }

  /**
   * One look at everything that is watched of an endpoint. What it found is stored before it is returned. To be called every second or
   * so, for endpoints without guardrails too: one that is added later counts from then on.
   * @param options.isBetween - between two such looks, because many decisions came: what comes by age, not by traffic, waits for the next one
   * @returns breaches that were proven by this look, strongest first; each is returned once in the life of its test (`latched` has all)
   * @throws StorageError: nothing has been found then, and the next look finds it
   */
  look(watched: WatchedEndpoint, { isBetween = false }: { readonly isBetween?: boolean } = {}): Promise<readonly Breach[]> {
    return this.#inTurn(async () => {
      if (!isBetween) await matureAll(this.#store, watched);
      return this.#look(watched);
    });
  }

  /** The tests of an endpoint's releases as they stand, in the order of releases and guardrails. None before the first look at a release. */
  tests(watched: WatchedEndpoint): Promise<readonly RunningTest[]> {
    return this.#inTurn(async () => {
      const declared = declarationsOf(watched);
      const found: RunningTest[] = [];
      for (const release of watched.releases) {
        const owner: TestOwner = { endpoint: watched.endpoint, ...release };
        const { tests, running, declared: known } = await this.#watchOf(owner);
        if (known === declared) {
          found.push(...running);
          continue;
        }
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
    const look: Look = { store: this.#store, watched, rows };
    const declared = declarationsOf(watched);
    const found = new Map<string, Found>();
    for (const release of watched.releases) {
      const owner: TestOwner = { endpoint: watched.endpoint, ...release };
      found.set(keyOf(owner), await this.#lookAt(look, owner, declared));
    }
    // First stored, then believed: a look that can't be stored hasn't happened, and the next one sees the same again.
    await this.#remember(watched.endpoint, [...found.values()]);
    for (const [key, { watch, rebuilt }] of found) {
      this.#watches.set(key, watch);
      if (rebuilt) this.#onTrouble(new Error(rebuiltText(rebuilt)));
    }
    return [...found.values()].flatMap(({ breaches }) => breaches).toSorted((a, b) => b.logE - b.threshold - (a.logE - a.threshold));
  }

  /** @throws StorageError with everything left as it was, where what must be stored can't be */
  async #remember(endpoint: EndpointName, found: readonly Found[]): Promise<void> {
    const before = this.#unsaved.get(endpoint);
    const changed = found.flatMap((one) => one.changed.map((test) => [test.id, test] as const));
    if (changed.length === 0 && !before) return;
    this.#unsaved.set(endpoint, new Map([...(before ?? []), ...changed]));
    const isDue = this.#store.runtime.clock.nowMs() - (this.#savedAtMs.get(endpoint) ?? 0) >= this.#storeEveryMs;
    if (!isDue && !found.some(({ mustBeStored }) => mustBeStored)) return;
    try {
      await this.#save(
        endpoint,
        found.flatMap(({ rebuilt }) => rebuilt ?? []),
      );
    } catch (error) {
      if (before) this.#unsaved.set(endpoint, before);
      else this.#unsaved.delete(endpoint);
      throw error;
    }
  }

  async #save(endpoint: EndpointName, rebuilt: readonly RebuiltTests[] = []): Promise<void> {
    const tests = [...(this.#unsaved.get(endpoint)?.values() ?? [])];
    const begun = tests.filter(({ id }) => !this.#begun.has(id));
    if (tests.length > 0)
      await saveTests(this.#store, endpoint, tests, begun, async (tx) => {
        for (const one of rebuilt)
          await this.#audit?.append(tx, {
            actor: "guardrails",
            action: "guardrail.rebuilt",
            object: `endpoint/${endpoint}`,
            payload: rebuiltPayload(one),
          });
      });
    for (const { id } of begun) this.#begun.add(id);
    this.#unsaved.delete(endpoint);
    this.#savedAtMs.set(endpoint, this.#store.runtime.clock.nowMs());
  }

  async #lookAt(look: Look, owner: TestOwner, declared: string): Promise<Found> {
    const { watched } = look;
    const watch = await this.#watchOf(owner);
    const plans = declared === watch.declared ? watch.plans : plansOf(watched, owner);
    const own = await tallyFor(look, owner, plans);
    const other = await this.#besideOf(look, owner, plans);
    const seen = `${own.seen} | ${other?.seen ?? ""}`;
    if (declared === watch.declared && seen === watch.seen) return { watch, changed: [], breaches: [], mustBeStored: false, rebuilt: null };

    const reading = (plan: PlannedTest): Reading => this.#reading(plan, own, plan.reference === PREVIOUS ? other : null, watched);
    const { favourable, budget } = watched;
    const nowMs = this.#store.runtime.clock.nowMs();
    const isFirstSight = watch.declared === "";
    const again = beginAgain(watch.lost, [...watch.tests.values()]);
    const { running, changed } =
      declared === watch.declared
        ? { running: watch.running, changed: [] }
        : reconcile(
            [...watch.tests.values(), ...again],
            {
              owner,
              plans,
              favourable,
              budget,
              isFirstSight,
              nowMs,
              unreadable: watch.unreadable,
              lost: again,
              ...(await priorsFor(look, owner, plans, this.#sides)),
            },
            reading,
          );
    const moved = new Map([...again, ...changed].map((test) => [test.id, test]));
    // What was answered before anybody looked comes in by the minute too.
    const unfed = isFirstSight ? running.filter((test) => isUnfed(test) && !watch.tests.has(test.id) && hasCounts(reading(test.plan))) : [];
    const folded = await foldRecorded(this.#store, owner, unfed, favourable);
    const breaches: Breach[] = [];
    const after: RunningTest[] = [];
    for (const test of running) {
      const fed = folded.get(test.id);
      // The minutes were read after the counts: they may be ahead of them.
      let next = fed ? fed.test : advance(test, reading(test.plan));
      const proven = next.breach === null ? (fed?.proven?.test ?? (isProven(next) ? next : null)) : null;
      if (proven) {
        const breach = breachOf(proven, {
          endpoint: watched.endpoint,
          provenAtMs: nowMs,
          ...(await fedBy(look, proven, this.#sides)),
        });
        next = { ...next, breach };
        breaches.push(breach);
      }
      if (next !== test) moved.set(next.id, next);
      after.push(next);
    }
    const tests = new Map([...watch.tests, ...moved]);
    const isPaused = after.some((test, i) => test.paused !== running[i]?.paused);
    return {
      watch: { tests, running: after, plans, declared, seen, lost: [], unreadable: 0 },
      changed: [...moved.values()],
      breaches,
      mustBeStored: moved.size > 0 && (again.length > 0 || changed.length > 0 || breaches.length > 0 || isPaused),
      rebuilt: rebuiltOf(owner, watch, again),
    };
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

  /** After a restart: what was stored, with the counts that were consumed. */
  async #watchOf(owner: TestOwner): Promise<Watch> {
    const key = keyOf(owner);
    const known = this.#watches.get(key);
    if (known) return known;
    const { tests, lost, unreadable, begun } = await readTests(this.#store, owner);
    for (const id of begun) this.#begun.add(id);
    const byId = new Map(tests.map((test) => [test.id, test]));
    const watch: Watch = { tests: byId, running: [], plans: [], declared: "", seen: "", lost, unreadable };
    this.#watches.set(key, watch);
    return watch;
  }
}

/** A test that minutes can feed and that hasn't been fed. */
const isUnfed = ({ plan, state, consumed }: RunningTest): boolean =>
  isInMinutes(plan) && state.test.blocks === 0 && consumed.n.every((n) => n === 0);
const hasCounts = ({ counts }: Reading): boolean => counts.n.some((n) => n > 0);

const keyOf = ({ endpoint, release, armClass, epoch }: TestOwner): string => [endpoint, release, armClass, epoch].join(" ");

const plansOf = ({ guardrails, groups, budget }: WatchedEndpoint, { armClass }: WatchedRelease): readonly PlannedTest[] =>
  planTests(guardrails, groups, budget, armClass);

const declarationsOf = ({ guardrails, groups, budget, favourable }: WatchedEndpoint): string =>
  canonicalJson({ guardrails, groups, budget, favourable: [...favourable].toSorted() });
