/** F20: a model's server that is slow, wrong, broken or gone: everybody is answered in time by the next in line, and it is asked again once it is well. */
import { FAULTS, ModelServer, type Fault } from "../fixtures/model-server.ts";
import { freshServer, type FreshServer } from "../server.ts";
import { ENDPOINT, LOANS_YAML, application } from "./applications.ts";
import type { Case, Survived } from "./case.ts";
import { HttpConnection, decisionPost } from "./http-client.ts";
import type { Sent } from "./load-order.ts";
import { survivedAs } from "./survived.ts";

const RUN = "f20";
const CONNECTIONS = 8;
const REQUESTS_A_FAULT = 80;
/** The lowest income that r2 approves (`applications.ts`). */
const LIMIT = 50;
const HEALED_WITHIN_MS = 10_000;
/** A decision's deadline is 500 ms; the rest is for a machine that does other things as well. */
const ANSWERED_WITHIN_MS = 1500;
const SHORT: readonly Fault[] = ["slow", "status 503", "bare NaN", "reset", "huge"];

export const scorerFaults: Case = {
  id: "F20",
  title: "model server slow, wrong, broken",
  section: "fault",
  cannot: () => undefined,
  async run(torment): Promise<Survived> {
    const model = await new ModelServer().listen();
    model.scoreOf = ([income]) => (Number(income) >= LIMIT ? 0.9 : 0.1);
    const server = await freshServer({ egress: { allow: [`127.0.0.1:${model.port}`] } });
    try {
      return await survived(model, server, torment.isShort ? SHORT : FAULTS, (text) => torment.say(text));
    } finally {
      await server.drop();
      await model.close();
    }
  },
};

async function survived(model: ModelServer, server: FreshServer, faults: readonly Fault[], say: (text: string) => void): Promise<Survived> {
  await server.admin.post("/v1/apply", { yaml: LOANS_YAML });
  await server.admin.post(`/v1/endpoints/${ENDPOINT}/releases`, {
    scorer: { kind: "http", protocol: "mlflow", url: model.url, send: "inputs" },
    policy: {
      bands: [
        { action: "deny", from: 0 },
        { action: "approve", from: 0.5 },
      ],
    },
  });
  await server.admin.post(`/v1/endpoints/${ENDPOINT}/promote`, { release: "r2", reason: "F20" });
  const token = await server.token("application");
  const connections = await Promise.all(Array.from({ length: CONNECTIONS }, () => HttpConnection.open(Number(new URL(server.url).port))));
  const [sent, recoverMs, failures]: [Sent[], number[], string[]] = [[], [], []];
  let n = 0;
  const ask = async (connection: HttpConnection): Promise<Sent> => {
    const i = n++;
    const sentMs = performance.now();
    const { status, body, isReplay } = await connection.send(
      decisionPost({ endpoint: ENDPOINT, token, body: application(RUN, i).body, key: null }),
    );
    const answer = { n: i, dueMs: sentMs, sentMs, doneMs: performance.now(), status, body, isReplay, retryAfter: null };
    sent.push(answer);
    return answer;
  };
  const tookMs: number[] = [];
  const askedBefore = model.scored;
  let askedInFaults = 0;
  for (const fault of faults) {
    say(fault);
    model.fault = fault;
    const before = model.scored;
    const answers = await Promise.all(
      connections.map(async (connection) => {
        const own: Sent[] = [];
        for (let i = 0; i < REQUESTS_A_FAULT / CONNECTIONS; i++) own.push(await ask(connection));
        return own;
      }),
    );
    askedInFaults += model.scored - before;
    tookMs.push(...answers.flat().map(({ sentMs, doneMs }) => doneMs - sentMs));
    const others = answers.flat().filter(({ status, body }) => status !== 200 || !body.includes('"route":"fallback"'));
    if (others.length > 0) failures.push(`${fault}: ${others.length} answers that aren't the fallback's, the first ${others[0]?.body}`);
    model.fault = null;
    recoverMs.push(await healed(() => ask(connections[0] ?? raise()), fault, failures));
  }
  for (const connection of connections) connection.close();
  const sorted = tookMs.toSorted((a, b) => a - b);
  const [p99, most] = [sorted[Math.floor(sorted.length * 0.99)] ?? 0, sorted.at(-1) ?? 0];
  if (most > ANSWERED_WITHIN_MS) failures.push(`an answer took ${most.toFixed(0)} ms`);
  return survivedAs(
    { run: RUN, folder: server.folder, isLive: true, sent },
    {
      runs: faults.length,
      injected: faults.length * REQUESTS_A_FAULT,
      recoverMs,
      note: `in outage p99 ${p99.toFixed(0)} ms, at most ${most.toFixed(0)} ms; the server was asked ${askedInFaults} times for ${faults.length * REQUESTS_A_FAULT} decisions in outage, ${model.scored - askedBefore} in all`,
      failures,
    },
  );
}

/** How long until live answers three times in a row. */
async function healed(ask: () => Promise<Sent>, fault: Fault, failures: string[]): Promise<number> {
  const startedMs = performance.now();
  for (let live = 0; live < 3;) {
    if (performance.now() - startedMs > HEALED_WITHIN_MS) {
      failures.push(`${fault}: the server is well, and isn't asked again`);
      break;
    }
    const { status, body } = await ask();
    live = status === 200 && body.includes('"route":"live"') ? live + 1 : 0;
    if (live === 0) await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return performance.now() - startedMs;
}

function raise(): never {
  throw new Error("no connection");
}
