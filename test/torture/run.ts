/**
 * The fault suite: makes what can go wrong go wrong on this machine, and looks whether every promise still holds.
 *
 * `npm run torture [-- --short --only F1,K --seed 7 --minutes 10 --json out.json]`
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, totalmem, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import Database from "better-sqlite3";
import { chance } from "./chance.ts";
import { cases } from "./cases.ts";
import type { Case, Prepared, Torment } from "./case.ts";
import { endLeftovers, prepareFolder } from "./server-process.ts";
import { failuresOf, mayBeLuck, reportOf, verdictOf, type Finished, type Header } from "./report.ts";

const HELP = `the fault suite: makes what can go wrong go wrong, and looks whether every promise still holds

usage: npm run torture [-- --short] [--retry] [--only <id,…>] [--seed <n>] [--minutes <n>] [--json <file>]

  --short    a sample of each, some minutes: what CI runs
  --retry    what fails by its time or its load is tried once more, and the report names it; a lost decision is never tried away
  --only     these cases alone, by their ids: ${cases.map(({ id }) => id).join(", ")}
  --seed     chooses the moments; the same seed chooses the same ones (default 7)
  --minutes  how long cases with many moments may go on choosing more, together (default 15)
  --json     also writes all results to a file, or with - to standard output instead of the report`;

const { values } = parseArgs({
  options: {
    short: { type: "boolean", default: false },
    retry: { type: "boolean", default: false },
    only: { type: "string", multiple: true },
    seed: { type: "string", default: "7" },
    minutes: { type: "string", default: "15" },
    json: { type: "string" },
    help: { type: "boolean", default: false },
  },
});

function fail(message: string): never {
  console.error(`torture: ${message}`);
  process.exit(2);
}

function wholeNumber(name: string, text: string): number {
  const value = Number(text);
  return Number.isInteger(value) && value >= 0 ? value : fail(`--${name} takes a whole number, not "${text}"`);
}

function chosen(): readonly Case[] {
  const ids = values.only?.flatMap((text) => text.split(","));
  const unknown = ids?.find((id) => !cases.some((one) => one.id === id));
  if (unknown !== undefined) fail(`there is no case "${unknown}"; there are ${cases.map(({ id }) => id).join(", ")}`);
  return ids ? cases.filter(({ id }) => ids.includes(id)) : cases;
}

for (const signal of ["SIGINT", "SIGTERM"])
  process.once(signal, () => {
    endLeftovers();
    process.exit(130);
  });

const suiteFolder = mkdtempSync(join(tmpdir(), "evenkeel-torture-"));
let prepared: Promise<Prepared> | undefined;
async function prepare(): Promise<Prepared> {
  const folder = join(suiteFolder, "prepared");
  return { folder, token: await prepareFolder(folder) };
}

async function runOne(one: Case, seed: number, budgetMs: number): Promise<Finished> {
  const startedMs = performance.now();
  const folders: string[] = [];
  const torment: Torment = {
    seed,
    random: chance(Buffer.from(one.id).reduce((sum, byte) => Math.imul(sum, 31) + byte, seed)),
    isShort: values.short,
    budgetMs,
    folder() {
      const folder = mkdtempSync(join(tmpdir(), "evenkeel-torture-"));
      folders.push(folder);
      return folder;
    },
    prepared: () => (prepared ??= prepare()),
    say: (text) => process.stderr.write(process.stderr.isTTY ? `\r\u001b[2K${one.id}  ${text}` : ""),
  };
  const finish = (outcome: Finished["outcome"]): Finished => {
    const finished = { case: one, seconds: (performance.now() - startedMs) / 1000, outcome };
    const clear = process.stderr.isTTY ? "\r\u001b[2K" : "";
    process.stderr.write(`${clear}${one.id.padEnd(4)} ${one.title.padEnd(52)} ${verdictOf(finished)} (${finished.seconds.toFixed(1)} s)\n`);
    return finished;
  };
  try {
    const why = one.cannot();
    return finish(why === undefined ? await one.run(torment) : { kind: "skipped", why });
  } catch (error) {
    return finish({ kind: "broke", why: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  } finally {
    endLeftovers();
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  }
}

/** Of the sources that run; a package outside of a checkout has none. */
function commit(): string {
  const { status, stdout } = spawnSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" });
  return status === 0 ? stdout.trim() : "unknown";
}

function sqliteVersion(): string {
  const db = new Database(":memory:");
  const version = String(db.prepare("select sqlite_version()").pluck().get());
  db.close();
  return version;
}

if (values.help) {
  console.log(HELP);
} else {
  const startedMs = performance.now();
  const [seed, minutes] = [wholeNumber("seed", values.seed), wholeNumber("minutes", values.minutes)];
  const todo = chosen();
  const finished: Finished[] = [];
  try {
    for (const one of todo) {
      const run = () => runOne(one, seed, (minutes * 60_000) / todo.length);
      const first = await run();
      finished.push(values.retry && mayBeLuck(first) ? { ...(await run()), firstFailed: failuresOf(first) } : first);
    }
  } finally {
    rmSync(suiteFolder, { recursive: true, force: true });
  }
  const header: Header = {
    seed,
    commit: commit(),
    node: process.versions.node,
    sqlite: sqliteVersion(),
    cores: availableParallelism(),
    memoryGib: Math.round(totalmem() / 2 ** 30),
    seconds: (performance.now() - startedMs) / 1000,
  };
  const results = finished.map(({ case: { id, title, section }, ...rest }) => ({
    id,
    title,
    section,
    verdict: verdictOf({ case: { id, title, section }, ...rest }),
    ...rest,
  }));
  const json = JSON.stringify({ ...header, results }, null, 2);
  if (values.json === "-") console.log(json);
  else {
    if (values.json !== undefined) writeFileSync(values.json, `${json}\n`);
    console.log(reportOf(header, finished));
  }
  process.exitCode = finished.some((one) => verdictOf(one) === "FAIL") ? 1 : 0;
}
