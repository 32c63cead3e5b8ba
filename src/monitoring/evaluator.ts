/** Looks at an endpoint's tallies, closes blocks, and hands over what is proven. One at a time for an endpoint; the rest is pure. */
import { armClassOf, groupsOf, readTotalsBySource, type ArmClass, type SourceTotalRow } from "../decisions/index.ts";
import { canonicalJson, type Store } from "../store/index.ts";
import type { EndpointName, ReleaseId } from "../std.ts";
import { blockSince, type Cumulative } from "./blocks.ts";
import { planTests, sideOf, type GuardrailSpec, type PlannedTest } from "./guardrail.ts";
import { addLikeForLike, noLikeForLike } from "./intervals.ts";
import { reserveShare } from "./multiplicity.ts";
import { closeBlock, startTest } from "./sequential-test.ts";
import { stateOf, testId, type Breach, type RunningTest, type StoredState } from "./test-record.ts";

/** What of an endpoint is watched. */
export interface WatchedEndpoint {
  readonly endpoint: EndpointName;
  readonly groups: Readonly<Record<string, readonly string[]>>;
  readonly guardrails: readonly GuardrailSpec[];
  /** Chance that a fair release is ever rolled back: one budget for each release's answers to people, one for its shadow answers. */
  readonly budget: number;
  /** Actions that count as selected. */
  readonly favourable: ReadonlySet<string>;
  readonly releases: readonly WatchedRelease[];
}
export interface WatchedRelease {
  readonly release: ReleaseId;
  readonly armClass: ArmClass;
  /** How often a person has reinstated it: each time it starts with a new budget. */
  readonly epoch: number;
}

const RECENT_BLOCKS = 8;

export class GuardrailEvaluator {
  readonly #store: Store;
  readonly #running = new Map<string, RunningTest>();
  /** As they were found at the start, by id. */
  readonly #stored = new Map<
    string,
    Pick<RunningTest, "state" | "consumed" | "breach" | "paused"> & {
      readonly alpha: number;
      readonly release: string;
      readonly armClass: string;
      readonly epoch: number;
    }
  >();
  readonly #loaded = new Set<string>();
  /** Counts as they were at the last look, by release and arm class: nothing new, nothing to do. */
  readonly #seen = new Map<string, number>();

  constructor(store: Store) {
    this.#store = store;
  }

  /**
   * One look at everything that is watched of an endpoint. What it found is stored before it is returned.
   * @returns breaches that were proven by this look, strongest first; each is returned once in the life of its test
   */
  async look(watched: WatchedEndpoint): Promise<readonly Breach[]> {
    await this.#load(watched.endpoint);
    const rows = await readTotalsBySource(this.#store.db, { endpoint: watched.endpoint });
    const changed: RunningTest[] = [];
    const breaches: Breach[] = [];
    for (const release of watched.releases) {
      const mine = rows.filter((row) => row.release === release.release && armClassOf(row.arm) === release.armClass);
      const seenKey = `${watched.endpoint}\0${release.release}\0${release.armClass}`;
      const counted = mine.reduce((sum, row) => sum + row.counted, 0);
      const tests = this.#testsOf(watched, release, mine);
      if (this.#seen.get(seenKey) === counted && tests.every(({ isNew }) => !isNew)) continue;
      for (const { test, isNew } of tests) {
        const next = this.#advance(watched, test, mine);
        if (next === test && !isNew) continue;
        changed.push(next);
        if (next.breach && !test.breach) breaches.push(next.breach);
      }
      this.#seen.set(seenKey, counted);
    }
    if (changed.length > 0) await this.#save(watched.endpoint, changed);
    for (const test of changed) this.#running.set(test.id, test);
    return breaches.toSorted((a, b) => b.logE - b.threshold - (a.logE - a.threshold));
  }

  /** The tests of an endpoint's releases as they stand, in the order of their guardrails. */
  async tests(watched: WatchedEndpoint): Promise<readonly RunningTest[]> {
    await this.#load(watched.endpoint);
    const plans = planTests(watched.guardrails, watched.groups, watched.budget);
    return watched.releases.flatMap((release) =>
      plans.flatMap((plan) => this.#known({ endpoint: watched.endpoint, ...release }, plan) ?? []),
    );
  }

  /** Breaches of what is watched that were proven at any time: after a crash between the proof and the act, they still have to be acted on. */
  async latched(watched: WatchedEndpoint): Promise<readonly Breach[]> {
    return (await this.tests(watched)).flatMap(({ breach }) => breach ?? []);
  }

  /** After a restart: continues from what was stored, with the counts that were consumed. */
  async #load(endpoint: EndpointName): Promise<void> {
    if (this.#loaded.has(endpoint)) return;
    const rows = await this.#store.db.selectFrom("guardrail_test").selectAll().where("endpoint", "=", endpoint).execute();
    for (const row of rows)
      this.#stored.set(row.id, {
        ...stateOf(row),
        alpha: row.alpha,
        paused: row.paused,
        release: row.release,
        armClass: row.arm_class,
        epoch: row.epoch,
      });
    this.#loaded.add(endpoint);
  }

  /** The running tests of a release; those that are planned and don't run yet are started. */
  #testsOf(
    watched: WatchedEndpoint,
    release: WatchedRelease,
    rows: readonly SourceTotalRow[],
  ): readonly { readonly test: RunningTest; readonly isNew: boolean }[] {
    const plans = planTests(watched.guardrails, watched.groups, watched.budget);
    const key = { endpoint: watched.endpoint, ...release };
    const known = plans.map((plan) => ({ plan, test: this.#known(key, plan) }));
    // What is added to a release that is watched already is paid from the reserve, and counts from now on only.
    const before = this.#testsEver(release);
    let added = before.filter(({ state }) => state.isLate).length;
    return known.map(({ plan, test }) => {
      if (test) return { test, isNew: false };
      const isLate = before.length > 0;
      const alpha = isLate ? reserveShare(watched.budget, ++added) : plan.alpha;
      const state: StoredState = { isLate, test: startTest(plan.definition), likeForLike: noLikeForLike, recent: [] };
      // A second life is judged by what it does from now on.
      const consumed = isLate || release.epoch > 0 ? this.#cumulative(watched, plan, rows) : { n: [0, 0], k: [0, 0] };
      return {
        test: {
          id: testId(key, plan),
          release: release.release,
          armClass: release.armClass,
          epoch: release.epoch,
          plan: { ...plan, alpha },
          state,
          consumed,
          breach: null,
          paused: null,
        },
        isNew: true,
      };
    });
  }

  /** A test that runs, or that was stored before a restart. */
  #known(key: { readonly endpoint: EndpointName } & WatchedRelease, plan: PlannedTest): RunningTest | undefined {
    const id = testId(key, plan);
    const running = this.#running.get(id);
    const stored = this.#stored.get(id);
    if (running || !stored) return running;
    const { alpha, state, consumed, breach, paused } = stored;
    const test: RunningTest = {
      id,
      release: key.release,
      armClass: key.armClass,
      epoch: key.epoch,
      plan: { ...plan, alpha },
      state,
      consumed,
      breach,
      paused,
    };
    this.#running.set(id, test);
    return test;
  }

  /** Every test that this life of the release ever had, also of guardrails that are no longer declared. */
  #testsEver({ release, armClass, epoch }: WatchedRelease): readonly { readonly state: StoredState }[] {
    const mine = new Map<string, { readonly state: StoredState }>();
    const isMine = (test: { readonly release: string; readonly armClass: string; readonly epoch: number }) =>
      test.release === release && test.armClass === armClass && test.epoch === epoch;
    for (const [id, test] of this.#stored) if (isMine(test)) mine.set(id, test);
    for (const [id, test] of this.#running) if (isMine(test)) mine.set(id, test);
    return [...mine.values()];
  }

  #cumulative(watched: WatchedEndpoint, plan: PlannedTest, rows: readonly SourceTotalRow[]): Cumulative {
    const n = [0, 0];
    const k = [0, 0];
    for (const row of rows) {
      const side = sideOf(plan, groupsOf(row.cell));
      if (side === "neither") continue;
      const g = side === "group" ? 0 : 1;
      n[g] = (n[g] ?? 0) + row.counted;
      if (watched.favourable.has(row.action)) k[g] = (k[g] ?? 0) + row.counted;
    }
    return { n, k };
  }

  #advance(watched: WatchedEndpoint, test: RunningTest, rows: readonly SourceTotalRow[]): RunningTest {
    if (test.paused !== null) return test;
    const now = this.#cumulative(watched, test.plan, rows);
    const verdict = blockSince(now, test.consumed);
    if (verdict.kind === "open") return test;
    if (verdict.kind === "broken") return { ...test, paused: verdict.why };
    const { n, k } = verdict.block;
    const state = closeBlock(test.plan.definition, test.state.test, verdict.block);
    const recent = [...test.state.recent, { decisions: (n[0] ?? 0) + (n[1] ?? 0), logE: state.logE }].slice(-RECENT_BLOCKS);
    const likeForLike = addLikeForLike(test.state.likeForLike, { n: n[0] ?? 0, k: k[0] ?? 0 }, { n: n[1] ?? 0, k: k[1] ?? 0 });
    const next: RunningTest = { ...test, state: { ...test.state, test: state, likeForLike, recent }, consumed: now };
    const threshold = Math.log(1 / test.plan.alpha);
    if (test.breach || state.logE < threshold) return next;
    return { ...next, breach: this.#breachOf(watched, next, rows, threshold) };
  }

  #breachOf(watched: WatchedEndpoint, test: RunningTest, rows: readonly SourceTotalRow[], threshold: number): Breach {
    const { plan, consumed, state } = test;
    const [groupN = 0, referenceN = 0] = consumed.n;
    const [groupK = 0, referenceK = 0] = consumed.k;
    const bySource = new Map<string, number>();
    for (const row of rows)
      if (sideOf(plan, groupsOf(row.cell)) === "group") bySource.set(row.source, (bySource.get(row.source) ?? 0) + row.counted);
    const sources = [...bySource]
      .map(([source, count]) => ({ source, share: groupN === 0 ? 0 : count / groupN }))
      .toSorted((a, b) => b.share - a.share);
    return {
      endpoint: watched.endpoint,
      release: test.release,
      armClass: test.armClass,
      guardrail: plan.guardrail,
      metric: plan.metric,
      action: plan.action,
      limit: plan.definition.limit,
      group: plan.group,
      groupLabel: plan.groupLabel,
      reference: plan.reference,
      groupN,
      groupK,
      referenceN,
      referenceK,
      decisions: groupN + referenceN,
      logE: state.test.logE,
      threshold,
      alpha: plan.alpha,
      block: state.test.blocks,
      provenAtMs: this.#store.runtime.clock.nowMs(),
      sources,
    };
  }

  async #save(endpoint: EndpointName, tests: readonly RunningTest[]): Promise<void> {
    const nowMs = this.#store.runtime.clock.nowMs();
    await this.#store.transaction(async (tx) => {
      for (const { id, release, armClass, epoch, plan, state, consumed, breach, paused } of tests) {
        const moving = {
          state_json: canonicalJson(state),
          consumed_json: canonicalJson(consumed),
          breach_json: breach && canonicalJson(breach),
          paused,
          updated_at_ms: nowMs,
        };
        await tx
          .insertInto("guardrail_test")
          .values({
            id,
            endpoint,
            release,
            arm_class: armClass,
            epoch,
            guardrail: plan.guardrail,
            group_label: plan.groupLabel,
            alpha: plan.alpha,
            ...moving,
          })
          .onConflict((conflict) => conflict.column("id").doUpdateSet(moving))
          .execute();
      }
    });
  }
}
