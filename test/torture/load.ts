/** The applicants' own process: sends until it is told to stop or the server is gone, then prints all it got as one JSON line. */
import { application, ENDPOINT } from "./applications.ts";
import { chance } from "./chance.ts";
import { HttpConnection, NoAnswer, decisionPost } from "./http-client.ts";
import type { LoadOrder, LoadReport, Sent } from "./load-order.ts";

/** Only `load-order.ts` starts this, with an order of this form. */
const asOrder = (text: string): LoadOrder => JSON.parse(text) as LoadOrder;
const order = asOrder(process.argv[2] ?? "");

const sent: Sent[] = [];
let next = order.first;
let isOver = false;
process.once("SIGTERM", () => {
  isOver = true;
});

const nowMs = () => Number(process.hrtime.bigint()) / 1e6;

async function sendOne(connection: HttpConnection, n: number, dueMs: number): Promise<boolean> {
  const request = decisionPost({ endpoint: ENDPOINT, token: order.token, ...application(order.run, n) });
  const sentMs = nowMs();
  try {
    const { status, body, isReplay, retryAfter } = await connection.send(request);
    sent.push({ n, dueMs, sentMs, doneMs: nowMs(), status, body, isReplay, retryAfter });
    return true;
  } catch (error) {
    if (!(error instanceof NoAnswer)) throw error;
    sent.push({ n, dueMs, sentMs, doneMs: nowMs(), status: 0, body: "", isReplay: false, retryAfter: null });
    return false;
  }
}

/** As many requests under way as there are connections. */
async function closedLoop(connections: readonly HttpConnection[]): Promise<void> {
  await Promise.all(
    connections.map(async (connection) => {
      for (;;) if (isOver || !(await sendOne(connection, next++, nowMs()))) return;
    }),
  );
}

/** Requests at fixed times, whether or not the server keeps up: each latency counts from when it was due. */
async function openLoop(connections: readonly HttpConnection[], perSecond: number): Promise<number[]> {
  const free = [...connections];
  const waiting: { readonly n: number; readonly dueMs: number }[] = [];
  const lags: number[] = [];
  let alive = connections.length;
  let underWay = 0;
  const startMs = nowMs();
  const give = (): void => {
    while (free.length > 0 && waiting.length > 0) {
      // In turn: a connection on which nothing is asked for five seconds is closed by the server.
      const [connection, one] = [free.shift(), waiting.shift()];
      if (!connection || !one) return;
      underWay++;
      void sendOne(connection, one.n, one.dueMs).then((isAlive) => {
        underWay--;
        if (isAlive) free.push(connection);
        else alive--;
        give();
      });
    }
  };
  const random = order.seed === undefined ? undefined : chance(order.seed);
  const gapMs = () => (1000 / perSecond) * (random ? -Math.log(1 - random.next()) : 1);
  let dueMs = startMs;
  while (!isOver && alive > 0 && nowMs() - startMs < order.durationMs) {
    for (; dueMs <= nowMs(); dueMs += gapMs()) {
      lags.push(nowMs() - dueMs);
      waiting.push({ n: next++, dueMs });
    }
    give();
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  const patienceMs = nowMs() + 10_000;
  while (alive > 0 && (underWay > 0 || waiting.length > 0) && nowMs() < patienceMs) await new Promise((resolve) => setTimeout(resolve, 5));
  return lags;
}

const connections = await Promise.all(Array.from({ length: order.connections }, () => HttpConnection.open(order.port)));
process.stdout.write("sending\n");
const deadline = order.perSecond === null ? setTimeout(() => (isOver = true), order.durationMs) : undefined;
const lags = order.perSecond === null ? (await closedLoop(connections), []) : await openLoop(connections, order.perSecond);
clearTimeout(deadline);
for (const connection of connections) connection.close();
const report: LoadReport = { sent, next, lagsMs: lags };
process.stdout.write(`${JSON.stringify(report)}\n`);
