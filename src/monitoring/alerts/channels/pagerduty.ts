/** Notices as events of PagerDuty's Events API v2: one event an alert, all events of one alert under one key. */
import type { Entry, News, Notice } from "../alert.ts";
import { PAGERDUTY_URL, type ChannelTargetOf } from "../spec.ts";
import { documentOf, iso, linkFor, titleFor, type Reader } from "../words.ts";
import { Poster, neededSecret, type ChannelParts, type ChannelTarget } from "./target.ts";

const ACTION: Readonly<Record<News, "trigger" | "acknowledge" | "resolve">> = {
  opened: "trigger",
  escalated: "trigger",
  changed: "trigger",
  repeated: "trigger",
  acknowledged: "acknowledge",
  resolved: "resolve",
};
const SUMMARY_MAX = 1024;

export class Pagerduty implements ChannelTarget {
  readonly #spec: ChannelTargetOf<"pagerduty">;
  readonly #parts: ChannelParts;
  readonly #poster: Poster;

  constructor(spec: ChannelTargetOf<"pagerduty">, parts: ChannelParts) {
    this.#spec = spec;
    this.#parts = parts;
    this.#poster = new Poster(parts);
  }

  /** Where it ends in the middle, those before come again: their key makes them the same. */
  async deliver({ entries }: Notice, signal: AbortSignal): Promise<null> {
    const { secrets, reader } = this.#parts;
    const key = neededSecret(secrets, this.#spec.routing_key);
    const url = this.#spec.url ?? PAGERDUTY_URL;
    for (const entry of entries) await this.#poster.post({ url, body: JSON.stringify(eventOf(entry, key, reader)) }, signal);
    return null;
  }

  close(): Promise<void> {
    return this.#poster.close();
  }
}

export function eventOf(entry: Entry, routingKey: string, reader: Reader) {
  const { facts, news, alert, openedAtMs } = entry;
  const link = linkFor(facts, reader);
  return {
    routing_key: routingKey,
    event_action: ACTION[news],
    dedup_key: `evenkeel-${alert}`,
    client: "Evenkeel",
    ...(link === null ? {} : { client_url: link, links: [{ href: link, text: "The incident" }] }),
    payload: {
      summary: titleFor(facts, reader).slice(0, SUMMARY_MAX),
      source: facts.endpoint ?? "evenkeel",
      severity: facts.severity,
      timestamp: iso(openedAtMs),
      component: facts.release ?? undefined,
      group: facts.endpoint ?? undefined,
      class: facts.guardrail ?? entry.kind,
      custom_details: documentOf(entry, reader),
    },
  };
}
