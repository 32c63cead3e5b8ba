/** All sinks of an installation: declared, listed, paused; and the couriers that deliver to those that run. */
import type { Transaction } from "kysely";
import type { Audit } from "../../access/index.ts";
import { err, ok, type Issue, type Result } from "../../std.ts";
import { canonicalJson, type Schema, type Store } from "../../store/index.ts";
import { Courier } from "./courier.ts";
import { Cursors, newCursor } from "./cursors.ts";
import { STREAMS } from "./document.ts";
import { Lease } from "./lease.ts";
import { LogEnd } from "./log-end.ts";
import { openTarget, type TargetParts } from "./open-target.ts";
import { sinkStatus, type SinkState, type SinkStatus } from "./sink-status.ts";
import { parseSink, storedSink, type SinkSpec, type SinkSurroundings } from "./spec.ts";

export interface AppliedSink {
  readonly name: string;
  readonly change: "created" | "changed" | "unchanged";
  /** What its target said when it was tried; null where it would take something now, or wasn't asked. */
  readonly trouble: string | null;
}
export type SinkRefusal = { readonly kind: "invalid"; readonly issues: readonly Issue[] } | { readonly kind: "unknown-sink" };

/** Who changes a sink, for the audit log. */
export interface SinkActor {
  readonly actor: string;
  readonly reason: string;
}

export interface SinksOptions extends SinkSurroundings {
  readonly store: Store;
  readonly audit: Audit;
  readonly onTrouble: (error: Error) => void;
}

/** Longer than a database driver looks for its server, so that it is the driver that says what is wrong. */
const PROBE_MS = 6000;

export class Sinks {
  readonly #options: SinksOptions;
  readonly #store: Store;
  readonly #cursors: Cursors;
  readonly #end: LogEnd;
  readonly #lease: Lease;
  readonly #couriers = new Map<string, Courier>();
  /** Couriers that finish: their sinks have no other one before. */
  readonly #leaving = new Map<string, Promise<void>>();
  readonly #installation: string;

  private constructor(options: SinksOptions, installation: string) {
    this.#options = options;
    this.#store = options.store;
    this.#installation = installation;
    this.#cursors = new Cursors(options.store);
    this.#end = new LogEnd(options.store);
    this.#lease = new Lease(options.store, "sinks");
  }

  static async open(options: SinksOptions): Promise<Sinks> {
    return new Sinks(options, await installationOf(options.store));
  }

  /** One look: which sinks there are, and whether this process delivers; those that have something begin, and nobody waits for them. */
  async tick(): Promise<void> {
    const isOurs = await this.#lease.hold();
    const rows = isOurs ? await this.#store.db.selectFrom("sink").selectAll().where("state", "=", "running").execute() : [];
    const wanted = new Map(rows.map((row) => [row.name, row.spec_json]));
    for (const [name, courier] of this.#couriers) if (wanted.get(name) !== canonicalJson(courier.spec)) this.#leave(name, courier);
    for (const [name, spec] of wanted) if (!this.#couriers.has(name) && !this.#leaving.has(name)) this.#hire(storedSink(spec));
    for (const courier of this.#couriers.values()) courier.start();
  }

  /** Resolves when no delivery is under way. */
  async settled(): Promise<void> {
    await Promise.all([...[...this.#couriers.values()].map((courier) => courier.settled()), ...this.#leaving.values()]);
  }

  async stop(): Promise<void> {
    for (const [name, courier] of this.#couriers) this.#leave(name, courier);
    await Promise.all(this.#leaving.values());
    await this.#lease.giveUp();
  }

  /**
   * Reads a declaration.
   * @param declared - endpoints that will be there when it is applied
   * @returns its name and whether it would change anything
   */
  async plan(value: unknown, declared: readonly string[] = []): Promise<Result<AppliedSink & { readonly spec: SinkSpec }, SinkRefusal>> {
    const spec = parseSink(value, { ...this.#options, endpoints: () => [...this.#options.endpoints(), ...declared] });
    if (!spec.ok) return err({ kind: "invalid", issues: spec.error });
    const known = await this.#store.db.selectFrom("sink").selectAll().where("name", "=", spec.value.name).executeTakeFirst();
    if (known && storedSink(known.spec_json).target.kind !== spec.value.target.kind)
      return err({ kind: "invalid", issues: [otherKind(known, spec.value)] });
    const change =
      known === undefined || known.state === "removed"
        ? "created"
        : known.spec_json === canonicalJson(spec.value)
          ? "unchanged"
          : "changed";
    return ok({ name: spec.value.name, change, trouble: null, spec: spec.value });
  }

  /** Declares a sink. One whose target can't be reached now is declared all the same: it catches up. */
  async apply(value: unknown, by: SinkActor): Promise<Result<AppliedSink, SinkRefusal>> {
    const planned = await this.plan(value);
    if (!planned.ok) return planned;
    const { spec, name, change } = planned.value;
    if (change !== "unchanged") {
      const specJson = canonicalJson(spec);
      const nowMs = this.#store.runtime.clock.nowMs();
      await this.#change(
        name,
        by,
        { action: change === "created" ? "sink.created" : "sink.changed", payload: { spec: specJson } },
        async (tx) => {
          await tx
            .insertInto("sink")
            .values({ name, spec_json: specJson, state: "running", why: null, created_at_ms: nowMs, updated_at_ms: nowMs })
            .onConflict((conflict) =>
              conflict.column("name").doUpdateSet({
                spec_json: specJson,
                updated_at_ms: nowMs,
                ...(change === "created" ? { state: "running", why: null } : {}),
              }),
            )
            .execute();
          await this.#beginCursors(tx, spec);
        },
      );
    }
    return ok({ name, change, trouble: await this.#probe(spec) });
  }

  async list(): Promise<readonly SinkStatus[]> {
    const rows = await this.#store.db.selectFrom("sink").selectAll().where("state", "<>", "removed").orderBy("name").execute();
    const statuses: SinkStatus[] = [];
    for (const row of rows) statuses.push(await this.#status(row));
    return statuses;
  }

  async show(name: string): Promise<SinkStatus | undefined> {
    const row = await this.#known(name);
    return row && this.#status(row);
  }

  /** It keeps its place, and catches up when it is resumed. */
  pause(name: string, by: SinkActor): Promise<Result<SinkStatus, SinkRefusal>> {
    return this.#setState(name, by, { state: "paused", why: by.reason, action: "sink.paused" });
  }

  resume(name: string, by: SinkActor): Promise<Result<SinkStatus, SinkRefusal>> {
    return this.#setState(name, by, { state: "running", why: null, action: "sink.resumed" });
  }

  /** Nothing more is delivered; what was stays where it is. Declared again under its name, it goes on where it was. */
  async remove(name: string, by: SinkActor): Promise<Result<void, SinkRefusal>> {
    const removed = await this.#setState(name, by, { state: "removed", why: by.reason, action: "sink.removed" });
    return removed.ok ? ok(undefined) : removed;
  }

  async #setState(
    name: string,
    by: SinkActor,
    to: { readonly state: SinkState | "removed"; readonly why: string | null; readonly action: string },
  ): Promise<Result<SinkStatus, SinkRefusal>> {
    const row = await this.#known(name);
    if (!row) return err({ kind: "unknown-sink" });
    const changed = { state: to.state, why: to.why, updated_at_ms: this.#store.runtime.clock.nowMs() };
    if (row.state !== to.state)
      await this.#change(name, by, { action: to.action, payload: {} }, async (tx) => {
        await tx.updateTable("sink").set(changed).where("name", "=", name).execute();
      });
    return ok(await this.#status({ ...row, ...changed }));
  }

  async #change(
    name: string,
    by: SinkActor,
    what: { readonly action: string; readonly payload: Readonly<Record<string, string>> },
    work: (tx: Transaction<Schema>) => Promise<void>,
  ): Promise<void> {
    const { audit } = this.#options;
    await this.#store.transaction(async (tx) => {
      await audit.lock(tx);
      await work(tx);
      await audit.append(tx, {
        actor: by.actor,
        action: what.action,
        object: `sink/${name}`,
        payload: { ...what.payload, reason: by.reason },
      });
    });
  }

  /** Where a sink begins; one that was there before keeps its place. */
  async #beginCursors(tx: Transaction<Schema>, { name, start }: SinkSpec): Promise<void> {
    for (const stream of STREAMS) {
      const newest =
        start === "now"
          ? await tx
              .selectFrom(stream)
              .select((eb) => eb.fn.max("seq").as("seq"))
              .executeTakeFirst()
          : undefined;
      await tx
        .insertInto("sink_cursor")
        .values(newCursor(name, stream, newest?.seq ?? 0))
        .onConflict((conflict) => conflict.columns(["sink", "stream"]).doNothing())
        .execute();
    }
  }

  async #known(name: string) {
    const row = await this.#store.db.selectFrom("sink").selectAll().where("name", "=", name).executeTakeFirst();
    return row?.state === "removed" ? undefined : row;
  }

  async #status(row: Schema["sink"]): Promise<SinkStatus> {
    return sinkStatus(this.#store, row, { cursors: await this.#cursors.of(row.name), ends: await this.#end.visible() });
  }

  #hire(spec: SinkSpec): void {
    const { name } = spec;
    const onTrouble = (message: string) => this.#options.onTrouble(new Error(`sink ${name}: ${message}`));
    const courier = new Courier({
      spec,
      target: openTarget(spec, this.#targetParts(onTrouble)),
      store: this.#store,
      cursors: this.#cursors,
      end: this.#end,
      onTrouble,
      onGone: async (why) => {
        onTrouble(`disabled, since ${why}; \`evenkeel sinks resume ${name}\` tries again`);
        await this.#setState(name, { actor: `sink:${name}`, reason: why }, { state: "disabled", why, action: "sink.disabled" });
      },
    });
    this.#couriers.set(name, courier);
  }

  #leave(name: string, courier: Courier): void {
    this.#couriers.delete(name);
    this.#leaving.set(
      name,
      courier.stop().finally(() => this.#leaving.delete(name)),
    );
  }

  #targetParts(onTrouble: (message: string) => void): TargetParts {
    const { egress, secrets } = this.#options;
    return {
      egress,
      secrets,
      folder: this.#store.folder,
      installation: this.#installation,
      nowMs: () => this.#store.runtime.clock.nowMs(),
      onTrouble,
    };
  }

  async #probe(spec: SinkSpec): Promise<string | null> {
    const target = openTarget(
      spec,
      this.#targetParts(() => undefined),
    );
    try {
      await target.probe(AbortSignal.timeout(PROBE_MS));
      return null;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    } finally {
      await target.close();
    }
  }
}

const otherKind = (known: Schema["sink"], spec: SinkSpec): Issue => ({
  path: "/target/kind",
  expected: `${storedSink(known.spec_json).target.kind}, as the sink of this name has had`,
  got: spec.target.kind,
  hint: "what was delivered doesn't move along: give the new sink a name of its own",
});

/** A name for this database that tells nothing: made once. */
async function installationOf(store: Store): Promise<string> {
  await store.db
    .insertInto("setting")
    .values({ key: "installation", value: store.runtime.random.bytes(8).toString("hex") })
    .onConflict((conflict) => conflict.column("key").doNothing())
    .execute();
  return (await store.db.selectFrom("setting").select("value").where("key", "=", "installation").executeTakeFirstOrThrow()).value;
}
