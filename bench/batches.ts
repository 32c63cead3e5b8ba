/**
 * `npm run bench:batches`: rows a second of batches against single decisions on the durable log, and what single decisions wait while
 * batches run.  -- --json prints one JSON object
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { teller } from "../examples/loans/teller.ts";
import { EvenkeelClient, EvenkeelProblem } from "../src/client.ts";
import { applications, makeLender, type Lender, type ModelName } from "./lender.ts";
import { Load, Processes, type Started } from "./processes.ts";

const { values } = parseArgs({ options: { json: { type: "boolean", default: false } } });
const ROWS = 60_000;
const SIZES = [1000, 10_000] as const;
const MODELS: readonly ModelName[] = ["rules", "random forest"];
const SINGLES_EVERY_MS = 5;
const folder = mkdtempSync(join(tmpdir(), "evenkeel-bench-"));
const processes = new Processes();

interface Figures {
  readonly model: ModelName;
  readonly singlesPerSecond: number;
  readonly batches: readonly { readonly size: number; readonly rowsPerSecond: number; readonly refused: number; readonly singles: Waits }[];
  readonly alone: Waits;
}
/** Milliseconds that single decisions took, sent one every five. */
interface Waits {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly failed: number;
}

try {
  const tell = teller(process.stderr);
  tell.fact("making the lender's models …");
  const lender = await makeLender(join(folder, "made"), tell);
  const people = applications(ROWS);
  writeFileSync(join(folder, "bodies.ndjson"), people.join("\n"));
  const load = new Load(processes.start("client.ts", join(folder, "bodies.ndjson"), lender.applicationToken));
  const server = await processes.server("server.ts", join(folder, "made"), "durable");
  const all: Figures[] = [];
  for (const model of MODELS) all.push(await measure(server, lender, load, model, people));
  if (values.json) console.log(JSON.stringify(all, null, 2));
  else
    for (const { model, singlesPerSecond, alone, batches } of all) {
      console.log(`${model}: single decisions, 64 connections: ${Math.round(singlesPerSecond).toLocaleString("en")} a second`);
      console.log(`  one every ${SINGLES_EVERY_MS} ms, alone: p50 ${alone.p50Ms.toFixed(1)} ms, p99 ${alone.p99Ms.toFixed(1)} ms`);
      for (const { size, rowsPerSecond, refused, singles } of batches)
        console.log(
          `  batches of ${size.toLocaleString("en")}: ${Math.round(rowsPerSecond).toLocaleString("en")} rows a second (${(rowsPerSecond / singlesPerSecond).toFixed(2)} of singles), ${refused} refused; singles meanwhile p50 ${singles.p50Ms.toFixed(1)} ms, p99 ${singles.p99Ms.toFixed(1)} ms, ${singles.failed} failed`,
        );
    }
} finally {
  processes.end();
  rmSync(folder, { recursive: true, force: true });
}

async function measure(server: Started, lender: Lender, load: Load, model: ModelName, people: readonly string[]): Promise<Figures> {
  const admin = new EvenkeelClient({ url: server.url, token: lender.adminToken });
  const release = lender.releases[model];
  const { route } = await admin.get<{ readonly route: { readonly live: string } }>("/v1/endpoints/loans");
  if (route.live !== release) await admin.post("/v1/endpoints/loans/promote", { release, reason: "the next measurement" });
  await admin.close();
  const { perSecond } = await load.run({ ...server, connections: 64, warmUpMs: 400, durationMs: 3000 });
  const client = new EvenkeelClient({ url: server.url, token: lender.applicationToken });
  const alone = await singlesWhile(client, people, () => sleep(2000));
  const batches: Figures["batches"][number][] = [];
  for (const size of SIZES) {
    let [done, refused, seconds] = [0, 0, 0];
    const singles = await singlesWhile(client, people, async () => {
      const startedMs = performance.now();
      for (let at = 0; at + size <= ROWS; at += size) {
        try {
          // As text: the client's own serialisation is none of the server's work.
          const body = `{"applications":[${people.slice(at, at + size).join(",")}]}`;
          await send(server.url, lender.applicationToken, body);
          done += size;
        } catch (error) {
          if (!(error instanceof EvenkeelProblem)) throw error;
          refused++;
        }
      }
      seconds = (performance.now() - startedMs) / 1000;
    });
    batches.push({ size, rowsPerSecond: done / seconds, refused, singles });
  }
  await client.close();
  return { model, singlesPerSecond: perSecond, alone, batches };
}

async function send(url: string, token: string, body: string): Promise<void> {
  const answer = await fetch(`${url}/v1/endpoints/loans/decisions/batch`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body,
  });
  const text = await answer.text();
  if (answer.status !== 200) throw new EvenkeelProblem({ type: "", title: text.slice(0, 200), status: answer.status });
}

async function singlesWhile(client: EvenkeelClient, people: readonly string[], work: () => Promise<unknown>): Promise<Waits> {
  const waits: number[] = [];
  const asked: Promise<void>[] = [];
  let [isDone, failed] = [false, 0];
  const working = work().finally(() => (isDone = true));
  for (let i = 0; !isDone; i++) {
    const sentMs = performance.now();
    const body: unknown = JSON.parse(people[i % people.length] ?? "{}");
    asked.push(
      client.post("/v1/endpoints/loans/decisions", body).then(
        () => void waits.push(performance.now() - sentMs),
        () => void failed++,
      ),
    );
    await sleep(SINGLES_EVERY_MS);
  }
  await working;
  await Promise.all(asked);
  const sorted = waits.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return { p50Ms: at(0.5), p99Ms: at(0.99), failed };
}
