/** Calls over HTTP that people's configuration makes the server do: guarded, each within a time, told of in words that hold no secret. */
import { Agent, request } from "undici";
import { EGRESS_HINT, EgressDenied, type Egress } from "./egress.ts";
import { retryAfterMs } from "./retry.ts";

export interface OutgoingOptions {
  readonly egress: Egress;
  /** For one call, from its beginning to the end of the answer. */
  readonly timeoutMs: number;
  readonly nowMs: () => number;
}

export interface OutgoingCall {
  readonly method: "POST" | "HEAD";
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
}

export interface OutgoingAnswer {
  readonly status: number;
  /** What the receiver asked to be spared for; 0 where it didn't. */
  readonly retryAfterMs: number;
}

/** Nobody answered, or not in HTTP, or not in time, or may not be called at all. */
export class CallFailed extends Error {
  override readonly name = "CallFailed";
}

const CONNECT_MS = 3_000;
/** Of an answer nothing is wanted but its status. */
const ANSWER_BYTES = 64 * 1024;

/** One receiver, called over one connection. Redirects aren't followed: they are answers like any other. */
export class Outgoing {
  readonly #options: OutgoingOptions;
  readonly #agent: Agent;

  constructor(options: OutgoingOptions) {
    this.#options = options;
    this.#agent = new Agent({ connect: options.egress.connector(CONNECT_MS), connections: 1, pipelining: 1, allowH2: false });
  }

  /** @throws CallFailed */
  async call({ method, url, headers, body }: OutgoingCall, signal: AbortSignal): Promise<OutgoingAnswer> {
    const { timeoutMs, nowMs } = this.#options;
    const within = AbortSignal.timeout(timeoutMs);
    try {
      const answer = await request(url, {
        method,
        body,
        dispatcher: this.#agent,
        signal: AbortSignal.any([signal, within]),
        headers: { ...headers, "user-agent": "evenkeel" },
      });
      await answer.body.dump({ limit: ANSWER_BYTES });
      const asked = answer.headers["retry-after"];
      return { status: answer.statusCode, retryAfterMs: retryAfterMs(typeof asked === "string" ? asked : undefined, nowMs()) };
    } catch (cause) {
      if (within.aborted) throw new CallFailed(`the receiver did not answer within ${timeoutMs} ms`, { cause });
      if (cause instanceof EgressDenied) throw new CallFailed(`${cause.message}: ${EGRESS_HINT}`, { cause });
      const code = cause instanceof Error && "code" in cause ? String(cause.code) : String(cause);
      throw new CallFailed(`the receiver can't be reached, or broke off (${code})`, { cause });
    }
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}

/** `the receiver answered 302; redirects aren't followed` */
export const answerInWords = (status: number): string =>
  `the receiver answered ${status}${status >= 300 && status < 400 ? "; redirects aren't followed" : ""}`;
