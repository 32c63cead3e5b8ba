/** Incidents as they are stored: opened with the rollback in one transaction, never rewritten, closed with a reason. */
import type { Transaction } from "kysely";
import type { Audit } from "../access/index.ts";
import type { Breach } from "../monitoring/index.ts";
import { err, ok, type EndpointName, type ReleaseId, type Result } from "../std.ts";
import { canonicalJson, type Json, type Schema, type Store } from "../store/index.ts";
import { eventOf, headOf, nextStates, type Incident, type IncidentBody, type IncidentHead, type IncidentState } from "./incident-record.ts";
import type { Actor } from "./transition.ts";

export interface NewIncident {
  readonly endpoint: EndpointName;
  readonly release: ReleaseId;
  readonly restored: ReleaseId | null;
  readonly state: IncidentState;
  readonly kind: IncidentHead["kind"];
  readonly body: IncidentBody;
}
export interface NewEvent {
  /** What happened, in one word in the past tense: `proven`, `rolled-back`. */
  readonly kind: string;
  readonly actor: Actor;
  readonly atMs: number;
  readonly text: string;
  readonly sinceProofUs?: number;
  readonly detail?: Json;
}

export type IncidentRefusal =
  | { readonly kind: "unknown-incident"; readonly n: number }
  | { readonly kind: "not-from-here"; readonly state: IncidentState; readonly allowed: readonly IncidentState[] }
  | { readonly kind: "needs-a-reason" };

export interface IncidentFilter {
  readonly endpoint?: EndpointName;
  readonly states?: readonly IncidentState[];
  /** Only incidents with a smaller number. */
  readonly before?: number;
  /** At most 200; 50 when not given. */
  readonly limit?: number;
}

type Db = Store["db"] | Transaction<Schema>;

export class Incidents {
  readonly #store: Store;
  readonly #audit: Audit;

  constructor(store: Store, audit: Audit) {
    this.#store = store;
    this.#audit = audit;
  }

  /** Opens an incident inside the caller's transaction. @returns its number */
  async open(tx: Transaction<Schema>, incident: NewIncident, events: readonly NewEvent[]): Promise<number> {
    const nowMs = this.#store.runtime.clock.nowMs();
    const { endpoint, release, restored, state, kind, body } = incident;
    const { n } = await tx
      .insertInto("incident")
      .values({ endpoint, release, restored, state, kind, body_json: canonicalJson(body), opened_at_ms: nowMs, updated_at_ms: nowMs })
      .returning("n")
      .executeTakeFirstOrThrow();
    for (const event of events) await this.add(tx, n, event);
    await this.#audit.append(tx, {
      actor: body.openedBy.name,
      action: "incident.opened",
      object: `incident/${n}`,
      payload: { endpoint, release, restored, state, kind, title: body.title, reason: body.reason, guardrail: body.guardrail },
    });
    return n;
  }

  /** Adds to the timeline inside the caller's transaction. */
  async add(tx: Transaction<Schema>, n: number, event: NewEvent): Promise<void> {
    const { kind, actor, atMs, text, sinceProofUs, detail } = event;
    const body = canonicalJson({ text, sinceProofUs: sinceProofUs ?? null, detail: detail ?? null });
    await tx.insertInto("incident_event").values({ incident: n, at_ms: atMs, kind, actor: actor.name, body_json: body }).execute();
  }

  /** Replaces what has become known since (a rollback's durations, for example) inside the caller's transaction. */
  async amend(
    tx: Transaction<Schema>,
    n: number,
    change: { readonly state?: IncidentState; readonly restored?: ReleaseId; readonly body?: Partial<IncidentBody> },
  ): Promise<void> {
    const row = await tx.selectFrom("incident").selectAll().where("n", "=", n).executeTakeFirstOrThrow();
    const { state, restored, body } = headOf(row);
    await tx
      .updateTable("incident")
      .set({
        state: change.state ?? state,
        restored: change.restored ?? restored,
        body_json: canonicalJson({ ...body, ...change.body }),
        updated_at_ms: this.#store.runtime.clock.nowMs(),
      })
      .where("n", "=", n)
      .execute();
  }

  /** The newest incident about a release that isn't settled: a further breach of the same release belongs to it. */
  async unsettled(db: Db, endpoint: EndpointName, release: ReleaseId): Promise<IncidentHead | undefined> {
    const row = await db
      .selectFrom("incident")
      .selectAll()
      .where("endpoint", "=", endpoint)
      .where("release", "=", release)
      .where("state", "in", ["open", "contained", "in_review"])
      .orderBy("n", "desc")
      .executeTakeFirst();
    return row && headOf(row);
  }

  /** Whether a proof has its incident: one that isn't settled, or that was settled with the proof known. */
  async isKnown(db: Db, { endpoint, release, provenAtMs }: Pick<Breach, "endpoint" | "release" | "provenAtMs">): Promise<boolean> {
    const row = await db
      .selectFrom("incident")
      .select("n")
      .where("endpoint", "=", endpoint)
      .where("release", "=", release)
      .where((eb) => eb.or([eb("state", "in", ["open", "contained", "in_review"]), eb("updated_at_ms", ">=", provenAtMs)]))
      .executeTakeFirst();
    return row !== undefined;
  }

  /** Moves an incident on. Closing needs a reason, as anything that ends looking. */
  async move(
    n: number,
    to: IncidentState,
    by: { readonly actor: Actor; readonly reason: string },
  ): Promise<Result<Incident, IncidentRefusal>> {
    if (by.reason.trim() === "") return err({ kind: "needs-a-reason" });
    const moved = await this.#store.transaction(async (tx): Promise<Result<void, IncidentRefusal>> => {
      await this.#audit.lock(tx);
      const row = await tx.selectFrom("incident").selectAll().where("n", "=", n).executeTakeFirst();
      if (!row) return err({ kind: "unknown-incident", n });
      const { state } = headOf(row);
      if (!nextStates[state].includes(to)) return err({ kind: "not-from-here", state, allowed: nextStates[state] });
      const atMs = this.#store.runtime.clock.nowMs();
      await tx.updateTable("incident").set({ state: to, updated_at_ms: atMs }).where("n", "=", n).execute();
      await this.add(tx, n, { kind: to, actor: by.actor, atMs, text: by.reason });
      const payload = { from: state, to, reason: by.reason };
      await this.#audit.append(tx, { actor: by.actor.name, action: "incident.moved", object: `incident/${n}`, payload });
      return ok(undefined);
    });
    if (!moved.ok) return moved;
    const incident = await this.get(n);
    return incident ? ok(incident) : err({ kind: "unknown-incident", n });
  }

  /** A person's remark in the timeline. */
  async note(n: number, by: { readonly actor: Actor; readonly text: string }): Promise<Result<Incident, IncidentRefusal>> {
    if (by.text.trim() === "") return err({ kind: "needs-a-reason" });
    const exists = await this.#store.transaction(async (tx) => {
      await this.#audit.lock(tx);
      if (!(await tx.selectFrom("incident").select("n").where("n", "=", n).executeTakeFirst())) return false;
      await this.add(tx, n, { kind: "noted", actor: by.actor, atMs: this.#store.runtime.clock.nowMs(), text: by.text });
      await this.#audit.append(tx, { actor: by.actor.name, action: "incident.noted", object: `incident/${n}`, payload: { text: by.text } });
      return true;
    });
    const incident = exists ? await this.get(n) : undefined;
    return incident ? ok(incident) : err({ kind: "unknown-incident", n });
  }

  async get(n: number): Promise<Incident | undefined> {
    const row = await this.#store.db.selectFrom("incident").selectAll().where("n", "=", n).executeTakeFirst();
    if (!row) return undefined;
    const events = await this.#store.db.selectFrom("incident_event").selectAll().where("incident", "=", n).orderBy("seq").execute();
    return { ...headOf(row), events: events.map(eventOf) };
  }

  /** Numbers of the unsettled incidents whose timeline has no event of a kind, oldest first. */
  async lacking(kind: string): Promise<readonly number[]> {
    const rows = await this.#store.db
      .selectFrom("incident")
      .select("n")
      .where("state", "in", ["open", "contained", "in_review"])
      .where((eb) =>
        eb.not(
          eb.exists(
            eb.selectFrom("incident_event").select("seq").whereRef("incident_event.incident", "=", "incident.n").where("kind", "=", kind),
          ),
        ),
      )
      .orderBy("n")
      .execute();
    return rows.map(({ n }) => n);
  }

  /** How many aren't resolved, by endpoint and state; nothing where there are none. */
  async unsettledCounts(): Promise<readonly { readonly endpoint: string; readonly state: string; readonly count: number }[]> {
    const rows = await this.#store.db
      .selectFrom("incident")
      .select((eb) => ["endpoint", "state", eb.fn.countAll<number>().as("count")])
      .where("state", "in", ["open", "contained", "in_review"])
      .groupBy(["endpoint", "state"])
      .execute();
    return rows.map(({ endpoint, state, count }) => ({ endpoint, state, count: Number(count) }));
  }

  /** Newest first. */
  async list({ endpoint, states, before, limit = 50 }: IncidentFilter = {}): Promise<readonly IncidentHead[]> {
    let query = this.#store.db.selectFrom("incident").selectAll();
    if (endpoint !== undefined) query = query.where("endpoint", "=", endpoint);
    if (states !== undefined) query = query.where("state", "in", states);
    if (before !== undefined) query = query.where("n", "<", before);
    const rows = await query
      .orderBy("n", "desc")
      .limit(Math.max(1, Math.min(limit, 200)))
      .execute();
    return rows.map(headOf);
  }
}
