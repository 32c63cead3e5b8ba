/**
 * `npm run bench:mlflow`: the same requests of MLflow's protocol to this server and, where Python and the package index can be had, to
 * `mlflow server` with SQLite: batches of 1,000 points, and searches among 10,000 runs.  -- --json prints one JSON object; --runs <count>
 * Ends with 1 where a bar is missed; without MLflow there is none to miss.
 */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import Database from "better-sqlite3";
import { mlflowServer } from "../scripts/mlflow-server.ts";
import { pythonEnvironment } from "../scripts/python-environment.ts";

const { values } = parseArgs({ options: { json: { type: "boolean", default: false }, runs: { type: "string", default: "10000" } } });
const RUNS = Number(values.runs);
const BATCHES = 30;
/** As fast as their server, so often. */
const BAR_TIMES = 5;
const POINTS = 1000;
const SEARCHES = 10;
const AT_ONCE = 8;
const folder = mkdtempSync(join(tmpdir(), "evenkeel-bench-"));

interface Target {
  readonly name: string;
  readonly post: (path: string, body: object) => Promise<Answer>;
  readonly stop: () => Promise<void>;
  /** Fills an experiment that has one run with copies of it. */
  readonly fill: (experiment: string, model: string) => Promise<void>;
}
type Answer = Readonly<Record<string, unknown>>;
interface Figures {
  readonly pointsPerSecond: number;
  readonly pointsPerSecondAtOnce: number;
  readonly searchMs: Readonly<Record<string, number>>;
}

const SEARCH = {
  "the newest 1,000": { max_results: 1000 },
  "the best 100 of a kind": { filter: "metrics.auc > 0.5 and params.kind = 'forest'", order_by: ["metrics.auc DESC"], max_results: 100 },
  "one by its tag": { filter: "tags.n = '77'", max_results: 100 },
};

const poster =
  (url: string, headers: Readonly<Record<string, string>>): Target["post"] =>
  async (path, body) => {
    const answer = await fetch(`${url}/api/2.0/mlflow/${path}`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return asAnswer(await answer.json());
  };
/** Every answer is an object. */
const asAnswer = (value: unknown) => value as Answer;
const textOf = (value: unknown, ...path: readonly string[]): string => {
  let at = value;
  for (const name of path) at = asAnswer(at)[name];
  return String(at);
};

async function ours(): Promise<Target> {
  const data = join(folder, "evenkeel");
  mkdirSync(data);
  const child = spawn(process.execPath, [fileURLToPath(new URL("tracking-server.ts", import.meta.url)), data], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise<void>((resolve) => void child.once("exit", () => resolve()));
  const said = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).once("line", resolve);
    child.once("exit", () => reject(new Error("the server ended")));
  });
  const started: unknown = JSON.parse(said);
  const post = poster(textOf(started, "url"), { authorization: `Bearer ${textOf(started, "token")}` });
  return {
    name: "Evenkeel",
    post,
    async fill(experiment) {
      for (let from = 1; from < RUNS; from += AT_ONCE)
        await Promise.all(Array.from({ length: Math.min(AT_ONCE, RUNS - from) }, (_, i) => makeRun(post, experiment, from + i)));
    },
    async stop() {
      child.kill("SIGTERM");
      await ended;
    },
  };
}

async function theirs(): Promise<Target | undefined> {
  const environment = pythonEnvironment({
    requirements: fileURLToPath(new URL("../compat/mlflow-requirements.txt", import.meta.url)),
    root: tmpdir(),
    name: "evenkeel-compat-mlflow",
    installWithinMs: 600_000,
    onInstall: () => console.error("installing mlflow …"),
  });
  if (!environment.ok) {
    console.error(`without MLflow: ${environment.error}`);
    return undefined;
  }
  const data = join(folder, "mlflow");
  mkdirSync(data);
  const { url, stop } = await mlflowServer(environment.value.bin, data);
  return {
    name: "mlflow server",
    post: poster(url, {}),
    stop,
    fill: async (_experiment, model) => copyRuns(join(data, "mlflow.db"), model),
  };
}

async function makeRun(post: Target["post"], experiment_id: string, n: number): Promise<string> {
  const made = await post("runs/create", { experiment_id, start_time: 1_760_000_000_000 + n, run_name: `run-${n}` });
  const run_id = textOf(made, "run", "info", "run_id");
  await post("runs/log-batch", {
    run_id,
    metrics: ["auc", "loss", "f1", "precision", "recall"].map((key) => ({ key, value: n / RUNS, timestamp: 1_760_000_000_000, step: 0 })),
    params: ["kind", "depth", "seed"].map((key) => ({ key, value: key === "kind" ? (n % 2 ? "forest" : "logit") : String(n % 10) })),
    tags: ["n", "team", "stage"].map((key) => ({ key, value: key === "n" ? String(n) : "risk" })),
  });
  return run_id;
}

/** Their server would take minutes for as many requests: the same rows, straight into its database. */
function copyRuns(file: string, model: string): void {
  const db = new Database(file, { timeout: 30_000 });
  db.pragma("journal_mode");
  const columnsOf = (table: string) => asNamed(db.pragma(`table_info(${table})`)).map(({ name }) => name);
  const copied = ["runs", "params", "tags", "metrics", "latest_metrics"].map((table) => {
    const columns = columnsOf(table);
    const picked = columns.map((name) => {
      if (name === "run_uuid") return "@run";
      if (table === "runs" && name === "start_time") return "start_time + @n";
      if (table === "runs" && name === "name") return "'run-' || @n";
      if (table.endsWith("metrics") && name === "value") return "@share";
      if (table === "params" && name === "value") return "case key when 'kind' then @kind else cast(@n % 10 as text) end";
      if (table === "tags" && name === "value")
        return "case key when 'n' then cast(@n as text) when 'mlflow.runName' then 'run-' || @n else value end";
      return name;
    });
    return db.prepare(`insert into ${table} (${columns.join(", ")}) select ${picked.join(", ")} from ${table} where run_uuid = @model`);
  });
  db.transaction(() => {
    for (let n = 1; n < RUNS; n++) {
      const run = n.toString(16).padStart(32, "0");
      const row = { n: BigInt(n), run, model, share: n / RUNS, kind: n % 2 ? "forest" : "logit" };
      for (const statement of copied)
        statement.run(Object.fromEntries(Object.entries(row).filter(([name]) => statement.source.includes(`@${name}`))));
    }
  })();
  db.close();
}
/** As SQLite describes columns. */
const asNamed = (rows: unknown) => rows as readonly { readonly name: string }[];

async function measure(target: Target): Promise<Figures> {
  const { post } = target;
  const experiment = textOf(await post("experiments/create", { name: "bench" }), "experiment_id");
  const first = await makeRun(post, experiment, 0);
  const batch = (run_id: string, n: number) =>
    post("runs/log-batch", {
      run_id,
      metrics: Array.from({ length: POINTS }, (_, i) => ({
        key: `m${i % 10}`,
        value: i / 7,
        timestamp: 1_760_000_000_000 + n,
        step: n * 100 + Math.floor(i / 10),
      })),
    });
  const logged = textOf(await post("runs/create", { experiment_id: "0", start_time: 1 }), "run", "info", "run_id");
  for (let n = 0; n < 3; n++) await batch(logged, n);
  const oneByOne = await secondsOf(async () => {
    for (let n = 0; n < BATCHES; n++) await batch(logged, 10 + n);
  });
  const atOnce = await secondsOf(async () => {
    for (let n = 0; n < BATCHES; n += AT_ONCE) await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => batch(logged, 100 + n + i)));
  });
  console.error(`${target.name}: making ${RUNS.toLocaleString("en")} runs …`);
  await target.fill(experiment, first);
  const searchMs: Record<string, number> = {};
  for (const [name, body] of Object.entries(SEARCH)) {
    const took: number[] = [];
    for (let i = 0; i < SEARCHES; i++) {
      const found: unknown[] = [];
      took.push(
        1000 *
          (await secondsOf(async () => {
            const { runs } = await post("runs/search", { experiment_ids: [experiment], ...body });
            if (Array.isArray(runs)) found.push(...(runs as unknown[]));
          })),
      );
      if (found.length === 0) throw new Error(`${target.name} found nothing for ${name}`);
    }
    searchMs[name] = took.toSorted((a, b) => a - b)[Math.floor(took.length / 2)] ?? Number.NaN;
  }
  const perSecond = (batches: number, seconds: number) => (batches * POINTS) / seconds;
  return {
    pointsPerSecond: perSecond(BATCHES, oneByOne),
    pointsPerSecondAtOnce: perSecond(Math.ceil(BATCHES / AT_ONCE) * AT_ONCE, atOnce),
    searchMs,
  };
}

async function secondsOf(work: () => Promise<void>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return (performance.now() - startedMs) / 1000;
}

const all: Record<string, Figures> = {};
try {
  for (const open of [ours, theirs]) {
    const target = await open();
    if (!target) continue;
    try {
      all[target.name] = await measure(target);
    } finally {
      await target.stop();
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
if (values.json) console.log(JSON.stringify({ runs: RUNS, figures: all }, null, 2));
else {
  const [mine, other] = [all["Evenkeel"], all["mlflow server"]];
  const rows: readonly (readonly [what: string, pick: (figures: Figures) => number, isMoreBetter: boolean])[] = [
    [`points a second in batches of ${POINTS.toLocaleString("en")}, one after the other`, (each) => each.pointsPerSecond, true],
    [`the same, ${AT_ONCE} at once`, (each) => each.pointsPerSecondAtOnce, true],
    ...Object.keys(SEARCH).map(
      (name) =>
        [`search of ${RUNS.toLocaleString("en")} runs for ${name}, ms`, (each: Figures) => each.searchMs[name] ?? 0, false] as const,
    ),
  ];
  for (const [what, pick, isMoreBetter] of rows) {
    const [a, b] = [mine && pick(mine), other && pick(other)];
    const ratio = a === undefined || b === undefined ? undefined : isMoreBetter ? a / b : b / a;
    if (ratio !== undefined && ratio < BAR_TIMES) process.exitCode = 1;
    const verdict = ratio !== undefined && ratio < BAR_TIMES ? "MISSED" : "reached";
    const times = ratio === undefined ? "" : `, ${ratio.toFixed(1)} times   (bar: ${BAR_TIMES} times, ${verdict})`;
    const shown = (value: number | undefined) =>
      value === undefined ? "not measured" : value >= 1000 ? Math.round(value).toLocaleString("en") : value.toFixed(1);
    console.log(`${what}: Evenkeel ${shown(a)}, mlflow server ${shown(b)}${times}`);
  }
}
