/** The rows of a batch on PostgreSQL: one statement a kind of row, fed with columns as arrays. */
import { sql, type RawBuilder, type Transaction } from "kysely";
import type { Schema } from "../store/index.ts";
import type { DecisionTuple, ShadowTuple } from "./batch.ts";
import type { ArmClass } from "./decision-record.ts";
import { ERASED_CELL, commitmentOf, decisionText, shadowText } from "./digest.ts";
import { answerOf, decisionRow, flipOf, shadowAnswerOf, shadowRow, type ShadowedDecision } from "./rows.ts";
import { REPEAT_WITHIN_MS, flipsUp, overDays, overMinutes, tallyUp, type CountedAnswer, type Flip } from "./tally.ts";

type Tx = Transaction<Schema>;

export interface Insertable {
  readonly tuple: DecisionTuple;
  readonly counted: boolean;
}

const texts = (values: readonly (string | null)[]): RawBuilder<unknown> => sql`${values}::text[]`;
const ints = (values: readonly number[]): RawBuilder<unknown> => sql`${values}::bigint[]`;
const reals = (values: readonly (number | null)[]): RawBuilder<unknown> => sql`${values}::double precision[]`;

interface Candidate {
  readonly release: string;
  readonly armClass: ArmClass;
  readonly subject: string | null;
  readonly atMs: number;
}

/**
 * Which of these answers are the first of their subject in a day for the release. The row of `counted` stays locked until the
 * transaction ends, so that two gateways can't count the same person at once.
 */
export async function markCounted(tx: Tx, candidates: readonly Candidate[]): Promise<readonly boolean[]> {
  const marks = candidates.map(({ subject }) => subject === null);
  const countedAtMs = new Map<string, number>();
  let open = candidates.map((candidate, at) => ({
    ...candidate,
    at,
    key: `${candidate.release}\0${candidate.armClass}\0${candidate.subject}`,
  }));
  open = open.filter(({ subject }) => subject !== null);
  while (open.length > 0) {
    // One row of a statement may be touched once: a person's second answer in this batch is asked about in the next round, if at all.
    const now = new Map<string, (typeof open)[number]>();
    const later: typeof open = [];
    for (const one of open) {
      const lastMs = countedAtMs.get(one.key);
      if (lastMs !== undefined && Math.abs(one.atMs - lastMs) < REPEAT_WITHIN_MS) continue;
      if (now.has(one.key)) later.push(one);
      else now.set(one.key, one);
    }
    if (now.size === 0) break;
    // In one order everywhere, or two gateways could wait for each other.
    const asked = [...now.values()].toSorted((a, b) => (a.key < b.key ? -1 : 1));
    const { rows } = await sql<{ release: string; arm_class: string; subject: string }>`
      insert into counted (release, arm_class, subject, counted_at_ms)
      select * from unnest(${texts(asked.map((one) => one.release))}, ${texts(asked.map((one) => one.armClass))},
        ${texts(asked.map((one) => one.subject))}, ${ints(asked.map((one) => one.atMs))})
      on conflict (release, arm_class, subject) do update set counted_at_ms = excluded.counted_at_ms
      where abs(excluded.counted_at_ms - counted.counted_at_ms) >= ${REPEAT_WITHIN_MS}
      returning release, arm_class, subject`.execute(tx);
    for (const row of rows) {
      const key = `${row.release}\0${row.arm_class}\0${row.subject}`;
      const one = now.get(key);
      if (!one) continue;
      marks[one.at] = true;
      countedAtMs.set(key, one.atMs);
    }
    open = later;
  }
  return marks;
}

/** @returns what really went in, by `seq`: fewer rows than asked for mean that another gateway was quicker */
export async function insertDecisions(tx: Tx, batch: number, rows: readonly Insertable[]) {
  if (rows.length === 0) return { rows: [], texts: [], answers: [] };
  const column = <K extends keyof DecisionTuple>(at: K) => rows.map(({ tuple }) => tuple[at]);
  const commitments = rows.map(({ tuple }) => commitmentOf(tuple[8], tuple[5], tuple[6], tuple[7]));
  const { rows: inserted } = await sql<{ seq: number; id: string }>`
    with input as (
      select * from unnest(${texts(column(0))}, ${texts(column(1))}, ${texts(column(2))}, ${texts(column(3))}, ${ints(column(4))},
        ${texts(column(5))}, ${texts(column(6))}, ${texts(column(7))}, ${texts(column(8))}, ${reals(column(9))}, ${texts(column(10))},
        ${ints(column(11))}, ${texts(column(12))}, ${texts(column(13))}, ${texts(column(14))}, ${ints(column(15))}, ${ints(column(16))},
        ${texts(column(17))}, ${texts(column(18))}, ${texts(column(19))}, ${texts(column(20))},
        ${ints(rows.map(({ counted }) => (counted ? 1 : 0)))}, ${texts(commitments)}) with ordinality
      as i (id, endpoint, release, arm, generation, cell, subject, payload, salt, score, action, favourable, reasons_json, answered_by,
        because, decided_at_ms, latency_us, idempotency_key, body_hash, source, input_bins, counted, commitment, n)
    ), gone_in as (
      insert into decision (id, endpoint, release, arm, generation, cell, score, action, favourable, reasons_json, answered_by, because,
        decided_at_ms, latency_us, source, idempotency_key, body_hash, counted, commitment, batch)
      select id, endpoint, release, arm, generation, cell, score, action, favourable, reasons_json, answered_by, because,
        decided_at_ms, latency_us, source, idempotency_key, body_hash, counted, commitment, ${batch} from input order by n
      on conflict do nothing returning seq, id
    ), payloads as (
      insert into decision_payload (seq, subject, salt, payload, input_bins)
      select gone_in.seq, input.subject, input.salt, input.payload, input.input_bins from gone_in join input on input.id = gone_in.id
    )
    select seq, id from gone_in order by seq`.execute(tx);
  const byId = new Map(rows.map((row, at) => [row.tuple[0], { ...row, commitment: commitments[at] ?? "" }]));
  const stored = inserted.map(({ seq, id }) => {
    const row = byId.get(id);
    if (!row) throw new Error(`PostgreSQL gave back a decision that wasn't sent: ${id}`);
    return { tuple: row.tuple, row: decisionRow(row.tuple, { seq, counted: row.counted, commitment: row.commitment }) };
  });
  return {
    rows: stored.map(({ row }) => row),
    texts: stored.map(({ row }) => decisionText(row)),
    answers: stored.map(({ row, tuple }) => answerOf(row, tuple[20])),
  };
}

export interface Shadowed {
  readonly shadow: ShadowTuple;
  readonly of: ShadowedDecision & { readonly id: string };
}

/** The decisions that these shadow answers belong to; without those that aren't in the log, and answers that are there already. */
export async function shadowedDecisions(tx: Tx, shadows: readonly ShadowTuple[]): Promise<readonly Shadowed[]> {
  if (shadows.length === 0) return [];
  const { rows } = await sql<Shadowed["of"]>`
    select d.id, d.endpoint, d.cell, d.source, d.release, d.action, p.subject
    from decision d left join decision_payload p on p.seq = d.seq
    where d.id = any(${texts([...new Set(shadows.map(([decision]) => decision))])})`.execute(tx);
  const { rows: known } = await sql<{ decision: string; release: string }>`
    select decision, release from shadow_answer where decision = any(${texts(rows.map(({ id }) => id))})`.execute(tx);
  const ofId = new Map(rows.map((row) => [row.id, row]));
  const seen = new Set(known.map(({ decision, release }) => `${decision}\0${release}`));
  const found: Shadowed[] = [];
  for (const shadow of shadows) {
    const of = ofId.get(shadow[0]);
    const key = `${shadow[0]}\0${shadow[1]}`;
    if (!of || of.cell === ERASED_CELL || seen.has(key)) continue;
    seen.add(key);
    found.push({ shadow, of });
  }
  return found;
}

export async function insertShadows(tx: Tx, batch: number, shadows: readonly (Shadowed & { readonly counted: boolean })[]) {
  const rows = shadows.map(({ shadow, of, counted }, n) => shadowRow(shadow, of, { n, counted }));
  if (rows.length > 0)
    await tx
      .insertInto("shadow_answer")
      .values(rows.map((row) => ({ ...row, batch })))
      .execute();
  return {
    texts: rows.map((row) => shadowText(row)),
    answers: rows.map((row) => shadowAnswerOf(row)),
    flips: rows.flatMap((row) => flipOf(row) ?? []),
  };
}

export interface BatchHead {
  readonly batch: number;
  readonly previous: number;
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly decisions: number;
  readonly shadows: number;
  readonly digest: string;
}

/** Tallies, totals, flips and the batch's own row, in one statement. */
export async function insertTallies(tx: Tx, writer: string, answers: readonly CountedAnswer[], pairs: readonly Flip[], head: BatchHead) {
  const rows = tallyUp(answers);
  const totals = overMinutes(rows);
  const days = overDays(rows);
  const flips = flipsUp(pairs);
  const columns = (of: typeof rows) => sql`${texts(of.map((row) => row.endpoint))}, ${texts(of.map((row) => row.release))},
    ${texts(of.map((row) => row.arm))}, ${ints(of.map((row) => row.minute))}, ${texts(of.map((row) => row.cell))},
    ${texts(of.map((row) => row.action))}, ${texts(of.map((row) => row.source))}, ${ints(of.map((row) => row.decisions))},
    ${ints(of.map((row) => row.counted))}, ${ints(of.map((row) => row.fallback))}, ${ints(of.map((row) => row.scored))},
    ${ints(of.map((row) => row.scoreSumU6))}, ${ints(of.map((row) => row.latencySumUs))}`;
  const names = sql.raw(
    "(endpoint, release, arm, minute, cell, action, source, decisions, counted, fallback, scored, score_sum_u6, latency_sum_us)",
  );
  await sql`
    with tallied as (
      insert into tally (endpoint, release, arm, minute, cell, action, writer, source, ${counts})
      select endpoint, release, arm, minute, cell, action, ${writer}, source, ${counts} from unnest(${columns(rows)}) as t ${names}
      on conflict (endpoint, release, arm, minute, cell, action, writer, source) do update set ${add("tally")}
    ), totalled as (
      insert into tally_total (endpoint, release, arm, cell, action, writer, source, ${counts})
      select endpoint, release, arm, cell, action, ${writer}, source, ${counts} from unnest(${columns(totals)}) as t ${names}
      on conflict (endpoint, release, arm, cell, action, writer, source) do update set ${add("tally_total")}
    ), daily as (
      insert into tally_day (release, endpoint, day, arm, writer, decisions, first_seq, last_seq)
      select release, endpoint, day, arm, ${writer}, decisions, ${head.firstSeq}::bigint, ${head.lastSeq}::bigint
      from unnest(${texts(days.map((row) => row.release))}, ${ints(days.map((row) => row.day))}, ${texts(days.map((row) => row.arm))},
        ${texts(days.map((row) => row.endpoint))}, ${ints(days.map((row) => row.decisions))})
        as t (release, day, arm, endpoint, decisions)
      on conflict (release, endpoint, day, arm, writer) do update set decisions = tally_day.decisions + excluded.decisions,
        first_seq = least(tally_day.first_seq, excluded.first_seq), last_seq = greatest(tally_day.last_seq, excluded.last_seq)
    ), flipped as (
      insert into flip_total (endpoint, shadow_release, live_release, cell, live_action, shadow_action, writer, counted)
      select endpoint, shadow_release, live_release, cell, live_action, shadow_action, ${writer}, counted
      from unnest(${texts(flips.map((row) => row.endpoint))}, ${texts(flips.map((row) => row.shadowRelease))},
        ${texts(flips.map((row) => row.liveRelease))}, ${texts(flips.map((row) => row.cell))}, ${texts(flips.map((row) => row.liveAction))},
        ${texts(flips.map((row) => row.shadowAction))}, ${ints(flips.map((row) => row.counted))})
        as t (endpoint, shadow_release, live_release, cell, live_action, shadow_action, counted)
      on conflict (endpoint, shadow_release, live_release, cell, live_action, shadow_action, writer)
        do update set counted = flip_total.counted + excluded.counted
    )
    insert into decision_batch (batch, writer, previous, first_seq, last_seq, decisions, shadows, digest) overriding system value
    values (${head.batch}, ${writer}, ${head.previous}, ${head.firstSeq}, ${head.lastSeq}, ${head.decisions}, ${head.shadows}, ${head.digest})`.execute(
    tx,
  );
}

const countColumns = ["decisions", "counted", "fallback", "scored", "score_sum_u6", "latency_sum_us"];
const counts = sql.raw(countColumns.join(", "));
const add = (table: string) => sql.raw(countColumns.map((column) => `${column} = ${table}.${column} + excluded.${column}`).join(", "));
