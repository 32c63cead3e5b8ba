/** Real conversations by SMTP, with a real server. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { SMTPServer, type SMTPServerOptions } from "smtp-server";
import { afterEach, describe, expect, test } from "vitest";
import { entry, notice, partsFor } from "../../../../test/fixtures/notices.ts";
import type { ChannelTargetOf } from "../spec.ts";
import { Email } from "./email.ts";

interface Mail {
  readonly from: string;
  readonly to: readonly string[];
  readonly text: string;
  readonly user: unknown;
  readonly isSecure: boolean;
}

const never = new AbortController().signal;
const REFUSED = "the mail server can't be reached, or refused";
const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function mailServer(options: SMTPServerOptions = {}) {
  const mails: Mail[] = [];
  const asked: string[] = [];
  const server = new SMTPServer({
    authOptional: true,
    logger: false,
    onAuth({ username, password }, _session, done) {
      asked.push(`${username}:${password}`);
      if (password === "right") done(null, { user: username });
      else done(new Error("no"));
    },
    onData(stream, session, done) {
      const chunks: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => void chunks.push(chunk));
      stream.on("end", () => {
        const { mailFrom, rcptTo } = session.envelope;
        mails.push({
          from: mailFrom === false ? "" : mailFrom.address,
          to: rcptTo.map(({ address }) => address),
          text: Buffer.concat(chunks).toString("utf8"),
          user: session.user,
          isSecure: session.secure,
        });
        done();
      });
    },
    ...options,
  });
  server.on("error", () => undefined);
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  closers.push(() => new Promise((resolve) => server.close(() => resolve())));
  const { port } = server.server.address() as AddressInfo;
  return { port, mails, asked };
}
const emailTo = (port: number, more: Partial<ChannelTargetOf<"email">> = {}, secrets: Readonly<Record<string, string>> = {}) =>
  new Email(
    { kind: "email", host: "127.0.0.1", port, tls: "none", from: "evenkeel@bank.test", to: ["risk@bank.test"], ...more },
    partsFor([port], secrets),
  );

test("a mail arrives: plain text, one thread an alert, the same id in every attempt", async () => {
  const { port, mails } = await mailServer();
  const email = emailTo(port, { to: ["risk@bank.test", "it@bank.test"] });
  expect(await email.deliver(notice(), never)).toBeNull();
  await email.deliver(notice(), never);
  const [first, second] = mails;
  expect(first).toMatchObject({ from: "evenkeel@bank.test", to: ["risk@bank.test", "it@bank.test"], isSecure: false });
  const header = (mail: Mail | undefined, name: string) => new RegExp(`^${name}: (.*(?:\r\n[ \t].*)*)`, "mi").exec(mail?.text ?? "")?.[1];
  expect(header(first, "subject")).toBe("[error] loans: r2 turned down applicants of one group");
  expect(header(first, "message-id")).toBe(`<${notice().id}@bank.test>`);
  expect(header(second, "message-id")).toBe(header(first, "message-id"));
  expect(header(first, "references")).toBe(`<${entry().alert}@bank.test>`);
  expect(header(first, "auto-submitted")).toBe("auto-generated");
  expect(header(first, "content-type")).toMatch(/^text\/plain/);
  expect(first?.text).toContain("https://evenkeel.test/incidents/7");
  expect(first?.text).not.toContain("high");
});

test("what people have named can't begin a header of its own", async () => {
  const { port, mails } = await mailServer();
  const { facts } = entry();
  await emailTo(port).deliver(notice(entry({ facts: { ...facts, blindTitle: "r2\r\nBcc: everybody@evil.test\r\n\r\nx" } })), never);
  expect(mails[0]?.text.split("\r\n\r\n")[0]).not.toMatch(/^bcc:/im);
  expect(mails[0]?.to).toEqual(["risk@bank.test"]);
});

test("a recipient that is refused doesn't keep the others from theirs, and is counted", async () => {
  const { port, mails } = await mailServer({
    onRcptTo: ({ address }, _session, done) => (address.startsWith("gone") ? done(new Error("no such user")) : done()),
  });
  const note = await emailTo(port, { to: ["gone@bank.test", "risk@bank.test"] }).deliver(notice(), never);
  expect(note).toBe("the mail server took it for 1 of 2 recipients");
  expect(mails[0]?.to).toEqual(["risk@bank.test"]);
  const failed: unknown = await emailTo(port, { to: ["gone@bank.test"] })
    .deliver(notice(), never)
    .catch((error: unknown) => error);
  expect(failed).toMatchObject({ isFinal: false, message: expect.stringContaining("550") });
  expect(String(failed)).not.toContain("gone@");
});

test("nothing is sent before the connection is encrypted where that was asked for", async () => {
  const plain = await mailServer({ disabledCommands: ["STARTTLS"] });
  const credentials = { user: "evenkeel", password: "mail" } as const;
  await expect(emailTo(plain.port, { tls: "starttls", ...credentials }, { mail: "right" }).deliver(notice(), never)).rejects.toThrow(
    REFUSED,
  );
  // Its certificate is its own.
  const untrusted = await mailServer();
  await expect(emailTo(untrusted.port, { tls: "starttls", ...credentials }, { mail: "right" }).deliver(notice(), never)).rejects.toThrow(
    REFUSED,
  );
  expect([plain.asked, untrusted.asked, plain.mails, untrusted.mails]).toEqual([[], [], [], []]);
});

test("a server that answers nothing, or that isn't one, ends in time and in words", async () => {
  const silent = createServer(() => undefined);
  await new Promise<void>((resolve) => void silent.listen(0, "127.0.0.1", resolve));
  const sockets = new Set<import("node:net").Socket>();
  silent.on("connection", (socket) => void sockets.add(socket));
  closers.push(async () => {
    for (const socket of sockets) socket.destroy();
    silent.close();
  });
  const { port } = silent.address() as AddressInfo;
  const abort = new AbortController();
  const waiting = emailTo(port).deliver(notice(), abort.signal);
  setTimeout(() => abort.abort(), 200);
  await expect(waiting).rejects.toThrow("the mail server did not take it within");

  const other = createServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
  await new Promise<void>((resolve) => void other.listen(0, "127.0.0.1", resolve));
  closers.push(async () => void other.close());
  const { port: wrong } = other.address() as AddressInfo;
  await expect(emailTo(wrong).deliver(notice(), never)).rejects.toThrow(/^the mail server can't be reached, or refused \(/);
  await expect(emailTo(1).deliver(notice(), never)).rejects.toThrow(/refused|reached/);
});

/** A certificate of its own authority for 127.0.0.1; undefined where there is no openssl. */
function certificate(): { readonly key: string; readonly cert: string } | undefined {
  const folder = mkdtempSync(join(tmpdir(), "evenkeel-cert-"));
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  try {
    const subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"];
    execFileSync("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", key, "-out", cert, ...subject], {
      stdio: "ignore",
    });
    return { key: readFileSync(key, "utf8"), cert: readFileSync(cert, "utf8") };
  } catch {
    return undefined;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
const own = certificate();

// Skipped, and counted as such, where there is no openssl to make a certificate.
describe.skipIf(own === undefined)("with a certificate that is trusted", () => {
  test.each([
    ["starttls", {}],
    ["implicit", { secure: true }],
  ] as const)("by %s the password goes out encrypted only, and a wrong one is told without being repeated", async (tls, options) => {
    if (own) setDefaultCACertificates([...getCACertificates("default"), own.cert]);
    const { port, mails, asked } = await mailServer({ ...own, ...options });
    const credentials = { tls, user: "evenkeel", password: "mail" } as const;
    await emailTo(port, credentials, { mail: "right" }).deliver(notice(), never);
    expect(mails).toMatchObject([{ user: "evenkeel", isSecure: true }]);
    expect(asked).toEqual(["evenkeel:right"]);
    const failed: unknown = await emailTo(port, credentials, { mail: "a-wrong-one" })
      .deliver(notice(), never)
      .catch((error: unknown) => error);
    expect(failed).toMatchObject({ isFinal: false, message: expect.stringContaining("EAUTH") });
    expect(JSON.stringify(failed) + String(failed)).not.toContain("a-wrong-one");
  });
});
