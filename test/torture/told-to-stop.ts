/**
 * F17: told to stop under load: it says that it isn't ready, answers whoever has asked, also those who are still sending, and ends with 0;
 * told twice it ends at once. Whoever hears that an answer is the last on its connection asks there no more, as clients and proxies do.
 */
import { join } from "node:path";
import { ENDPOINT, application } from "./applications.ts";
import type { Case, Survived } from "./case.ts";
import { HttpConnection, NoAnswer, decisionPost } from "./http-client.ts";
import type { Sent } from "./load-order.ts";
import { ServerProcess } from "./server-process.ts";
import { survivedAs } from "./survived.ts";
import { copyOf } from "./victim-world.ts";

const RUN = "f17";
const CONNECTIONS = 32;
const STOPPED_WITHIN_MS = 25_000;
const AT_ONCE_MS = 2000;
const SENDING_MS = 1000;
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

export const toldToStop: Case = {
  id: "F17",
  title: "SIGTERM under load, once and twice",
  section: "fault",
  cannot: () => (process.platform === "win32" ? "no SIGTERM" : undefined),
  async run(torment): Promise<Survived> {
    const { folder: prepared, token } = await torment.prepared();
    const folder = copyOf(prepared, join(torment.folder(), "data"));
    const rounds = torment.isShort ? 1 : 10;
    const crowd = new Crowd(token);
    const [stopMs, recoverMs, failures]: [number[], number[], string[]] = [[], [], []];
    for (let i = 0; i < rounds; i++) {
      const twice = await ServerProcess.start({ folder });
      await stopTwice(twice, crowd, torment.random.between(200, 600), failures);
      const once = await ServerProcess.start({ folder });
      stopMs.push(await stopOnce(once, crowd, torment.random.between(200, 600), failures));
      recoverMs.push(twice.startMs, once.startMs);
    }
    const note = `stopped within ${Math.max(...stopMs).toFixed(0)} ms; ${crowd.last} connections were told that an answer was the last`;
    return survivedAs(
      { run: RUN, folder, isLive: false, sent: crowd.sent },
      { runs: 2 * rounds, injected: 3 * rounds, recoverMs, note, failures },
    );
  },
};

/** @returns how long it took */
async function stopOnce(server: ServerProcess, crowd: Crowd, afterMs: number, failures: string[]): Promise<number> {
  const before = crowd.silent;
  const { asked, finish } = await crowd.ask(server.port);
  await sleep(afterMs);
  const sinceMs = performance.now();
  const ended = server.stop();
  let status = 200;
  for (; status === 200 && performance.now() < sinceMs + SENDING_MS; await sleep(5)) status = await readiness(server.port);
  if (status !== 503) failures.push(`while it stops, readiness is answered ${status}`);
  finish();
  const code = await Promise.race([ended, sleep(STOPPED_WITHIN_MS).then(() => "nothing yet")]);
  const tookMs = performance.now() - sinceMs;
  if (code !== 0) failures.push(`told to stop, it ended with ${String(code)} after ${tookMs.toFixed(0)} ms: ${server.said}`);
  if (server.isRunning) await server.kill();
  await asked;
  if (crowd.silent > before) failures.push(`${crowd.silent - before} who had asked a server that stops had no answer`);
  return tookMs;
}

/** Somebody is still sending: without the second signal it would wait. */
async function stopTwice(server: ServerProcess, crowd: Crowd, afterMs: number, failures: string[]): Promise<void> {
  const { asked, finish } = await crowd.ask(server.port);
  await sleep(afterMs);
  const ended = server.stop();
  await sleep(300);
  const sinceMs = performance.now();
  if (server.isRunning) process.kill(server.pid, "SIGTERM");
  else failures.push("it had ended before the second signal, with somebody still sending");
  const how = await Promise.race([ended, sleep(AT_ONCE_MS).then(() => "nothing yet")]);
  if (how !== "SIGKILL") failures.push(`told twice, it ended with ${String(how)} after ${(performance.now() - sinceMs).toFixed(0)} ms`);
  if (server.isRunning) await server.kill();
  finish();
  await asked;
}

/** @returns status, 0 without an answer */
const readiness = (port: number): Promise<number> =>
  fetch(`http://127.0.0.1:${port}/healthz/ready`, { headers: { connection: "close" } }).then(
    ({ status }) => status,
    () => 0,
  );

/** Applicants who ask one after the other until they are told that an answer is the last, and one who takes long to send. */
class Crowd {
  readonly sent: Sent[] = [];
  /** Answers that were the last on their connection. */
  last = 0;
  readonly #token: string;
  #next = 0;

  constructor(token: string) {
    this.#token = token;
  }

  get silent(): number {
    return this.sent.filter(({ status }) => status === 0).length;
  }

  /** @returns `asked` resolves when nobody asks any more; `finish` lets the slow one send the rest */
  async ask(port: number): Promise<{ readonly asked: Promise<unknown>; readonly finish: () => void }> {
    const connections = await Promise.all(Array.from({ length: CONNECTIONS + 1 }, () => HttpConnection.open(port)));
    let finish: () => void = () => undefined;
    const isTime = new Promise<void>((resolve) => (finish = resolve));
    const each = async (connection: HttpConnection, i: number) => {
      while (await this.#one(connection, i === 0 ? isTime : undefined));
      connection.close();
    };
    return { asked: Promise.all(connections.map(each)), finish };
  }

  /** @returns whether another can be asked on this connection */
  async #one(connection: HttpConnection, isTime: Promise<void> | undefined): Promise<boolean> {
    const n = this.#next++;
    const request = decisionPost({ endpoint: ENDPOINT, token: this.#token, body: application(RUN, n).body, key: null });
    const cut = isTime ? request.length - 20 : request.length;
    const sentMs = performance.now();
    const rest = isTime?.then(() => request.subarray(cut));
    const answer = await connection.send(request.subarray(0, cut), rest).catch((error: unknown) => {
      if (!(error instanceof NoAnswer)) throw error;
      return { status: 0, body: "", isReplay: false, retryAfter: null, isLast: true };
    });
    this.sent.push({ n, dueMs: sentMs, sentMs, ...answer, doneMs: performance.now() });
    if (answer.isLast && answer.status !== 0) this.last++;
    return !answer.isLast && isTime === undefined;
  }
}
