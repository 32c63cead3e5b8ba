/** One endpoint while the server runs: its definition, its table, what is warm, and the gateway that answers by it. */
import {
  ScorerError,
  compileCondition,
  type Condition,
  type Gateway,
  type LoadDependencies,
  type LoadedRelease,
  type RouteView,
} from "../serving/index.ts";
import type { Json } from "../store/index.ts";
import { assert, type EndpointName, type ReleaseId } from "../std.ts";
import type { EndpointDefinition } from "./endpoint-spec.ts";
import type { ReleaseInfo } from "./release-rows.ts";
import { neededBy, standbyOf, type OpenTable, type RouteTable } from "./route-table.ts";
import type { Transition } from "./transition.ts";
import { unavailable } from "./unavailable.ts";
import { WarmSet } from "./warm-set.ts";

export interface RoomParts {
  readonly gateway: Gateway;
  readonly load: LoadDependencies;
  /** Told of a release that should be warm and can't be loaded. */
  readonly onTrouble: (error: Error) => void;
}

const SWITCHES_KEPT = 20;

export class EndpointRoom {
  readonly #parts: RoomParts;
  #definition: EndpointDefinition;
  #table: OpenTable;
  #warm: WarmSet;
  #turn: Promise<unknown> = Promise.resolve();
  #settling: Promise<void> = Promise.resolve();
  #isClosed = false;
  /** Tables that were replaced and still answer somebody: what they use must stay loaded. */
  #undrained = 0;
  #draining: Promise<unknown> = Promise.resolve();
  readonly releases = new Map<ReleaseId, ReleaseInfo>();
  /** The newest transition, and when the present live release became it. */
  last: Transition;
  liveSinceMs: number;
  /** How long the latest changes took until every new request met the new table, newest last. Empty after a start. */
  readonly switchesUs: number[] = [];

  constructor(
    parts: RoomParts,
    known: {
      readonly definition: EndpointDefinition;
      readonly table: OpenTable;
      readonly warm: WarmSet;
      readonly releases: Iterable<ReleaseInfo>;
      readonly last: Transition;
      readonly liveSinceMs: number;
    },
  ) {
    this.#parts = parts;
    this.#definition = known.definition;
    this.#table = known.table;
    this.#warm = known.warm;
    for (const info of known.releases) this.releases.set(info.id, info);
    this.last = known.last;
    this.liveSinceMs = known.liveSinceMs;
  }

  get name(): EndpointName {
    return this.#definition.compiled.name;
  }
  get definition(): EndpointDefinition {
    return this.#definition;
  }
  get table(): OpenTable {
    return this.#table;
  }
  get warm(): WarmSet {
    return this.#warm;
  }

  /** A release as people name it: `r12`. */
  nameOf(release: ReleaseId): string {
    return `r${this.info(release).number}`;
  }

  /** Whether what answers now, and what answers when that can't, are loaded and proven. */
  get isReady(): boolean {
    return this.#warm.isWarm(this.#table.live) && this.#warm.isWarm(this.#table.fallback);
  }

  /** Valid requests that got no answer, since the start. */
  get unanswered(): number {
    return this.#parts.gateway.counts(this.name).unanswered;
  }

  info(release: ReleaseId): ReleaseInfo {
    const info = this.releases.get(release);
    assert(info, `${release} is in the route table of ${this.name} but not among its releases`);
    return info;
  }

  noteSwitch(durationUs: number): void {
    this.switchesUs.push(durationUs);
    if (this.switchesUs.length > SWITCHES_KEPT) this.switchesUs.shift();
  }

  /** Runs `work` when all work before it is done: transitions reach the gateway in the order in which they were stored. */
  async inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(work, work);
    this.#turn = mine.catch(() => undefined);
    return mine;
  }

  /**
   * Takes over a stored table and hands it to the gateway, at once. Everything that it asks first must be warm.
   * @returns resolves when nobody is answered by the table before any more
   */
  adopt(table: RouteTable, transition: Transition): Promise<void> {
    assert(table.kind === "open", `the table of ${this.name} closed`);
    if (table.live !== this.#table.live) this.liveSinceMs = transition.atMs;
    this.#table = table;
    this.last = transition;
    return this.push();
  }

  /** Hands the present table to the gateway, at once. @returns resolves when the one before has answered all that began under it */
  push(): Promise<void> {
    this.#undrained++;
    const drained = this.#parts.gateway.swap(this.#view()).finally(() => this.#undrained--);
    this.#draining = Promise.all([this.#draining, drained]);
    return drained;
  }

  /** Resolves when every table that was replaced so far has answered all that began under it. */
  async drained(): Promise<void> {
    await this.#draining;
  }

  #view(): RouteView {
    const { live, canary, ab, shadows, fallback, generation } = this.#table;
    const standby = standbyOf(this.#table);
    return {
      endpoint: this.#definition.compiled,
      generation,
      live: this.#loaded(live),
      canary: canary && { release: this.#loaded(canary.release), share: canary.share, when: this.#condition(canary.when) },
      ab: ab && ab.arms.map(({ release, weight }) => ({ release: this.#loaded(release), weight })),
      shadows: shadows.map(({ release, share }) => ({ release: this.#loaded(release), share })),
      // It may still be warming up; meanwhile the fallback stands behind live.
      standby: (standby && this.#warm.get(standby)) ?? null,
      fallback: this.#loaded(fallback),
      releaseNumbers: new Map([...this.releases.values()].map(({ id, number }) => [id, number])),
    };
  }

  /** It was checked when it was applied. Should another version of the program read it otherwise, the canary answers nobody, loudly. */
  #condition(when: string | null): Condition | null {
    if (when === null) return null;
    const compiled = compileCondition(when, this.#definition.compiled, "/when");
    if (compiled.ok) return compiled.value;
    this.#parts.onTrouble(new Error(`the canary's condition of ${this.name} can't be read: ${JSON.stringify(compiled.error)}`));
    return { source: when, holds: () => false };
  }

  #loaded(release: ReleaseId): LoadedRelease {
    const loaded = this.#warm.get(release);
    assert(loaded, `${this.info(release).number} of ${this.name} isn't warm`);
    return loaded;
  }

  /** The next in turn needn't wait until this one has drained. */
  async #pushInTurn(): Promise<void> {
    const { drained } = await this.inTurn(async () => ({ drained: this.push() }));
    await drained;
  }

  /** Every release that the table points at, the most important first. @param fallback - another one that is about to be set */
  needed(fallback = this.#table.fallback): readonly ReleaseId[] {
    return neededBy(this.#table, fallback);
  }

  /** After a swap has drained: warms the new standby, frees what nobody needs any more. Not waited for by what caused it. */
  settle(): Promise<void> {
    this.#settling = this.#settling.then(() => this.#settle()).catch(this.#parts.onTrouble);
    return this.#settling;
  }

  async #settle(): Promise<void> {
    if (this.#isClosed) return;
    const standby = standbyOf(this.#table);
    if (standby && !this.#warm.isWarm(standby)) await this.#warmStandby(standby);
    const warm = await this.inTurn(async () => {
      if (this.#undrained === 0) this.#warm.rest(new Set(this.needed()));
      return this.#warm;
    });
    await warm.evicted();
  }

  async #warmStandby(standby: ReleaseId): Promise<void> {
    const warm = this.#warm;
    const info = this.info(standby);
    const loaded = await warm.borrow(info, { atAnyCost: true });
    if (!loaded.ok) return this.#parts.onTrouble(notLoaded(info, loaded.error));
    try {
      if (standbyOf(this.#table) === standby && warm === this.#warm) await this.#pushInTurn();
    } finally {
      warm.giveBack(standby);
    }
  }

  /**
   * Loads what the table points at; what can't be loaded is stood in for, loudly, so that the table stays what was decided. So is a model
   * behind a server that takes long, until it is loaded: it must not keep everybody else from being answered.
   * @param time - resolves when it has taken long
   */
  async warmUp(time: Promise<void>): Promise<void> {
    let isPushed = false;
    const late = new Set(this.needed());
    const load = async (info: ReleaseInfo) => {
      const { id } = info;
      const why = await this.#whyNotWarm(info);
      late.delete(id);
      if (why !== null) {
        this.#parts.onTrouble(notLoaded(info, why));
        this.#warm.substitute(unavailable(info, this.#definition.compiled, JSON.stringify(why)));
      }
      if (isPushed && !this.#isClosed) await this.#pushInTurn();
    };
    const infos = this.needed().map((id) => this.info(id));
    const ours = Promise.all(infos.filter(runsHere).map(load));
    const theirs = Promise.all(infos.filter((info) => !runsHere(info)).map(load));
    theirs.catch(this.#parts.onTrouble);
    await Promise.all([ours, Promise.race([theirs, time])]);
    for (const id of late) this.#warm.substitute(unavailable(this.info(id), this.#definition.compiled, "it is still being loaded"));
    isPushed = true;
    await this.push();
  }

  /** Tries again to load what is stood in for. */
  async recover(): Promise<void> {
    const missing = this.needed().filter((release) => !this.#warm.isWarm(release));
    let recovered = 0;
    for (const release of missing) if ((await this.#whyNotWarm(this.info(release))) === null) recovered++;
    if (recovered > 0) await this.#pushInTurn();
  }

  /** Loads a release that the table holds on to. @returns null once it is warm */
  async #whyNotWarm(info: ReleaseInfo): Promise<Json | null> {
    try {
      const loaded = await this.#warm.borrow(info, { atAnyCost: true });
      if (!loaded.ok) return loaded.error.map((issue) => ({ ...issue }));
      this.#warm.giveBack(info.id);
      return null;
    } catch (error) {
      if (error instanceof ScorerError) return error.message;
      throw error;
    }
  }

  /** Takes a new definition, with everything that it needs loaded under it; `adopt` puts it in force. @returns the old warm set */
  redefine(definition: EndpointDefinition, warm: WarmSet): WarmSet {
    const before = this.#warm;
    this.#definition = definition;
    this.#warm = warm;
    return before;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#settling;
    await this.#turn;
    await this.#parts.gateway.remove(this.name);
    await this.#warm.close();
  }
}

/** Its loading has a limit that is ours. */
const runsHere = ({ bundle }: ReleaseInfo): boolean => bundle.scorer.kind === "rules" || bundle.scorer.kind === "onnx";

const notLoaded = ({ number, endpoint }: ReleaseInfo, why: unknown) =>
  new Error(`r${number} of ${endpoint} can't be loaded: ${JSON.stringify(why)}`);
