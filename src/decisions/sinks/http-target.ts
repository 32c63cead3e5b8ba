/** Batches of CloudEvents over HTTP, signed as Standard Webhooks: in order, one at a time, again until a 2xx has come. */
import {
  CallFailed,
  Outgoing,
  answerInWords,
  signingKeysOf,
  webhookSignature,
  type Egress,
  type OutgoingAnswer,
  type OutgoingCall,
  type SigningKey,
} from "../../access/index.ts";
import { BATCH_CONTENT_TYPE, batchId, cloudEvent } from "./cloud-event.ts";
import type { TargetOf } from "./spec.ts";
import { DeliveryFailed, type SinkBatch, type SinkTarget } from "./target.ts";

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

export class HttpTarget implements SinkTarget {
  readonly batch: number;
  readonly gatherMs = 0;
  readonly #options: HttpTargetOptions;
  readonly #receiver: Outgoing;

  constructor(options: HttpTargetOptions) {
    const { spec, egress, nowMs } = options;
    this.#options = options;
    this.batch = spec.batch ?? BATCH;
    this.#receiver = new Outgoing({ egress, timeoutMs: spec.timeout_ms ?? TIMEOUT_MS, nowMs });
  }

  async deliver(batch: SinkBatch, signal: AbortSignal): Promise<null> {
    const { name, installation, nowMs } = this.#options;
    const id = batchId(name, batch, installation);
    const body = JSON.stringify(batch.documents.map((document) => cloudEvent(document, installation)));
    const timestamp = Math.floor(nowMs() / 1000);
    const { status, retryAfterMs } = await this.#call(signal, {
      method: "POST",
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
    throw new DeliveryFailed(answerInWords(status), { retryAfterMs });
  }

  /** Whether somebody answers there, whatever it is. */
  async probe(signal: AbortSignal): Promise<void> {
    await this.#call(signal, { method: "HEAD", body: null, headers: {} });
  }

  async close(): Promise<void> {
    await this.#receiver.close();
  }

  #keys(): readonly SigningKey[] {
    const keys = signingKeysOf(this.#options.spec.secrets, this.#options.secrets);
    if ("missing" in keys) throw new DeliveryFailed(`${keys.missing} isn't in the server's environment, or holds no key`);
    return keys;
  }

  async #call(signal: AbortSignal, call: Omit<OutgoingCall, "url">): Promise<OutgoingAnswer> {
    try {
      return await this.#receiver.call({ ...call, url: this.#options.spec.url }, signal);
    } catch (cause) {
      if (cause instanceof CallFailed) throw new DeliveryFailed(cause.message, { cause });
      throw cause;
    }
  }
}
