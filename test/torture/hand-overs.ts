/**
 * H: one server takes the place of another under load, again and again (`up --take-over`). No request fails, none is answered twice, and the
 * one that goes is gone soon, whatever connections idle. Clients do as clients and proxies do: told that an answer was the last on its
 * connection, or finding it closed, they open another.
 */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ENDPOINT, application } from "./applications.ts";
import type { Case, Survived, Torment } from "./case.ts";
import { HttpConnection, NoAnswer, decisionPost } from "./http-client.ts";
import type { Sent } from "./load-order.ts";
import { ServerProcess } from "./server-process.ts";
import { survivedAs } from "./survived.ts";
import { copyOf } from "./victim-world.ts";

const RUN = "hand-over";
const BUSY = 12;
/** Of clients that ask every so often, with pauses of up to so long: their connections idle most of the time. */
const [CALM, PAUSE_MS] = [8, 2500];
const GONE_WITHIN_MS = 30_000;

export const handOvers: Case = {
  id: "H",
  title: "up --take-over under load",
  section: "fault",
  cannot: () => (process.platform === "linux" ? undefined : "ports are shared on Linux only"),
  async run(torment): Promise<Survived> {
    const { folder: prepared, token } = await torment.prepared();
    const folder = copyOf(prepared, join(torment.folder(), "data"));
    const times = torment.isShort ? 3 : 20;
    let server = await ServerProcess.start({ folder });
    const { port } = server;
    const clients = new Clients(port, token, torment);
    const failures: string[] = [];
    const [startMs, goneMs]: [number[], number[]] = [[], []];
    for (let i = 0; i < times; i++) {
      await sleep(torment.random.between(100, 800));
      const next = await ServerProcess.start({ folder, takeOverAt: port }).catch((error: unknown) => error);
      if (!(next instanceof ServerProcess)) {
        failures.push(`hand-over ${i + 1}: ${String(next)}; the one that ${server.isRunning ? "runs" : "has ended"} said ${server.said}`);
        break;
      }
      const sinceMs = performance.now();
      const how = await Promise.race([server.ended, sleep(GONE_WITHIN_MS, null)]);
      goneMs.push(performance.now() - sinceMs);
      startMs.push(next.startMs);
      if (how !== 0) failures.push(`the one that went ended with ${String(how)}: ${server.said}`);
      if (server.isRunning) await server.kill();
      else await server.control.close();
      server = next;
      torment.say(`${i + 1} of ${times}: gone after ${goneMs.at(-1)?.toFixed(0)} ms`);
    }
    await clients.stop();
    await server.kill();
    // On a machine with too much else to do a server that has just begun turns some away, and tells them when to come again.
    const shed = clients.sent.filter(
      ({ status, retryAfter, body }) => status === 503 && retryAfter !== null && body.includes("overloaded"),
    );
    const failed = clients.sent.filter((one) => one.status !== 200 && !shed.includes(one));
    if (failed.length > 0)
      failures.push(`${failed.length} of ${clients.sent.length} requests failed, the first with ${failed[0]?.status} ${failed[0]?.body}`);
    if (clients.refused > 0) failures.push(`${clients.refused} connections were refused`);
    const waits = clients.sent.map(({ sentMs, doneMs }) => doneMs - sentMs);
    const note = `${failed.length} of ${clients.sent.length} requests failed, ${shed.length} were told to come again; the longest wait ${Math.max(...waits).toFixed(0)} ms; the one that went was gone after at most ${Math.max(...goneMs).toFixed(0)} ms; ${clients.reopened} connections opened anew`;
    return survivedAs(
      { run: RUN, folder, isLive: false, sent: clients.sent },
      { runs: times, injected: times, recoverMs: startMs, note, failures },
    );
  },
};

class Clients {
  readonly sent: Sent[] = [];
  reopened = 0;
  /** Connections that nobody took. */
  refused = 0;
  readonly #port: number;
  readonly #token: string;
  readonly #done: Promise<unknown>;
  #isOver = false;
  #next = 0;

  constructor(port: number, token: string, { random }: Torment) {
    this.#port = port;
    this.#token = token;
    const pause = () => sleep(random.between(50, PAUSE_MS));
    this.#done = Promise.all(Array.from({ length: BUSY + CALM }, (_, i) => this.#client(i < BUSY ? () => sleep(1) : pause)));
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#done;
  }

  async #client(pause: () => Promise<unknown>): Promise<void> {
    let connection: HttpConnection | undefined;
    while (!this.#isOver) {
      connection ??= await HttpConnection.open(this.#port).catch(() => undefined);
      if (connection === undefined) this.refused++;
      else if (connection.hasEnded || (await this.#ask(connection))) {
        connection.close();
        connection = undefined;
        this.reopened++;
      }
      await pause();
    }
    connection?.close();
  }

  /** @returns whether it was the last on its connection */
  async #ask(connection: HttpConnection): Promise<boolean> {
    const n = this.#next++;
    const { body, key } = application(RUN, n);
    const sentMs = performance.now();
    const answer = await connection.send(decisionPost({ endpoint: ENDPOINT, token: this.#token, body, key })).catch((error: unknown) => {
      if (!(error instanceof NoAnswer)) throw error;
      return { status: 0, body: "", isReplay: false, retryAfter: null, isLast: true };
    });
    this.sent.push({ n, dueMs: sentMs, sentMs, ...answer, doneMs: performance.now() });
    return answer.isLast;
  }
}
