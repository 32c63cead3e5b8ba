/** Notices as Standard Webhooks: signed, with an id that stays the same in every attempt. */
import { signingKeysOf, webhookSignature } from "../../../access/index.ts";
import type { Notice } from "../alert.ts";
import type { ChannelTargetOf } from "../spec.ts";
import { documentOf, headline, iso } from "../words.ts";
import { NotTold, Poster, type ChannelParts, type ChannelTarget } from "./target.ts";

export class Webhook implements ChannelTarget {
  readonly #spec: ChannelTargetOf<"webhook">;
  readonly #parts: ChannelParts;
  readonly #poster: Poster;

  constructor(spec: ChannelTargetOf<"webhook">, parts: ChannelParts) {
    this.#spec = spec;
    this.#parts = parts;
    this.#poster = new Poster(parts, spec.timeout_ms);
  }

  async deliver(notice: Notice, signal: AbortSignal): Promise<null> {
    const { secrets, nowMs, reader } = this.#parts;
    const keys = signingKeysOf(this.#spec.secrets, secrets);
    if ("missing" in keys) throw new NotTold(`${keys.missing} isn't in the server's environment, or holds no key`);
    const body = JSON.stringify({
      type: "evenkeel.alerts.v1",
      timestamp: iso(notice.createdAtMs),
      data: {
        channel: notice.channel,
        endpoint: notice.endpoint,
        headline: headline(notice, reader),
        alerts: notice.entries.map((entry) => documentOf(entry, reader)),
      },
    });
    const timestamp = Math.floor(nowMs() / 1000);
    const headers = {
      "webhook-id": notice.id,
      "webhook-timestamp": String(timestamp),
      "webhook-signature": webhookSignature(keys, { id: notice.id, timestamp, body }),
    };
    await this.#poster.post({ url: this.#spec.url, headers, body }, signal);
    return null;
  }

  close(): Promise<void> {
    return this.#poster.close();
  }
}
