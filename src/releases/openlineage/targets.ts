/** Where events of OpenLineage go: an address that takes them one by one, or a file of lines. */
import { stat, truncate } from "node:fs/promises";
import { dirname } from "node:path";
import { Agent, request } from "undici";
import { EGRESS_HINT, EgressDenied, retryAfterMs, type Egress } from "../../access/index.ts";
import { appendDurably, makeFolder } from "../../decisions/index.ts";
import { unreachable } from "../../std.ts";
import type { RunEvent } from "./event.ts";

/** Said by whoever starts the server. */
export type TargetSpec =
  | { readonly kind: "http"; readonly url: string; /** Sent as a bearer's token. */ readonly token?: string }
  | { readonly kind: "file"; readonly path: string };

/** What came of an entry's events: all are with the target but those that it won't ever take, or they come again. */
export type Delivered =
  | { readonly ok: true; readonly mark: number; readonly refused: readonly string[] }
  | { readonly ok: false; readonly why: string; readonly retryAfterMs: number };

export interface EventTarget {
  /**
   * Delivers all of an entry's events, or says why not: then they come again, and whoever had some of them has them twice, alike.
   * @param mark - what the delivery before gave
   */
  deliver(events: readonly RunEvent[], mark: number, signal: AbortSignal): Promise<Delivered>;
  close(): Promise<void>;
}

export function openTarget(spec: TargetSpec, parts: { readonly egress: Egress; readonly nowMs: () => number }): EventTarget {
  switch (spec.kind) {
    case "http":
      return new HttpEvents(spec, parts);
    case "file":
      return new FileEvents(spec.path);
    default:
      return unreachable(spec);
  }
}

const TIMEOUT_MS = 15_000;
const CONNECT_MS = 3_000;
const ANSWER_BYTES = 64 * 1024;
/** What a receiver says of an event that it won't take however often it comes. */
const FINAL = new Set([400, 413, 422]);

class HttpEvents implements EventTarget {
  readonly #spec: Extract<TargetSpec, { readonly kind: "http" }>;
  readonly #nowMs: () => number;
  readonly #agent: Agent;

  constructor(
    spec: Extract<TargetSpec, { readonly kind: "http" }>,
    { egress, nowMs }: { readonly egress: Egress; readonly nowMs: () => number },
  ) {
    this.#spec = spec;
    this.#nowMs = nowMs;
    this.#agent = new Agent({ connect: egress.connector(CONNECT_MS), connections: 1, pipelining: 1, allowH2: false });
  }

  async deliver(events: readonly RunEvent[], mark: number, signal: AbortSignal): Promise<Delivered> {
    const refused: string[] = [];
    for (const event of events) {
      const answer = await this.#post(event, signal);
      if (answer.kind === "failed") return { ok: false, why: answer.why, retryAfterMs: answer.retryAfterMs };
      if (answer.kind === "refused") refused.push(`the receiver answered ${answer.status} to the ${event.eventType} of ${event.job.name}`);
    }
    return { ok: true, mark, refused };
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async #post(event: RunEvent, signal: AbortSignal): Promise<Posted> {
    const { url, token } = this.#spec;
    const within = AbortSignal.timeout(TIMEOUT_MS);
    try {
      const answer = await request(url, {
        method: "POST",
        body: JSON.stringify(event),
        dispatcher: this.#agent,
        signal: AbortSignal.any([signal, within]),
        headers: {
          "content-type": "application/json",
          "user-agent": "evenkeel",
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        },
      });
      await answer.body.dump({ limit: ANSWER_BYTES });
      const { statusCode: status } = answer;
      if (status >= 200 && status < 300) return { kind: "taken" };
      if (FINAL.has(status)) return { kind: "refused", status };
      const asked = answer.headers["retry-after"];
      const redirect = status >= 300 && status < 400 ? "; redirects aren't followed" : "";
      return {
        kind: "failed",
        why: `the receiver answered ${status}${redirect}`,
        retryAfterMs: retryAfterMs(typeof asked === "string" ? asked : undefined, this.#nowMs()),
      };
    } catch (cause) {
      return { kind: "failed", why: whyOf(cause, within.aborted), retryAfterMs: 0 };
    }
  }
}

type Posted =
  | { readonly kind: "taken" }
  | { readonly kind: "refused"; readonly status: number }
  | { readonly kind: "failed"; readonly why: string; readonly retryAfterMs: number };

function whyOf(cause: unknown, isLate: boolean): string {
  if (isLate) return `the receiver did not answer within ${TIMEOUT_MS} ms`;
  if (cause instanceof EgressDenied) return `${cause.message}: ${EGRESS_HINT}`;
  return `the receiver can't be reached, or broke off (${cause instanceof Error && "code" in cause ? String(cause.code) : String(cause)})`;
}

/** Each line is there once: what a crash left behind the mark is cut off before anything is written after it. */
class FileEvents implements EventTarget {
  readonly #path: string;
  #isTidy = false;

  constructor(path: string) {
    this.#path = path;
  }

  async deliver(events: readonly RunEvent[], mark: number): Promise<Delivered> {
    try {
      if (!this.#isTidy) await this.#tidyUp(mark);
      this.#isTidy = false;
      const bytes = Buffer.from(events.map((event) => `${JSON.stringify(event)}\n`).join(""));
      await appendDurably(this.#path, mark, bytes);
      this.#isTidy = true;
      return { ok: true, mark: mark + bytes.length, refused: [] };
    } catch (error) {
      return {
        ok: false,
        why: `${this.#path} can't be written (${error instanceof Error ? error.message : String(error)})`,
        retryAfterMs: 0,
      };
    }
  }

  async close(): Promise<void> {}

  /** A file that others have written to is left alone. */
  async #tidyUp(mark: number): Promise<void> {
    await makeFolder(dirname(this.#path));
    if (mark === 0) return;
    const size = await stat(this.#path).then(
      (found) => found.size,
      () => 0,
    );
    if (size < mark) throw new Error("it is shorter than what was written to it; start with another file, and the events come again");
    await truncate(this.#path, mark);
  }
}
