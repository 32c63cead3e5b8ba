/** How much memory the scorer processes of all loaded releases may take together, and which of those at rest make room. */
import { memoryOf, type LoadedRelease, type ProcessMemory } from "../serving/index.ts";
import type { Issue, ReleaseId } from "../std.ts";

/** A loaded release and what its process takes. */
export interface Holding extends ProcessMemory {
  readonly endpoint: string;
  /** Within the endpoint: `r12`. */
  readonly number: number;
  readonly release: ReleaseId;
  /** Nobody needs it now: it stays because somebody may again, and goes when there is no room. */
  readonly isAtRest: boolean;
}

interface Held {
  readonly atLoad: ProcessMemory;
  /** Closes it; null while somebody needs it. Those at rest stand in the order in which they came to rest. */
  evict: (() => void) | null;
}

/** Beyond it the one that has rested longest goes, also where there is room: a server shouldn't grow with every release that was ever looked at. */
const AT_REST_AT_MOST = 4;

/** One for the whole server. What no process holds (rules, models behind a server) counts nothing. */
export class MemoryBudget {
  readonly limitBytes: number;
  readonly #measure: (pid: number | undefined) => ProcessMemory;
  readonly #held = new Map<LoadedRelease, Held>();
  /** What a release took when it was last loaded. */
  readonly #known = new Map<ReleaseId, number>();

  constructor(limitBytes: number, measure: (pid: number | undefined) => ProcessMemory = memoryOf) {
    this.limitBytes = limitBytes;
    this.#measure = measure;
  }

  /** Measures a release that was just loaded, and counts it from now on. */
  add(release: LoadedRelease): void {
    const atLoad = this.#measure(release.pid);
    this.#held.set(release, { atLoad, evict: null });
    this.#known.set(release.id, atLoad.ownBytes);
    this.#makeRoom();
  }

  /** It is closed. */
  remove(release: LoadedRelease): void {
    this.#held.delete(release);
  }

  /** Somebody needs a release that may have been at rest. */
  use(release: LoadedRelease): void {
    const held = this.#held.get(release);
    if (held) held.evict = null;
  }

  /** Nobody needs it any more. @param evict - closes it; called at once where there is no room, or nothing to be saved */
  rest(release: LoadedRelease, evict: () => void): void {
    const held = this.#held.get(release);
    if (!held || held.atLoad.ownBytes === 0) return evict();
    this.#held.delete(release);
    this.#held.set(release, { ...held, evict });
    this.#makeRoom();
  }

  /** Why a release that isn't loaded would not fit, as far as is known from the last time it was. */
  refusal({ id, endpoint }: Pick<LoadedRelease, "id" | "endpoint">): Issue | undefined {
    const ownBytes = this.#known.get(id);
    if (ownBytes === undefined || this.usedBytes() + ownBytes <= this.limitBytes) return undefined;
    return this.#tooMuch(ownBytes, endpoint.name, this.holdings());
  }

  /** Why a release that was just loaded, and isn't needed yet, doesn't fit. */
  refusalOf(release: LoadedRelease): Issue | undefined {
    const ownBytes = this.#held.get(release)?.atLoad.ownBytes ?? 0;
    if (ownBytes === 0 || this.usedBytes() <= this.limitBytes) return undefined;
    const { name } = release.endpoint;
    const others = this.holdings().filter((one) => one.release !== release.id || one.endpoint !== name);
    return this.#tooMuch(ownBytes, name, others);
  }

  /** Of all that is needed now. What rests makes room. */
  usedBytes(): number {
    return [...this.#held.values()].reduce((sum, { atLoad, evict }) => sum + (evict === null ? atLoad.ownBytes : 0), 0);
  }

  /** Everything that is loaded and takes memory, with what it takes now. */
  holdings(): readonly Holding[] {
    return [...this.#held]
      .filter(([, { atLoad }]) => atLoad.ownBytes > 0)
      .map(([{ id, number, endpoint, pid }, { atLoad, evict }]) => {
        const now = this.#measure(pid);
        return { endpoint: endpoint.name, number, release: id, isAtRest: evict !== null, ...(now.ownBytes > 0 ? now : atLoad) };
      });
  }

  #makeRoom(): void {
    const atRest = [...this.#held].filter(([, { evict }]) => evict !== null);
    let restingBytes = atRest.reduce((sum, [, { atLoad }]) => sum + atLoad.ownBytes, 0);
    let left = atRest.length;
    for (const [release, { atLoad, evict }] of atRest) {
      if (left <= AT_REST_AT_MOST && this.usedBytes() + restingBytes <= this.limitBytes) return;
      this.#held.delete(release);
      evict?.();
      restingBytes -= atLoad.ownBytes;
      left--;
    }
  }

  /** Who may change one endpoint needn't know what others have. */
  #tooMuch(ownBytes: number, endpoint: string, holdings: readonly Holding[]): Issue {
    const needed = holdings.filter(({ isAtRest }) => !isAtRest);
    const elsewhere = needed.filter((one) => one.endpoint !== endpoint).reduce((sum, one) => sum + one.ownBytes, 0);
    const uses = [
      ...needed.filter((one) => one.endpoint === endpoint).map((one) => `${megabytes(one.ownBytes)} by r${one.number}`),
      ...(elsewhere > 0 ? [`${megabytes(elsewhere)} by other endpoints`] : []),
    ];
    return {
      path: "/scorer",
      expected: `a release that fits into the memory budget of ${megabytes(this.limitBytes)}`,
      got: `one that needs ${megabytes(ownBytes)}, and ${uses.length === 0 ? "nothing else is in use" : `in use are ${uses.join(", ")}`}`,
      hint: "end a shadow or a canary, or start the server with a larger --memory-budget",
    };
  }
}

const megabytes = (bytes: number): string => `${Math.ceil(bytes / 1e6)} MB`;
