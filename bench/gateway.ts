/**
 * `Gateway.decide` alone, without HTTP, and with nothing recorded unless asked: what routing, validation, scoring and policy cost.
 * `npx node bench/gateway.ts [--seconds 3] [--concurrency 64] [--ack off|durable]`; compare rows of one run, not runs.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { DecisionLog } from "../src/decisions/index.ts";
import { Gateway, compileEndpoint, loadRelease, releaseIdOf, type LoadedRelease, type ReleaseBundle } from "../src/serving/index.ts";
import type { EndpointName } from "../src/std.ts";
import { openStore, systemRuntime } from "../src/store/index.ts";
import { forestModel, logisticModel } from "../test/fixtures/onnx-models.ts";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "3" },
    concurrency: { type: "string", default: "64" },
    ack: { type: "string", default: "off" },
  },
});
const seconds = Number(values.seconds);

const names = [
  "limit_bal",
  "age",
  ...[0, 2, 3, 4, 5, 6].map((i) => `pay_${i}`),
  ...[1, 2, 3, 4, 5, 6].flatMap((i) => [`bill_amt${i}`, `pay_amt${i}`]),
];
const runtime = systemRuntime();
const folder = await mkdtemp(join(tmpdir(), "evenkeel-bench-"));
const store = await openStore({ folder }, runtime);
const log = await DecisionLog.open(store, { ack: values.ack === "durable" ? "durable" : "off" });

/** Made where endpoints are. */
const asEndpointName = (name: string) => name as EndpointName;
const compiled = compileEndpoint({
  name: asEndpointName("loans"),
  inputs: Object.fromEntries(names.map((name) => [name, { type: "number" as const }])),
  groups: { sex: ["female", "male"], education: ["graduate", "university", "high_school", "other"] },
  actions: { approve: { favourable: true }, refer: { favourable: false }, deny: { favourable: false } },
});
if (!compiled.ok) throw new Error(JSON.stringify(compiled.error));
const endpoint = compiled.value;

async function load(number: number, scorer: ReleaseBundle["scorer"]): Promise<LoadedRelease> {
  const bundle: ReleaseBundle = {
    endpoint: "loans",
    scorer,
    features: {
      name: "f",
      features: [...names.map((name) => ({ name, from: name })), { name: "use", cel: "bill_amt1 / (limit_bal + 1)" }],
    },
    policy: {
      bands: [
        { action: "deny", from: 0 },
        { action: "refer", from: 0.4 },
        { action: "approve", from: 0.5 },
      ],
    },
  };
  const loaded = await loadRelease({ id: releaseIdOf(bundle), number, bundle, endpoint }, { blobs: store.blobs, clock: runtime.clock });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.error));
  return loaded.value;
}

const width = names.length + 1;
const onnx = async (bytes: Buffer): Promise<ReleaseBundle["scorer"]> => ({ kind: "onnx", model: await store.blobs.put(bytes) });
const rule = await load(1, {
  kind: "rules",
  rules: [
    { when: "pay_0 <= 0 && bill_amt1 / limit_bal < 0.5", score: 0.9 },
    { when: "pay_0 <= 1 && age >= 25", score: 0.45 },
  ],
  otherwise: { score: 0.1 },
});
const releases = {
  rules: rule,
  "logistic regression": await load(2, await onnx(logisticModel(names.concat("use").map((_name, i) => (i % 3) / 1e6)))),
  "forest, 100 trees": await load(3, await onnx(forestModel({ width, trees: 100, depth: 8, seed: 1 }))),
};

const bodies = Array.from({ length: 1000 }, (_, i) => ({
  subject: `person-${i}`,
  inputs: Object.fromEntries(names.map((name, j) => [name, (i * 31 + j * 17) % 100])),
  groups: { sex: i % 2 ? "female" : "male", education: ["graduate", "university", "high_school", "other"][i % 4] },
}));
const payloads = bodies.map((body) => JSON.stringify(body));

async function measure(release: LoadedRelease, concurrency: number): Promise<string> {
  const gateway = new Gateway({ log, runtime, subjectKey: Buffer.alloc(32) });
  await gateway.swap({
    endpoint,
    generation: 1,
    live: release,
    canary: null,
    ab: null,
    shadows: [],
    standby: null,
    fallback: rule,
    releaseNumbers: new Map(),
  });
  const latencies: number[] = [];
  let isWarm = false;
  let isOver = false;
  let turn = 0;
  const client = async () => {
    while (!isOver) {
      const i = turn++ % bodies.length;
      const startedMs = performance.now();
      const decided = await gateway.decide("loans", bodies[i], {
        payload: payloads[i] ?? "",
        source: "bench",
        idempotencyKey: null,
        bodyHash: null,
      });
      if (!decided.ok) throw new Error(JSON.stringify(decided.error));
      if (isWarm) latencies.push(performance.now() - startedMs);
      // Rules answer within one turn: without this, timers would never run.
      if (turn % 1000 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const clients = Array.from({ length: concurrency }, client);
  await new Promise((resolve) => setTimeout(resolve, 1000));
  isWarm = true;
  const cpu = process.cpuUsage();
  const startedMs = performance.now();
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const elapsedMs = performance.now() - startedMs;
  const { user, system } = process.cpuUsage(cpu);
  isOver = true;
  await Promise.all(clients);
  latencies.sort((a, b) => a - b);
  const at = (part: number) => (latencies[Math.floor(latencies.length * part)] ?? Number.NaN).toFixed(3);
  const rate = (latencies.length / elapsedMs) * 1000;
  const cost = ((user + system) / latencies.length).toFixed(1);
  return `${Math.round(rate).toLocaleString("en").padStart(9)}/s  p50 ${at(0.5)} ms  p99 ${at(0.99)} ms  ${cost} µs CPU each here  ${gateway.stats().fellBack} fell back`;
}

for (const concurrency of [Number(values.concurrency), 1])
  for (const [name, release] of Object.entries(releases))
    console.log(`${name.padEnd(20)} × ${String(concurrency).padStart(2)}  ${await measure(release, concurrency)}`);

for (const release of Object.values(releases)) await release.close();
await log.close();
await store.close();
await rm(folder, { recursive: true });
