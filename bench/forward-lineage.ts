/**
 * How long it takes from a dataset version forward to every decision made with it, over a log that is generated here and thrown away.
 *   npx node bench/forward-lineage.ts [--decisions 10000000] [--postgres postgresql://…] [--json]
 * Forty releases of one endpoint over a year, half of them made of the dataset that is asked about. A PostgreSQL has to be an empty one.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { sql } from "kysely";
import { Audit } from "../src/access/index.ts";
import { openRegistry, type LineageEdge } from "../src/registry/index.ts";
import { DecisionLineage } from "../src/releases/index.ts";
import { openStore, systemRuntime, type Store } from "../src/store/index.ts";

const { values } = parseArgs({
  options: { decisions: { type: "string", default: "10000000" }, postgres: { type: "string" }, json: { type: "boolean", default: false } },
});
const DECISIONS = Number(values.decisions);
const RELEASES = 40;
const DAYS = 365;
const DAY_MS = 24 * 60 * 60 * 1000;
const FROM_MS = Date.UTC(2026, 0, 1);
/** In one statement: PostgreSQL is not waited for longer than fifteen seconds. */
const AT_ONCE = 100_000;
const BAR_MS = 1000;

const release = (n: number) => `rel:${String(n).padStart(64, "0")}`;
const used = { kind: "dataset_version", id: `tbl:${"a".repeat(64)}` } as const;
const other = { kind: "dataset_version", id: `tbl:${"b".repeat(64)}` } as const;

const folder = mkdtempSync(join(tmpdir(), "evenkeel-bench-"));
const store = await openStore({ folder, ...(values.postgres ? { postgresUrl: values.postgres } : {}) }, systemRuntime());
try {
  const registry = openRegistry(store, new Audit(store));
  await makeReleases(store);
  await makeDecisions(store);
  const lineage = new DecisionLineage({ store, registry });
  const may = () => true;
  const rounds: { readonly countsMs: number; readonly pageMs: number; readonly dayMs: number }[] = [];
  let counted = 0;
  for (let round = 0; round < 5; round++) {
    const counts = await timed(() => lineage.decidedWith(used, may));
    counted = counts.value.reduce((sum, { decisions }) => sum + decisions, 0);
    const page = await timed(() => lineage.decisionsWith(used, { limit: 1000 }, may));
    const day = await timed(() => lineage.decisionsWith(used, { limit: 1000, day: FROM_MS / DAY_MS + 200 }, may));
    if (page.value.decisions.length === 0 || day.value.decisions.length === 0) throw new Error("a page came back empty");
    rounds.push({ countsMs: counts.ms, pageMs: page.ms, dayMs: day.ms });
  }
  const scanned = await scan(store);
  if (scanned !== counted) throw new Error(`${counted} decisions were counted, the log has ${scanned}`);
  const first = rounds[0];
  const slowest = Math.max(...rounds.map(({ countsMs }) => countsMs));
  if (values.json) console.log(JSON.stringify({ store: store.kind, decisions: DECISIONS, counted, rounds }));
  else {
    console.log(`${store.kind}: ${counted.toLocaleString("en")} of ${DECISIONS.toLocaleString("en")} decisions were made with the dataset`);
    console.log(`counts by endpoint, release and day   first ${first?.countsMs.toFixed(1)} ms, slowest of five ${slowest.toFixed(1)} ms`);
    console.log(`first page of a thousand ids          first ${first?.pageMs.toFixed(1)} ms`);
    console.log(`a thousand ids of one day             first ${first?.dayMs.toFixed(1)} ms`);
    console.log(slowest < BAR_MS ? `within the bar of ${BAR_MS} ms` : `over the bar of ${BAR_MS} ms`);
  }
  if (slowest >= BAR_MS) process.exitCode = 1;
} finally {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
}

/** Dataset → run → model → release, forty times: even ones are made of the dataset that is asked about. */
async function makeReleases(into: Store): Promise<void> {
  const { lineage } = openRegistry(into, new Audit(into));
  const edges = Array.from({ length: RELEASES }, (_, n): LineageEdge[] => {
    const [run, model] = [
      { kind: "run", id: `run-${n}` },
      { kind: "model_version", id: `mdl:${n}` },
    ] as const;
    return [
      { from: n % 2 === 0 ? used : other, to: run, relation: "used_by" },
      { from: run, to: model, relation: "made" },
      { from: model, to: { kind: "release", id: release(n) }, relation: "part_of" },
    ];
  }).flat();
  await into.transaction(async (tx) => {
    await lineage.add(tx, edges);
    for (let n = 0; n < RELEASES; n++)
      await tx
        .insertInto("release")
        .values({
          id: release(n),
          endpoint: "loans",
          number: n + 1,
          name: `m${n}`,
          bundle_json: "{}",
          origin_json: "null",
          created_at_ms: FROM_MS,
          created_by: "bench",
        })
        .execute();
  });
}

/** The rows that a gateway would have written, day after day, and what it would have counted. */
async function makeDecisions(into: Store): Promise<void> {
  const hex = into.kind === "sqlite" ? sql`printf('%032x', n)` : sql`lpad(to_hex(n), 32, '0')`;
  const number =
    into.kind === "sqlite" ? sql`printf('%064d', n % ${sql.lit(RELEASES)})` : sql`lpad((n % ${sql.lit(RELEASES)})::text, 64, '0')`;
  for (let from = 1; from <= DECISIONS; from += AT_ONCE) {
    const to = Math.min(from + AT_ONCE - 1, DECISIONS);
    const numbers =
      into.kind === "sqlite"
        ? sql`(with recursive counted(n) as (select ${from} union all select n + 1 from counted where n < ${to}) select n from counted)`
        : sql`(select generate_series(${from}::bigint, ${to}::bigint) as n)`;
    // Literals: bound numbers are floating-point ones on SQLite, and would divide as such.
    const atMs = sql`${sql.lit(FROM_MS)} + n * ${sql.lit(Math.floor((DAYS * DAY_MS) / DECISIONS))}`;
    await sql`
      insert into decision (seq, id, endpoint, release, arm, generation, cell, score, action, favourable, reasons_json, answered_by, because,
        decided_at_ms, latency_us, source, idempotency_key, body_hash, counted, commitment, batch)
      ${into.kind === "postgres" ? sql`overriding system value` : sql``}
      select n, ${hex}, 'loans', 'rel:' || ${number}, 'live', 1, 'education=university,sex=female', 0.5, 'approve', 1, '[]', 'live', null,
        ${atMs}, 900, 'bench', null, null, 1, '', n / 64 + 1 from ${numbers} as numbered`.execute(into.db);
    await sql`
      insert into tally_day (release, endpoint, day, arm, writer, decisions, first_seq, last_seq)
      select release, endpoint, decided_at_ms / ${sql.lit(DAY_MS)}, arm, 'bench', count(*), min(seq), max(seq)
      from decision where seq >= ${from} and seq <= ${to} group by release, endpoint, decided_at_ms / ${sql.lit(DAY_MS)}, arm
      on conflict (release, endpoint, day, arm, writer) do update set decisions = tally_day.decisions + excluded.decisions,
        last_seq = excluded.last_seq`.execute(into.db);
    if (to % 1_000_000 === 0) console.error(`${to.toLocaleString("en")} decisions`);
  }
}

/** Counts the log itself, a part at a time. */
async function scan(of: Store): Promise<number> {
  let found = 0;
  for (let from = 1; from <= DECISIONS; from += 10 * AT_ONCE) {
    const { rows } = await sql<{ n: number }>`
      select count(*) as n from decision
      where seq >= ${from} and seq < ${from + 10 * AT_ONCE} and cast(substr(release, 66) as integer) % 2 = 0`.execute(of.db);
    found += rows[0]?.n ?? 0;
  }
  return found;
}

async function timed<T>(work: () => Promise<T>): Promise<{ readonly value: T; readonly ms: number }> {
  const from = performance.now();
  const value = await work();
  return { value, ms: performance.now() - from };
}
