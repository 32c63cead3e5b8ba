/** Reading the log for sinks: some entries after a number, in the order of the log, a bounded number of rows and bytes at a time. */
import { sql } from "kysely";
import type { Reader } from "../read-tallies.ts";
import { decisionDocument, outcomeDocument, timeOf, type DecisionEntry, type SinkDocument, type Stream } from "./document.ts";
import type { SinkSpec } from "./spec.ts";

/** A stretch of the log as a sink sees it. */
export interface Stretch {
  /** Its last number: all that the sink wants of what lies between is in `documents`. */
  readonly upTo: number;
  readonly documents: readonly SinkDocument[];
}

export interface StretchRequest {
  readonly stream: Stream;
  /** Numbers above this one, up to and including `upTo`. */
  readonly after: number;
  readonly upTo: number;
  /** Documents at most. */
  readonly limit: number;
  /** Bytes of requests at most, one document excepted; the stretch ends before. */
  readonly maxBytes: number;
}

/** Numbers looked at in one query: a sink of few endpoints must not have the whole log read for one document. */
const WINDOW = 20_000;
const ROWS_AT_ONCE = 250;

export async function readStretch(db: Reader, spec: SinkSpec, request: StretchRequest): Promise<Stretch> {
  const upTo = Math.min(request.upTo, request.after + WINDOW);
  const documents: SinkDocument[] = [];
  let bytes = 0;
  for (let after = request.after; ;) {
    const limit = Math.min(ROWS_AT_ONCE, request.limit - documents.length);
    const some = await read(db, spec, { stream: request.stream, after, upTo, limit });
    for (const { document, size } of some) {
      if (documents.length > 0 && bytes + size > request.maxBytes) return { upTo: documents.at(-1)?.seq ?? after, documents };
      documents.push(document);
      bytes += size;
    }
    after = documents.at(-1)?.seq ?? after;
    if (some.length < limit) return { upTo, documents };
    if (documents.length >= request.limit) return { upTo: after, documents };
  }
}

/**
 * How many entries for the sink lie between two numbers. Counted up to a hundred thousand numbers; beyond, the numbers themselves, which
 * entries of other endpoints have some of.
 */
export async function countEntries(db: Reader, { endpoints }: Wanted, { stream, after, upTo }: Between): Promise<number> {
  if (upTo - after > COUNTED_AT_MOST || upTo <= after) return Math.max(0, upTo - after);
  if (stream === "decision") {
    const query = db.selectFrom("decision as d").select((eb) => eb.fn.countAll<number>().as("count"));
    const between = query.where("d.seq", ">", after).where("d.seq", "<=", upTo);
    return (await (endpoints ? between.where("d.endpoint", "in", endpoints) : between).executeTakeFirstOrThrow()).count;
  }
  const joined = db.selectFrom("outcome as o").innerJoin("decision as d", "d.id", "o.decision");
  const between = joined
    .select((eb) => eb.fn.countAll<number>().as("count"))
    .where("o.seq", ">", after)
    .where("o.seq", "<=", upTo);
  return (await (endpoints ? between.where("d.endpoint", "in", endpoints) : between).executeTakeFirstOrThrow()).count;
}
const COUNTED_AT_MOST = 100_000;

/** When the first entry for the sink between two numbers came to be; undefined where there is none nearby. */
export async function firstEntryMs(db: Reader, { endpoints }: Wanted, between: Between): Promise<number | undefined> {
  if (between.upTo <= between.after) return undefined;
  const upTo = Math.min(between.upTo, between.after + WINDOW);
  const [first] = await read(db, endpoints ? { endpoints } : {}, { ...between, upTo, limit: 1 });
  return first && Date.parse(timeOf(first.document));
}

/** What of a sink says which entries it wants, and what of them. */
type Wanted = Pick<SinkSpec, "endpoints" | "include">;
type Between = Pick<StretchRequest, "stream" | "after" | "upTo">;
interface Sized {
  readonly document: SinkDocument;
  /** About what it takes in memory. */
  readonly size: number;
}
const OF_A_ROW = 500;

const read = (db: Reader, wanted: Wanted, range: Between & { readonly limit: number }): Promise<readonly Sized[]> =>
  range.stream === "decision" ? readDecisionEntries(db, wanted, range) : readOutcomeEntries(db, wanted, range);

async function readDecisionEntries(
  db: Reader,
  { endpoints, include }: Wanted,
  { after, upTo, limit }: Between & { readonly limit: number },
): Promise<readonly Sized[]> {
  const needsPayload = include?.includes("inputs") === true;
  let query = db
    .selectFrom("decision as d")
    .leftJoin("release as r", "r.id", "d.release")
    .leftJoin("decision_payload as p", (join) =>
      // What nobody asked for stays where it is: a request may have a quarter of a megabyte.
      include === undefined ? join.on(sql.lit(false)) : join.onRef("p.seq", "=", "d.seq"),
    )
    .selectAll("d")
    .select(["r.number as release_number", "p.subject"])
    .$if(needsPayload, (select) => select.select("p.payload"))
    .where("d.seq", ">", after)
    .where("d.seq", "<=", upTo);
  if (endpoints) query = query.where("d.endpoint", "in", endpoints);
  const rows = await query.orderBy("d.seq").limit(limit).execute();
  return rows.map((row) => {
    const entry: DecisionEntry = {
      seq: row.seq,
      id: row.id,
      endpoint: row.endpoint,
      release: row.release,
      releaseNumber: row.release_number,
      answeredBy: row.answered_by,
      generation: row.generation,
      action: row.action,
      favourable: row.favourable === 1,
      score: row.score,
      reasons: asReasons(row.reasons_json),
      because: row.because,
      decidedAtMs: row.decided_at_ms,
      latencyUs: row.latency_us,
      counted: row.counted === 1,
      source: row.source,
      cell: row.cell,
      subject: row.subject,
      payload: row.payload ?? null,
    };
    return { document: decisionDocument(entry, include), size: OF_A_ROW + (entry.payload?.length ?? 0) };
  });
}

async function readOutcomeEntries(
  db: Reader,
  { endpoints }: Wanted,
  { after, upTo, limit }: Between & { readonly limit: number },
): Promise<readonly Sized[]> {
  let query = db
    .selectFrom("outcome as o")
    .innerJoin("decision as d", "d.id", "o.decision")
    .selectAll("o")
    .select("d.endpoint")
    .select((eb) =>
      eb
        .selectFrom("outcome as before")
        .select((of) => of.fn.countAll<number>().as("count"))
        .whereRef("before.decision", "=", "o.decision")
        .whereRef("before.seq", "<", "o.seq")
        .as("before"),
    )
    .where("o.seq", ">", after)
    .where("o.seq", "<=", upTo);
  if (endpoints) query = query.where("d.endpoint", "in", endpoints);
  const rows = await query.orderBy("o.seq").limit(limit).execute();
  return rows.map((row) => ({
    document: outcomeDocument({
      seq: row.seq,
      decision: row.decision,
      endpoint: row.endpoint,
      value: row.value,
      good: row.good === 1,
      isCorrection: (row.before ?? 0) > 0,
      atMs: row.at_ms,
      recordedAtMs: row.recorded_at_ms,
      source: row.source,
    }),
    size: OF_A_ROW,
  }));
}

/** `reasons_json` holds nothing but what records had. */
const asReasons = (json: string): readonly string[] => JSON.parse(json) as readonly string[];
