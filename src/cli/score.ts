import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { EvenkeelProblem, EvenkeelUnreachable, type EvenkeelClient } from "../client.ts";
import type { DecisionReplyView } from "../api/index.ts";
import { Answers, JournalProblem, sha256OfFile } from "./score-journal.ts";
import { BadLine, csvRows, ndjsonRows, type Asked, type FileRow } from "./score-rows.ts";
import { UsageError, verb } from "./verb.ts";

const MAX_BATCH = 10_000;
const TRIES = 10;

export const score = verb({
  name: "score",
  help: `ask an endpoint about everybody in a file

usage: evenkeel score <endpoint> --in <people.csv|.ndjson> [--out <answers.ndjson>] [--batch <rows>] [--drop <column>…] [--skip-bad]

  --in        CSV with a header line (inputs, groups, subject), or NDJSON with the body of a decision on each line
  --out       where answers go, one a line in the order of the rows; beside the input by default
  --batch     rows in one request, 1,000 by default, 10,000 at most
  --drop      a column that is not for the endpoint
  --skip-bad  passes over rows that can't be decided and says so in the answers; else the first one ends the job

A job that was stopped goes on where it was when it is run again, with the same token: every row has a key made of the file's digest and
its number, so nobody is decided about twice. Needs an application's token.

examples:
  evenkeel score loans --in people.csv --token ek_application_…
  evenkeel score loans --in people.ndjson --out answers.ndjson --batch 5000`,
  words: 1,
  options: {
    in: { type: "string" },
    out: { type: "string" },
    batch: { type: "string" },
    drop: { type: "string", multiple: true },
    "skip-bad": { type: "boolean" },
  },
  async run({ positionals: [endpoint], values }, { client, io, cwd, env }) {
    if (!endpoint || !values.in) throw new UsageError("an endpoint and --in are needed");
    const batch = Number(values.batch ?? 1000);
    if (!Number.isInteger(batch) || batch < 1 || batch > MAX_BATCH) throw new UsageError(`--batch takes 1 to ${MAX_BATCH}`);
    const isCsv = /\.csv$/i.test(values.in);
    if (!isCsv && !/\.(ndjson|jsonl)$/i.test(values.in)) throw new UsageError("--in takes a .csv, .ndjson or .jsonl file");
    const path = resolve(cwd, values.in);
    if (!existsSync(path)) throw new JournalProblem(`there is no file ${values.in}`);
    const out = values.out ?? values.in.replace(/\.[^.]+$/, ".answers.ndjson");

    const server = client();
    io.progress(`reading ${values.in}`);
    const digest = await sha256OfFile(path);
    const token = createHash("sha256")
      .update(values.token ?? env["EVENKEEL_TOKEN"] ?? "local")
      .digest("hex")
      .slice(0, 16);
    const rows = isCsv ? csvRows(path, await askedBy(server, endpoint), new Set(values.drop)) : ndjsonRows(path);
    const answers = await Answers.open(resolve(cwd, out), { endpoint, input: digest, token });
    const before = answers.progress.rows;
    if (before > 0) io.note(`going on after ${before.toLocaleString("en")} rows`);
    const job = new Job({
      server,
      answers,
      endpoint,
      digest,
      skipBad: values["skip-bad"] ?? false,
      waiting: (why) => io.progress(`waiting: ${why}`),
    });
    const startedMs = process.hrtime.bigint();
    const seconds = () => Number(process.hrtime.bigint() - startedMs) / 1e9;
    try {
      let at = 0;
      let waiting: NumberedRow[] = [];
      for await (const row of rows) {
        if (++at <= before) continue;
        waiting.push({ ...row, number: at });
        if (waiting.length < batch) continue;
        await job.ask(waiting);
        waiting = [];
        io.progress(`${at.toLocaleString("en")} rows, ${Math.round((at - before) / seconds()).toLocaleString("en")}/s`);
      }
      await job.ask(waiting);
    } catch (error) {
      io.progress(undefined);
      await answers.close();
      if (!(error instanceof BadLine)) throw error;
      io.note(`${values.in}:${error.line}: ${error.message}`);
      io.note(`stopped after ${answers.progress.rows.toLocaleString("en")} rows; with --skip-bad it goes on without such rows`);
      return 1;
    }
    await answers.finish();
    io.progress(undefined);
    const { rows: all, skipped } = answers.progress;
    const summary = {
      endpoint,
      rows: all,
      rowsNow: all - before,
      skipped,
      actions: job.actions,
      seconds: Math.round(seconds() * 10) / 10,
      out,
    };
    if (values.json) io.out(JSON.stringify(summary));
    else {
      const counts = Object.entries(job.actions).map(([action, count]) => `${action} ${count.toLocaleString("en")}`);
      const passed = skipped > 0 ? `, ${skipped.toLocaleString("en")} passed over` : "";
      io.out(
        `${all.toLocaleString("en")} rows${before > 0 ? `, ${(all - before).toLocaleString("en")} of them now,` : ""} in ${summary.seconds} s${passed}: ${counts.join(", ") || "nothing to decide"}\n${out}`,
      );
    }
    return skipped > 0 ? 3 : 0;
  },
});

interface NumberedRow extends FileRow {
  /** 1-based, among the rows of the file. */
  readonly number: number;
}

interface JobParts {
  readonly server: EvenkeelClient;
  readonly answers: Answers;
  readonly endpoint: string;
  readonly digest: string;
  readonly skipBad: boolean;
  readonly waiting: (why: string) => void;
}

class Job {
  readonly #parts: JobParts;
  /** Decisions of this run by action. */
  readonly actions: Record<string, number> = {};

  constructor(parts: JobParts) {
    this.#parts = parts;
  }

  /** Asks about some rows and writes what came. @throws BadLine */
  async ask(rows: readonly NumberedRow[]): Promise<void> {
    if (rows.length === 0) return;
    const bad = new Map<number, string>();
    let replies: readonly DecisionReplyView[] = [];
    let good = rows;
    for (;;) {
      good = rows.filter(({ number }) => !bad.has(number));
      try {
        replies = good.length === 0 ? [] : await this.#send(good);
        break;
      } catch (error) {
        const faults = error instanceof EvenkeelProblem ? faultsOf(error, good) : [];
        const [first] = faults;
        if (!first) throw error;
        if (!this.#parts.skipBad) throw new BadLine(first.row.line, first.message);
        for (const { row, message } of faults) if (!bad.has(row.number)) bad.set(row.number, message);
      }
    }
    const replyOf = new Map(good.map(({ number }, i) => [number, replies[i]]));
    const lines = rows.map(({ number, line }) => {
      const reply = replyOf.get(number);
      if (!reply) return JSON.stringify({ row: number, line, error: bad.get(number) });
      this.actions[reply.action] = (this.actions[reply.action] ?? 0) + 1;
      return JSON.stringify({ row: number, line, ...reply });
    });
    await this.#parts.answers.add(`${lines.join("\n")}\n`, rows.length, bad.size);
  }

  /** Again and again while the server has too much to do or is being restarted: the keys make it harmless. */
  async #send(rows: readonly NumberedRow[]): Promise<readonly DecisionReplyView[]> {
    const { server, endpoint, digest, waiting } = this.#parts;
    const applications = rows.map(({ body, number }) => ({ ...body, key: `score-${digest.slice(0, 32)}-${number}` }));
    const path = `/v1/endpoints/${encodeURIComponent(endpoint)}/decisions/batch`;
    for (let tries = 1; ; tries++) {
      try {
        const { decisions } = await server.post<{ readonly decisions: readonly DecisionReplyView[] }>(path, { applications });
        return decisions;
      } catch (error) {
        const isPassing = error instanceof EvenkeelUnreachable || (error instanceof EvenkeelProblem && error.problem.status === 503);
        if (!isPassing || tries === TRIES) throw error;
        waiting(error.message);
        await sleep(Math.min(5000, 250 * 2 ** tries));
      }
    }
  }
}

/** Which rows the server refused, and why; each once. */
function faultsOf({ problem }: EvenkeelProblem, rows: readonly NumberedRow[]): readonly { row: NumberedRow; message: string }[] {
  return (problem.errors ?? []).flatMap(({ path, expected, got, hint }) => {
    const [, index, rest] = /^\/applications\/(\d+)\/?(.*)$/.exec(path) ?? [];
    const row = index === undefined ? undefined : rows[Number(index)];
    if (!row) return [];
    const came = got === undefined ? "" : `, got ${got}`;
    return [{ row, message: `${rest || "row"}: expected ${expected}${came}${hint === undefined ? "" : `; ${hint}`}` }];
  });
}

const TYPES = { FP64: "number", INT64: "integer", BOOL: "boolean", BYTES: "string" } as const;

/** What the endpoint asks, as an application may know it. */
async function askedBy(server: EvenkeelClient, endpoint: string): Promise<Asked> {
  const { inputs } = await server.get<{
    readonly inputs: readonly {
      readonly name: string;
      readonly datatype: keyof typeof TYPES;
      readonly parameters?: { readonly required?: boolean; readonly role?: string; readonly attribute?: string };
    }[];
  }>(`/v2/models/${encodeURIComponent(endpoint)}`);
  const fields = inputs.filter(({ parameters }) => parameters?.role === undefined);
  const groups = inputs.flatMap(({ parameters }) => (parameters?.role === "group" && parameters.attribute ? [parameters.attribute] : []));
  return {
    inputs: Object.fromEntries(
      fields.map(({ name, datatype, parameters }) => [name, { type: TYPES[datatype], optional: parameters?.required === false }]),
    ),
    groups: Object.fromEntries(groups.map((name) => [name, []])),
  };
}
