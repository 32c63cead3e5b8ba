/** Measures one server with one model in one place: finds the best way to set it up, then loads that. */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { memoryOf } from "../process-tree.ts";
import { Load, type Measured } from "../processes.ts";
import { CONNECTIONS } from "../report.ts";
import type { Contender } from "./contenders.ts";
import type { ModelKind } from "./rows.ts";
import { freePorts, pinned, type Servers, type Serving } from "./servers.ts";
import type { Figures, Place, Trial } from "./table.ts";

/** Cores by number: null where a program may run on any. */
export interface Cores {
  readonly server: number | null;
  readonly client: number | null;
  /** For the server. */
  readonly count: number;
}

export interface Bench {
  readonly servers: Servers;
  readonly clients: Set<ChildProcess>;
  /** Scratch of the whole run. */
  readonly folder: string;
  readonly durationMs: number;
}

export interface Order {
  readonly contender: Contender;
  readonly model: ModelKind;
  readonly place: Place;
  readonly cores: Cores;
}

const WARM_UP_MS = 400;
const TRIAL_MS = 1000;
const BUSY = 64;
/** Beyond its time, a load waits so long for answers that don't come. */
const GRACE_MS = 30_000;

/** Tries every way to set the server up, where there are several. */
export async function tryVariants(bench: Bench, order: Order): Promise<readonly Trial[]> {
  const { contender, model, place } = order;
  const trials: Trial[] = [];
  if (contender.variants.length === 1) return trials;
  for (const variant of contender.variants) {
    const trial = { server: contender.title, model, place, variant };
    try {
      const { perSecond, failed } = await withServer(bench, order, variant, (_serving, load) => load(BUSY, TRIAL_MS));
      trials.push(failed > 0 ? { ...trial, perSecond: null, why: `${failed} requests failed` } : { ...trial, perSecond, why: null });
    } catch (error) {
      trials.push({ ...trial, perSecond: null, why: error instanceof Error ? error.message : String(error) });
    }
  }
  return trials;
}

/** Those with the most answers first. @throws Error when none ran */
export function bestOf(contender: Pick<Contender, "variants">, trials: readonly Trial[]): string {
  if (contender.variants.length === 1) return contender.variants[0];
  const [best] = trials
    .flatMap(({ variant, perSecond }) => (perSecond === null ? [] : [{ variant, perSecond }]))
    .toSorted((a, b) => b.perSecond - a.perSecond);
  if (best) return best.variant;
  throw new Error(trials.map(({ variant, why }) => `${variant}: ${why}`).join("; "));
}

export function measure(bench: Bench, order: Order, variant: string): Promise<readonly Figures[]> {
  const { contender, model, place } = order;
  return withServer(bench, order, variant, async (serving, load) => {
    const measured: { readonly connections: number; readonly result: Measured }[] = [];
    for (const connections of CONNECTIONS) measured.push({ connections, result: await load(connections, bench.durationMs) });
    // After the load: what it needs in earnest, not what it starts with.
    const memory = memoryOf(serving.pid);
    return measured.map(({ connections, result }) => ({
      kind: "measured",
      server: contender.title,
      model,
      place,
      connections,
      variant,
      logged: contender.logged,
      startUpMs: serving.startUpMs,
      largestDifference: serving.largestDifference,
      processes: memory?.processes ?? null,
      pssBytes: memory?.pssBytes ?? null,
      rssBytes: memory?.rssBytes ?? null,
      ...result,
    }));
  });
}

type Loading = (connections: number, durationMs: number) => Promise<Measured>;

/** Starts the server and a client for it, and ends both whatever happens. */
async function withServer<T>(
  { servers, clients, folder: scratch }: Bench,
  { contender, model, cores }: Order,
  variant: string,
  work: (serving: Serving, load: Loading) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(scratch, "start-"));
  const [port, ...sparePorts] = await freePorts();
  const data = join(folder, "data");
  mkdirSync(data);
  let client: ChildProcess | null = null;
  try {
    const command = contender.command(model, { folder: data, port, sparePorts, workers: cores.count, variant });
    const dialogue = contender.dialogue(model);
    const serving = await servers.start(command, dialogue, { port, core: cores.server, log: join(folder, "log") });
    const program = fileURLToPath(new URL("../client.ts", import.meta.url));
    const [name, ...args] = pinned(cores.client, process.execPath, [program, contender.bodies, dialogue.token, dialogue.path]);
    const started = spawn(name, args, { stdio: ["pipe", "pipe", "inherit"] });
    client = started;
    clients.add(started);
    const load = new Load(started);
    return await work(serving, async (connections, durationMs) => {
      const running = load.run({ pid: serving.pid, url: "", port, connections, warmUpMs: WARM_UP_MS, durationMs });
      return await within(running, WARM_UP_MS + durationMs + GRACE_MS);
    });
  } finally {
    client?.kill("SIGKILL");
    if (client) clients.delete(client);
    await servers.end();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function within<T>(work: Promise<T>, limitMs: number): Promise<T> {
  const stop = new AbortController();
  const late = sleep(limitMs, null, { signal: stop.signal }).then(() => {
    throw new Error(`it stopped answering within the load: nothing for ${GRACE_MS / 1000} s`);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    stop.abort();
    late.catch(() => undefined);
  }
}

/** Which cores this process may use, as `/proc/self/status` says; none where it doesn't. */
export function coresAllowed(): readonly number[] {
  try {
    return parseCores(/^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "");
  } catch {
    return [];
  }
}

/** `0-2,5` is 0, 1, 2 and 5. */
export function parseCores(list: string): readonly number[] {
  return list.split(",").flatMap((range) => {
    const [first = Number.NaN, last = first] = range.split("-").map((number) => Number.parseInt(number, 10));
    return Number.isNaN(first) ? [] : Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}
