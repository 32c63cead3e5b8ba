/** How a server stops without failing anybody: it answers whoever still comes, or hands them on, then lets go of its connections. */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { Server as NetServer, type Socket } from "node:net";
import { setImmediate as turn, setTimeout as sleep } from "node:timers/promises";
import { forward } from "./forwarding.ts";

interface Closing {
  readonly server: Server;
  addHook(name: "preClose", hook: () => Promise<void>): unknown;
}

const QUIET_MS = 100;
const POLL_MS = 20;
const AT_MOST_MS = 5000;
/** A connection that has been idle for so long is no more likely to be used in this moment than in any other. */
const LINGER_IDLE_MS = 1000;
const LINGER_AT_MOST_MS = 60_000;

/**
 * Before it closes it goes on answering (Fastify tells each that this was the last answer on its connection) until no request has come
 * or been under way for a tenth of a second, or for five seconds: a connection that is closed the moment its client writes to it is a
 * failed request, one that has been idle for a while is not. Then all that is idle is closed. Node would close what is idle at one
 * moment only; a connection on which nothing was ever asked (browsers open some in advance), or that becomes idle later, would hold the
 * server for as long as its client likes.
 */
export class Connections {
  readonly #open = new Set<Socket>();
  readonly #busy = new Set<Socket>();
  /** How long each connection that isn't busy has been seen idle since the successor has taken over. */
  readonly #idleMs = new Map<Socket, number>();
  /** Under way. */
  readonly #responses = new Set<ServerResponse>();
  #server: Server | undefined;
  #isClosing = false;
  #requests = 0;

  attach(app: Closing): void {
    this.#server = app.server;
    app.server.on("connection", (socket) => {
      if (this.#isClosing) return void socket.destroy();
      this.#open.add(socket);
      socket.on("close", () => {
        this.#open.delete(socket);
        this.#idleMs.delete(socket);
      });
    });
    app.server.on("request", this.#track);
    app.addHook("preClose", async () => {
      await this.#quiet({ quietMs: QUIET_MS, atMostMs: AT_MOST_MS });
      this.#isClosing = true;
      for (const socket of this.#open) if (!this.#busy.has(socket)) socket.destroy();
    });
  }

  /**
   * From now on every request, also on connections that are open already, is the successor's.
   * @param next - resolves with the socket at which it answers; until then they wait
   * @returns resolves when what had begun before has been answered, or after five seconds
   */
  async handOn(next: Promise<string>): Promise<void> {
    const server = this.#attached;
    const begun = [...this.#responses];
    server.removeAllListeners("request");
    server.on("request", this.#track);
    server.on("request", (request: IncomingMessage, response: ServerResponse) => void forward(request, response, next));
    const isUnderWay = () => begun.some((response) => this.#responses.has(response));
    for (let waitedMs = 0; waitedMs < AT_MOST_MS && isUnderWay(); waitedMs += 2) await sleep(2);
  }

  /**
   * After `handOn`: takes no new connections, and waits until those that there are have been told to go; one on which nothing is asked
   * for a second it closes. Both in a turn of the event loop in which there is nothing else to do, right after it has taken what had come:
   * a connection, or a request, that comes between these two is lost, and the two are some microseconds apart.
   */
  async letGo(): Promise<void> {
    await sleep(1);
    await turn();
    NetServer.prototype.close.call(this.#attached);
    for (let waitedMs = 0; waitedMs < LINGER_AT_MOST_MS && this.#open.size > 0; waitedMs += POLL_MS) {
      await sleep(POLL_MS);
      await turn();
      for (const socket of this.#open) {
        if (this.#busy.has(socket)) continue;
        const idleMs = (this.#idleMs.get(socket) ?? 0) + POLL_MS;
        this.#idleMs.set(socket, idleMs);
        if (idleMs >= LINGER_IDLE_MS) socket.destroy();
      }
    }
  }

  get #attached(): Server {
    if (!this.#server) throw new Error("connections of no server");
    return this.#server;
  }

  readonly #track = ({ socket }: IncomingMessage, response: ServerResponse): void => {
    this.#requests++;
    this.#busy.add(socket);
    this.#idleMs.delete(socket);
    this.#responses.add(response);
    response.on("close", () => {
      this.#responses.delete(response);
      this.#busy.delete(socket);
      if (this.#isClosing) socket.destroySoon();
    });
  };

  /** Resolves when no request has come or been under way for a while, when there are no connections, or when it has been too long. */
  async #quiet({ quietMs, atMostMs }: { readonly quietMs: number; readonly atMostMs: number }): Promise<void> {
    let seen = this.#requests;
    let sinceMs = 0;
    for (let waitedMs = 0; waitedMs < atMostMs && sinceMs < quietMs && this.#open.size > 0; waitedMs += POLL_MS) {
      await sleep(POLL_MS);
      sinceMs = this.#busy.size > 0 || this.#requests !== seen ? 0 : sinceMs + POLL_MS;
      seen = this.#requests;
    }
  }
}
