/** Batches of CloudEvents over HTTP, signed as Standard Webhooks: in order, one at a time, again until a 2xx has come. */
import { Agent, request } from "undici";
import { EGRESS_HINT, EgressDenied, type Egress } from "../../access/index.ts";
import { BATCH_CONTENT_TYPE, batchId, cloudEvent } from "./cloud-event.ts";
import { retryAfterMs } from "./retry.ts";
import type { TargetOf } from "./spec.ts";
import { DeliveryFailed, type SinkBatch, type SinkTarget } from "./target.ts";
import { signingKey, webhookSignature, type SigningKey } from "./webhook-signature.ts";

export interface HttpTargetOptions {
  readonly name: string;
  readonly spec: TargetOf<"http">;
  readonly egress: Egress;
  readonly secrets: Readonly<Record<string, string>>;
  readonly installation: string;
  readonly nowMs: () => number;
}

const BATCH = 100;
const TIMEOUT_MS = 15_000;
const CONNECT_MS = 3_000;
/** Of an answer nothing is wanted but its status. */
const ANSWER_BYTES = 64 * 1024;

export class HttpTarget implements SinkTarget {
  readonly batch: number;
  readonly gatherMs = 0;
  readonly #options: HttpTargetOptions;
  readonly #agent: Agent;

  constructor(options: HttpTargetOptions) {
    this.#options = options;
    this.batch = options.spec.batch ?? BATCH;
    this.#agent = new Agent({ connect: options.egress.connector(CONNECT_MS), connections: 1, pipelining: 1, allowH2: false });
  }

  async deliver(batch: SinkBatch, signal: AbortSignal): Promise<null> {
    const { name, installation, nowMs } = this.#options;
    const id = batchId(name, batch, installation);
    const body = JSON.stringify(batch.documents.map((document) => cloudEvent(document, installation)));
    const timestamp = Math.floor(nowMs() / 1000);
    const { status, retryAfter } = await this.#call("POST", signal, {
      body,
      headers: {
        "content-type": BATCH_CONTENT_TYPE,
        "webhook-id": id,
        "webhook-timestamp": String(timestamp),
        "webhook-signature": webhookSignature(this.#keys(), { id, timestamp, body }),
      },
    });
    if (status >= 200 && status < 300) return null;
    if (status === 410) throw new DeliveryFailed("the receiver answered 410: it wants no more of this", { isFinal: true });
    const redirect = status >= 300 && status < 400 ? "; redirects aren't followed" : "";
    throw new DeliveryFailed(`the receiver answered ${status}${redirect}`, { retryAfterMs: retryAfterMs(retryAfter, nowMs()) });
  }

  /** Whether somebody answers there, whatever it is. */
  async probe(signal: AbortSignal): Promise<void> {
    await this.#call("HEAD", signal, { body: null, headers: {} });
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  #keys(): readonly SigningKey[] {
    return this.#options.spec.secrets.map((name) => {
      const key = signingKey(this.#options.secrets[name] ?? "");
      if (!key) throw new DeliveryFailed(`EVENKEEL_SECRET_${name.toUpperCase()} isn't in the server's environment, or holds no key`);
      return key;
    });
  }

  async #call(
    method: "POST" | "HEAD",
    signal: AbortSignal,
    { body, headers }: { readonly body: string | null; readonly headers: Readonly<Record<string, string>> },
  ): Promise<{ readonly status: number; readonly retryAfter: string | undefined }> {
    const { url, timeout_ms } = this.#options.spec;
    const within = AbortSignal.timeout(timeout_ms ?? TIMEOUT_MS);
    try {
      const answer = await request(url, {
        method,
        body,
        dispatcher: this.#agent,
        signal: AbortSignal.any([signal, within]),
        headers: { ...headers, "user-agent": "evenkeel" },
      });
      await answer.body.dump({ limit: ANSWER_BYTES });
      const retryAfter = answer.headers["retry-after"];
      return { status: answer.statusCode, retryAfter: typeof retryAfter === "string" ? retryAfter : undefined };
    } catch (cause) {
      if (within.aborted) throw new DeliveryFailed(`the receiver did not answer within ${timeout_ms ?? TIMEOUT_MS} ms`, { cause });
      if (cause instanceof EgressDenied) throw new DeliveryFailed(`${cause.message}: ${EGRESS_HINT}`, { cause });
      const code = cause instanceof Error && "code" in cause ? String(cause.code) : String(cause);
      throw new DeliveryFailed(`the receiver can't be reached, or broke off (${code})`, { cause });
    }
  }
}
