/** The shell of rollouts: endpoints with their releases, and every change of what answers, stored before it takes effect. */
import type { Transaction } from "kysely";
import type { Audit } from "../access/index.ts";
import { nearest } from "../checked.ts";
import type { Registry } from "../registry/index.ts";
import {
  ScorerError,
  compileCondition,
  releaseIdOf,
  type CompiledEndpoint,
  type Gateway,
  type LoadDependencies,
  type LoadedRelease,
  type ReleaseBundle,
} from "../serving/index.ts";
import { assert, err, ok, unreachable, type EndpointName, type Issue, type ReleaseId, type Result } from "../std.ts";
import type { Schema, Store } from "../store/index.ts";
import type { LoadedAhead } from "./loaded-ahead.ts";
import { MemoryBudget } from "./memory-budget.ts";
import { peopleIn } from "./people-in-place.ts";
import { parseEndpoint, rulesAt, type EndpointDefinition } from "./endpoint-spec.ts";
import { EndpointRoom } from "./endpoint-room.ts";
import type { ReleaseRefusal } from "./refusals.ts";
import { readEndpoints, readReleases, type ReleaseInfo } from "./release-rows.ts";
import { parseReleaseSpec, resolveRelease } from "./release-spec.ts";
import { parsePlan, type RolloutStep } from "./rollout-plan.ts";
import { ReleaseWriter, type By } from "./release-writer.ts";
import type { Wish } from "./route-commands.ts";
import { emptyTable, evolve, rollbackCandidates, type OpenTable, type RouteTable } from "./route-table.ts";
import { spentByChanges, spentByProof } from "./spent-budget.ts";
import type { Transition } from "./transition.ts";
import { Transitions, type Recorded } from "./transitions.ts";
import { Loans, WarmSet } from "./warm-set.ts";

export interface ReleasesParts {
  readonly store: Store;
  readonly audit: Audit;
  readonly registry: Registry;
  readonly gateway: Gateway;
  readonly load: LoadDependencies;
  /** What was loaded before the store could be opened; without it everything is loaded now. */
  readonly ahead?: LoadedAhead;
  /** Of all scorer processes together; without end by default. */
  readonly memory?: MemoryBudget;
  /** Told of what an operator should see: a release that should be warm and can't be loaded. */
  readonly onTrouble: (error: Error) => void;
}

export interface Switched {
  readonly endpoint: EndpointName;
  readonly transition: Transition;
  /** False when the command had been applied before. */
  readonly isNew: boolean;
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

/** A model behind a server that isn't loaded so long after a start is stood in for until it is. What was loaded ahead of it has had its time. */
const LATE_MS = 1000;
const LATE_AFTER_LOADING_MS = 50;
/** How often what can't be loaded is tried again. */
const RECOVER_EVERY_MS = 10_000;

export class Releases {
  /** What the loaded releases of all endpoints take. */
  readonly memory: MemoryBudget;
  readonly #parts: ReleasesParts;
  readonly #transitions: Transitions;
  readonly #writer: ReleaseWriter;
  readonly #rooms = new Map<string, EndpointRoom>();
  /** How often each release was reinstated: every time it starts with new tests. */
  readonly #lives = new Map<ReleaseId, number>();

  readonly #stopRecovering: () => void;
  /** Definitions are applied one after the other. */
  #applying: Promise<unknown> = Promise.resolve();

  private constructor(parts: ReleasesParts) {
    this.#parts = parts;
    this.memory = parts.memory ?? new MemoryBudget(Number.POSITIVE_INFINITY);
    this.#transitions = new Transitions(parts.store, parts.audit);
    this.#writer = new ReleaseWriter(parts, this.#transitions);
    this.#stopRecovering = parts.store.runtime.timers.every(RECOVER_EVERY_MS, async () => {
      for (const room of this.#rooms.values()) await room.recover().catch(parts.onTrouble);
    });
  }

  /** Puts every stored endpoint back as it was: the fold of its transitions, loaded and handed to the gateway. */
  static async open(parts: ReleasesParts): Promise<Releases> {
    const releases = new Releases(parts);
    const time = parts.store.runtime.timers.sleep(parts.ahead ? LATE_AFTER_LOADING_MS : LATE_MS);
    await Promise.all((await readEndpoints(parts.store.db)).map((definition) => releases.#reopen(definition, time)));
    return releases;
  }

  async #reopen(definition: EndpointDefinition, time: Promise<void>): Promise<void> {
    const { name } = definition.compiled;
    const history = await this.#transitions.all(name);
    const last = history.at(-1);
    const table = history.reduce<RouteTable>(evolve, emptyTable);
    if (table.kind === "closed" || !last) return;
    const room = new EndpointRoom(this.#roomParts(), {
      definition,
      table,
      warm: new WarmSet(definition.compiled, this.#parts.load, this.memory),
      releases: await readReleases(this.#parts.store.db, name),
      last,
      liveSinceMs: liveSince(history),
    });
    for (const { change } of history) if (change.kind === "reinstated") this.#countLife(change.release);
    this.#rooms.set(name, room);
    for (const id of room.needed()) {
      const loaded = this.#parts.ahead?.take(definition, id);
      if (loaded) room.warm.adopt(loaded);
    }
    await room.warmUp(time);
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
    const apply = async () => {
      const room = this.#rooms.get(definition.compiled.name);
      if (!room) return this.#define(definition, by, dryRun);
      if (room.definition.id !== definition.id) return this.#redefine(room, definition, by, dryRun);
      return ok({ kind: "endpoint", name: room.name, release: null, change: "unchanged" } as const);
    };
    const mine = this.#applying.then(apply, apply);
    this.#applying = mine.catch(() => undefined);
    return mine;
  }

  async #define(definition: EndpointDefinition, by: By, dryRun: boolean): Promise<Result<Applied, ReleaseRefusal>> {
    const { name } = definition.compiled;
    const warm = new WarmSet(definition.compiled, this.#parts.load, this.memory);
    const fallback = this.#infoOf(name, definition.fallback, { name: definition.spec.fallback.name ?? FALLBACK_NAME, number: 1, by });
    const tried = await warm.borrow(fallback);
    if (!tried.ok) return err({ kind: "invalid", issues: tried.error.map((issue) => ({ ...issue, path: `/fallback${issue.path}` })) });
    if (dryRun) {
      await warm.close();
      return ok({ kind: "endpoint", name, release: null, change: "created" });
    }
    const { info, recorded } = await this.#writer.definition({ definition, fallback, by, before: null });
    const { table, transition: last } = recorded;
    assert(table.kind === "open", `${name} has a fallback`);
    const room = new EndpointRoom(this.#roomParts(), { definition, table, warm, releases: [info], last, liveSinceMs: last.atMs });
    this.#rooms.set(name, room);
    await room.push();
    warm.giveBack(info.id);
    return ok({ kind: "endpoint", name, release: info.number, change: "created" });
  }

  async #redefine(room: EndpointRoom, definition: EndpointDefinition, by: By, dryRun: boolean): Promise<Result<Applied, ReleaseRefusal>> {
    const warm = new WarmSet(definition.compiled, this.#parts.load, this.memory);
    const name = definition.spec.fallback.name ?? FALLBACK_NAME;
    const made = this.#infoOf(room.name, definition.fallback, { name, number: room.releases.size + 1, by });
    const fallback = room.releases.get(made.id) ?? made;
    const misfits = [
      ...conditionIssues(definition.compiled, conditionsOf(room.table)),
      ...(await spentByChanges(this.#parts.store, room, definition, (id) => this.lives(id))),
    ];
    if (misfits.length > 0) return err({ kind: "invalid", issues: misfits });
    const loans = new Loans();
    const needed = () => room.needed(fallback.id).map((id) => room.releases.get(id) ?? fallback);
    const loaded = await this.#borrowAll(warm, needed(), loans);
    if (!loaded.ok || dryRun) {
      await warm.close();
      return loaded.ok ? ok(changed(room, null)) : loaded;
    }
    const done = await room.inTurn(
      async (): Promise<Result<{ readonly drained: Promise<void>; readonly before: WarmSet }, ReleaseRefusal>> => {
        if (room.table.condemned.has(fallback.id)) return err({ kind: "condemned-release", release: fallback.id });
        const misfits = conditionIssues(definition.compiled, conditionsOf(room.table));
        if (misfits.length > 0) return err({ kind: "invalid", issues: misfits });
        // Somebody may have given a release a place while the others were being loaded.
        const late = needed().filter(({ id }) => !warm.isWarm(id));
        const lately = await this.#borrowAll(warm, late, loans);
        if (!lately.ok) return lately;
        const { info, recorded } = await this.#writer.definition({
          definition,
          fallback,
          by,
          before: { table: room.table, transition: room.last },
        });
        room.releases.set(info.id, info);
        const before = room.redefine(definition, warm);
        return ok({ drained: room.adopt(recorded.table, recorded.transition), before });
      },
    );
    if (!done.ok) {
      await warm.close();
      return done;
    }
    await done.value.drained;
    loans.giveBack(); // the table holds them now
    await done.value.before.retire();
    void room.settle();
    return ok(changed(room, room.info(room.table.fallback).number));
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
    const plan = this.#planOf(room.value, spec.value.rollout);
    if (!plan.ok) return plan;
    const { bundle, origin, model, featureSet } = resolved.value;
    const known = room.value.releases.get(releaseIdOf(bundle));
    if (known) return ok({ info: known, isNew: false });
    const name = spec.value.name ?? (model ? `${model.model}/${model.number}` : "release");
    const candidate = { ...this.#infoOf(room.value.name, bundle, { name, number: room.value.releases.size + 1, by }), origin };
    const { warm } = room.value;
    const loaded = await this.#borrow(warm, candidate);
    if (!loaded.ok) return loaded;
    try {
      if (dryRun) return ok({ info: candidate, isNew: true });
      const { info, isNew, drained } = await room.value.inTurn(async () => {
        const stored = await this.#writer.release({ candidate, model, featureSet, by, table: room.value.table });
        const { recorded } = stored;
        room.value.releases.set(stored.info.id, stored.info);
        const pushed = recorded ? room.value.adopt(recorded.table, recorded.transition) : Promise.resolve();
        return { info: stored.info, isNew: recorded !== null, drained: pushed };
      });
      await drained;
      return ok({ info, isNew });
    } finally {
      warm.giveBack(candidate.id);
      void room.value.settle();
    }
  }

  #planOf({ definition }: EndpointRoom, rollout: unknown): Result<readonly RolloutStep[], ReleaseRefusal> {
    const names = definition.guardrails.map(({ name }) => name);
    const plan = parsePlan(rollout === undefined ? "all_at_once" : rollout, names, definition.spec.approval ?? false);
    if (!plan.ok) return err({ kind: "invalid", issues: plan.error.map((issue) => ({ ...issue, path: `/rollout${issue.path}` })) });
    const wrong = conditionIssues(definition.compiled, planConditions(plan.value));
    return wrong.length > 0 ? err({ kind: "invalid", issues: wrong }) : plan;
  }

  /**
   * Begins to bring a release to everybody, as a plan says. One without steps makes it live at once.
   * @param rollout - a `RolloutSpec`, not yet checked; `all_at_once` when undefined
   */
  async startRollout(endpoint: string, release: ReleaseId, rollout: unknown, by: By): Promise<Result<Switched, ReleaseRefusal>> {
    const room = this.room(endpoint);
    if (!room.ok) return room;
    const plan = this.#planOf(room.value, rollout);
    if (!plan.ok) return plan;
    const [first] = plan.value;
    if (first === undefined) return this.command(endpoint, { kind: "promote", release }, by);
    const counted = await peopleIn(this.#parts.store, room.value.name, release, first.place);
    return this.command(endpoint, { kind: "start-rollout", release, plan: plan.value, counted }, by);
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
    const spent = await spentByProof(this.#parts.store, room, wish, (id) => this.lives(id));
    if (spent) return err(spent);
    const loans = new Loans();
    try {
      const chosen = await this.#choose(room, wish, loans);
      if (!chosen.ok) return chosen;
      const { warm, value } = chosen.value;
      const command = { ...this.#writer.command(value, by), asked: asked(wish) };
      const recorded = await room.inTurn(async (): Promise<Result<Recorded & { readonly switchedUs: number }, ReleaseRefusal>> => {
        // The endpoint was redefined meanwhile: what was warmed for the definition before is none of the present one.
        const again = room.warm === warm ? chosen : await this.#choose(room, value, loans);
        if (!again.ok) return again;
        const wrong = conditionIssues(room.definition.compiled, conditionsIn(value));
        if (wrong.length > 0) return err({ kind: "invalid", issues: wrong });
        const stored = await this.#parts.store.transaction(
          async (tx) => {
            const result = await this.#transitions.record(tx, room.name, room.table, command, rulesAt(room.definition, command.atMs));
            if (result.ok && result.value.isNew && alongside) await alongside(tx, result.value);
            return result;
          },
          { collect: true },
        );
        if (!stored.ok) return stored;
        const { table, transition, isNew } = stored.value;
        if (isNew) {
          if (transition.change.kind === "reinstated") this.#countLife(transition.change.release);
          room.adopt(table, transition).catch(this.#parts.onTrouble);
        }
        const switchedUs = clock.monotonicUs() - startedUs;
        if (isNew) room.noteSwitch(switchedUs);
        return ok({ ...stored.value, switchedUs });
      });
      if (!recorded.ok) return recorded;
      // Also for a command that is sent again: its first sending may still be draining.
      await room.drained();
      const { transition, isNew, switchedUs } = recorded.value;
      return ok({ endpoint: room.name, transition, isNew, switchedUs, drainedUs: clock.monotonicUs() - startedUs });
    } finally {
      loans.giveBack();
      void room.settle();
    }
  }

  /** Warms what a wish gives a place. A rollback without a target goes to the first candidate that can be loaded: in the end, the fallback. */
  async #choose(
    room: EndpointRoom,
    wish: Wish,
    loans: Loans,
  ): Promise<Result<{ readonly value: Wish; readonly warm: WarmSet }, ReleaseRefusal>> {
    const { warm } = room;
    const goesBack = wish.kind === "rollback" || wish.kind === "start-drill";
    if (!goesBack || wish.to !== null) {
      for (const id of goesBack ? [wish.to] : placedBy(wish, room.table)) {
        const info = id === null ? undefined : room.releases.get(id);
        // What isn't known or is condemned the table refuses, in its own words.
        if (!info || room.table.condemned.has(info.id)) continue;
        const loaded = await this.#borrow(warm, info, wish.kind === "rollback");
        if (!loaded.ok) return loaded;
        loans.add(warm, info.id);
      }
      return ok({ value: wish, warm });
    }
    for (const id of rollbackCandidates(room.table)) {
      const loaded = await this.#borrow(warm, room.info(id), wish.kind === "rollback");
      if (!loaded.ok) {
        this.#parts.onTrouble(
          new Error(`the rollback of ${room.name} passes over r${room.info(id).number}: ${JSON.stringify(loaded.error)}`),
        );
        continue;
      }
      loans.add(warm, id);
      return ok({ value: { ...wish, to: id }, warm });
    }
    return ok({ value: wish, warm });
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
    this.#stopRecovering();
    await this.#applying;
    await Promise.all([...this.#rooms.values()].map((room) => room.close()));
    this.#rooms.clear();
  }

  /** @param atAnyCost - a rollback mustn't fail for want of memory */
  async #borrow(warm: WarmSet, info: ReleaseInfo, atAnyCost = false): Promise<Result<LoadedRelease, ReleaseRefusal>> {
    try {
      const loaded = await warm.borrow(info, { atAnyCost });
      return loaded.ok ? loaded : err({ kind: "cannot-load", release: info.id, issues: loaded.error });
    } catch (error) {
      if (!(error instanceof ScorerError)) throw error;
      return err({ kind: "cannot-load", release: info.id, issues: [{ path: "", expected: "a model that loads", got: error.message }] });
    }
  }

  /** Stops at the first that can't be loaded. */
  async #borrowAll(warm: WarmSet, infos: readonly ReleaseInfo[], loans: Loans): Promise<Result<null, ReleaseRefusal>> {
    for (const info of infos) {
      const loaded = await this.#borrow(warm, info);
      if (!loaded.ok) return loaded;
      loans.add(warm, info.id);
    }
    return ok(null);
  }

  #infoOf(
    endpoint: EndpointName,
    bundle: ReleaseBundle,
    { name, number, by }: { readonly name: string; readonly number: number; readonly by: By },
  ): ReleaseInfo {
    return {
      id: releaseIdOf(bundle),
      endpoint,
      number,
      name,
      bundle,
      origin: {},
      createdAtMs: this.#parts.store.runtime.clock.nowMs(),
      createdBy: by.actor.name,
    };
  }

  #countLife(release: ReleaseId): void {
    this.#lives.set(release, this.lives(release) + 1);
  }
}

/** A wish as it is compared with a retry of it: people go on being counted meanwhile. */
const asked = (wish: Wish): Wish => ("counted" in wish ? { ...wish, counted: 0 } : wish);

interface PlacedCondition {
  readonly when: string | undefined;
  readonly path: string;
}

/** The routing conditions that a wish brings. */
function conditionsIn(wish: Wish): readonly PlacedCondition[] {
  if (wish.kind === "canary") return [{ when: wish.when, path: "/when" }];
  return wish.kind === "start-rollout" ? planConditions(wish.plan) : [];
}
const planConditions = (plan: readonly RolloutStep[]): readonly PlacedCondition[] =>
  plan.map(({ when }, i) => ({ when, path: `/rollout/steps/${i}/when` }));

/** The routing conditions that a table holds, and goes on holding under another definition of its endpoint. */
function conditionsOf({ canary, rollout }: OpenTable): readonly PlacedCondition[] {
  const ahead = rollout?.plan.slice(rollout.step).map(({ when }) => when) ?? [];
  return [...new Set([canary?.when ?? undefined, ...ahead])].map((when) => ({ when, path: "/inputs" }));
}

const conditionIssues = (endpoint: CompiledEndpoint, conditions: readonly PlacedCondition[]): readonly Issue[] =>
  conditions.flatMap(({ when, path }) => {
    const compiled = when === undefined ? undefined : compileCondition(when, endpoint, path);
    if (!compiled || compiled.ok) return [];
    return path === "/inputs"
      ? compiled.error.map((issue) => ({ ...issue, hint: `the canary under way answers those for whom ${when}: stop it first` }))
      : compiled.error;
  });

/** The releases that a wish gives a place, which must be warm before it comes true. */
function placedBy(wish: Exclude<Wish, { kind: "rollback" | "start-drill" }>, { drilledFrom }: OpenTable): readonly ReleaseId[] {
  switch (wish.kind) {
    case "shadow":
    case "canary":
    case "promote":
    case "set-fallback":
    case "start-rollout":
    case "advance-rollout":
      return [wish.release];
    case "start-ab":
      return wish.arms.map(({ release }) => release);
    case "end-drill":
      return drilledFrom === null ? [] : [drilledFrom];
    case "approve-rollout":
    case "pause-rollout":
    case "continue-rollout":
    case "abort-rollout":
    case "end-ab":
    case "register":
    case "stop-shadow":
    case "stop-canary":
    case "condemn":
    case "reinstate":
    case "hold":
    case "resume":
      return [];
    default:
      return unreachable(wish);
  }
}

const changed = (room: EndpointRoom, release: number | null): Applied => ({
  kind: "endpoint",
  name: room.name,
  release,
  change: "changed",
});

/** When the present live release became it. @param history - all of it, oldest first */
function liveSince(history: readonly Transition[]): number {
  return (
    history.findLast(
      ({ change }) =>
        change.kind === "promoted" ||
        change.kind === "rolled-back" ||
        change.kind === "drill-started" ||
        change.kind === "drill-ended" ||
        (change.kind === "fallback-set" && change.live !== null),
    )?.atMs ?? 0
  );
}

const FALLBACK_NAME = "fallback rule";
