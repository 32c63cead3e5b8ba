/**
 * What recording costs by itself: appenders in this process, without HTTP, scorers or a client.
 *   npx node bench/decision-log.ts [--json] [--seconds 3] [--prefill 0] [--postgres postgresql://…] [--ack durable|memory|off]
 * One appender waits for its own commit; sixty-four share one. `cpu µs` is user and system time of all threads for one decision.
 */
import { closeSync, fsyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { DecisionLog, type Ack, type DecisionRecord } from "../src/decisions/index.ts";
import type { CellKey, EndpointName, ReleaseId } from "../src/std.ts";
import { openStore, sha256Hex, systemRuntime, type Runtime } from "../src/store/index.ts";

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    seconds: { type: "string", default: "3" },
    prefill: { type: "string", default: "0" },
    postgres: { type: "string" },
    ack: { type: "string", default: "durable" },
    folder: { type: "string", default: tmpdir() },
  },
});

interface Figures {
  readonly appenders: number;
  readonly decisionsPerSecond: number;
  readonly commitsPerSecond: number;
  readonly batch: number;
  readonly cpuUs: number;
  readonly mainThreadUs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const runtime = systemRuntime();
const folder = mkdtempSync(join(values.folder, "evenkeel-bench-"));
const store = await openStore({ folder, ...(values.postgres ? { postgresUrl: values.postgres } : {}) }, runtime);
try {
  const fsyncMs = medianFsyncMs(folder);
  const log = await DecisionLog.open(store, { ack: asAck(values.ack), maxQueued: 100_000 });
  for (let left = Number(values.prefill); left > 0; left -= 1000)
    await Promise.all(Array.from({ length: 1000 }, () => log.append(record(runtime))));
  const rows: Figures[] = [];
  for (const appenders of [1, 8, 64, 256]) rows.push(await measure(log, appenders, Number(values.seconds) * 1000));
  await log.close();
  if (values.json) console.log(JSON.stringify({ store: store.kind, ack: values.ack, cpus: availableParallelism(), fsyncMs, rows }));
  else {
    console.log(
      `${store.kind}, ack ${values.ack}, ${availableParallelism()} cpus, fsync of a 4 KiB append ${fsyncMs.toFixed(2)} ms (median)`,
    );
    console.log("appenders  decisions/s  commits/s  batch  cpu µs  main µs  p50 ms  p99 ms");
    for (const row of rows) {
      const cells = [row.decisionsPerSecond.toFixed(0), row.commitsPerSecond.toFixed(0), row.batch.toFixed(1), row.cpuUs.toFixed(1)];
      const rest = [row.mainThreadUs.toFixed(1), row.p50Ms.toFixed(2), row.p99Ms.toFixed(2)];
      console.log(
        [String(row.appenders).padStart(9), ...[...cells, ...rest].map((cell, i) => cell.padStart([12, 10, 6, 7, 8, 7, 7][i] ?? 0))].join(
          " ",
        ),
      );
    }
  }
} finally {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
}

async function measure(log: DecisionLog, appenders: number, durationMs: number): Promise<Figures> {
  const before = log.metrics();
  const [cpu, main] = [process.cpuUsage(), process.threadCpuUsage()];
  const startedMs = performance.now();
  const latenciesMs: number[] = [];
  const appendUntilEnd = async () => {
    while (performance.now() - startedMs < durationMs) {
      const askedMs = performance.now();
      await log.append(record(runtime));
      latenciesMs.push(performance.now() - askedMs);
      // Without a commit to wait for, others must still get their turn.
      if (values.ack !== "durable" && latenciesMs.length % 100 === 0) await log.flush();
    }
  };
  await Promise.all(Array.from({ length: appenders }, appendUntilEnd));
  await log.flush();
  const seconds = (performance.now() - startedMs) / 1000;
  const [usedCpu, usedMain] = [process.cpuUsage(cpu), process.threadCpuUsage(main)];
  const batches = log.metrics().batches - before.batches;
  const count = latenciesMs.length;
  latenciesMs.sort((a, b) => a - b);
  const quantile = (share: number) => latenciesMs[Math.min(count - 1, Math.floor(count * share))] ?? 0;
  return {
    appenders,
    decisionsPerSecond: count / seconds,
    commitsPerSecond: batches / seconds,
    batch: count / Math.max(1, batches),
    cpuUs: (usedCpu.user + usedCpu.system) / count,
    mainThreadUs: (usedMain.user + usedMain.system) / count,
    p50Ms: quantile(0.5),
    p99Ms: quantile(0.99),
  };
}

/** A decision on a person who is new, as the loans example makes them: 8 cells, 2 actions, a body of some 250 bytes. */
function record({ ids, random, clock }: Runtime): DecisionRecord {
  const bytes = random.bytes(8);
  const draw = bytes.readUInt32LE(0);
  const education = ["graduate", "university", "high_school", "other"][draw & 3] ?? "other";
  const sex = draw & 4 ? "female" : "male";
  const isApproved = draw % 10 < 7;
  const id = ids.decision();
  return {
    id,
    endpoint: "loans" as EndpointName,
    release: `rel:${"a".repeat(64)}` as ReleaseId,
    arm: "live",
    generation: 3,
    cell: `education=${education},sex=${sex}` as CellKey,
    subject: sha256Hex(bytes),
    payload: `{"subject":"p-${draw}","inputs":{"limit_bal":200000,"age":34,"pay_0":-1,"pay_2":0,"pay_3":0,"bill_amt1":3913,"bill_amt2":3102,"pay_amt1":0,"pay_amt2":689},"groups":{"sex":"${sex}","education":"${education}"}}`,
    salt: random.bytes(16),
    score: (draw % 1000) / 1000,
    action: isApproved ? "approve" : "deny",
    favourable: isApproved,
    reasons: ["income", "history"],
    answeredBy: "live",
    because: null,
    decidedAtMs: clock.nowMs(),
    latencyUs: 321,
    idempotencyKey: null,
    bodyHash: null,
    source: "tok_1",
  };
}

function medianFsyncMs(inFolder: string): number {
  const path = join(inFolder, "fsync");
  const file = openSync(path, "w");
  const times = Array.from({ length: 51 }, () => {
    writeSync(file, Buffer.alloc(4096));
    const startedMs = performance.now();
    fsyncSync(file);
    return performance.now() - startedMs;
  });
  closeSync(file);
  rmSync(path);
  return times.toSorted((a, b) => a - b)[25] ?? 0;
}

function asAck(text: string): Ack {
  if (text === "durable" || text === "memory" || text === "off") return text;
  throw new Error(`--ack is durable, memory or off, not ${text}`);
}
