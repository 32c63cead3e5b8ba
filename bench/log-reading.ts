/** What a server has recorded, from the database itself: what the API shows comes from the same process that is being looked at. */
import { join } from "node:path";
import Database from "better-sqlite3";

/** What a reply and its record must have in common. */
export interface Decided {
  readonly id: string;
  readonly release: string;
  readonly generation: number;
  readonly action: string;
}
export interface Recorded extends Decided {
  readonly decidedAtMs: number;
}

function reading<T>(folder: string, read: (db: Database.Database) => T): T {
  const db = new Database(join(folder, "evenkeel.db"), { readonly: true, timeout: 5000 });
  try {
    return read(db);
  } finally {
    db.close();
  }
}

const numberOf = (db: Database.Database, sql: string): number => Number(db.prepare(sql).pluck().get());

export const lastSeq = (folder: string): number => reading(folder, (db) => numberOf(db, "select coalesce(max(seq), 0) from decision"));

export const recordedSince = (folder: string, seq: number): readonly Recorded[] =>
  reading(folder, (db) =>
    db
      .prepare<[number], Recorded>(
        `select d.id, 'r' || r.number as release, d.generation, d.action, d.decided_at_ms as decidedAtMs
         from decision d join release r on r.id = d.release and r.endpoint = d.endpoint where d.seq > ?`,
      )
      .all(seq),
  );

export const shadowAnswers = (folder: string): { readonly decisions: number; readonly answers: number } =>
  reading(folder, (db) => ({
    decisions: numberOf(db, "select count(*) from decision"),
    answers: numberOf(db, "select count(*) from shadow_answer"),
  }));
