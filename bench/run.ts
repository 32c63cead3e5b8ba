/**
 * `npm run bench`: decisions a second, latency and CPU of the whole product over HTTP, with the client in a process of its own; what
 * a shadow costs, what 500 changes of the route table cost, and what an idle server does.
 *   -- --json prints one JSON object · --seconds <n> per measurement (1.5) · --rounds <n> (3) · --commands <n> (500) · --seed <n> (7)
 * Every round measures everything once, so that a noisy minute of the machine touches all alike; a row is the median of its rounds.
 * Compare ratios within one run, never figures of two.
 */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { teller } from "../examples/loans/teller.ts";
import { EvenkeelClient } from "../src/client.ts";
import { MODELS, applications, makeLender, type Lender, type ModelName } from "./lender.ts";
import { footprint } from "./footprint.ts";
import { Load, Processes, type Started } from "./processes.ts";
import { CONNECTIONS, LOGS, barsOf, machine, median, print, type Figures, type Log, type Row } from "./report.ts";
import { shadowCost } from "./shadows.ts";
import { switchesUnderLoad } from "./switches.ts";

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    seconds: { type: "string", default: "1.5" },
    rounds: { type: "string", default: "3" },
    commands: { type: "string", default: "500" },
    seed: { type: "string", default: "7" },
  },
});
const durationMs = Number(values.seconds) * 1000;
const rounds = Number(values.rounds);
const [commands, seed] = [Number(values.commands), Number(values.seed)];
if (!(durationMs > 0)) throw new Error("--seconds takes a positive number");
if ([rounds, commands, seed].some((value) => !Number.isInteger(value) || value < 1))
  throw new Error("--rounds, --commands and --seed take whole numbers from 1");

/** The requests differ, so that nobody's second application is measured as their first. */
const REQUESTS = 40_000;
const folder = mkdtempSync(join(tmpdir(), "evenkeel-bench-"));
const processes = new Processes();
try {
  const tell = teller(process.stderr);
  tell.fact("making the lender's models …");
  const lender = await makeLender(join(folder, "made"), tell);
  const bodies = join(folder, "bodies.ndjson");
  writeFileSync(bodies, applications(REQUESTS).join("\n"));
  const figures = await measureAll(lender, bodies, tell);
  const bars = barsOf(figures);
  if (values.json) console.log(JSON.stringify({ machine: machine(), seconds: durationMs / 1000, rounds, seed, ...figures, bars }, null, 2));
  else print(figures, bars, { rounds, seconds: durationMs / 1000 });
} finally {
  processes.end();
  rmSync(folder, { recursive: true, force: true });
}

async function measureAll(lender: Lender, bodies: string, tell: ReturnType<typeof teller>): Promise<Figures> {
  tell.progress("starting, and idling");
  cpSync(join(folder, "made"), join(folder, "idle"), { recursive: true });
  const idle = await footprint(join(folder, "idle"), lender, processes.others);
  const load = new Load(processes.start("client.ts", bodies, lender.applicationToken));
  const bare = await processes.server("bare.ts");
  const servers = new Map<Log, Started>();
  for (const log of LOGS) {
    cpSync(join(folder, "made"), join(folder, log), { recursive: true });
    servers.set(log, await processes.server("server.ts", join(folder, log), log));
  }
  const durable = servers.get("durable");
  if (!durable) throw new Error("no server records durably");
  const measured = new Map<string, Row[]>();
  const total = rounds * CONNECTIONS.length * (1 + MODELS.length * LOGS.length);
  let done = 0;
  const measure = async (server: Started, row: Pick<Row, "model" | "log" | "connections">) => {
    const result = await load.run({ ...server, connections: row.connections, warmUpMs: 400, durationMs });
    const key = `${row.model}|${row.log}|${row.connections}`;
    measured.set(key, [...(measured.get(key) ?? []), { ...row, ...result }]);
    tell.progress(`${++done} of ${total} measurements`);
  };
  for (let round = 0; round < rounds; round++) {
    for (const connections of CONNECTIONS) await measure(bare, { model: "bare Fastify", log: null, connections });
    for (const model of MODELS)
      for (const connections of CONNECTIONS)
        for (const [log, server] of servers) {
          await promote(server.url, lender, model);
          await measure(server, { model, log, connections });
        }
  }
  const recording = { ...durable, folder: join(folder, "durable") };
  tell.progress("a shadow beside the forest");
  const shadow = await shadowCost(recording, lender, load, { rounds: Math.max(3, rounds), durationMs });
  tell.progress(`${commands} changes of the route table under load`);
  const switches = await switchesUnderLoad(recording, lender, load, { commands, seed });
  return { rows: [...measured.values()].map(median), footprint: idle, shadow, switches };
}

/** Puts the release in front, unless it is there already; its scorer is warm when this returns. */
async function promote(url: string, { adminToken, releases }: Lender, model: ModelName): Promise<void> {
  const admin = new EvenkeelClient({ url, token: adminToken });
  const release = releases[model];
  const { route } = await admin.get<{ readonly route: { readonly live: string } }>("/v1/endpoints/loans");
  if (route.live !== release) await admin.post("/v1/endpoints/loans/promote", { release, reason: "the next measurement" });
  await admin.close();
}
