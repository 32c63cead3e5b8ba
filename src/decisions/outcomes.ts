/** What later turned out to be true for decisions. */
import type { Transaction } from "kysely";
import type { DecisionId, EndpointName } from "../std.ts";
import type { Schema, Store } from "../store/index.ts";
import { ERASED_CELL } from "./digest.ts";
import { OutcomeTallies, type OfDecision } from "./outcome-tallies.ts";
import type { Reader } from "./read-tallies.ts";

type Tx = Transaction<Schema>;

export interface Outcome {
  readonly decision: DecisionId;
  /** As the application says it: `repaid`, `defaulted`, an amount. */
  readonly value: string;
  /** Whether it counts as good, by the endpoint's declaration. */
  readonly good: boolean;
  /** When it became true. */
  readonly atMs: number;
}

export interface RecordedOutcomes {
  /** First outcomes of their decisions. */
  readonly recorded: number;
  /** They differ from what was known. Kept beside it, and counted apart. */
  readonly corrected: number;
  /** Known already; nothing was written. */
  readonly unchanged: number;
  /** Decisions that the endpoint's log doesn't have, or whose person was erased. Nothing was written for them. */
  readonly unknown: readonly DecisionId[];
}

/** One entry of a decision's history of outcomes. */
export interface KnownOutcome {
  readonly value: string;
  readonly good: boolean;
  readonly atMs: number;
  readonly recordedAtMs: number;
  readonly source: string;
}

/** Who tells outcomes, of whose decisions. */
export interface OutcomeSender {
  /** Id of the token. */
  readonly source: string;
  readonly endpoint: EndpointName;
  /** Told, in the same transaction, of decisions whose known outcome is changed: whoever can change outcomes can move what is shown. */
  readonly onCorrected?: (tx: Transaction<Schema>, decisions: readonly DecisionId[]) => Promise<unknown>;
}

const CHUNK = 500;

/**
 * Records outcomes in one transaction. The first of a decision counts; later ones that differ are corrections, which displays add
 * and tests ignore. The same outcome twice changes nothing, so a batch may be sent again.
 * @param from - whose decisions they are about, too: another endpoint's are unknown to it
 */
export async function recordOutcomes(
  store: Store,
  outcomes: readonly Outcome[],
  { source, endpoint, onCorrected }: OutcomeSender,
): Promise<RecordedOutcomes> {
  return store.transaction(async (tx) => {
    const recordedAtMs = store.runtime.clock.nowMs();
    let [recorded, corrected, unchanged] = [0, 0, 0];
    const unknown: DecisionId[] = [];
    const rows: Omit<Schema["outcome"], "seq">[] = [];
    const correctedIds: DecisionId[] = [];
    const tallies = new OutcomeTallies();
    // One order everywhere, so that two gateways that record the same decisions don't wait for each other.
    const ids = [...new Set(outcomes.map(({ decision }) => decision))].toSorted();
    const decisions = await lockDecisions(tx, ids, store.kind);
    const latest = await latestOutcomes(tx, ids);
    for (const outcome of outcomes) {
      const decision = decisions.get(outcome.decision);
      if (!decision || decision.endpoint !== endpoint || decision.cell === ERASED_CELL) {
        unknown.push(outcome.decision);
        continue;
      }
      const good = outcome.good ? 1 : 0;
      const before = latest.get(outcome.decision);
      if (before && before.value === outcome.value && before.good === good) {
        unchanged++;
        continue;
      }
      rows.push({
        decision: outcome.decision,
        value: outcome.value,
        good,
        at_ms: outcome.atMs,
        recorded_at_ms: recordedAtMs,
        source,
        writer: store.writer,
      });
      latest.set(outcome.decision, { value: outcome.value, good, writer: store.writer });
      if (before === undefined) {
        recorded++;
        tallies.add(decision, good, store.writer, { count: 1, corrections: 0 });
        continue;
      }
      corrected++;
      correctedIds.push(outcome.decision);
      if (before.good === good) continue;
      tallies.add(decision, before.good, before.writer, { count: 0, corrections: -1 });
      tallies.add(decision, good, store.writer, { count: 0, corrections: 1 });
    }
    // Before any row is written, as the audit log wants it.
    if (correctedIds.length > 0) await onCorrected?.(tx, correctedIds);
    for (let at = 0; at < rows.length; at += CHUNK)
      await tx
        .insertInto("outcome")
        .values(rows.slice(at, at + CHUNK))
        .execute();
    await tallies.write(tx);
    return { recorded, corrected, unchanged, unknown: [...new Set(unknown)] };
  });
}

/** All that was said about a decision, oldest first: the last one holds. */
export async function readOutcomes(db: Reader, decision: DecisionId): Promise<readonly KnownOutcome[]> {
  const rows = await db.selectFrom("outcome").selectAll().where("decision", "=", decision).orderBy("seq").execute();
  return rows.map((row) => ({
    value: row.value,
    good: row.good === 1,
    atMs: row.at_ms,
    recordedAtMs: row.recorded_at_ms,
    source: row.source,
  }));
}

/** On PostgreSQL the rows stay locked, so that a decision's first outcome can't be recorded twice at once. */
async function lockDecisions(tx: Tx, ids: readonly string[], kind: Store["kind"]): Promise<ReadonlyMap<string, OfDecision>> {
  const found = new Map<string, OfDecision>();
  for (let at = 0; at < ids.length; at += CHUNK) {
    const query = tx
      .selectFrom("decision")
      .select(["id", "endpoint", "release", "arm", "cell", "action", "decided_at_ms", "score"])
      .where("id", "in", ids.slice(at, at + CHUNK))
      .orderBy("id");
    for (const row of await (kind === "postgres" ? query.forUpdate() : query).execute()) found.set(row.id, row);
  }
  return found;
}

async function latestOutcomes(tx: Tx, ids: readonly string[]): Promise<Map<string, Pick<Schema["outcome"], "value" | "good" | "writer">>> {
  const latest = new Map<string, Pick<Schema["outcome"], "value" | "good" | "writer">>();
  for (let at = 0; at < ids.length; at += CHUNK) {
    const rows = await tx
      .selectFrom("outcome")
      .select(["decision", "value", "good", "writer"])
      .where("decision", "in", ids.slice(at, at + CHUNK))
      .orderBy("seq")
      .execute();
    for (const { decision, ...outcome } of rows) latest.set(decision, outcome);
  }
  return latest;
}
