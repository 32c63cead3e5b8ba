/**
 * Tells a receiver of OpenLineage what happens here. The audit log is the queue: every change is in it, in one order, in the transaction
 * that made it; so nothing that is recorded waits for the receiver, and a receiver that was away is told everything later.
 */
import { retryDelayMs, type Audit, type AuditRecord, type Egress } from "../../access/index.ts";
import { Lease } from "../../decisions/index.ts";
import { asError } from "../../std.ts";
import type { Schema } from "../../store/index.ts";
import { eventsOf, type ComposeParts } from "./compose.ts";
import type { RunEvent } from "./event.ts";
import { openTarget, type EventTarget, type TargetSpec } from "./targets.ts";

export interface OpenLineageOptions extends Omit<ComposeParts, "namespace"> {
  readonly audit: Audit;
  readonly egress: Egress;
  /** Null where nobody is to be told: events are then there on request only. */
  readonly target: TargetSpec | null;
  /** Told once when the receiver begins to fail. */
  readonly onTrouble: (error: Error) => void;
}

export interface OpenLineageStatus {
  readonly target: string;
  /** Entries of the audit log that it hasn't been told yet. */
  readonly waiting: number;
  readonly delivered: number;
  readonly refused: number;
  readonly failures: number;
  readonly lastError: string | null;
  readonly lastErrorAtMs: number | null;
  readonly lastSuccessAtMs: number | null;
}

export interface EventPage {
  readonly events: readonly RunEvent[];
  /** Pass as `after` for what came later; null when that is all. */
  readonly next: number | null;
}

const ENTRIES_AT_ONCE = 100;
/** One installation, one namespace. */
const NAMESPACE = "evenkeel://default";

export class OpenLineage {
  readonly #options: OpenLineageOptions;
  readonly #parts: ComposeParts;
  readonly #target: EventTarget | null;
  readonly #lease: Lease;
  readonly #abort = new AbortController();
  #failures = 0;
  #notBeforeUs = 0;
  #working: Promise<void> = Promise.resolve();
  #isWorking = false;

  constructor(options: OpenLineageOptions) {
    const { store, target, egress } = options;
    this.#options = options;
    this.#parts = { store, registry: options.registry, namespace: NAMESPACE };
    const refused = target?.kind === "http" ? options.egress.check(target.url) : undefined;
    if (refused)
      throw new Error(`OpenLineage: expected ${refused.expected}, got ${refused.got}${refused.hint ? ` (${refused.hint})` : ""}`);
    this.#target = target && openTarget(target, { egress, nowMs: () => store.runtime.clock.nowMs() });
    this.#lease = new Lease(store, "openlineage");
  }

  /** One look: what came since is told, unless that is under way or the receiver asked to be spared. Nobody waits for it. */
  async tick(): Promise<void> {
    if (!this.#target || this.#isWorking || this.#abort.signal.aborted) return;
    if (this.#options.store.runtime.clock.monotonicUs() < this.#notBeforeUs) return;
    if (!(await this.#lease.hold())) return;
    const target = this.#target;
    this.#isWorking = true;
    this.#working = this.#deliver(target)
      .catch((error: unknown) => this.#failed(asError(error).message, 0))
      .finally(() => (this.#isWorking = false));
  }

  /** Resolves when no delivery is under way. */
  settled(): Promise<void> {
    return this.#working;
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#working;
    await this.#target?.close();
    await this.#lease.giveUp();
  }

  /** Events of what happened after an entry of the audit log, a page at a time. @param limit - of entries; many tell of none */
  async events(after: number, limit: number): Promise<EventPage> {
    const entries = await this.#options.audit.after(after, limit);
    const events: RunEvent[] = [];
    for (const entry of entries) events.push(...(await eventsOf(this.#parts, entry)));
    const last = entries.at(-1);
    return { events, next: last && entries.length === limit ? last.seq : null };
  }

  /** How the receiver stands; null where there is none. */
  async status(): Promise<OpenLineageStatus | null> {
    if (!this.#target) return null;
    const row = await this.#row();
    const head = await this.#options.audit.head();
    return {
      target: row.target,
      waiting: Math.max(0, (head?.seq ?? 0) - row.position),
      delivered: row.delivered,
      refused: row.refused,
      failures: row.failures,
      lastError: row.last_error,
      lastErrorAtMs: row.last_error_at_ms,
      lastSuccessAtMs: row.last_success_at_ms,
    };
  }

  async #deliver(target: EventTarget): Promise<void> {
    let row = await this.#row();
    while (!this.#abort.signal.aborted) {
      const entries = await this.#options.audit.after(row.position, ENTRIES_AT_ONCE);
      const last = entries.at(-1);
      if (!last) return;
      for (const entry of entries) {
        const told = await this.#tell(target, entry, row);
        if (!told) return;
        row = told;
      }
      // Entries that tell of nothing are passed over in one step.
      if (row.position < last.seq) row = await this.#moved(row, { position: last.seq });
    }
  }

  /** @returns where that leads; undefined where it has to come again */
  async #tell(target: EventTarget, entry: AuditRecord, row: Row): Promise<Row | undefined> {
    const events = await eventsOf(this.#parts, entry);
    if (events.length === 0) return row;
    const done = await target.deliver(events, row.mark, this.#abort.signal);
    if (!done.ok) {
      if (!this.#abort.signal.aborted) await this.#failed(done.why, done.retryAfterMs);
      return undefined;
    }
    this.#failures = 0;
    const nowMs = this.#parts.store.runtime.clock.nowMs();
    const [why] = done.refused;
    return this.#moved(row, {
      position: entry.seq,
      mark: done.mark,
      delivered: row.delivered + events.length - done.refused.length,
      refused: row.refused + done.refused.length,
      failures: 0,
      last_success_at_ms: nowMs,
      ...(why === undefined ? {} : { last_error: why, last_error_at_ms: nowMs }),
    });
  }

  /** Only from where it was: a process that only believes to deliver moves nothing. */
  async #moved(row: Row, change: Partial<Row>): Promise<Row> {
    const moved = await this.#parts.store.transaction((tx) =>
      tx
        .updateTable("openlineage_export")
        .set(change)
        .where("target", "=", row.target)
        .where("position", "=", row.position)
        .executeTakeFirst(),
    );
    if (Number(moved.numUpdatedRows) === 0) throw new Error("another process tells the receiver");
    return { ...row, ...change };
  }

  async #failed(why: string, askedMs: number): Promise<void> {
    const { store, onTrouble } = this.#options;
    const chance = store.runtime.random.bytes(4).readUInt32BE() / 2 ** 32;
    const delayMs = retryDelayMs(++this.#failures, chance, askedMs);
    this.#notBeforeUs = store.runtime.clock.monotonicUs() + Math.round(delayMs * 1000);
    if (this.#failures === 1) onTrouble(new Error(why));
    const failed = { failures: this.#failures, last_error: why, last_error_at_ms: store.runtime.clock.nowMs() };
    await store
      .transaction((tx) => tx.updateTable("openlineage_export").set(failed).where("target", "=", this.#name()).execute())
      .catch((error: unknown) => onTrouble(asError(error)));
  }

  #name(): string {
    const { target } = this.#options;
    return target === null ? "" : target.kind === "http" ? target.url : target.path;
  }

  async #row(): Promise<Row> {
    const { store } = this.#parts;
    const target = this.#name();
    const find = () => store.db.selectFrom("openlineage_export").selectAll().where("target", "=", target).executeTakeFirst();
    const known = await find();
    if (known) return known;
    const fresh = { target, position: 0, mark: 0, delivered: 0, refused: 0, failures: 0 };
    await store.transaction((tx) =>
      tx
        .insertInto("openlineage_export")
        .values(fresh)
        .onConflict((conflict) => conflict.doNothing())
        .execute(),
    );
    return (await find()) ?? { ...fresh, last_error: null, last_error_at_ms: null, last_success_at_ms: null };
  }
}

type Row = Schema["openlineage_export"];
