/** What a channel delivers to. */
import {
  CallFailed,
  Outgoing,
  answerInWords,
  secretNamed,
  variableOf,
  type Egress,
  type OutgoingCall,
  type Secrets,
} from "../../../access/index.ts";
import type { Alert, Notice } from "../alert.ts";
import type { Reader } from "../words.ts";

/** One of each kind. Called for one notice at a time. */
export interface ChannelTarget {
  /**
   * Resolves once the receiver has it; it may have had it before.
   * @returns what a person should know all the same; null where there is nothing
   * @throws NotTold
   */
  deliver(notice: Notice, signal: AbortSignal): Promise<string | null>;
  /** For receivers that forget an alert which isn't told again: those that are open, again. @throws NotTold */
  remind?(alerts: readonly Alert[], signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

export interface ChannelParts {
  readonly egress: Egress;
  readonly secrets: Secrets;
  readonly reader: Reader;
  readonly nowMs: () => number;
}

/** The receiver didn't take it. Messages are for people, and never hold a secret. */
export class NotTold extends Error {
  override readonly name = "NotTold";
  /** The same will be refused for ever. */
  readonly isFinal: boolean;
  /** It asked to be spared for so long. */
  readonly retryAfterMs: number;
  constructor(message: string, options: { readonly isFinal?: boolean; readonly retryAfterMs?: number; readonly cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.isFinal = options.isFinal ?? false;
    this.retryAfterMs = options.retryAfterMs ?? 0;
  }
}

/** For one request, or one conversation by SMTP. */
export const TIMEOUT_MS = 10_000;
/** What a receiver says of a message that it won't take however often it comes. */
const FINAL = new Set([400, 410, 413, 422]);

/** Posts JSON to one receiver. Any 2xx is a yes. */
export class Poster {
  readonly #receiver: Outgoing;

  constructor({ egress, nowMs }: Pick<ChannelParts, "egress" | "nowMs">, timeoutMs = TIMEOUT_MS) {
    this.#receiver = new Outgoing({ egress, timeoutMs, nowMs });
  }

  /** @throws NotTold */
  async post({ url, headers = {}, body }: Pick<OutgoingCall, "url" | "body"> & Partial<OutgoingCall>, signal: AbortSignal): Promise<void> {
    const call = { method: "POST", url, body, headers: { "content-type": "application/json", ...headers } } as const;
    const { status, retryAfterMs } = await this.#receiver.call(call, signal).catch((cause: unknown) => {
      throw cause instanceof CallFailed ? new NotTold(cause.message, { cause }) : cause;
    });
    if (status >= 200 && status < 300) return;
    throw new NotTold(answerInWords(status), { isFinal: FINAL.has(status), retryAfterMs });
  }

  close(): Promise<void> {
    return this.#receiver.close();
  }
}

/** @throws NotTold where the server was started without it */
export function neededSecret(secrets: Secrets, name: string): string {
  const value = secretNamed(secrets, name);
  if (value === undefined) throw new NotTold(`${variableOf(name)} isn't in the server's environment`);
  return value;
}
