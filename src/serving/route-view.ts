/** The route table of one endpoint as the gateway uses it: releases that are loaded, in the order in which they are asked. */
import type { AnsweredBy, ServingArm } from "../decisions/index.ts";
import type { ReleaseId } from "../std.ts";
import type { Condition } from "./condition.ts";
import type { CompiledEndpoint } from "./endpoint.ts";
import type { Inputs } from "./inputs.ts";
import type { LoadedRelease } from "./loaded-release.ts";
import { armOf, isInShare } from "./subjects.ts";

/** Where requests of an endpoint go. Handed to the gateway whole, whenever the route table changes. */
export interface RouteView {
  readonly endpoint: CompiledEndpoint;
  readonly generation: number;
  readonly live: LoadedRelease;
  /** `share`: of the people whom `when` holds for, above 0 and below 1. */
  readonly canary: { readonly release: LoadedRelease; readonly share: number; readonly when: Condition | null } | null;
  /** The arms of an A/B test, live among them; null while there is none. */
  readonly ab: readonly { readonly release: LoadedRelease; readonly weight: number }[] | null;
  /** `share`: of all people, above 0 and at most 1. */
  readonly shadows: readonly { readonly release: LoadedRelease; readonly share: number }[];
  readonly standby: LoadedRelease | null;
  readonly fallback: LoadedRelease;
  /** Numbers of all releases that the endpoint ever had, for replies that are given again. */
  readonly releaseNumbers: ReadonlyMap<ReleaseId, number>;
}

export interface Candidate {
  readonly release: LoadedRelease;
  readonly answeredBy: AnsweredBy;
}

/** Who is to answer somebody, and as what it is recorded. */
export interface Planned {
  readonly arm: Exclude<ServingArm, "fallback">;
  /** Who is asked, one after the other, until one answers. */
  readonly order: readonly Candidate[];
}

/** A view with what would otherwise be worked out for every request, and with the count of those that it still answers. */
export class RouteTable {
  readonly view: RouteView;
  readonly #live: Planned;
  readonly #canary: Planned;
  readonly #arms: readonly { readonly release: ReleaseId; readonly weight: number; readonly planned: Planned }[];
  #inFlight = 0;
  #onDrained: (() => void) | null = null;

  constructor(view: RouteView) {
    this.view = view;
    const { live, canary, ab, standby, fallback } = view;
    const rest: Candidate[] = [{ release: live, answeredBy: "live" }];
    if (standby) rest.push({ release: standby, answeredBy: "standby" });
    rest.push({ release: fallback, answeredBy: "fallback" });
    this.#live = { arm: "live", order: once(rest) };
    this.#canary = canary ? { arm: "canary", order: once([{ release: canary.release, answeredBy: "canary" }, ...rest]) } : this.#live;
    this.#arms = (ab ?? []).map(({ release, weight }) => ({
      release: release.id,
      weight,
      planned: { arm: "ab", order: once([{ release, answeredBy: "ab" }, ...rest]) },
    }));
  }

  /**
   * Who answers somebody.
   * @param draw - hex digits that are spread evenly and the same whenever the same person comes
   */
  planFor(draw: string, inputs: Inputs): Planned {
    const { canary } = this.view;
    if (canary && isInShare(draw, canary.release.id, canary.share) && (canary.when?.holds(inputs) ?? true)) return this.#canary;
    return this.#arms.length > 0 ? (this.#arms[armOf(draw, this.#arms)]?.planned ?? this.#live) : this.#live;
  }

  /** The shadows that are to answer somebody's application as well. */
  shadowsFor(draw: string): readonly LoadedRelease[] {
    const { shadows } = this.view;
    if (shadows.length === 0) return NONE;
    return shadows.filter(({ release, share }) => share === 1 || isInShare(draw, release.id, share)).map(({ release }) => release);
  }

  /** Who is asked about somebody for whom a release was asked by name; undefined where it isn't loaded. */
  pinnedTo(release: ReleaseId): Planned | undefined {
    const pinned = loadedIn(this.view).find(({ id }) => id === release);
    if (!pinned) return undefined;
    const order = once([
      { release: pinned, answeredBy: "pinned" },
      { release: this.view.fallback, answeredBy: "fallback" },
    ]);
    return { arm: "pinned", order };
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

const NONE: readonly LoadedRelease[] = [];

/** All releases that can answer now, each once, the most important first. */
export function loadedIn({ live, canary, ab, standby, shadows, fallback }: RouteView): readonly LoadedRelease[] {
  const beside = [...(canary ? [canary] : []), ...(ab ?? [])].map(({ release }) => release);
  return [...new Set([live, ...beside, ...(standby ? [standby] : []), ...shadows.map(({ release }) => release), fallback])];
}

/** A release that failed once isn't asked again under another name. */
function once(candidates: readonly Candidate[]): readonly Candidate[] {
  return candidates.filter(({ release }, i) => candidates.findIndex((other) => other.release.id === release.id) === i);
}
