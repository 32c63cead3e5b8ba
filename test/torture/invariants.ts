/** What must hold after every fault: I1 to I6 of the fault catalogue, found on the database itself. */
import { Audit } from "../../src/access/index.ts";
import { recount, verifyLog } from "../../src/decisions/index.ts";
import type { DecisionReplyView } from "../../src/api/decision-routes.ts";
import { evolve, emptyTable, type RouteTable } from "../../src/releases/route-table.ts";
import { parseTransition } from "../../src/releases/transition.ts";
import type { Sent } from "./load-order.ts";
import { application, rightAction } from "./applications.ts";
import { openToRead, type ReadStore } from "./read-store.ts";
import { recountBySql } from "./recount-by-sql.ts";

/** A decision that somebody was answered: what it must be found as. */
export interface Acknowledged {
  readonly id: string;
  readonly payload: string;
  readonly action: string;
  readonly score: number | null;
  readonly release: string;
  readonly generation: number;
  readonly route: string;
  readonly decidedAtMs: number;
}

export interface Findings {
  readonly lost: number;
  readonly doubled: number;
  readonly wrong: number;
  readonly tallyOff: number;
  /** Answers that the counts by bin cover: the newest two seconds or so wait in memory. */
  readonly binned: number;
  readonly decisions: number;
  /** The endpoint's table, folded from its transitions. */
  readonly table: RouteTable;
  /** `r3`: what the fold says is live. */
  readonly live: string;
  /** All that doesn't hold, in sentences; the first of each kind. */
  readonly failures: readonly string[];
}

const asReply = (text: string): DecisionReplyView => JSON.parse(text) as DecisionReplyView;

/** What the load was answered with 200, and how many of those answers are not what the release must say. */
export function acknowledgedOf(run: string, sent: readonly Sent[]): { readonly acked: readonly Acknowledged[]; readonly wrong: number } {
  let wrong = 0;
  const acked = sent.flatMap(({ n, status, body }) => {
    if (status !== 200) return [];
    const { id, action, score, release, generation, route, decidedAt } = asReply(body);
    if (rightAction(release, n) !== action) wrong++;
    const payload = application(run, n).body;
    return [{ id, payload, action, score, release, generation, route, decidedAtMs: Date.parse(decidedAt) }];
  });
  return { acked, wrong };
}

interface Row {
  readonly id: string;
  readonly payload: string;
  readonly action: string;
  readonly score: number | null;
  readonly number: number;
  readonly generation: number;
  readonly answered_by: string;
  readonly decided_at_ms: number;
}

const ROWS = `select d.id, p.payload, d.action, d.score, r.number, d.generation, d.answered_by, d.decided_at_ms
  from decision d join decision_payload p on p.seq = d.seq left join release r on r.id = d.release and r.endpoint = d.endpoint order by d.seq`;

/**
 * Looks at everything. `doubled` counts people decided about twice: the applicants of this suite come once each.
 * @param isLive - a server runs on the folder
 */
export async function inspect(folder: string, acked: readonly Acknowledged[], isLive: boolean): Promise<Findings> {
  let read: ReadStore | undefined;
  try {
    read = openToRead(folder, isLive);
    return await inspectOpen(read, acked);
  } finally {
    read?.close();
  }
}

async function inspectOpen({ sqlite, db, store }: ReadStore, acked: readonly Acknowledged[]): Promise<Findings> {
  const failures: string[] = [];
  const integrity = sqlite.pragma("integrity_check(5)", { simple: true });
  if (integrity !== "ok") failures.push(`I6: integrity_check says ${String(integrity)}`);

  const rows = sqlite.prepare<[], Row>(ROWS).all();
  const byId = new Map<string, Row>();
  const payloads = new Set<string>();
  let doubled = 0;
  for (const row of rows) {
    if (byId.has(row.id) || payloads.has(row.payload)) doubled++;
    byId.set(row.id, row);
    payloads.add(row.payload);
  }
  if (doubled > 0) failures.push(`I2: ${doubled} decisions are in the log twice`);

  let [lost, wrong] = [0, 0];
  for (const ack of acked) {
    const row = byId.get(ack.id);
    if (!row) lost++;
    else if (!isSame(row, ack)) {
      wrong++;
      if (wrong === 1) failures.push(`I1: acknowledged ${JSON.stringify(ack)}, recorded ${JSON.stringify(row)}`);
    }
  }
  if (lost > 0) failures.push(`I1: ${lost} of ${acked.length} acknowledged decisions are not in the log`);

  const counted = await recount(store);
  for (const { table, key, message } of counted.differences.slice(0, 1)) failures.push(`I3: ${table} ${key}: ${message}`);
  const bySql = recountBySql(sqlite);
  for (const difference of bySql.differences.slice(0, 1)) failures.push(`I3, by SQL: ${difference}`);
  const log = await verifyLog(store);
  for (const { message } of log.problems.slice(0, 1)) failures.push(`I1: the log doesn't verify: ${message}`);
  const audit = await new Audit(store).verify();
  if (!audit.ok) failures.push(`I5: the audit log doesn't verify: ${JSON.stringify(audit)}`);

  const transitions = await db.selectFrom("transition").selectAll().where("endpoint", "=", "loans").orderBy("generation").execute();
  const table = transitions.map(parseTransition).reduce<RouteTable>(evolve, emptyTable);
  const routed = sqlite
    .prepare<[], { n: number }>("select count(*) as n from audit where json_extract(entry_json, '$.action') like 'route.%'")
    .get();
  if (routed?.n !== transitions.length) failures.push(`I4: ${transitions.length} transitions, and the audit log has ${routed?.n ?? 0}`);
  const live = sqlite
    .prepare<[string], { name: string }>("select 'r' || number as name from release where id = ? and endpoint = 'loans'")
    .get(table.kind === "open" ? table.live : "");
  return {
    live: live?.name ?? "none",
    lost,
    doubled,
    wrong,
    tallyOff: Math.max(counted.differences.length, bySql.differences.length),
    binned: bySql.binned,
    decisions: rows.length,
    table,
    failures,
  };
}

const isSame = (row: Row, ack: Acknowledged): boolean =>
  row.payload === ack.payload &&
  row.action === ack.action &&
  row.score === ack.score &&
  `r${row.number}` === ack.release &&
  row.generation === ack.generation &&
  row.answered_by === ack.route &&
  row.decided_at_ms === ack.decidedAtMs;
