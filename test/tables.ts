/** All that a server has in its database and among its files, as one hash: what "nothing is written" is checked by. */
import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { vi } from "vitest";
import Database from "better-sqlite3";

/**
 * Written by clocks of their own, seconds after what they are about, and about requests that are refused as well: how many there were, what inputs of
 * releases were like, and evidence that proves nothing yet.
 */
const COUNTED_AFTERWARDS: ReadonlySet<string> = new Set([
  "bin_cursor",
  "expectation_hour",
  "guardrail_begun",
  "guardrail_test",
  "input_profile",
  "input_tally",
  "latency_tally",
  "latency_total",
  "planned_tally",
  "request_tally",
  "score_tally",
  "score_total",
]);

export interface Tables {
  /** Of every row of every table, and of the names of all blobs and half-received uploads. */
  digest(): string;
  /** Resolves once nothing is being written any more: guardrails look once more at what was decided last. */
  still(): Promise<void>;
  close(): void;
}

/** Looks into the database of a running server from beside it. */
export function sqliteTables(folder: string): Tables {
  const db = new Database(join(folder, "evenkeel.db"), { readonly: true });
  const names = db.prepare<[], { readonly name: string }>("select name from sqlite_master where type = 'table' order by name").all();
  const tables = names
    .filter(({ name }) => !COUNTED_AFTERWARDS.has(name))
    .map(({ name }) => ({ name, rows: db.prepare(`select * from "${name}"`) }));
  if (tables.length < 20) throw new Error("these are not all the tables");
  let known = { version: -1, rows: "" };
  const digestOfRows = (): string => {
    const version = Number(db.pragma("data_version", { simple: true })); // moves with every commit of the server
    if (version === known.version) return known.rows;
    const hash = createHash("sha256");
    db.transaction(() => {
      for (const { name, rows } of tables) for (const row of rows.iterate()) hash.update(`${name}${JSON.stringify(row)}`);
    })();
    known = { version, rows: hash.digest("hex") };
    return known.rows;
  };
  return {
    digest() {
      const hash = createHash("sha256").update(digestOfRows());
      for (const kind of ["blobs", "uploads"])
        hash.update(
          readdirSync(join(folder, kind), { recursive: true })
            .map(String)
            .toSorted((a, b) => (a < b ? -1 : 1))
            .join("\n"),
        );
      return hash.digest("hex");
    },
    async still() {
      // Incidents are looked into every half second.
      const LOOKS = 8;
      let [before, same] = ["", 0];
      await vi.waitFor(
        () => {
          const now = this.digest();
          same = now === before ? same + 1 : 0;
          before = now;
          if (same < LOOKS) throw new Error("still writing");
        },
        { interval: 150, timeout: 20_000 },
      );
    },
    close: () => void db.close(),
  };
}
