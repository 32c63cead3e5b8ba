/**
 * Which decisions are about whom, on SQLite. An index that is kept row by row is written at a random place for every decision: that
 * was 93 of the 130 pages of a batch of 64, and a third of its time. Here the newest rows wait in memory and go into the table
 * `subject_index` by the thousand, in its order. What waits is found in the log again after a crash: `indexed up to` is stored with
 * each flush, and rows beyond it are read when the log is opened.
 */
import type { SqliteProcedure } from "../store/index.ts";

type Database = Parameters<SqliteProcedure<unknown, unknown>>[0];

/** One for each first digit of a hash: a bucket is a range of the index, so that its rows go to neighbouring pages. */
const BUCKETS = 16;

export interface SubjectIndexLimits {
  /** Rows of a bucket that are worth a flush. */
  readonly flushAt: number;
  /** No row waits longer than for so many others: what isn't indexed is searched one by one. */
  readonly maxBehind: number;
}
const usual: SubjectIndexLimits = { flushAt: 2048, maxBehind: 65_536 };

interface Bucket {
  readonly seqsOf: Map<string, number[]>;
  size: number;
  firstSeq: number;
}
const emptyBucket = (): Bucket => ({ seqsOf: new Map(), size: 0, firstSeq: Number.POSITIVE_INFINITY });

export class SubjectIndex {
  readonly #statements: ReturnType<typeof prepare>;
  readonly #limits: SubjectIndexLimits;
  #buckets: Bucket[] = [];

  constructor(db: Database, limits: SubjectIndexLimits = usual) {
    this.#statements = prepare(db);
    this.#limits = limits;
    this.reload();
  }

  /** Finds what waits in the log: when it is opened, and when a transaction failed. */
  reload(): void {
    this.#buckets = Array.from({ length: BUCKETS }, emptyBucket);
    for (const { seq, subject } of this.#statements.notIndexed.iterate()) this.add(subject, seq);
  }

  add(subject: string, seq: number): void {
    const bucket = this.#bucketOf(subject);
    const seqs = bucket.seqsOf.get(subject);
    if (seqs) seqs.push(seq);
    else bucket.seqsOf.set(subject, [seq]);
    bucket.size++;
    bucket.firstSeq = Math.min(bucket.firstSeq, seq);
  }

  /** Decisions about the subject that aren't in the table yet. */
  waiting(subject: string): readonly number[] {
    return this.#bucketOf(subject).seqsOf.get(subject) ?? none;
  }

  isInTable(subject: string): boolean {
    return this.#statements.isInTable.get(subject) !== undefined;
  }

  /** Moves one bucket into the table, if one is due; within the transaction that the caller has begun. */
  flushWhenDue(lastSeq: number): void {
    let due: Bucket | undefined;
    for (const bucket of this.#buckets) {
      if (bucket.size < this.#limits.flushAt && bucket.firstSeq >= lastSeq - this.#limits.maxBehind) continue;
      if (!due || bucket.firstSeq < due.firstSeq) due = bucket;
    }
    if (!due) return;
    for (const [subject, seqs] of [...due.seqsOf].toSorted(([a], [b]) => (a < b ? -1 : 1)))
      for (const seq of seqs) this.#statements.insert.run(subject, seq);
    this.#buckets[this.#buckets.indexOf(due)] = emptyBucket();
    const firstWaiting = Math.min(...this.#buckets.map(({ firstSeq }) => firstSeq));
    this.#statements.setIndexedUpTo.run(String(Math.min(firstWaiting - 1, lastSeq)));
  }

  #bucketOf(subject: string): Bucket {
    const bucket = this.#buckets[Number.parseInt(subject.charAt(0), BUCKETS) || 0];
    if (!bucket) throw new Error("a hexadecimal digit has a bucket");
    return bucket;
  }
}

const none: readonly number[] = [];

function prepare(db: Database) {
  return {
    notIndexed: db.prepare<[], { seq: number; subject: string }>(
      `select seq, subject from decision_payload
       where seq > (select cast(value as integer) from setting where key = 'subject_indexed_up_to') and subject is not null order by seq`,
    ),
    isInTable: db.prepare<[string], unknown>("select seq from subject_index where subject = ? limit 1"),
    insert: db.prepare<[string, number]>("insert or ignore into subject_index (subject, seq) values (?, ?)"),
    setIndexedUpTo: db.prepare<[string]>("update setting set value = ? where key = 'subject_indexed_up_to'"),
  };
}
