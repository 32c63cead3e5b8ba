/**
 * Tallies and counts by bin against the log, counted anew in SQL: a second way than the product's own recount, and of one moment, since one
 * statement reads both. It can be asked at any moment, also while a server writes.
 */
import type Database from "better-sqlite3";

interface Counted {
  /** What the table counts, as it follows from the log; columns by their order in `counts`. */
  readonly log: string;
  readonly key: readonly string[];
  readonly counts: readonly string[];
}

/** Every answer, people's and shadows', as what is counted of it. The bin of a score is found in integers: scores have six digits here. */
const ANSWERS = `answers as (
    select d.endpoint, d.release, d.arm, d.cell, d.source, d.action, d.decided_at_ms as at_ms, d.batch, d.counted, d.score, d.latency_us, p.input_bins,
      d.answered_by in ('fallback', 'standby') as fallback
    from decision d join decision_payload p on p.seq = d.seq
    union all
    select endpoint, release, 'shadow', cell, source, action, answered_at_ms, batch, counted, score, latency_us, null, because is not null
    from shadow_answer
  ),
  binned as (
    select a.*, b.writer, cast(round(a.score * 1e6) as integer) as score_u6,
      max(-159, cast(ceil(8 * log2(max(a.latency_us, 1) / 1e6)) as integer)) as bucket
    from answers a join decision_batch b on b.batch = a.batch join bin_cursor c on c.writer = b.writer
    where a.batch > c.from_batch and a.batch <= c.batch
  ),
  place(i) as (select 0 union all select i + 1 from place where i < 99)`;

const TALLIED =
  "count(*), sum(counted), sum(fallback), count(score), coalesce(sum(cast(round(score * 1e6) as integer)), 0), sum(latency_us)";
const TALLY_COUNTS = ["decisions", "counted", "fallback", "scored", "score_sum_u6", "latency_sum_us"];
const TALLY_KEY = ["endpoint", "release", "arm", "cell", "source", "action"];
const SERIES = ["writer", "endpoint", "release", "arm"];

const TABLES: Readonly<Record<string, Counted>> = {
  tally: {
    key: [...TALLY_KEY, "minute"],
    counts: TALLY_COUNTS,
    log: `select ${TALLY_KEY.join(", ")}, at_ms / 60000 as minute, ${TALLIED} from answers group by ${TALLY_KEY.join(", ")}, minute`,
  },
  tally_total: {
    key: TALLY_KEY,
    counts: TALLY_COUNTS,
    log: `select ${TALLY_KEY.join(", ")}, ${TALLIED} from answers group by ${TALLY_KEY.join(", ")}`,
  },
  latency_tally: {
    key: [...SERIES, "hour", "bucket"],
    counts: ["count"],
    log: `select ${SERIES.join(", ")}, at_ms / 3600000 as hour, bucket, count(*) from binned group by ${SERIES.join(", ")}, hour, bucket`,
  },
  latency_total: {
    key: [...SERIES, "bucket"],
    counts: ["count"],
    log: `select ${SERIES.join(", ")}, bucket, count(*) from binned group by ${SERIES.join(", ")}, bucket`,
  },
  score_tally: {
    key: [...SERIES, "day", "cell", "bin"],
    counts: ["count", "sum_u6"],
    log: `select ${SERIES.join(", ")}, at_ms / 86400000 as day, cell, min(99, score_u6 / 10000) as bin, count(*), sum(score_u6)
      from binned where score is not null group by ${SERIES.join(", ")}, day, cell, bin`,
  },
  score_total: {
    key: [...SERIES, "cell", "bin"],
    counts: ["count", "sum_u6"],
    log: `select ${SERIES.join(", ")}, cell, min(99, score_u6 / 10000) as bin, count(*), sum(score_u6)
      from binned where score is not null group by ${SERIES.join(", ")}, cell, bin`,
  },
  input_tally: {
    key: [...SERIES, "hour", "input", "bin"],
    counts: ["count"],
    log: `select ${SERIES.join(", ")}, at_ms / 3600000 as hour, i as input, unicode(substr(input_bins, i + 1, 1)) - 33 as bin, count(*)
      from binned join place on i < length(input_bins) group by ${SERIES.join(", ")}, hour, input, bin`,
  },
};

/** A row for each key that counts something else than the log has. */
function differing(table: string, { key, counts, log }: Counted): string {
  const [keys, columns] = [key.join(", "), counts.map((_, i) => `c${i}`)];
  const name = key.map((column) => `coalesce(${column}, '')`).join(" || ' ' || ");
  const off = counts.map((count) => `'${count} ' || sum(${count})`).join(" || ' ' || ");
  return `with recursive ${ANSWERS}, logged(${[...key, ...columns].join(", ")}) as (${log})
    select '${table} ' || ${name} as name, ${off} as off from (
      select ${[...key, ...counts].join(", ")} from ${table} where writer <> 'erased'
      union all select ${[...key, ...columns.map((column) => `-${column}`)].join(", ")} from logged
    ) group by ${keys} having ${counts.map((count) => `sum(${count}) <> 0`).join(" or ")} limit 3`;
}

export interface SqlRecount {
  /** What is off, in sentences; the first three of each table. */
  readonly differences: readonly string[];
  /** Answers that the counts by bin cover, of all that are in the log. */
  readonly binned: number;
  readonly logged: number;
}

/** @param db - opened for this alone, or with nothing under way */
export function recountBySql(db: Database.Database): SqlRecount {
  const differences = Object.entries(TABLES).flatMap(([table, counted]) =>
    db
      .prepare<[], { name: string; off: string }>(differing(table, counted))
      .all()
      .map(({ name, off }) => `${name} is off by ${off}`),
  );
  const count = (sql: string) => Number(db.prepare(sql).pluck().get());
  const binned = count("select coalesce(sum(count), 0) from latency_total");
  const logged = count("select (select count(*) from decision) + (select count(*) from shadow_answer)");
  return { differences, binned, logged };
}
