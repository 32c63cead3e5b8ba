/**
 * Alerts for Alertmanager's API v2, as Prometheus sends them: an alert that is open ends a few minutes from now, and is sent again before
 * that, so that one of a server that is gone ends by itself.
 */
import type { Alert, Entry, Notice } from "../alert.ts";
import type { ChannelTargetOf } from "../spec.ts";
import { entryOf } from "../tell.ts";
import { groupFor, iso, linkFor, sentences, titleFor, type Reader } from "../words.ts";
import { Poster, neededSecret, type ChannelParts, type ChannelTarget } from "./target.ts";

/** How often what is open is sent again, and how long each time lasts: three may be lost. */
export const REMIND_EVERY_MS = 60_000;
const LASTS_MS = 4 * REMIND_EVERY_MS;

export class Alertmanager implements ChannelTarget {
  readonly #spec: ChannelTargetOf<"alertmanager">;
  readonly #parts: ChannelParts;
  readonly #poster: Poster;

  constructor(spec: ChannelTargetOf<"alertmanager">, parts: ChannelParts) {
    this.#spec = spec;
    this.#parts = parts;
    this.#poster = new Poster(parts);
  }

  async deliver({ entries }: Notice, signal: AbortSignal): Promise<null> {
    await this.#send(entries, signal);
    return null;
  }

  async remind(alerts: readonly Alert[], signal: AbortSignal): Promise<void> {
    await this.#send(
      alerts.map((alert) => entryOf({ alert, news: "repeated" })),
      signal,
    );
  }

  close(): Promise<void> {
    return this.#poster.close();
  }

  async #send(entries: readonly Entry[], signal: AbortSignal): Promise<void> {
    const { secrets, nowMs, reader } = this.#parts;
    const { url, bearer } = this.#spec;
    const headers = bearer === undefined ? {} : { authorization: `Bearer ${neededSecret(secrets, bearer)}` };
    const alerts = entries.map((entry) => postableAlert(entry, reader, nowMs()));
    await this.#poster.post({ url: `${url.replace(/\/+$/, "")}/api/v2/alerts`, headers, body: JSON.stringify(alerts) }, signal);
  }
}

/** Labels are the alert's identity there: nothing in them ever changes in its life. */
export function postableAlert(entry: Entry, reader: Reader, nowMs: number) {
  const { alert, kind, facts, openedAs, openedAtMs, resolvedAtMs } = entry;
  const { endpoint, guardrail, release } = facts;
  const group = groupFor(facts, reader);
  const link = linkFor(facts, reader);
  return {
    labels: {
      alertname: `Evenkeel${kind.charAt(0).toUpperCase()}${kind.slice(1)}`,
      evenkeel_alert: alert,
      severity: openedAs,
      ...(endpoint === null ? {} : { endpoint }),
      ...(release === null ? {} : { release }),
      ...(guardrail === null ? {} : { guardrail }),
    },
    annotations: {
      summary: titleFor(facts, reader),
      description: sentences({ ...entry, news: "opened" }, reader).join(" "),
      ...(group === null ? {} : { group }),
    },
    startsAt: iso(openedAtMs),
    endsAt: iso(resolvedAtMs ?? nowMs + LASTS_MS),
    ...(link === null ? {} : { generatorURL: link }),
  };
}
