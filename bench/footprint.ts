/** What the product costs before anybody asks it anything: how long it takes to be ready, and the memory of all of its processes. */
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { setTimeout as sleep } from "node:timers/promises";
import type { BlobView } from "../src/api/index.ts";
import { EvenkeelClient } from "../src/client.ts";
import { forestModel } from "../test/fixtures/onnx-models.ts";
import type { Lender } from "./lender.ts";
import { memoryOf, type Memory, type TreeMemory } from "./process-tree.ts";

export interface FootprintFigures {
  /** From the start of the process until `/healthz/ready` says so, with rule and forest; in order. */
  readonly readyMs: readonly number[];
  /** Of all processes together, seconds after the start; null where the system doesn't tell. */
  readonly idle: TreeMemory | null;
  /** What each of the further forests added. */
  readonly forest: Memory | null;
  readonly forests: number;
}

const ROOT = fileURLToPath(new URL("..", import.meta.url));
/** As it is installed. In a checkout the sources run instead, and taking their types out costs a start time and memory. */
const PROGRAM = join(ROOT, "dist", "cli", "main.js");
const STARTS = 5;
const FORESTS = 4;
const [WIDTH, TREES, DEPTH] = [23, 100, 8];
/** Until what starting has left behind is swept up. */
const IDLE_MS = 3000;

/** @param folder - a lender's, which this one alone uses from now on */
export async function footprint(folder: string, lender: Lender, running: Set<ChildProcess>): Promise<FootprintFigures> {
  execFileSync("npm", ["run", "--silent", "build:server"], { cwd: ROOT });
  // So that a start loads the forest, and the rule behind it.
  const first = await up(folder, running);
  await asAdmin(first, lender, async (admin) => {
    const { "random forest": release } = lender.releases;
    await admin.post("/v1/endpoints/loans/promote", { release, reason: "the next measurement" });
  });
  await end(first);
  const readyMs: number[] = [];
  for (let i = 0; i < STARTS - 1; i++) {
    const one = await up(folder, running);
    readyMs.push(one.readyMs);
    await end(one);
  }
  const last = await up(folder, running);
  readyMs.push(last.readyMs);
  await sleep(IDLE_MS);
  const idle = memoryOf(last.pid);
  await asAdmin(last, lender, async (admin) => {
    for (let i = 0; i < FORESTS; i++) await forestEndpoint(admin, i);
  });
  await sleep(IDLE_MS);
  const filled = memoryOf(last.pid);
  await end(last);
  const each = (before: number, after: number) => (after - before) / FORESTS;
  return {
    readyMs: readyMs.toSorted((a, b) => a - b),
    idle,
    forest: idle && filled && { pssBytes: each(idle.pssBytes, filled.pssBytes), rssBytes: each(idle.rssBytes, filled.rssBytes) },
    forests: FORESTS,
  };
}

/** An endpoint with a forest of its own. */
async function forestEndpoint(admin: EvenkeelClient, i: number): Promise<void> {
  const name = `forest-${i}`;
  const inputs = Object.fromEntries(Array.from({ length: WIDTH }, (_, at) => [`f${at}`, { type: "number" }]));
  const bands = [
    { action: "deny", from: 0 },
    { action: "approve", from: 0.5 },
  ];
  const rule = { name: "rule", scorer: { kind: "rules", rules: [], otherwise: { score: 0.1 } }, policy: { bands } };
  const actions = { approve: { favourable: true }, deny: { favourable: false } };
  const endpoint = { kind: "endpoint", name, inputs, groups: { sex: ["f", "m"] }, actions, fallback: rule };
  // JSON is YAML.
  await admin.post("/v1/apply", { yaml: JSON.stringify(endpoint) });
  const blob = await admin.put<BlobView>("/v1/blobs", forestModel({ width: WIDTH, trees: TREES, depth: DEPTH, seed: i + 1 }));
  const features = { name, features: Object.keys(inputs).map((input) => ({ name: input, from: input })) };
  const scorer = { kind: "onnx", model: blob.id };
  const { release } = await admin.post<{ readonly release: string }>(`/v1/endpoints/${name}/releases`, {
    scorer,
    features,
    policy: { bands },
  });
  await admin.post(`/v1/endpoints/${name}/promote`, { release, reason: "the next measurement" });
}

interface Up {
  readonly url: string;
  readonly pid: number;
  readonly readyMs: number;
  readonly child: ChildProcess;
}
/** What `up --json` says first. */
const asUp = (line: string): { readonly url: string } => JSON.parse(line) as { readonly url: string };

/** Starts it as its users do, and waits as a load balancer does. */
async function up(folder: string, running: Set<ChildProcess>): Promise<Up> {
  const startedMs = performance.now();
  const child = spawn(process.execPath, [PROGRAM, "up", "--data", folder, "--port", "0", "--json"], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  running.add(child);
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => void (said += text));
  const { url } = await new Promise<{ readonly url: string }>((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`evenkeel up ended with exit code ${code ?? "none"}: ${said}`)));
    createInterface({ input: child.stdout }).once("line", (line) => resolve(asUp(line)));
  });
  while ((await fetch(`${url}/healthz/ready`)).status !== 200) await sleep(10);
  return { url, pid: child.pid ?? 0, readyMs: performance.now() - startedMs, child };
}

async function end({ child }: Up): Promise<void> {
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  await ended;
}

async function asAdmin({ url }: Up, { adminToken }: Lender, work: (admin: EvenkeelClient) => Promise<void>): Promise<void> {
  const admin = new EvenkeelClient({ url, token: adminToken });
  try {
    await work(admin);
  } finally {
    await admin.close();
  }
}
