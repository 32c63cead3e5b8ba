/** Reading decisions back: pages of them, one, and those that are decided again. */
import { sql, type RawBuilder } from "kysely";
import type { CellKey, DecisionId, EndpointName, ReleaseId } from "../std.ts";
import type { ServingArm, StoredReply } from "./decision-record.ts";
import type { Reader } from "./read-tallies.ts";
import { storedReply } from "./stored-reply.ts";

/** One decision as the log has it. */
export interface RecordedDecision extends StoredReply {
  readonly endpoint: EndpointName;
  /** `erased` where the person was erased. */
  readonly cell: CellKey;
  readonly latencyUs: number;
  readonly source: string;
  readonly idempotencyKey: string | null;
  /** Whether it counts as evidence; else it repeats another one of the day. */
  readonly counted: boolean;
  /** Keyed hash of the person's id; null where it isn't known, or was erased. */
  readonly subject: string | null;
  /** The request's text as received; null where the person was erased. */
  readonly payload: string | null;
}

/** A decision whose request is still there, to be decided again. */
export interface ReplayableDecision extends RecordedDecision {
  readonly payload: string;
}

export interface DecisionFilter {
  readonly endpoint: EndpointName;
  readonly release?: ReleaseId;
  readonly arm?: ServingArm;
  readonly action?: string;
  readonly favourable?: boolean;
  readonly counted?: boolean;
  readonly source?: string;
  readonly cells?: readonly CellKey[];
  /** Keyed hash. */
  readonly subject?: string;
  readonly idempotencyKey?: string;
  /** Wall time of the decision, from (inclusive) and to (exclusive). */
  readonly fromMs?: number;
  readonly toMs?: number;
}

export interface PageRequest {
  /** Default `newest`. */
  readonly first?: "newest" | "oldest";
  /** Number of the last decision of the page before. */
  readonly after?: number;
  /** At most 1,000. */
  readonly limit: number;
}

export interface DecisionPage {
  readonly decisions: readonly RecordedDecision[];
  /** What to give as `after` for the next page; null on the last. */
  readonly next: number | null;
}

const MAX_PAGE = 1000;

/** A page of the log, in the order of recording. */
export async function readDecisions(db: Reader, filter: DecisionFilter, page: PageRequest): Promise<DecisionPage> {
  if (filter.cells?.length === 0) return { decisions: [], next: null };
  const limit = Math.min(Math.max(1, page.limit), MAX_PAGE);
  const isNewestFirst = page.first !== "oldest";
  let query = selectDecisions(db).where("d.endpoint", "=", filter.endpoint);
  if (filter.release !== undefined) query = query.where("d.release", "=", filter.release);
  if (filter.arm !== undefined) query = query.where("d.arm", "=", filter.arm);
  if (filter.action !== undefined) query = query.where("d.action", "=", filter.action);
  if (filter.favourable !== undefined) query = query.where("d.favourable", "=", filter.favourable ? 1 : 0);
  if (filter.counted !== undefined) query = query.where("d.counted", "=", filter.counted ? 1 : 0);
  if (filter.source !== undefined) query = query.where("d.source", "=", filter.source);
  if (filter.cells !== undefined) query = query.where("d.cell", "in", filter.cells);
  if (filter.subject !== undefined)
    query = query.where("p.subject", "=", filter.subject).where("p.seq", "in", seqsOfSubject(filter.subject));
  if (filter.idempotencyKey !== undefined) query = query.where("d.idempotency_key", "=", filter.idempotencyKey);
  if (filter.fromMs !== undefined) query = query.where("d.decided_at_ms", ">=", filter.fromMs);
  if (filter.toMs !== undefined) query = query.where("d.decided_at_ms", "<", filter.toMs);
  if (page.after !== undefined) query = query.where("d.seq", isNewestFirst ? "<" : ">", page.after);
  const rows = await query
    .orderBy("d.seq", isNewestFirst ? "desc" : "asc")
    .limit(limit + 1)
    .execute();
  const decisions = rows.slice(0, limit).map((row) => recorded(row));
  return { decisions, next: rows.length > limit ? (decisions.at(-1)?.seq ?? null) : null };
}

export async function readDecision(db: Reader, id: DecisionId): Promise<RecordedDecision | undefined> {
  const row = await selectDecisions(db).where("d.id", "=", id).executeTakeFirst();
  return row && recorded(row);
}

/** Those of these decisions whose requests are still there, in the order of recording. @param ids - at most 1,000 */
export async function readForReplay(db: Reader, ids: readonly DecisionId[]): Promise<readonly ReplayableDecision[]> {
  if (ids.length === 0) return [];
  const rows = await selectDecisions(db).where("d.id", "in", ids).where("p.payload", "is not", null).orderBy("d.seq").execute();
  return rows.map((row) => recorded(row)).filter(isReplayable);
}

/** The newest decisions whose requests are still there, newest first: what a release is tried on before it takes over. */
export async function recentForReplay(
  db: Reader,
  endpoint: EndpointName,
  { release, limit }: { readonly release?: ReleaseId; readonly limit: number },
): Promise<readonly ReplayableDecision[]> {
  // Pinned ones were made up by whoever tries a release.
  let query = selectDecisions(db).where("d.endpoint", "=", endpoint).where("d.arm", "!=", "pinned").where("p.payload", "is not", null);
  if (release !== undefined) query = query.where("d.release", "=", release);
  const rows = await query.orderBy("d.seq", "desc").limit(limit).execute();
  return rows.map((row) => recorded(row)).filter(isReplayable);
}

export const isReplayable = (decision: RecordedDecision): decision is ReplayableDecision => decision.payload !== null;

/** Numbers of the decisions about a subject: those that SQLite's index has, and the newest, which it may not have yet. */
export const seqsOfSubject = (subject: string): RawBuilder<number> => sql<number>`(
  select seq from subject_index where subject = ${subject}
  union all select seq from decision_payload
  where subject = ${subject} and seq > (select cast(value as bigint) from setting where key = 'subject_indexed_up_to'))`;

/** A shadow's answer to a recorded decision. */
export interface RecordedShadow {
  readonly release: ReleaseId;
  readonly score: number | null;
  readonly action: string;
  readonly favourable: boolean;
  readonly because: string | null;
  readonly counted: boolean;
  readonly answeredAtMs: number;
}

/** What shadows would have answered. */
export async function readShadowAnswers(db: Reader, id: DecisionId): Promise<readonly RecordedShadow[]> {
  const rows = await db.selectFrom("shadow_answer").selectAll().where("decision", "=", id).orderBy("batch").orderBy("n").execute();
  return rows.map((row) => ({
    release: asReleaseId(row.release),
    score: row.score,
    action: row.action,
    favourable: row.favourable === 1,
    because: row.because,
    counted: row.counted === 1,
    answeredAtMs: row.answered_at_ms,
  }));
}

/** How far the log goes: the number of its last decision, and when that was made. Undefined while it is empty. */
export async function readLogEnd(db: Reader): Promise<{ readonly seq: number; readonly decidedAtMs: number } | undefined> {
  const row = await db.selectFrom("decision").select(["seq", "decided_at_ms"]).orderBy("seq", "desc").limit(1).executeTakeFirst();
  return row && { seq: row.seq, decidedAtMs: row.decided_at_ms };
}

const selectDecisions = (db: Reader) =>
  db
    .selectFrom("decision as d")
    .leftJoin("decision_payload as p", "p.seq", "d.seq")
    .select([
      "d.seq",
      "d.id",
      "d.endpoint",
      "d.release",
      "d.arm",
      "d.generation",
      "d.cell",
      "d.score",
      "d.action",
      "d.favourable",
      "d.reasons_json",
      "d.answered_by",
      "d.because",
      "d.decided_at_ms",
      "d.latency_us",
      "d.source",
      "d.idempotency_key",
      "d.counted",
      "p.subject",
      "p.payload",
    ]);

type Row = Awaited<ReturnType<ReturnType<typeof selectDecisions>["execute"]>>[number];

const recorded = (row: Row): RecordedDecision => ({
  ...storedReply(row),
  endpoint: asEndpointName(row.endpoint),
  cell: asCellKey(row.cell),
  latencyUs: row.latency_us,
  source: row.source,
  idempotencyKey: row.idempotency_key,
  counted: row.counted === 1,
  subject: row.subject,
  payload: row.payload,
});

/** Rows of the log hold nothing but what records had. */
const asEndpointName = (text: string): EndpointName => text as EndpointName;
const asCellKey = (text: string): CellKey => text as CellKey;
const asReleaseId = (text: string): ReleaseId => text as ReleaseId;
