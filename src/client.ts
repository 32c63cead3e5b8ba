/** Talks to an Evenkeel server over HTTP, or over the control socket in its data folder. Used by programs, by the command line and by the examples. */
import { createReadStream, createWriteStream } from "node:fs";
import { rm } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { Readable } from "node:stream";
import { request, Agent, type Dispatcher } from "undici";
import type { Problem } from "./api/index.ts";

export interface ClientOptions {
  /** `http://127.0.0.1:7070`; left out when `socket` is given. */
  readonly url?: string;
  /** An access token, `ek_…`. The control socket needs none, and takes one to act as its holder. */
  readonly token?: string;
  /** Path of a server's control socket (`control.sock` in its data folder). */
  readonly socket?: string;
  /** How long to wait for one answer, all in all. Default 60,000 ms. */
  readonly timeoutMs?: number;
}

/** The server refused or failed; `problem` says what was wrong, where, and what to do. */
export class EvenkeelProblem extends Error {
  override readonly name = "EvenkeelProblem";
  readonly problem: Problem;
  constructor(problem: Problem) {
    super(problem.detail ?? problem.title);
    this.problem = problem;
  }
}

/** No answer came: the server isn't there, or didn't answer in time. */
export class EvenkeelUnreachable extends Error {
  override readonly name = "EvenkeelUnreachable";
}

export interface RequestOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  /** Instead of the client's own, for what takes long. */
  readonly timeoutMs?: number;
}

export class EvenkeelClient {
  readonly #base: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #agent: Agent;
  readonly #timeoutMs: number;

  constructor(options: ClientOptions) {
    this.#base = options.socket ? "http://localhost" : (options.url ?? "http://127.0.0.1:7070").replace(/\/$/, "");
    this.#headers = options.token ? { authorization: `Bearer ${options.token}` } : {};
    this.#agent = new Agent(options.socket ? { connect: { socketPath: options.socket } } : {});
    this.#timeoutMs = options.timeoutMs ?? 60_000;
  }

  get<T>(path: string, query?: RequestOptions["query"], options: Pick<RequestOptions, "timeoutMs"> = {}): Promise<T> {
    return this.#json<T>("GET", path, undefined, { ...options, ...(query ? { query } : {}) });
  }
  post<T>(path: string, body: unknown = {}, options: RequestOptions = {}): Promise<T> {
    return this.#json<T>("POST", path, JSON.stringify(body), options);
  }
  delete<T>(path: string, query?: RequestOptions["query"]): Promise<T> {
    return this.#json<T>("DELETE", path, undefined, query ? { query } : {});
  }
  /** Uploads raw bytes. */
  put<T>(path: string, bytes: Uint8Array, options: RequestOptions = {}): Promise<T> {
    return this.#json<T>("PUT", path, bytes, { ...options, headers: { "content-type": "application/octet-stream", ...options.headers } });
  }
  /** Uploads bytes as they come, so that what has any size needs no memory. */
  putStream<T>(path: string, pieces: AsyncIterable<Uint8Array>, options: RequestOptions = {}): Promise<T> {
    const headers = { "content-type": "application/octet-stream", ...options.headers };
    return this.#json<T>("PUT", path, Readable.from(pieces, { objectMode: false }), { ...LONG, ...options, headers });
  }
  /** Uploads a file of any size, as a stream. */
  async putFile<T>(path: string, file: string, options: RequestOptions = {}): Promise<T> {
    const bytes = createReadStream(file, { highWaterMark: 1 << 20 });
    try {
      return await this.#json<T>("PUT", path, bytes, { ...LONG, ...options, headers: { "content-type": "application/octet-stream" } });
    } finally {
      bytes.destroy();
    }
  }
  /** Writes an answer's bytes into a file, as they come; no file is left where they don't all come. */
  async getFile(path: string, file: string, options: RequestOptions = {}): Promise<void> {
    const answer = await this.#send("GET", path, undefined, { ...LONG, ...options });
    if (answer.statusCode >= 400) throw new EvenkeelProblem(problemOf(answer.statusCode, await answer.body.text()));
    try {
      await pipeline(answer.body, createWriteStream(file));
    } catch (error) {
      await rm(file, { force: true });
      throw error;
    }
  }
  async getBytes(path: string): Promise<Buffer> {
    const answer = await this.#send("GET", path, undefined, {});
    const bytes = Buffer.from(await answer.body.arrayBuffer());
    if (answer.statusCode >= 400) throw new EvenkeelProblem(problemOf(answer.statusCode, bytes.toString("utf8")));
    return bytes;
  }
  /** The same as `get`; undefined where there is no such thing. */
  async getOrUndefined<T>(path: string, query?: RequestOptions["query"]): Promise<T | undefined> {
    try {
      return await this.get<T>(path, query);
    } catch (error) {
      if (error instanceof EvenkeelProblem && error.problem.status === 404) return undefined;
      throw error;
    }
  }
  /** A document that isn't JSON. */
  async getText(path: string, query?: RequestOptions["query"]): Promise<string> {
    const answer = await this.#send("GET", path, undefined, query ? { query } : {});
    const text = await answer.body.text();
    if (answer.statusCode >= 400) throw new EvenkeelProblem(problemOf(answer.statusCode, text));
    return text;
  }
  async close(): Promise<void> {
    await this.#agent.close();
  }

  async #json<T>(
    method: Dispatcher.HttpMethod,
    path: string,
    body: string | Uint8Array | Readable | undefined,
    options: RequestOptions,
  ): Promise<T> {
    const answer = await this.#send(method, path, body, options);
    const text = await answer.body.text();
    if (answer.statusCode >= 400) throw new EvenkeelProblem(problemOf(answer.statusCode, text));
    return asAnswer<T>(text === "" ? null : JSON.parse(text));
  }

  async #send(
    method: Dispatcher.HttpMethod,
    path: string,
    body: string | Uint8Array | Readable | undefined,
    options: RequestOptions,
  ): Promise<Dispatcher.ResponseData> {
    const limitMs = options.timeoutMs ?? this.#timeoutMs;
    try {
      return await request(`${this.#base}${path}`, {
        method,
        dispatcher: this.#agent,
        headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...this.#headers, ...options.headers },
        ...(body === undefined ? {} : { body }),
        ...(options.query ? { query: Object.fromEntries(Object.entries(options.query).filter(([, value]) => value !== undefined)) } : {}),
        headersTimeout: limitMs,
        signal: AbortSignal.timeout(limitMs),
      });
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new EvenkeelUnreachable(`no answer from ${this.#base}: ${why}`, { cause: error });
    }
  }
}

/** What moves as much as there is. */
const LONG = { timeoutMs: 3_600_000 };

/** The server's answers have the types of its API: the same schemas made both. */
const asAnswer = <T>(value: unknown): T => value as T;

function problemOf(status: number, text: string): Problem {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && "title" in value && typeof value.title === "string") {
      return { type: "about:blank", status, ...value, title: value.title };
    }
  } catch {
    // Not from Evenkeel: a proxy on the way, for example.
  }
  return { type: "about:blank", title: `the server answered ${status}`, status, detail: text.slice(0, 200) };
}
