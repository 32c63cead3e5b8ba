/** The shell of rollouts: endpoints with their releases, and every change of what answers, stored before it takes effect. */
import type { Transaction } from "kysely";
import type { Audit } from "../access/index.ts";
import { nearest } from "../checked.ts";
import type { Registry } from "../registry/index.ts";
import { ScorerError, releaseIdOf, type Gateway, type LoadDependencies, type LoadedRelease, type ReleaseBundle } from "../serving/index.ts";
import { assert, err, ok, type CommandId, type EndpointName, type ReleaseId, type Result } from "../std.ts";
import type { Schema, Store } from "../store/index.ts";
import { parseEndpoint, type EndpointDefinition } from "./endpoint-spec.ts";
import { EndpointRoom } from "./endpoint-room.ts";
import type { ReleaseRefusal } from "./refusals.ts";
import { insertRelease, readEndpoints, readReleases, upsertEndpoint, type ReleaseInfo } from "./release-rows.ts";
import { parseReleaseSpec, resolveRelease } from "./release-spec.ts";
import type { Wish } from "./route-commands.ts";
import { emptyTable, evolve, type RouteTable } from "./route-table.ts";
import { asCommandId, type Actor, type Transition } from "./transition.ts";
import { Transitions, type Recorded } from "./transitions.ts";
import { WarmSet } from "./warm-set.ts";

export interface ReleasesParts {
  readonly store: Store;
  readonly audit: Audit;
  readonly registry: Registry;
  readonly gateway: Gateway;
  readonly load: LoadDependencies;
  /** Told of what an operator should see: a release that should be warm and can't be loaded. */
  readonly onTrouble: (error: Error) => void;
}

/** Who wants something, and why; both are kept. */
export interface By {
  readonly actor: Actor;
  readonly reason: string;
  /** The same id twice changes nothing; a fresh one when left out. */
  readonly commandId?: CommandId;
  /** The generation that the actor saw: refused when the table has moved on. */
  readonly expectedGeneration?: number;
}

export interface Switched {
  readonly endpoint: EndpointName;
  readonly transition: Transition;
  /** From the call until every new request met the new table, in microseconds. */
  readonly switchedUs: number;
  /** Until the last answer of the table before had been given. */
  readonly drainedUs: number;
}

export interface Applied {
  readonly kind: "endpoint" | "release";
  readonly name: string;
  /** Null for an endpoint that isn't there yet, in a dry run. */
  readonly release: number | null;
  readonly change: "created" | "changed" | "unchanged";
}

/** What belongs to a command and must be stored with it or not at all: an incident, for example. */
export type Alongside = (tx: Transaction<Schema>, recorded: Recorded) => Promise<void>;

export class Releases {
  readonly #parts: ReleasesParts;
  readonly #transitions: Transitions;
  readonly #rooms = new Map<string, EndpointRoom>();
  /** How often each release was reinstated: every time it starts with new tests. */
  readonly #lives = new Map<ReleaseId, number>();

  private constructor(parts: ReleasesParts) {
    this.#parts = parts;
    this.#transitions = new Transitions(parts.store, parts.audit);
  }

  /** Puts every stored endpoint back as it was: the fold of its transitions, loaded and handed to the gateway. */
  static async open(parts: ReleasesParts): Promise<Releases> {
    const releases = new Releases(parts);
    for (const definition of await readEndpoints(parts.store.db)) await releases.#reopen(definition);
    return releases;
  }

  async #reopen(definition: EndpointDefinition): Promise<void> {
    const { name } = definition.compiled;
    const history = (await this.#transitions.list(name, { limit: 1000 })).toReversed();
    const last = history.at(-1);
    const table = await this.#transitions.table(name);
    if (table.kind === "closed" || !last) return;
    const room = new EndpointRoom(this.#roomParts(), {
      definition,
      table,
      warm: new WarmSet(definition.compiled, this.#parts.load),
      releases: await readReleases(this.#parts.store.db, name),
      last,
      liveSinceMs: liveSince(history),
    });
    for (const { change } of history) if (change.kind === "reinstated") this.#countLife(change.release);
    this.#rooms.set(name, room);
    await room.warmUp();
    await room.push();
  }

  #roomParts() {
    const { gateway, load, onTrouble } = this.#parts;
    return { gateway, load, onTrouble };
  }

  /** All endpoints, by name. */
  rooms(): readonly EndpointRoom[] {
    return [...this.#rooms.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  room(endpoint: string): Result<EndpointRoom, ReleaseRefusal> {
    const room = this.#rooms.get(endpoint);
    if (room) return ok(room);
    const near = nearest(endpoint, [...this.#rooms.keys()]);
    return err({ kind: "unknown-endpoint", endpoint, ...(near ? { hint: `did you mean ${near}?` } : {}) });
  }

  /** @param reference - `r12`, `12` or a content id */
  find(room: EndpointRoom, reference: string): Result<ReleaseInfo, ReleaseRefusal> {
    const number = Number(/^r?(\d+)$/.exec(reference)?.[1] ?? Number.NaN);
    const all = [...room.releases.values()];
    const info = all.find((one) => one.number === number || one.id === reference);
    if (info) return ok(info);
    const known = all.map((one) => `r${one.number}`).join(", ");
    return err({ kind: "unknown-reference", reference, hint: `the releases of ${room.name} are ${known}` });
  }

  /** How often a release was reinstated. */
  lives(release: ReleaseId): number {
    return this.#lives.get(release) ?? 0;
  }

  history(endpoint: EndpointName, page: { readonly before?: number; readonly limit?: number } = {}): Promise<readonly Transition[]> {
    return this.#transitions.list(endpoint, page);
  }

  /** Declares an endpoint. The same definition again changes nothing; another one takes effect once all that serves is loaded under it. */
  async applyEndpoint(value: unknown, by: By, dryRun = false): Promise<Result<Applied, ReleaseRefusal>> {
    const parsed = parseEndpoint(value);
    if (!parsed.ok) return err({ kind: "invalid", issues: parsed.error });
    const definition = parsed.value;
    const { name } = definition.compiled;
    const room = this.#rooms.get(name);
    if (room?.definition.id === definition.id) return ok({ kind: "endpoint", name, release: null, change: "unchanged" });
    if (room) return this.#redefine(room, definition, by, dryRun);
    const warm = new WarmSet(definition.compiled, this.#parts.load);
    const fallback = this.#infoOf(definition.compiled.name, definition.fallback, {
      name: definition.spec.fallback.name ?? "fallback rule",
      number: 1,
      by,
    });
    const tried = await warm.borrow(fallback);
    if (!tried.ok) return err({ kind: "invalid", issues: tried.error.map((issue) => ({ ...issue, path: `/fallback${issue.path}` })) });
    if (dryRun) {
      await warm.close();
      return ok({ kind: "endpoint", name, release: null, change: "created" });
    }
    const opened = await this.#parts.store.transaction(async (tx) => {
      await this.#parts.audit.lock(tx);
      await upsertEndpoint(tx, definition, this.#nowMs());
      await this.#audit(tx, by, "endpoint.defined", name, { id: definition.id });
      const { info } = await insertRelease(tx, fallback);
      const registered = await this.#record(tx, name, emptyTable, { kind: "register", release: info.id }, this.#step(by));
      const set = await this.#record(tx, name, registered.table, { kind: "set-fallback", release: info.id }, this.#step(by));
      return { info, table: set.table, last: set.transition };
    });
    assert(opened.table.kind === "open", `${name} has a fallback`);
    const { info, table, last } = opened;
    const made = new EndpointRoom(this.#roomParts(), { definition, table, warm, releases: [info], last, liveSinceMs: last.atMs });
    this.#rooms.set(name, made);
    await made.push();
    warm.giveBack(info.id);
    return ok({ kind: "endpoint", name, release: info.number, change: "created" });
  }

  async #redefine(room: EndpointRoom, definition: EndpointDefinition, by: By, dryRun: boolean): Promise<Result<Applied, ReleaseRefusal>> {
    const warm = new WarmSet(definition.compiled, this.#parts.load);
    const changed: Applied = { kind: "endpoint", name: room.name, release: null, change: "changed" };
    const fallback = this.#infoOf(room.name, definition.fallback, {
      name: definition.spec.fallback.name ?? "fallback rule",
      number: room.releases.size + 1,
      by,
    });
    const needed = [fallback, ...room.needed().map((id) => room.info(id))];
    for (const info of needed) {
      const loaded = await warm.borrow(info);
      if (loaded.ok) continue;
      await warm.close();
      return err({ kind: "cannot-load", release: info.id, issues: loaded.error });
    }
    if (dryRun) {
      await warm.close();
      return ok(changed);
    }
    await room.inTurn(async () => {
      const stored = await this.#parts.store.transaction(async (tx) => {
        await this.#parts.audit.lock(tx);
        await upsertEndpoint(tx, definition, this.#nowMs());
        await this.#audit(tx, by, "endpoint.defined", room.name, { id: definition.id });
        const { info, isNew } = await insertRelease(tx, fallback);
        let recorded: Recorded = { table: room.table, transition: room.last, isNew: false };
        if (isNew) recorded = await this.#record(tx, room.name, recorded.table, { kind: "register", release: info.id }, this.#step(by));
        if (room.table.fallback !== info.id)
          recorded = await this.#record(tx, room.name, recorded.table, { kind: "set-fallback", release: info.id }, this.#step(by));
        return { info, recorded };
      });
      room.releases.set(stored.info.id, stored.info);
      const before = room.redefine(definition, warm);
      await room.adopt(stored.recorded.table, stored.recorded.transition);
      await before.close();
    });
    for (const info of needed) warm.giveBack(info.id);
    return ok(changed);
  }

  /** Makes a release known, once it has been loaded and tried. The same bundle is the same release. */
  async createRelease(
    value: unknown,
    by: By,
    dryRun = false,
  ): Promise<Result<{ readonly info: ReleaseInfo; readonly isNew: boolean }, ReleaseRefusal>> {
    const spec = parseReleaseSpec(value);
    if (!spec.ok) return err({ kind: "invalid", issues: spec.error });
    const room = this.room(spec.value.endpoint);
    if (!room.ok) return room;
    const resolved = await resolveRelease(spec.value, room.value.definition, this.#parts.registry);
    if (!resolved.ok) return resolved;
    const { bundle, origin, model, featureSet } = resolved.value;
    const known = room.value.releases.get(releaseIdOf(bundle));
    if (known) return ok({ info: known, isNew: false });
    const candidate = {
      ...this.#infoOf(room.value.name, bundle, { name: spec.value.name ?? "release", number: room.value.releases.size + 1, by }),
      origin,
    };
    const { warm } = room.value;
    const loaded = await this.#borrow(warm, candidate);
    if (!loaded.ok) return loaded;
    try {
      if (dryRun) return ok({ info: candidate, isNew: true });
      return await room.value.inTurn(async () => {
        const stored = await this.#parts.store.transaction(async (tx) => {
          await this.#parts.audit.lock(tx);
          const { info, isNew } = await insertRelease(tx, candidate);
          if (!isNew) return { info, recorded: null };
          const node = { kind: "release" as const, id: info.id };
          await this.#parts.registry.lineage.add(tx, [
            ...(model ? [{ from: { kind: "model_version" as const, id: model.id }, to: node, relation: "part_of" as const }] : []),
            ...(featureSet ? [{ from: { kind: "feature_set" as const, id: featureSet.id }, to: node, relation: "part_of" as const }] : []),
          ]);
          const recorded = await this.#record(
            tx,
            room.value.name,
            room.value.table,
            { kind: "register", release: info.id },
            this.#step(by),
          );
          return { info, recorded };
        });
        room.value.releases.set(stored.info.id, stored.info);
        if (stored.recorded) await room.value.adopt(stored.recorded.table, stored.recorded.transition);
        return ok({ info: stored.info, isNew: stored.recorded !== null });
      });
    } finally {
      warm.giveBack(candidate.id);
      void room.value.settle();
    }
  }

  /**
   * Changes the route table: stored with its audit entry first, then in force at once, and answered when nobody is decided on by
   * the table before any more.
   */
  async command(endpoint: string, wish: Wish, by: By, alongside?: Alongside): Promise<Result<Switched, ReleaseRefusal>> {
    const found = this.room(endpoint);
    if (!found.ok) return found;
    const room = found.value;
    const { clock } = this.#parts.store.runtime;
    const startedUs = clock.monotonicUs();
    const borrowed: ReleaseId[] = [];
    try {
      for (const id of asked(wish, room)) {
        const info = room.releases.get(id);
        if (!info) continue; // the table refuses it below, in its own words
        const loaded = await this.#borrow(room.warm, info);
        if (!loaded.ok) return loaded;
        borrowed.push(id);
      }
      const done = await room.inTurn(
        async (): Promise<
          Result<{ readonly transition: Transition; readonly switchedUs: number; readonly drained: Promise<void> }, ReleaseRefusal>
        > => {
          const recorded = await this.#parts.store.transaction(async (tx) => {
            const result = await this.#transitions.record(tx, room.name, room.table, this.#commandOf(wish, by));
            if (result.ok && alongside) await alongside(tx, result.value);
            return result;
          });
          if (!recorded.ok) return recorded;
          const { table, transition, isNew } = recorded.value;
          if (isNew && transition.change.kind === "reinstated") this.#countLife(transition.change.release);
          const drained = isNew ? room.adopt(table, transition) : Promise.resolve();
          return ok({ transition, switchedUs: clock.monotonicUs() - startedUs, drained });
        },
      );
      if (!done.ok) return done;
      await done.value.drained;
      return ok({
        endpoint: room.name,
        transition: done.value.transition,
        switchedUs: done.value.switchedUs,
        drainedUs: clock.monotonicUs() - startedUs,
      });
    } finally {
      for (const id of borrowed) room.warm.giveBack(id);
      void room.settle();
    }
  }

  /** Lends a loaded release for a replay. @returns what ends the loan, with the release */
  async lend(
    room: EndpointRoom,
    info: ReleaseInfo,
  ): Promise<Result<{ readonly release: LoadedRelease; readonly giveBack: () => void }, ReleaseRefusal>> {
    const { warm } = room;
    const loaded = await this.#borrow(warm, info);
    if (!loaded.ok) return loaded;
    return ok({
      release: loaded.value,
      giveBack: () => {
        warm.giveBack(info.id);
        void room.settle();
      },
    });
  }

  async close(): Promise<void> {
    await Promise.all([...this.#rooms.values()].map((room) => room.close()));
    this.#rooms.clear();
  }

  async #borrow(warm: WarmSet, info: ReleaseInfo): Promise<Result<LoadedRelease, ReleaseRefusal>> {
    try {
      const loaded = await warm.borrow(info);
      return loaded.ok ? loaded : err({ kind: "cannot-load", release: info.id, issues: loaded.error });
    } catch (error) {
      if (!(error instanceof ScorerError)) throw error;
      return err({ kind: "cannot-load", release: info.id, issues: [{ path: "", expected: "a model that loads", got: error.message }] });
    }
  }

  /** A command that belongs to a larger act: what it follows from is the act's own. @throws when the table refuses, which here is a fault of ours */
  async #record(tx: Transaction<Schema>, endpoint: EndpointName, table: RouteTable, wish: Wish, by: By): Promise<Recorded> {
    const recorded = await this.#transitions.record(tx, endpoint, table, this.#commandOf(wish, by));
    if (!recorded.ok) throw new Error(`${wish.kind} of ${endpoint} was refused: ${recorded.error.kind}`);
    return recorded.value;
  }

  #commandOf(wish: Wish, { actor, reason, commandId, expectedGeneration }: By) {
    const id = commandId ?? asCommandId(this.#parts.store.runtime.ids.next());
    return { id, wish, actor, reason, atMs: this.#nowMs(), expectedGeneration: expectedGeneration ?? null };
  }

  /** The same people and reason, under an id of its own. */
  #step({ actor, reason }: By): By {
    return { actor, reason };
  }

  #infoOf(
    endpoint: EndpointName,
    bundle: ReleaseBundle,
    { name, number, by }: { readonly name: string; readonly number: number; readonly by: By },
  ): ReleaseInfo {
    return { id: releaseIdOf(bundle), endpoint, number, name, bundle, origin: {}, createdAtMs: this.#nowMs(), createdBy: by.actor.name };
  }

  async #audit(
    tx: Transaction<Schema>,
    { actor, reason }: By,
    action: string,
    endpoint: string,
    payload: { readonly id: string },
  ): Promise<void> {
    await this.#parts.audit.append(tx, { actor: actor.name, action, object: `endpoint/${endpoint}`, payload: { ...payload, reason } });
  }

  #countLife(release: ReleaseId): void {
    this.#lives.set(release, this.lives(release) + 1);
  }

  #nowMs(): number {
    return this.#parts.store.runtime.clock.nowMs();
  }
}

/** The releases that must be warm before a wish may come true. */
function asked(wish: Wish, room: EndpointRoom): readonly ReleaseId[] {
  switch (wish.kind) {
    case "shadow":
    case "canary":
    case "promote":
      return room.table.condemned.has(wish.release) ? [] : [wish.release];
    case "rollback":
      return [wish.to ?? room.table.history.at(-1) ?? room.table.fallback];
    default:
      return [];
  }
}

/** When the present live release became it. @param history - oldest first */
function liveSince(history: readonly Transition[]): number {
  let table: RouteTable = emptyTable;
  let sinceMs = 0;
  let live: ReleaseId | null = null;
  for (const transition of history) {
    if (transition.generation !== table.generation + 1) return transition.atMs; // more transitions than a page: the oldest kept one must do
    table = evolve(table, transition);
    if (table.kind === "open" && table.live !== live) {
      live = table.live;
      sinceMs = transition.atMs;
    }
  }
  return sinceMs;
}
