/** Writes of endpoints and releases: each with its transitions and its audit entry in one transaction. */
import type { Transaction } from "kysely";
import type { Audit } from "../access/index.ts";
import type { Registry } from "../registry/index.ts";
import type { CommandId, EndpointName } from "../std.ts";
import type { Schema, Store } from "../store/index.ts";
import type { EndpointDefinition } from "./endpoint-spec.ts";
import { insertRelease, upsertEndpoint, type ReleaseInfo } from "./release-rows.ts";
import type { ResolvedRelease } from "./release-spec.ts";
import type { Command, Wish } from "./route-commands.ts";
import { emptyTable, type RouteTable } from "./route-table.ts";
import { asCommandId, type Actor } from "./transition.ts";
import type { Recorded, Transitions } from "./transitions.ts";

/** Who wants something, and why; both are kept. */
export interface By {
  readonly actor: Actor;
  readonly reason: string;
  /** The same id twice changes nothing; a fresh one when left out. */
  readonly commandId?: CommandId;
  /** The generation that the actor saw: refused when the table has moved on. */
  readonly expectedGeneration?: number;
}

/** A table, and the transition that made it so. */
type Reached = Pick<Recorded, "table" | "transition">;

export class ReleaseWriter {
  readonly #store: Store;
  readonly #audit: Audit;
  readonly #registry: Registry;
  readonly #transitions: Transitions;

  constructor(parts: { readonly store: Store; readonly audit: Audit; readonly registry: Registry }, transitions: Transitions) {
    this.#store = parts.store;
    this.#audit = parts.audit;
    this.#registry = parts.registry;
    this.#transitions = transitions;
  }

  command(wish: Wish, { actor, reason, commandId, expectedGeneration }: By): Command {
    const { clock, ids } = this.#store.runtime;
    const id = commandId ?? asCommandId(ids.next());
    return { id, wish, actor, reason, atMs: clock.nowMs(), expectedGeneration: expectedGeneration ?? null };
  }

  /** Stores a definition with its fallback. @param change.before - what holds now; null for an endpoint that is new */
  definition(change: {
    readonly definition: EndpointDefinition;
    readonly fallback: ReleaseInfo;
    readonly by: By;
    readonly before: Reached | null;
  }): Promise<{ readonly info: ReleaseInfo; readonly recorded: Reached }> {
    const { definition, fallback, by, before } = change;
    const { name } = definition.compiled;
    return this.#store.transaction(async (tx) => {
      await this.#audit.lock(tx);
      await upsertEndpoint(tx, definition, this.#store.runtime.clock.nowMs());
      await this.#audit.append(tx, {
        actor: by.actor.name,
        action: "endpoint.defined",
        object: `endpoint/${name}`,
        payload: { id: definition.id, reason: by.reason },
      });
      const { info, isNew } = await insertRelease(tx, fallback);
      let table: RouteTable = before?.table ?? emptyTable;
      let recorded = before;
      const record = async (wish: Wish) => {
        recorded = await this.#record(tx, name, table, wish, by);
        ({ table } = recorded);
      };
      if (isNew) await record({ kind: "register", release: info.id });
      if (table.kind === "closed" || table.fallback !== info.id) await record({ kind: "set-fallback", release: info.id });
      if (recorded === null) throw new Error(`${name} was defined without a transition`);
      return { info, recorded };
    });
  }

  /** Stores a release, its lineage and its registration. @returns `recorded` null for one that was there already */
  release(
    change: Pick<ResolvedRelease, "model" | "featureSet"> & {
      readonly candidate: ReleaseInfo;
      readonly by: By;
      readonly table: RouteTable;
    },
  ): Promise<{ readonly info: ReleaseInfo; readonly recorded: Recorded | null }> {
    const { candidate, model, featureSet, by, table } = change;
    return this.#store.transaction(async (tx) => {
      await this.#audit.lock(tx);
      const { info, isNew } = await insertRelease(tx, candidate);
      if (!isNew) return { info, recorded: null };
      const to = { kind: "release", id: info.id } as const;
      await this.#registry.lineage.add(tx, [
        ...(model ? [{ from: { kind: "model_version", id: model.id }, to, relation: "part_of" } as const] : []),
        ...(featureSet ? [{ from: { kind: "feature_set", id: featureSet.id }, to, relation: "part_of" } as const] : []),
      ]);
      return { info, recorded: await this.#record(tx, candidate.endpoint, table, { kind: "register", release: info.id }, by) };
    });
  }

  /** A step of a larger act, under an id of its own. @throws when the table refuses, which here is a fault of ours */
  async #record(tx: Transaction<Schema>, endpoint: EndpointName, table: RouteTable, wish: Wish, { actor, reason }: By): Promise<Recorded> {
    const recorded = await this.#transitions.record(tx, endpoint, table, this.command(wish, { actor, reason }));
    if (!recorded.ok) throw new Error(`${wish.kind} of ${endpoint} was refused: ${recorded.error.kind}`);
    return recorded.value;
  }
}
