/** Whether the counts by bin are what the log adds up to, as far as its writers say that they have counted it. */
import { sql, type Selectable } from "kysely";
import type { EndpointName } from "../std.ts";
import type { Schema } from "../store/index.ts";
import { BinCounts, hourOf, scoreBinOf, uncelled } from "./bin-counts.ts";
import { ERASED_CELL } from "./digest.ts";
import { ERASED_WRITER } from "./erase-bins.ts";
import { loggedBatches } from "./log-rows.ts";
import type { Reader } from "./read-tallies.ts";
import { answerOf, shadowAnswerOf } from "./rows.ts";
import type { TallyDifference } from "./tally-difference.ts";

type Cursors = ReadonlyMap<string, Selectable<Schema["bin_cursor"]>>;
type BinTable = "latency_tally" | "latency_total" | "score_tally" | "score_total" | "input_tally";

/** What a row is counted by, and what it counts. */
const TABLES = {
  latency_tally: { key: ["release", "arm", "hour", "bucket", "writer"], counts: ["count"] },
  latency_total: { key: ["release", "arm", "bucket", "writer"], counts: ["count"] },
  score_tally: { key: ["release", "arm", "day", "cell", "bin", "writer"], counts: ["count", "sum_u6"] },
  score_total: { key: ["release", "arm", "cell", "bin", "writer"], counts: ["count", "sum_u6"] },
  input_tally: { key: ["release", "arm", "hour", "input", "bin", "writer"], counts: ["count"] },
} as const satisfies Record<BinTable, { readonly key: readonly string[]; readonly counts: readonly string[] }>;
const tableNames = ["latency_tally", "latency_total", "score_tally", "score_total", "input_tally"] as const satisfies BinTable[];

/** By key, the counts. */
type Counted = Map<string, number[]>;

/** Cursors move every two seconds or so: what was read between two readings of the same ones is of one moment. */
const ATTEMPTS = 20;
const PER_SERIES = 100;

export async function binDifferences(db: Reader, endpoint: EndpointName | undefined): Promise<readonly TallyDifference[]> {
  for (let attempt = 1; ; attempt++) {
    const cursors = await readCursors(db);
    const stored = new Map<BinTable, Counted>();
    for (const table of tableNames) stored.set(table, await readStored(db, table, endpoint));
    if (!isSame(cursors, await readCursors(db)) && attempt < ATTEMPTS) continue;
    const counted = await countLog(db, cursors, endpoint);
    const differences = tableNames.flatMap((table) => differ(table, stored.get(table) ?? new Map(), counted.get(table) ?? new Map()));
    // An erasure meanwhile moves what was read before to where it isn't compared.
    const isDisturbed = differences.length > 0 && !hasRevisions(cursors, await readCursors(db));
    if (!isDisturbed || attempt >= ATTEMPTS) return differences;
  }
}

async function readCursors(db: Reader): Promise<Cursors> {
  const rows = await db.selectFrom("bin_cursor").selectAll().execute();
  return new Map(rows.map((row) => [row.writer, row]));
}

const hasRevisions = (a: Cursors, b: Cursors): boolean => [...a].every(([writer, { revision }]) => b.get(writer)?.revision === revision);
const isSame = (a: Cursors, b: Cursors): boolean =>
  a.size === b.size && hasRevisions(a, b) && [...a].every(([writer, { batch }]) => b.get(writer)?.batch === batch);

async function readStored(db: Reader, table: BinTable, endpoint: EndpointName | undefined): Promise<Counted> {
  const { key, counts } = TABLES[table];
  const columns = sql.raw([...key, ...counts].join(", "));
  const only = endpoint === undefined ? sql`1 = 1` : sql`endpoint = ${endpoint}`;
  const { rows } = await sql<Record<string, string | number>>`
    select ${columns} from ${sql.raw(table)} where writer <> ${ERASED_WRITER} and ${only}`.execute(db);
  const stored: Counted = new Map();
  for (const row of rows)
    addTo(
      stored,
      key.map((column) => row[column] ?? ""),
      counts.map((column) => Number(row[column])),
    );
  return stored;
}

function addTo(counted: Counted, key: readonly (string | number)[], by: readonly number[]): void {
  const text = key.join(" ");
  const known = counted.get(text);
  if (known) for (const [i, count] of by.entries()) known[i] = (known[i] ?? 0) + count;
  else counted.set(text, [...by]);
}

async function countLog(db: Reader, cursors: Cursors, endpoint: EndpointName | undefined): Promise<ReadonlyMap<BinTable, Counted>> {
  const counted = new Map<BinTable, Counted>(tableNames.map((table) => [table, new Map()]));
  const of = (table: BinTable): Counted => counted.get(table) ?? new Map<string, number[]>();
  const upTo = Math.max(0, ...[...cursors.values()].map(({ batch }) => batch));
  const byWriter = new Map<string, BinCounts>();
  for await (const { head, decisions, shadows } of loggedBatches(db, upTo)) {
    const cursor = cursors.get(head.writer);
    if (!cursor || head.batch <= cursor.from_batch || head.batch > cursor.batch) continue;
    let counts = byWriter.get(head.writer);
    if (!counts) byWriter.set(head.writer, (counts = new BinCounts()));
    const answers = [...decisions.map((row) => answerOf(row, row.input_bins)), ...shadows.map((row) => shadowAnswerOf(row))];
    for (const answer of answers) if (endpoint === undefined || answer.endpoint === endpoint) counts.add(uncelled(answer));
  }
  for (const [writer, counts] of byWriter) {
    for (const { release, arm, hour, bucket, count } of counts.latencies()) {
      addTo(of("latency_tally"), [release, arm, hour, bucket, writer], [count]);
      addTo(of("latency_total"), [release, arm, bucket, writer], [count]);
    }
    for (const { release, arm, day, cell, bin, count, sumU6 } of counts.scores()) {
      addTo(of("score_tally"), [release, arm, day, cell, bin, writer], [count, sumU6]);
      addTo(of("score_total"), [release, arm, cell, bin, writer], [count, sumU6]);
    }
    for (const { release, arm, hour, input, bin, count } of counts.inputs())
      addTo(of("input_tally"), [release, arm, hour, input, bin, writer], [count]);
  }
  return counted;
}

function differ(table: TallyDifference["table"], stored: Counted, counted: Counted): readonly TallyDifference[] {
  const differences: TallyDifference[] = [];
  for (const key of new Set([...stored.keys(), ...counted.keys()])) {
    const [kept, found] = [stored.get(key) ?? [], counted.get(key) ?? []];
    const length = Math.max(kept.length, found.length);
    const isSameRow = Array.from({ length }, (_, i) => (kept[i] ?? 0) === (found[i] ?? 0)).every(Boolean);
    if (isSameRow) continue;
    differences.push({ table, key, message: `counts ${kept.join(" and ") || 0}, the log has ${found.join(" and ") || 0}` });
    if (differences.length >= PER_SERIES) break;
  }
  return differences;
}

const AT_ONCE = 2000;

/** Outcomes by score against those that hold now. */
export async function scoreOutcomeDifferences(db: Reader, endpoint: EndpointName | undefined): Promise<readonly TallyDifference[]> {
  for (let attempt = 1; ; attempt++) {
    const last = await lastOutcome(db);
    const stored: Counted = new Map();
    let query = db.selectFrom("score_outcome_tally").selectAll().where("writer", "!=", ERASED_WRITER);
    if (endpoint !== undefined) query = query.where("endpoint", "=", endpoint);
    for (const row of await query.execute())
      addTo(stored, [row.release, row.arm, row.day, row.cell, row.bin, row.good], [row.count, row.sum_u6, row.sumsq_u6]);
    if ((await lastOutcome(db)) !== last && attempt < ATTEMPTS) continue;
    return differ("score_outcome_tally", stored, await countOutcomes(db, last, endpoint));
  }
}

async function lastOutcome(db: Reader): Promise<number> {
  const last = await db
    .selectFrom("outcome")
    .select((eb) => eb.fn.max("seq").as("seq"))
    .executeTakeFirst();
  return last?.seq ?? 0;
}

async function countOutcomes(db: Reader, upTo: number, endpoint: EndpointName | undefined): Promise<Counted> {
  const counted: Counted = new Map();
  for (let after = ""; ;) {
    const rows = await heldOutcomes(db, { after, upTo });
    for (const { endpoint: of, release, arm, cell, score, decided_at_ms, good } of rows) {
      if (score === null || cell === ERASED_CELL || (endpoint !== undefined && of !== endpoint)) continue;
      const day = Math.floor(hourOf(decided_at_ms) / 24);
      const sums = [1, Math.round(score * 1e6), Math.round(score * score * 1e6)];
      addTo(counted, [release, arm, day, cell, scoreBinOf(score), good], sums);
    }
    const end = rows.at(-1);
    if (!end || rows.length < AT_ONCE) break;
    after = end.decision;
  }
  return counted;
}

/** Outcomes that hold, by decision. */
function heldOutcomes(db: Reader, { after, upTo }: { readonly after: string; readonly upTo: number }) {
  const newest = db
    .selectFrom("outcome")
    .select((eb) => ["decision", eb.fn.max("seq").as("seq")])
    .where("decision", ">", after)
    .where("seq", "<=", upTo)
    .groupBy("decision")
    .orderBy("decision")
    .limit(AT_ONCE)
    .as("newest");
  return db
    .selectFrom(newest)
    .innerJoin("outcome as o", "o.seq", "newest.seq")
    .innerJoin("decision as d", "d.id", "o.decision")
    .select(["o.decision", "o.good", "d.endpoint", "d.release", "d.arm", "d.cell", "d.score", "d.decided_at_ms"])
    .orderBy("o.decision")
    .execute();
}
