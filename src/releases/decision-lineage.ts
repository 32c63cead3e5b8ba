/**
 * From a decision back to all that it was made with, and from anything in the registry forward to every decision made with it. Going
 * forward ends at releases: their decisions are counted by day as they are recorded, so no decision is read to count it.
 */
import {
  readDays,
  readDecision,
  readMadeBy,
  readMinutes,
  minuteOf,
  type Arm,
  type DecisionHead,
  type RecordedDecision,
} from "../decisions/index.ts";
import type { LineageNode } from "../registry/index.ts";
import type { Store } from "../store/index.ts";
import type { DecisionId, EndpointName, ReleaseId } from "../std.ts";
import { madeOf, type MadeOf, type MadeOfParts } from "./made-of.ts";
import { readRelease, readReleaseHeads, type ReleaseHead } from "./release-rows.ts";
import { emptyTable, evolve, standbyOf, type OpenTable, type RouteTable } from "./route-table.ts";
import { subjectOf, type Transition } from "./transition.ts";
import { readTransitions } from "./transitions.ts";

export interface DecisionTrace extends MadeOf {
  readonly decision: RecordedDecision;
  /** The change that brought the release to where it answered from; null for one that was asked by name. */
  readonly placedBy: Transition | null;
}

export interface DayCount {
  /** Whole days since 1970 (UTC). */
  readonly day: number;
  /** Answers that somebody received. */
  readonly decisions: number;
  /** Answers to somebody who tried the release. */
  readonly pinned: number;
  /** Answers that nobody received. */
  readonly shadows: number;
}
export interface ReleaseCount extends Omit<DayCount, "day"> {
  readonly release: ReleaseHead;
  /** Oldest first; only days with something on them. */
  readonly days: readonly DayCount[];
}

export interface DecisionPageRequest {
  readonly endpoint?: EndpointName;
  readonly release?: ReleaseId;
  readonly day?: number;
  /** What the page before gave as `next`. */
  readonly after?: PageEnd;
  readonly limit: number;
}
/** Where a page ended: pages go release by release. */
export interface PageEnd {
  readonly release: ReleaseId;
  readonly seq: number;
}
export interface MadeWithPage {
  readonly decisions: readonly DecisionHead[];
  readonly next: PageEnd | null;
}

/** Which release answered an endpoint's people at a moment. */
export interface RouteAt {
  readonly endpoint: EndpointName;
  readonly atMs: number;
  /** What held then; null before the endpoint answered. */
  readonly table: OpenTable | null;
  /** The latest change before. */
  readonly since: Transition | null;
  /** Everything that could answer then, the most important first, each release once. */
  readonly releases: readonly (MadeOf & { readonly places: readonly string[] })[];
  /** Who answered in that very minute, as counted. */
  readonly answered: readonly { readonly release: ReleaseId; readonly arm: Arm; readonly decisions: number }[];
}

export class DecisionLineage {
  readonly #store: Store;
  readonly #parts: MadeOfParts;

  constructor({ store, registry }: { readonly store: Store } & Pick<MadeOfParts, "registry">) {
    this.#store = store;
    this.#parts = { registry, blobs: store.blobs };
  }

  /** What time it is. */
  nowMs(): number {
    return this.#store.runtime.clock.nowMs();
  }

  /** All that one decision was made with; undefined for one that isn't in the log. */
  async trace(id: DecisionId): Promise<DecisionTrace | undefined> {
    const decision = await readDecision(this.#store.db, id);
    const release = decision && (await readRelease(this.#store.db, decision.release));
    if (!release) return undefined;
    const history = await readTransitions(this.#store.db, decision.endpoint);
    const placedBy = decision.arm === "pinned" ? null : placing(history, decision);
    return { decision, placedBy, ...(await madeOf(this.#parts, release)) };
  }

  /** What went into a release, whichever endpoint's. */
  async ofRelease(id: ReleaseId): Promise<MadeOf | undefined> {
    const release = await readRelease(this.#store.db, id);
    return release && madeOf(this.#parts, release);
  }

  /** Every release made of `root` that answered, with its counts: by endpoint, then by the releases' numbers. */
  async decidedWith(root: LineageNode, may: (endpoint: string) => boolean): Promise<readonly ReleaseCount[]> {
    const heads = await this.#releasesOf(root, may);
    const byRelease = Map.groupBy(
      await readDays(
        this.#store.db,
        heads.map(({ id }) => id),
      ),
      ({ release }) => release,
    );
    return heads.flatMap((release) => {
      const rows = byRelease.get(release.id);
      if (!rows) return [];
      const days = [...Map.groupBy(rows, ({ day }) => day)].map(([day, some]) => ({ day, ...sums(some) }));
      return [{ release, ...sums(rows), days }];
    });
  }

  /** Which decisions those are, that somebody received: release by release, each in the order of recording. */
  async decisionsWith(root: LineageNode, page: DecisionPageRequest, may: (endpoint: string) => boolean): Promise<MadeWithPage> {
    const { endpoint, release, day, after, limit } = page;
    const heads = (await this.#releasesOf(root, may)).filter(
      (head) => (endpoint === undefined || head.endpoint === endpoint) && (release === undefined || head.id === release),
    );
    const from = after ? heads.findIndex(({ id }) => id === after.release) : 0;
    const decisions: DecisionHead[] = [];
    if (from < 0) return { decisions, next: null };
    for (const head of heads.slice(from)) {
      const wanted = limit + 1 - decisions.length;
      const isBegun = after !== undefined && head.id === after.release;
      decisions.push(
        ...(await readMadeBy(this.#store.db, head, {
          limit: wanted,
          ...(day === undefined ? {} : { day }),
          ...(isBegun ? { after: after.seq } : {}),
        })),
      );
      if (decisions.length > limit) break;
    }
    const shown = decisions.slice(0, limit);
    const last = shown.at(-1);
    return { decisions: shown, next: last && decisions.length > limit ? { release: last.release, seq: last.seq } : null };
  }

  /** Which release answered then, and what it was made of. */
  async at(endpoint: EndpointName, atMs: number): Promise<RouteAt> {
    const all = await readTransitions(this.#store.db, endpoint);
    // Up to the last that had happened: a clock that went back must not leave out one in between.
    const history = all.slice(0, all.findLastIndex((transition) => transition.atMs <= atMs) + 1);
    const table = history.reduce<RouteTable>(evolve, emptyTable);
    if (table.kind === "closed") return { endpoint, atMs, table: null, since: null, releases: [], answered: [] };
    const places = placesAt(table);
    const releases: RouteAt["releases"][number][] = [];
    const answered: RouteAt["answered"][number][] = [];
    const minute = minuteOf(atMs);
    for (const [id, names] of places) {
      const made = await this.ofRelease(id);
      if (made) releases.push({ ...made, places: names });
      for (const arm of ARMS) {
        const rows = await readMinutes(this.#store.db, { endpoint, release: id, arm, fromMinute: minute, toMinute: minute + 1 });
        const decisions = rows.reduce((sum, row) => sum + row.decisions, 0);
        if (decisions > 0) answered.push({ release: id, arm, decisions });
      }
    }
    return { endpoint, atMs, table, since: history.at(-1) ?? null, releases, answered };
  }

  async #releasesOf(root: LineageNode, may: (endpoint: string) => boolean): Promise<readonly ReleaseHead[]> {
    const ids = await this.#parts.registry.lineage.reached(root, "release");
    const heads = await readReleaseHeads(this.#store.db, ids);
    return heads.filter((head) => may(head.endpoint));
  }
}

/** Arms whose answers somebody received who hadn't asked for the release by name. */
const ARMS = ["live", "canary", "ab", "fallback"] as const;

function sums(rows: readonly { readonly arm: Arm; readonly decisions: number }[]): Omit<DayCount, "day"> {
  const of = (is: (arm: Arm) => boolean) => rows.reduce((sum, { arm, decisions }) => sum + (is(arm) ? decisions : 0), 0);
  return {
    decisions: of((arm) => arm !== "pinned" && arm !== "shadow"),
    pinned: of((arm) => arm === "pinned"),
    shadows: of((arm) => arm === "shadow"),
  };
}

/** The latest change, up to the decision's generation, that gave its release a place to answer from. */
function placing(
  history: readonly Transition[],
  { release, generation }: Pick<RecordedDecision, "release" | "generation">,
): Transition | null {
  const isPlacing = ({ change }: Transition): boolean =>
    change.kind === "ab-started"
      ? change.arms.some((arm) => arm.release === release)
      : PLACING.has(change.kind) && subjectOf(change) === release;
  return history.findLast((transition) => transition.generation <= generation && isPlacing(transition)) ?? null;
}
const PLACING: ReadonlySet<string> = new Set([
  "fallback-set",
  "canary-started",
  "canary-changed",
  "promoted",
  "rolled-back",
  "drill-started",
  "drill-ended",
  "rollout-started",
  "rollout-advanced",
]);

/** The places of each release that a table names, the one with most say first. */
function placesAt(table: OpenTable): ReadonlyMap<ReleaseId, readonly string[]> {
  const { live, canary, ab, shadows, fallback } = table;
  const places = new Map<ReleaseId, string[]>();
  const place = (release: ReleaseId, name: string) => places.set(release, [...(places.get(release) ?? []), name]);
  place(live, "live");
  if (canary) place(canary.release, `canary, ${percent(canary.share)}${canary.when === null ? "" : ` of those with ${canary.when}`}`);
  const total = (ab?.arms ?? []).reduce((sum, { weight }) => sum + weight, 0);
  for (const { release, weight } of ab?.arms ?? []) place(release, `A/B test, ${percent(weight / total)}`);
  for (const { release, share } of shadows) place(release, `shadow, ${percent(share)}`);
  const standby = standbyOf(table);
  if (standby) place(standby, "standby");
  place(fallback, "fallback");
  return places;
}
const percent = (share: number): string => `${Number((share * 100).toPrecision(4))} %`;
