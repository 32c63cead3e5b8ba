/** The route table of one endpoint as the gateway uses it: releases that are loaded, in the order in which they are asked. */
import type { AnsweredBy } from "../decisions/index.ts";
import type { ReleaseId } from "../std.ts";
import type { CompiledEndpoint } from "./endpoint.ts";
import type { LoadedRelease } from "./loaded-release.ts";

/** Where requests of an endpoint go. Handed to the gateway whole, whenever the route table changes. */
export interface RouteView {
  readonly endpoint: CompiledEndpoint;
  readonly generation: number;
  readonly live: LoadedRelease;
  /** `share`: of all people, above 0 and below 1. */
  readonly canary: { readonly release: LoadedRelease; readonly share: number } | null;
  readonly shadows: readonly LoadedRelease[];
  readonly standby: LoadedRelease | null;
  readonly fallback: LoadedRelease;
  /** Numbers of all releases that the endpoint ever had, for replies that are given again. */
  readonly releaseNumbers: ReadonlyMap<ReleaseId, number>;
}

export interface Candidate {
  readonly release: LoadedRelease;
  readonly answeredBy: AnsweredBy;
}

/** A view with what would otherwise be worked out for every request, and with the count of those that it still answers. */
export class RouteTable {
  readonly view: RouteView;
  /** Who is asked, one after the other, until one answers. */
  readonly liveOrder: readonly Candidate[];
  readonly canaryOrder: readonly Candidate[];
  #inFlight = 0;
  #onDrained: (() => void) | null = null;

  constructor(view: RouteView) {
    this.view = view;
    const { live, canary, standby, fallback } = view;
    const rest: Candidate[] = [{ release: live, answeredBy: "live" }];
    if (standby) rest.push({ release: standby, answeredBy: "standby" });
    rest.push({ release: fallback, answeredBy: "fallback" });
    this.liveOrder = once(rest);
    this.canaryOrder = canary ? once([{ release: canary.release, answeredBy: "canary" }, ...rest]) : this.liveOrder;
  }

  /** Who is asked about somebody for whom a release was asked by name; undefined where it isn't loaded. */
  pinnedOrder(release: ReleaseId): readonly Candidate[] | undefined {
    const pinned = loadedIn(this.view).find(({ id }) => id === release);
    if (!pinned) return undefined;
    return once([
      { release: pinned, answeredBy: "pinned" },
      { release: this.view.fallback, answeredBy: "fallback" },
    ]);
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  enter(): void {
    this.#inFlight++;
  }

  leave(): void {
    this.#inFlight--;
    if (this.#inFlight === 0) this.#onDrained?.();
  }

  /** Resolves when all that entered have left. Only for a table that nobody enters any more. */
  drained(): Promise<void> {
    if (this.#inFlight === 0) return Promise.resolve();
    return new Promise((resolve) => void (this.#onDrained = resolve));
  }
}

/** All releases that can answer now, each once, the most important first. */
export function loadedIn({ live, canary, standby, shadows, fallback }: RouteView): readonly LoadedRelease[] {
  return [...new Set([live, ...(canary ? [canary.release] : []), ...(standby ? [standby] : []), ...shadows, fallback])];
}

/** A release that failed once isn't asked again under another name. */
function once(candidates: readonly Candidate[]): readonly Candidate[] {
  return candidates.filter(({ release }, i) => candidates.findIndex((other) => other.release.id === release.id) === i);
}
