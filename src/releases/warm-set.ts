/**
 * The releases of one endpoint that are loaded: those that the route table points at, those that somebody borrows for a moment, and those
 * at rest, which stay while there is room.
 */
import { assert, err, ok, type Issue, type ReleaseId, type Result } from "../std.ts";
import { loadRelease, type CompiledEndpoint, type LoadDependencies, type LoadedRelease } from "../serving/index.ts";
import type { MemoryBudget } from "./memory-budget.ts";
import type { ReleaseInfo } from "./release-rows.ts";

type Loading = Promise<Result<LoadedRelease, readonly Issue[]>>;

export class WarmSet {
  readonly #endpoint: CompiledEndpoint;
  readonly #dependencies: LoadDependencies;
  readonly #budget: MemoryBudget;
  readonly #warm = new Map<ReleaseId, LoadedRelease>();
  readonly #substitutes = new Map<ReleaseId, LoadedRelease>();
  readonly #loading = new Map<ReleaseId, Loading>();
  readonly #borrowed = new Map<ReleaseId, number>();
  /** Of those that are warm, what nobody needs. */
  readonly #atRest = new Set<ReleaseId>();
  /** Ends of evicted releases that are under way. */
  readonly #ending = new Set<Promise<void>>();
  #isRetired = false;

  constructor(endpoint: CompiledEndpoint, dependencies: LoadDependencies, budget: MemoryBudget) {
    this.#endpoint = endpoint;
    this.#dependencies = dependencies;
    this.#budget = budget;
  }

  /** The release, or what stands for it. */
  get(release: ReleaseId): LoadedRelease | undefined {
    return this.#warm.get(release) ?? this.#substitutes.get(release);
  }

  isWarm(release: ReleaseId): boolean {
    return this.#warm.has(release);
  }

  /** Puts in what stands for a release that can't be loaded, until it can. */
  substitute(release: LoadedRelease): void {
    this.#substitutes.set(release.id, release);
  }

  /**
   * Loads a release unless it is warm, and keeps it so until `giveBack`.
   * @param atAnyCost - for what must be answered by it also beyond the memory budget: what the route table holds on to, and rollbacks
   * @throws ScorerError when no scorer process can be started
   */
  async borrow(info: ReleaseInfo, { atAnyCost = false }: { readonly atAnyCost?: boolean } = {}): Loading {
    this.#borrowed.set(info.id, (this.#borrowed.get(info.id) ?? 0) + 1);
    try {
      const loaded = await this.#fit(info, atAnyCost);
      if (!loaded.ok) this.giveBack(info.id);
      return loaded;
    } catch (error) {
      this.giveBack(info.id);
      throw error;
    }
  }

  async #fit(info: ReleaseInfo, atAnyCost: boolean): Loading {
    const isNeeded = this.#warm.has(info.id) && !this.#atRest.has(info.id);
    const isChecked = !atAnyCost && !isNeeded;
    const known = isChecked ? this.#budget.refusal({ id: info.id, endpoint: this.#endpoint }) : undefined;
    if (known) return err([known]);
    const warm = this.#warm.get(info.id);
    if (warm && this.#atRest.delete(info.id)) this.#budget.use(warm);
    const loaded = await this.#load(info);
    if (!loaded.ok) return loaded;
    const measured = isChecked ? this.#budget.refusalOf(loaded.value) : undefined;
    if (!measured) return loaded;
    if (this.#borrowed.get(info.id) === 1) this.#evict(loaded.value);
    return err([measured]);
  }

  giveBack(release: ReleaseId): void {
    const left = (this.#borrowed.get(release) ?? 0) - 1;
    assert(left >= 0, `${release} was given back more often than borrowed`);
    if (left > 0) return void this.#borrowed.set(release, left);
    this.#borrowed.delete(release);
    if (this.#isRetired && this.#borrowed.size === 0) void this.close();
  }

  #load(info: ReleaseInfo): Loading {
    const warm = this.#warm.get(info.id);
    if (warm) return Promise.resolve(ok(warm));
    const under = this.#loading.get(info.id);
    if (under) return under;
    const loading = this.#loadNow(info).finally(() => this.#loading.delete(info.id));
    this.#loading.set(info.id, loading);
    return loading;
  }

  /** Takes over a release that was loaded elsewhere. */
  adopt(release: LoadedRelease): void {
    assert(!this.#warm.has(release.id), `${release.id} is warm already`);
    this.#warm.set(release.id, release);
    this.#budget.add(release);
  }

  async #loadNow({ id, number, bundle }: ReleaseInfo): Loading {
    const loaded = await loadRelease({ id, number, bundle, endpoint: this.#endpoint }, this.#dependencies);
    if (loaded.ok) {
      this.#warm.set(id, loaded.value);
      this.#budget.add(loaded.value);
      this.#substitutes.delete(id);
    }
    return loaded;
  }

  /**
   * Lays every release to rest that is neither needed nor borrowed: it is closed, at once or when there is no room for it. Only when all
   * answers of tables that used them have been given.
   */
  rest(needed: ReadonlySet<ReleaseId>): void {
    const cold = [...this.#warm.values()].filter(({ id }) => !needed.has(id) && !this.#borrowed.has(id) && !this.#atRest.has(id));
    for (const release of cold) {
      this.#atRest.add(release.id);
      this.#budget.rest(release, () => this.#evict(release));
    }
    for (const id of this.#substitutes.keys()) if (!needed.has(id)) this.#substitutes.delete(id);
  }

  #evict(release: LoadedRelease): void {
    this.#warm.delete(release.id);
    this.#atRest.delete(release.id);
    this.#budget.remove(release);
    const end = release.close().finally(() => this.#ending.delete(end));
    this.#ending.add(end);
  }

  /** Resolves when everything that was evicted has ended. */
  async evicted(): Promise<void> {
    await Promise.all(this.#ending);
  }

  /** Closes once the last loan is given back: nothing new is asked of it. */
  async retire(): Promise<void> {
    this.#isRetired = true;
    if (this.#borrowed.size === 0) await this.close();
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#loading.values());
    const rest = [...this.#warm.values()];
    for (const release of rest) this.#evict(release);
    await this.evicted();
  }
}

/** What somebody has borrowed, to be given back together. */
export class Loans {
  readonly #loans: (() => void)[] = [];

  add(warm: WarmSet, release: ReleaseId): void {
    this.#loans.push(() => warm.giveBack(release));
  }

  giveBack(): void {
    for (const end of this.#loans.splice(0)) end();
  }
}
