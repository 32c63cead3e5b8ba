/** Rehearsals of a rollback: a way back that nobody has tried is a hope. */
import { checked, object, orNull } from "../checked.ts";
import { millisecondsOf } from "../duration.ts";
import { Type, type Static } from "typebox";
import type { Audit } from "../access/index.ts";
import type { Gateway } from "../serving/index.ts";
import { readLogEnd, recentForReplay } from "../decisions/index.ts";
import { err, ok, type EndpointName, type ReleaseId, type Result } from "../std.ts";
import { canonicalJson, type Store } from "../store/index.ts";
import { askAgain } from "./ask-again.ts";
import type { EndpointRoom } from "./endpoint-room.ts";
import { rulesAt } from "./endpoint-spec.ts";
import type { Incidents } from "./incidents.ts";
import { explain, type ReleaseRefusal } from "./refusals.ts";
import type { By } from "./release-writer.ts";
import type { Releases } from "./releases.ts";
import { rollbackCandidates } from "./route-table.ts";

/** `live`: everybody is answered by the target for a moment; `replay`: the target answers recent applications, and nobody notices. */
export const DrillMode = Type.Enum(["live", "replay"]);
export type DrillMode = Static<typeof DrillMode>;

const DrillBody = object({
  /** From the command until every new request met the other release: there, and back again. Null where nothing was switched. */
  thereUs: orNull(Type.Number()),
  backUs: orNull(Type.Number()),
  /** Answers of the target: to people in a live drill, to recent applications in a replay. */
  answers: Type.Integer(),
  /** Requests that got no decision meanwhile, or applications that the target had no answer to. */
  failed: Type.Integer(),
});
type DrillBody = Static<typeof DrillBody>;

export interface Drill extends DrillBody {
  readonly endpoint: EndpointName;
  readonly atMs: number;
  readonly mode: DrillMode;
  readonly live: ReleaseId;
  readonly target: ReleaseId;
  readonly passed: boolean;
  readonly actor: string;
}

export interface DrillsParts {
  readonly store: Store;
  readonly audit: Audit;
  readonly releases: Releases;
  readonly gateway: Pick<Gateway, "counts">;
  readonly incidents: Pick<Incidents, "list">;
  /** Told of a scheduled drill that didn't pass, or couldn't be made. */
  readonly onTrouble: (error: Error) => void;
}

/** A scheduled drill that couldn't be made is tried again after so long. */
const AGAIN_MS = 3_600_000;

/** How long people are answered by the target in a live drill. */
const LIVE_MS = 2000;
const REPLAYED = 300;
const LOOK_EVERY_MS = 60_000;
const parseBody = checked(DrillBody);

export class Drills {
  readonly #parts: DrillsParts;
  readonly #underWay = new Set<string>();
  /** When each endpoint's schedule was last looked at in the database, or is to be looked at again. */
  readonly #notBefore = new Map<string, number>();

  constructor(parts: DrillsParts) {
    this.#parts = parts;
  }

  /** Rehearses a rollback to where it would go by itself, and records what came of it. */
  async run(room: EndpointRoom, mode: DrillMode, by: By): Promise<Result<Drill, ReleaseRefusal>> {
    this.#underWay.add(room.name);
    try {
      return mode === "live" ? await this.#live(room, by) : await this.#replay(room, by);
    } finally {
      this.#underWay.delete(room.name);
    }
  }

  /** When the next scheduled drill is due, which may be past; null without a schedule. At once where none was ever made. */
  async dueMs({ name, definition }: EndpointRoom): Promise<number | null> {
    const { drills } = definition.spec;
    if (!drills) return null;
    const latest = await this.latest(name);
    return latest ? latest.atMs + millisecondsOf(drills.every) : 0;
  }

  /** Ends live drills that a crash has left half done, and makes those that are due. */
  async tick(): Promise<void> {
    await this.#endHalfDone();
    for (const room of this.#parts.releases.rooms()) await this.#runWhenDue(room);
  }

  /** Never in a rollout, an incident or a frozen period, and not before there is anything to rehearse with: silence proves nothing. */
  async #runWhenDue(room: EndpointRoom): Promise<void> {
    const { drills } = room.definition.spec;
    const { store, incidents, onTrouble } = this.#parts;
    const nowMs = store.runtime.clock.nowMs();
    const { table } = room;
    if (!drills || nowMs < (this.#notBefore.get(room.name) ?? 0)) return;
    if (table.rollout || table.drilledFrom !== null || this.#underWay.has(room.name) || rulesAt(room.definition, nowMs).frozen) return;
    // Looked at once a minute: what changes meanwhile is a drill by hand, or the schedule.
    this.#notBefore.set(room.name, nowMs + LOOK_EVERY_MS);
    if (nowMs < ((await this.dueMs(room)) ?? Number.POSITIVE_INFINITY) || rollbackCandidates(table).length === 0) return;
    if ((await incidents.list({ endpoint: room.name, states: ["open", "contained", "in_review"] })).length > 0) return;
    if ((await recentForReplay(store.db, room.name, { release: table.live, limit: 1 })).length === 0) return;
    const actor = { kind: "system", name: "drill" } as const;
    const done = await this.run(room, drills.on ?? "replay", { actor, reason: `scheduled every ${drills.every}` });
    if (done.ok && done.value.passed) return;
    if (!done.ok) this.#notBefore.set(room.name, nowMs + AGAIN_MS);
    const why = done.ok
      ? `${room.nameOf(done.value.target)} had no answer to ${done.value.failed} of ${done.value.failed + done.value.answers}`
      : explain(done.error, (id) => room.nameOf(id));
    onTrouble(new Error(`the scheduled drill of ${room.name} didn't pass: ${why}`));
  }

  async #endHalfDone(): Promise<void> {
    const by: By = { actor: { kind: "system", name: "drill" }, reason: "the drill was cut short" };
    for (const room of this.#parts.releases.rooms())
      if (room.table.drilledFrom !== null && !this.#underWay.has(room.name))
        await this.#parts.releases.command(room.name, { kind: "end-drill" }, by);
  }

  /** When a rollback of the endpoint was last tried. */
  async latest(endpoint: EndpointName): Promise<Drill | undefined> {
    return (await this.list(endpoint, 1))[0];
  }

  /** Newest first. */
  async list(endpoint: EndpointName, limit: number): Promise<readonly Drill[]> {
    const rows = await this.#parts.store.db
      .selectFrom("drill")
      .selectAll()
      .where("endpoint", "=", endpoint)
      .orderBy("at_ms", "desc")
      .limit(limit)
      .execute();
    return rows.map(({ at_ms: atMs, mode, live, target, passed, body_json, actor }) => {
      const body = parseBody(JSON.parse(body_json));
      if (!body.ok) throw new Error(`the drill of ${endpoint} at ${atMs} can't be read: ${JSON.stringify(body.error)}`);
      return {
        ...body.value,
        endpoint,
        atMs,
        mode: mode === "live" ? "live" : "replay",
        live: asReleaseId(live),
        target: asReleaseId(target),
        passed: passed === 1,
        actor,
      };
    });
  }

  async #live(room: EndpointRoom, by: By): Promise<Result<Drill, ReleaseRefusal>> {
    const { store, releases, gateway } = this.#parts;
    const unanswered = () => gateway.counts(room.name).unanswered;
    const { live } = room.table;
    const unansweredBefore = unanswered();
    const logEnd = (await readLogEnd(store.db))?.seq ?? 0;
    const there = await releases.command(room.name, { kind: "start-drill", to: null }, by);
    if (!there.ok) return there;
    const target = room.table.live;
    await store.runtime.timers.sleep(LIVE_MS);
    const { actor, reason } = by;
    const back = await releases.command(room.name, { kind: "end-drill" }, { actor, reason });
    if (!back.ok) return back;
    const failed = unanswered() - unansweredBefore;
    const answers = await this.#answersSince(logEnd, room.name, there.value.transition.generation);
    const body = { thereUs: there.value.switchedUs, backUs: back.value.switchedUs, answers, failed };
    return ok(await this.#keep(room, { mode: "live", live, target, passed: failed === 0, body }, by));
  }

  async #replay(room: EndpointRoom, by: By): Promise<Result<Drill, ReleaseRefusal>> {
    const { live } = room.table;
    const [target] = rollbackCandidates(room.table);
    if (target === undefined) return err({ kind: "nowhere-to-roll-back" });
    const asked = await askAgain(this.#parts, room, room.info(target), { release: live, limit: REPLAYED });
    if (!asked.ok) return asked;
    const { answers } = asked.value;
    const failed = answers.filter(({ kind }) => kind === "failed").length;
    const body = { thereUs: null, backUs: null, answers: answers.length - failed, failed };
    return ok(await this.#keep(room, { mode: "replay", live, target, passed: failed === 0 && answers.length > 0, body }, by));
  }

  async #answersSince(seq: number, endpoint: EndpointName, generation: number): Promise<number> {
    const { n } = await this.#parts.store.db
      .selectFrom("decision")
      .select(({ fn }) => fn.countAll<number>().as("n"))
      .where("seq", ">", seq)
      .where("endpoint", "=", endpoint)
      .where("generation", "=", generation)
      .executeTakeFirstOrThrow();
    return n;
  }

  async #keep(
    { name: endpoint }: EndpointRoom,
    { mode, live, target, passed, body }: Pick<Drill, "mode" | "live" | "target" | "passed"> & { readonly body: DrillBody },
    { actor, reason }: By,
  ): Promise<Drill> {
    const { store, audit } = this.#parts;
    const atMs = store.runtime.clock.nowMs();
    await store.transaction(async (tx) => {
      await tx
        .insertInto("drill")
        .values({ endpoint, at_ms: atMs, mode, live, target, passed: passed ? 1 : 0, body_json: canonicalJson(body), actor: actor.name })
        .execute();
      await audit.append(tx, {
        actor: actor.name,
        action: passed ? "drill.passed" : "drill.failed",
        object: `endpoint/${endpoint}`,
        payload: { mode, live, target, ...body, reason },
      });
    });
    return { ...body, endpoint, atMs, mode, live, target, passed, actor: actor.name };
  }
}

/** Only `run` writes the columns, from a route table. */
const asReleaseId = (text: string): ReleaseId => text as ReleaseId;
