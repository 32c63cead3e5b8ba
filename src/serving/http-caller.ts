/** Calls to one model server: over connections that stay open, bounded in time and size, nothing inflated, no redirect followed. */
import { Agent, request } from "undici";
import { EgressDenied, type Egress } from "../access/index.ts";
import { ScorerError } from "./scorer.ts";
import type { TraceContext } from "./trace-context.ts";

/** An answer, whatever its status. */
export interface HttpAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly text: string;
}

/** No answer came. `wasSent`: the server may have seen the request. */
export class CallFailed extends Error {
  override readonly name = "CallFailed";
  readonly trouble: ScorerError["trouble"];
  readonly wasSent: boolean;
  constructor(
    trouble: ScorerError["trouble"],
    message: string,
    { wasSent, cause }: { readonly wasSent: boolean; readonly cause?: unknown },
  ) {
    super(message, { cause });
    this.trouble = trouble;
    this.wasSent = wasSent;
  }
}

/** What says where calls may go, and connects. */
export type CallGuard = Pick<Egress, "check" | "connector">;

export interface HttpCallerOptions {
  readonly egress: CallGuard;
  readonly connections: number;
  readonly headers: Readonly<Record<string, string>>;
}

/** What goes along with a body. */
interface Sent {
  readonly contentType: string;
  /** Its members are headers. */
  readonly trace: TraceContext | undefined;
}

const MAX_ANSWER_BYTES = 1024 * 1024;
const CONNECT_MS = 1000;
/** Below the five seconds after which many servers close a connection that nothing comes over: closing first means never writing into the void. */
const KEEP_ALIVE_MS = 4000;

export class HttpCaller {
  readonly #agent: Agent;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #underWay = new Set<AbortController>();
  #isClosed = false;

  constructor({ egress, connections, headers }: HttpCallerOptions) {
    this.#headers = headers;
    this.#agent = new Agent({
      connect: egress.connector(CONNECT_MS),
      connections,
      pipelining: 1,
      allowH2: false,
      maxResponseSize: MAX_ANSWER_BYTES,
      keepAliveTimeout: KEEP_ALIVE_MS,
      keepAliveMaxTimeout: KEEP_ALIVE_MS,
      // Both are covered by the one signal over the whole call.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
  }

  get(url: string, timeoutMs: number): Promise<HttpAnswer> {
    return this.#call(url, { method: "GET" }, timeoutMs);
  }

  post(url: string, body: string, sent: Sent, timeoutMs: number): Promise<HttpAnswer> {
    return this.#call(url, { method: "POST", body, ...sent }, timeoutMs);
  }

  /** Calls under way fail as `closed`. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const call of this.#underWay) call.abort();
    await this.#agent.destroy();
  }

  /** @throws CallFailed */
  async #call(
    url: string,
    what: { readonly method: "GET" } | ({ readonly method: "POST"; readonly body: string } & Sent),
    timeoutMs: number,
  ): Promise<HttpAnswer> {
    const abort = new AbortController();
    // Timers run before sockets are read: an answer that has already come gets its turn first.
    const timer = setTimeout(() => setImmediate(() => abort.abort()), timeoutMs);
    this.#underWay.add(abort);
    try {
      const { statusCode, headers, body } = await request(url, {
        method: what.method,
        body: what.method === "POST" ? what.body : null,
        dispatcher: this.#agent,
        signal: abort.signal,
        headers: {
          ...this.#headers,
          ...(what.method === "POST" ? { "content-type": what.contentType, ...what.trace } : {}),
          accept: "application/json, text/csv;q=0.5",
          "accept-encoding": "identity",
          "user-agent": "evenkeel",
        },
      });
      const encoding = headers["content-encoding"];
      if (encoding !== undefined && encoding !== "identity") {
        body.destroy().on("error", () => undefined);
        throw new CallFailed("bad-answer", "expected an answer that isn't compressed, the server compressed it", { wasSent: true });
      }
      const contentType = headers["content-type"];
      return { status: statusCode, contentType: typeof contentType === "string" ? contentType : "", text: await body.text() };
    } catch (error) {
      throw error instanceof CallFailed ? error : this.#failureOf(error, abort.signal.aborted);
    } finally {
      clearTimeout(timer);
      this.#underWay.delete(abort);
    }
  }

  /** In words of ours: an error's own text may repeat what the server said. */
  #failureOf(cause: unknown, isAborted: boolean): CallFailed {
    if (this.#isClosed) return new CallFailed("closed", "the release is no longer loaded", { wasSent: true, cause });
    if (isAborted) return new CallFailed("timeout", "the server did not answer in time", { wasSent: true, cause });
    if (cause instanceof EgressDenied) return new CallFailed("down", cause.message, { wasSent: false, cause });
    const code = codeOf(cause);
    if (NOT_CONNECTED.has(code)) return new CallFailed("down", `the server can't be reached (${code})`, { wasSent: false, cause });
    if (code === "UND_ERR_RES_EXCEEDED_MAX_SIZE")
      return new CallFailed("bad-answer", `expected an answer of at most ${MAX_ANSWER_BYTES} bytes, it is longer`, {
        wasSent: true,
        cause,
      });
    const isHttp =
      /^(UND_ERR_HEADERS_OVERFLOW|UND_ERR_RES_CONTENT_LENGTH)/.test(code) || (cause instanceof Error && cause.name === "HTTPParserError");
    if (isHttp) return new CallFailed("bad-answer", "expected an answer in HTTP, the server broke its rules", { wasSent: true, cause });
    return new CallFailed("failed", `the connection broke${code === "" ? "" : ` (${code})`}`, { wasSent: true, cause });
  }
}

/** Errors that only connecting can end in: nothing of a request was sent. */
const NOT_CONNECTED = new Set(
  "ECONNREFUSED EHOSTUNREACH ENETUNREACH EADDRNOTAVAIL ENOTFOUND EAI_AGAIN EAI_FAIL UND_ERR_CONNECT_TIMEOUT".split(" "),
);

function codeOf(error: unknown): string {
  const code: unknown = typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : "";
}
