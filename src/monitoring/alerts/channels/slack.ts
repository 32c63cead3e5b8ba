/** Notices for Slack's incoming webhooks, and for what takes the same: one text. */
import type { Notice } from "../alert.ts";
import type { ChannelTargetOf } from "../spec.ts";
import { headline, linkFor, textOf, type Reader } from "../words.ts";
import { Poster, neededSecret, type ChannelParts, type ChannelTarget } from "./target.ts";

export class Slack implements ChannelTarget {
  readonly #spec: ChannelTargetOf<"slack">;
  readonly #parts: ChannelParts;
  readonly #poster: Poster;

  constructor(spec: ChannelTargetOf<"slack">, parts: ChannelParts) {
    this.#spec = spec;
    this.#parts = parts;
    this.#poster = new Poster(parts);
  }

  async deliver(notice: Notice, signal: AbortSignal): Promise<null> {
    const { secrets, reader } = this.#parts;
    const url = neededSecret(secrets, this.#spec.secret);
    await this.#poster.post({ url, body: JSON.stringify({ text: slackText(notice, reader) }) }, signal);
    return null;
  }

  close(): Promise<void> {
    return this.#poster.close();
  }
}

/** The headline bold and linked, the rest as it is. Names come from people: what Slack would take for markup is escaped. */
export function slackText(notice: Notice, reader: Reader): string {
  const [first] = notice.entries;
  const link = first ? linkFor(first.facts, reader) : null;
  const title = escaped(headline(notice, reader));
  // The headline says what the first sentence of a single alert says.
  const text = textOf(notice, reader);
  const rest = notice.entries.length === 1 ? text.slice(text.indexOf("\n") + 1) : text;
  return `*${link === null ? title : `<${link}|${title.replaceAll("|", "/")}>`}*\n${escaped(rest)}`;
}

const escaped = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
