/** Applicants of the suite's own process: one after the other on each connection, every answer kept. */
import { application, ENDPOINT } from "./applications.ts";
import { HttpConnection, NoAnswer, decisionPost } from "./http-client.ts";
import type { Sent } from "./load-order.ts";

export interface AskingOptions {
  readonly port: number;
  readonly token: string;
  /** Names the applicants: nobody of another run is the same person. */
  readonly run: string;
  readonly connections: number;
}

export class Asking {
  readonly all: Sent[] = [];
  readonly #connections: readonly HttpConnection[];
  readonly #options: AskingOptions;
  #next = 0;

  private constructor(connections: readonly HttpConnection[], options: AskingOptions) {
    this.#connections = connections;
    this.#options = options;
  }
  static async open(options: AskingOptions): Promise<Asking> {
    const connections = await Promise.all(Array.from({ length: options.connections }, () => HttpConnection.open(options.port)));
    return new Asking(connections, options);
  }

  /** @returns their answers; where the connection ended instead, with status 0 */
  async many(count: number): Promise<readonly Sent[]> {
    const answers: Sent[] = [];
    const each = async (connection: HttpConnection) => {
      for (let i = 0; i < count / this.#connections.length; i++) answers.push(await this.#ask(connection));
    };
    await Promise.all(this.#connections.map(each));
    return answers;
  }

  async one(): Promise<Sent> {
    const [connection] = this.#connections;
    if (!connection) throw new Error("no connection");
    return this.#ask(connection);
  }

  /** Until told to stop. @returns what stops it, with the answers */
  onAndOn(): () => Promise<readonly Sent[]> {
    let isOver = false;
    const answers: Sent[] = [];
    const each = async (connection: HttpConnection) => {
      while (!isOver && answers.at(-1)?.status !== 0) answers.push(await this.#ask(connection));
    };
    const done = Promise.all(this.#connections.map(each));
    return async () => {
      isOver = true;
      await done;
      return answers;
    };
  }

  close(): void {
    for (const connection of this.#connections) connection.close();
  }

  async #ask(connection: HttpConnection): Promise<Sent> {
    const n = this.#next++;
    const { run, token } = this.#options;
    const sentMs = performance.now();
    const answer = await connection
      .send(decisionPost({ endpoint: ENDPOINT, token, body: application(run, n).body, key: null }))
      .catch((error: unknown) => {
        if (error instanceof NoAnswer) return { status: 0, body: "", isReplay: false, retryAfter: null };
        throw error;
      });
    const sent = { n, dueMs: sentMs, sentMs, ...answer, doneMs: performance.now() };
    this.all.push(sent);
    return sent;
  }
}
