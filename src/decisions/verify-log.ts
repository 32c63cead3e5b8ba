/** Whether the log is what was written: every batch's digest recomputed and followed back to the first. */
import type { Store } from "../store/index.ts";
import { ERASED_CELL, NO_DIGEST, batchDigest, commitmentOf, decisionText, shadowText } from "./digest.ts";
import { loggedBatches, type LoggedBatch, type LoggedDecision } from "./log-rows.ts";
import type { Reader } from "./read-tallies.ts";

/** Where the log ends: kept elsewhere, it lets a cut end or a rewritten log be found. */
export interface LogHead {
  readonly batch: number;
  readonly digest: string;
}

export interface LogProblem {
  readonly batch: number;
  /** The decision's number, where one is to blame. */
  readonly seq: number | null;
  readonly kind:
    | "batch-changed"
    | "batch-missing"
    | "rows-missing"
    | "rows-unbatched"
    | "personal-parts-changed"
    | "shadow-cell-changed"
    | "head-differs";
  readonly message: string;
}

export interface LogVerdict {
  readonly ok: boolean;
  readonly batches: number;
  readonly decisions: number;
  readonly shadows: number;
  /** Decisions whose personal parts were erased: their commitments stand, and nothing can be compared with them any more. */
  readonly erased: number;
  readonly head: LogHead | null;
  /** The first hundred. */
  readonly problems: readonly LogProblem[];
}

const MAX_PROBLEMS = 100;

/**
 * Recomputes the chain. What it can't see by itself is an end cut off, or everything rewritten: for that, give a head that was kept
 * where this database's owner can't change it.
 */
export async function verifyLog(store: Store, keptHead?: LogHead): Promise<LogVerdict> {
  const { db } = store;
  const problems: LogProblem[] = [];
  const tell = (problem: LogProblem) => {
    if (problems.length < MAX_PROBLEMS) problems.push(problem);
  };
  let [batches, decisions, shadows, erased] = [0, 0, 0, 0];
  let head: LogHead | null = null;
  const digests = new Map<number, string>([[0, NO_DIGEST]]);
  const lastOfWriter = new Map<string, number>();
  const upTo =
    (
      await db
        .selectFrom("decision_batch")
        .select((eb) => eb.fn.max("batch").as("batch"))
        .executeTakeFirst()
    )?.batch ?? 0;
  for await (const batch of loggedBatches(db, upTo)) {
    batches++;
    decisions += batch.decisions.length;
    shadows += batch.shadows.length;
    const { batch: number, previous, writer, digest } = batch.head;
    const expectedPrevious = lastOfWriter.get(writer);
    if (!digests.has(previous) || (expectedPrevious !== undefined && previous !== expectedPrevious))
      tell({ batch: number, seq: null, kind: "batch-missing", message: `batch ${number} follows ${previous}, which is not where it was` });
    for (const problem of problemsOf(batch, digests.get(previous) ?? NO_DIGEST)) tell(problem);
    for (const decision of batch.decisions) {
      if (decision.cell === ERASED_CELL) erased++;
      const wrong = personalProblem(decision);
      if (wrong) tell({ batch: number, seq: decision.seq, kind: "personal-parts-changed", message: `decision ${decision.id}: ${wrong}` });
    }
    // The stored digest is followed, so that one wrong batch is told once and not with every later one.
    digests.set(number, digest);
    lastOfWriter.set(writer, number);
    if (digests.size > 10_000) forgetAllBut(digests, new Set(lastOfWriter.values()));
    head = { batch: number, digest };
    if (keptHead?.batch === number && keptHead.digest !== digest) tell(differs(keptHead));
  }
  if (keptHead && keptHead.batch > (head?.batch ?? 0)) tell(differs(keptHead));
  for (const problem of await outsideOfBatches(db, upTo, decisions)) tell(problem);
  return { ok: problems.length === 0, batches, decisions, shadows, erased, head, problems };
}

function problemsOf(batch: LoggedBatch, previousDigest: string): readonly LogProblem[] {
  const { head, decisions, shadows } = batch;
  const at = { batch: head.batch, seq: null };
  if (decisions.length !== head.decisions || shadows.length !== head.shadows) {
    const message = `batch ${head.batch} had ${head.decisions} decisions and ${head.shadows} shadow answers, and has ${decisions.length} and ${shadows.length}`;
    return [{ ...at, kind: "rows-missing", message }];
  }
  const texts = [...decisions.map((row) => decisionText(row)), ...shadows.map((row) => shadowText(row))];
  if (batchDigest({ previousDigest, batch: head.batch, writer: head.writer }, texts) === head.digest) return [];
  return [
    {
      ...at,
      kind: "batch-changed",
      message: `batch ${head.batch} (decisions ${head.first_seq} to ${head.last_seq}) is not as it was written`,
    },
  ];
}

function personalProblem({ cell, salt, subject, payload, commitment }: LoggedDecision): string | undefined {
  if (salt === null || payload === null) return cell === ERASED_CELL ? undefined : "the request is gone, and the person wasn't erased";
  if (commitmentOf(salt, cell, subject, payload) === commitment) return undefined;
  return "cell, subject or request is not as it was recorded";
}

const differs = ({ batch }: LogHead): LogProblem => ({
  batch,
  seq: null,
  kind: "head-differs",
  message: `the log doesn't hold batch ${batch} with the digest that was kept: its end was cut off, or it was written anew`,
});

/** Rows that no batch vouches for, and shadow answers told to be of another cell than their decision. */
async function outsideOfBatches(db: Reader, upTo: number, seen: number): Promise<readonly LogProblem[]> {
  const problems: LogProblem[] = [];
  const stored = await db
    .selectFrom("decision")
    .select((eb) => eb.fn.countAll<number>().as("count"))
    .where("batch", "<=", upTo)
    .executeTakeFirstOrThrow();
  if (stored.count !== seen)
    problems.push({
      batch: 0,
      seq: null,
      kind: "rows-unbatched",
      message: `${stored.count} decisions are stored, and batches hold ${seen}`,
    });
  const moved = await db
    .selectFrom("shadow_answer as s")
    .innerJoin("decision as d", "d.id", "s.decision")
    .select(["s.batch", "d.seq", "d.id"])
    .where((eb) => eb("s.cell", "!=", eb.ref("d.cell")))
    .limit(MAX_PROBLEMS)
    .execute();
  for (const { batch, seq, id } of moved)
    problems.push({ batch, seq, kind: "shadow-cell-changed", message: `the shadow answer to ${id} is told to be of another cell` });
  return problems;
}

function forgetAllBut(digests: Map<number, string>, kept: ReadonlySet<number>): void {
  for (const number of digests.keys()) if (!kept.has(number)) digests.delete(number);
}
