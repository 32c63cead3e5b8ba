/** Notices by SMTP: plain text, one conversation a message, over a connection that the server may make. */
import type { Socket } from "node:net";
import { createTransport } from "nodemailer";
import { EGRESS_HINT, EgressDenied } from "../../../access/index.ts";
import type { Notice } from "../alert.ts";
import { portOf, type ChannelTargetOf } from "../spec.ts";
import { headline, textOf } from "../words.ts";
import { NotTold, TIMEOUT_MS, neededSecret, type ChannelParts, type ChannelTarget } from "./target.ts";

const CONNECT_MS = 3_000;
const SUBJECT_MAX = 200;

export class Email implements ChannelTarget {
  readonly #spec: ChannelTargetOf<"email">;
  readonly #parts: ChannelParts;

  constructor(spec: ChannelTargetOf<"email">, parts: ChannelParts) {
    this.#spec = spec;
    this.#parts = parts;
  }

  async deliver(notice: Notice, signal: AbortSignal): Promise<string | null> {
    const { secrets, reader } = this.#parts;
    const { user, password, from, to } = this.#spec;
    const auth = user === undefined || password === undefined ? {} : { auth: { user, pass: neededSecret(secrets, password) } };
    const domain = from.slice(from.indexOf("@") + 1);
    const within = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
    const connection = await this.#connected(within);
    const transport = createTransport({ ...this.#smtp(), ...auth, connection });
    const sending = transport.sendMail({
      from: { name: "Evenkeel", address: from },
      to: [...to],
      subject: headline(notice, reader).slice(0, SUBJECT_MAX),
      text: `${textOf(notice, reader)}\n`,
      messageId: `<${notice.id}@${domain}>`,
      // What is told of one alert is one thread, also where the first message got lost.
      references: notice.entries.slice(0, 10).map(({ alert }) => `<${alert}@${domain}>`),
      headers: { "auto-submitted": "auto-generated" },
      disableFileAccess: true,
      disableUrlAccess: true,
    });
    try {
      const sent = await Promise.race([sending, ended(within)]);
      const { length } = sent.rejected;
      return length === 0 ? null : `the mail server took it for ${to.length - length} of ${to.length} recipients`;
    } catch (cause) {
      throw failureOf(cause, within);
    } finally {
      sending.catch(() => undefined);
      transport.close();
      connection.destroy();
    }
  }

  async close(): Promise<void> {}

  async #connected(within: AbortSignal): Promise<Socket> {
    const { host } = this.#spec;
    try {
      return await this.#parts.egress.connect({ host, port: portOf(this.#spec), timeoutMs: CONNECT_MS });
    } catch (cause) {
      throw failureOf(cause, within);
    }
  }

  #smtp() {
    const { host, tls = "starttls" } = this.#spec;
    return {
      host,
      secure: tls === "implicit",
      requireTLS: tls === "starttls",
      ignoreTLS: tls === "none",
      greetingTimeout: TIMEOUT_MS,
      socketTimeout: TIMEOUT_MS,
    };
  }
}

function ended(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const end = () => reject(new Error("not in time"));
    if (signal.aborted) end();
    else signal.addEventListener("abort", end, { once: true });
  });
}

/** What went wrong, in words that hold nothing of what the mail server said: it may repeat addresses. */
function failureOf(cause: unknown, within: AbortSignal): NotTold {
  if (cause instanceof NotTold) return cause;
  if (within.aborted) return new NotTold(`the mail server did not take it within ${TIMEOUT_MS} ms`, { cause });
  if (cause instanceof EgressDenied) return new NotTold(`${cause.message}: ${EGRESS_HINT}`, { cause });
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const status = cause instanceof Error && "responseCode" in cause ? Number(cause.responseCode) : 0;
  const said = [code, ...(status > 0 ? [String(status)] : [])].filter((word) => word !== "").join(", ") || "it broke off";
  // A user name or recipient may be put right: only what is wrong with the message itself stays so.
  return new NotTold(`the mail server can't be reached, or refused (${said})`, { cause, isFinal: code === "EMESSAGE" && status >= 550 });
}
