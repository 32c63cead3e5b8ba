/** The releases of one endpoint that are loaded: those that the route table points at, and those that somebody borrows for a moment. */
import { assert, ok, type Issue, type ReleaseId, type Result } from "../std.ts";
import { loadRelease, type CompiledEndpoint, type LoadDependencies, type LoadedRelease } from "../serving/index.ts";
import type { ReleaseInfo } from "./release-rows.ts";

type Loading = Promise<Result<LoadedRelease, readonly Issue[]>>;

export class WarmSet {
  readonly #endpoint: CompiledEndpoint;
  readonly #dependencies: LoadDependencies;
  readonly #warm = new Map<ReleaseId, LoadedRelease>();
  readonly #substitutes = new Map<ReleaseId, LoadedRelease>();
  readonly #loading = new Map<ReleaseId, Loading>();
  readonly #borrowed = new Map<ReleaseId, number>();
  #isRetired = false;

  constructor(endpoint: CompiledEndpoint, dependencies: LoadDependencies) {
    this.#endpoint = endpoint;
    this.#dependencies = dependencies;
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
   * Loads a release unless it is warm, and keeps it so until `giveBack`. @throws ScorerError when no scorer process can be started
   */
  async borrow(info: ReleaseInfo): Loading {
    this.#borrowed.set(info.id, (this.#borrowed.get(info.id) ?? 0) + 1);
    try {
      const loaded = await this.#load(info);
      if (!loaded.ok) this.giveBack(info.id);
      return loaded;
    } catch (error) {
      this.giveBack(info.id);
      throw error;
    }
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

  async #loadNow({ id, number, bundle }: ReleaseInfo): Loading {
    const loaded = await loadRelease({ id, number, bundle, endpoint: this.#endpoint }, this.#dependencies);
    if (loaded.ok) {
      this.#warm.set(id, loaded.value);
      this.#substitutes.delete(id);
    }
    return loaded;
  }

  /**
   * Forgets every release that is neither needed nor borrowed, and gives them back to be closed. Only when all answers of tables
   * that used them have been given.
   */
  forget(needed: ReadonlySet<ReleaseId>): readonly LoadedRelease[] {
    const cold = [...this.#warm.values()].filter(({ id }) => !needed.has(id) && !this.#borrowed.has(id));
    for (const { id } of cold) this.#warm.delete(id);
    for (const id of this.#substitutes.keys()) if (!needed.has(id)) this.#substitutes.delete(id);
    return cold;
  }

  /** Closes once the last loan is given back: nothing new is asked of it. */
  async retire(): Promise<void> {
    this.#isRetired = true;
    if (this.#borrowed.size === 0) await this.close();
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#loading.values());
    const rest = [...this.#warm.values()];
    this.#warm.clear();
    await Promise.all(rest.map((release) => release.close()));
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
