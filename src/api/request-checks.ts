/** What is asked of every request before anything else looks at it: whom it is meant for, and that its words can be stored and compared. */
import { isIP } from "node:net";
import type { FastifyRequest } from "fastify";
import { Type, type TSchema } from "typebox";
import type { Issue } from "../std.ts";
import { ProblemError } from "./problem.ts";

/**
 * A rebinding attack needs a name; probes, scrapers and people on the machine use addresses (T12). A page of another site that a browser
 * lets reach us is told apart by its Origin.
 * @param allowed - names besides IP literals and `localhost`, in lower case
 */
export function checkTarget(request: FastifyRequest, allowed: readonly string[]): void {
  const { rawHeaders, socket, url = "" } = request.raw;
  const valuesOf = (name: string) => rawHeaders.filter((_, i, all) => i % 2 === 1 && all[i - 1]?.toLowerCase() === name);
  // A proxy's form of address: its host would be believed by nobody, but the path behind it would be answered.
  if (!url.startsWith("/")) throw wrong("/url", "a path of this server", url);
  const origins = valuesOf("origin");
  if (origins.length > 1 || origins.some((origin) => !isOurs(hostIn(origin), allowed)))
    throw wrong("/headers/origin", "a page of this server", origins.join(", "));
  const hosts = valuesOf("host");
  if (socket.remoteAddress === undefined && hosts.length <= 1) return; // the control socket
  if (hosts.length !== 1 || !isOurs(hosts[0] ?? "", allowed))
    throw wrong("/headers/host", "an IP address, localhost, or a name given with --allowed-host, once", hosts.join(", "));
}

const wrong = (path: string, expected: string, got: string) =>
  new ProblemError("wrong-host", `Ask for ${expected}; got "${got.slice(0, 80)}".`, [{ path, expected, got: got.slice(0, 80) }]);

const isOurs = (hostAndPort: string, allowed: readonly string[]): boolean => {
  const host = hostAndPort
    .replace(/:\d+$/, "")
    .replace(/^\[|\]$/g, "")
    .toLowerCase();
  return isIP(host) !== 0 || host === "localhost" || allowed.includes(host);
};

/** `null`, which sandboxed pages and files send, has none. */
const hostIn = (origin: string): string => /^https?:\/\/([^/]+)$/i.exec(origin)?.[1] ?? "";

/** A small body that unpacks to a large one is a way around every limit (T7). */
export function checkEncoding(request: FastifyRequest): void {
  const encoding = request.headers["content-encoding"];
  if (encoding === undefined || encoding.toLowerCase() === "identity") return;
  throw new ProblemError("unsupported-media-type", "Send the body as it is, not compressed.", [
    { path: "/headers/content-encoding", expected: "none", got: encoding.slice(0, 80) },
  ]);
}

/** Whether the body says, or leaves open, that it is in UTF-8. */
export function isUtf8(contentType: string | undefined): boolean {
  const charset = /;\s*charset\s*=\s*"?([^";\s]*)/i.exec(contentType ?? "")?.[1];
  return charset === undefined || /^utf-?8$/i.test(charset);
}

/** Whole numbers and flags, which an address can only spell. What isn't exactly one stays a text, and is refused as such. */
export function readAddress(schema: TSchema, values: unknown): unknown {
  if (!Type.IsObject(schema) || typeof values !== "object" || values === null) return values;
  return Object.fromEntries(
    Object.entries(values).map(([name, value]: [string, unknown]) => {
      const property: unknown = Object.hasOwn(schema.properties, name) ? schema.properties[name] : undefined;
      if (typeof value !== "string") return [name, value];
      if (Type.IsInteger(property) && /^-?\d{1,20}$/.test(value)) return [name, Number(value)];
      if (Type.IsBoolean(property) && (value === "true" || value === "false")) return [name, value === "true"];
      return [name, value];
    }),
  );
}

/** Texts and numbers in an address: what one database keeps and the other refuses is refused here, for both alike (trap 12). */
export function addressIssue(values: unknown): Issue | undefined {
  if (typeof values !== "object" || values === null) return undefined;
  for (const [name, value] of Object.entries(values)) {
    const path = `/${name}`;
    if (typeof value === "string" && (value.includes("\0") || !value.isWellFormed() || value.includes("\uFFFD")))
      return { path, expected: "well-formed text without NUL characters", got: JSON.stringify(value.slice(0, 60)) };
    if (typeof value === "number" && !Number.isSafeInteger(value))
      return { path, expected: "a whole number below 2^53", got: String(value) };
  }
  return undefined;
}

/** Decoded as browsers do: what isn't UTF-8 becomes U+FFFD, which no text of an address may hold. A name that stands there twice is a list. */
export function queryIn(text: string): Record<string, string | string[]> {
  const query: Record<string, string | string[]> = Object.create(null);
  if (text === "") return query;
  for (const [name, value] of new URLSearchParams(text)) {
    const before = query[name];
    query[name] = before === undefined ? value : [before, value].flat();
  }
  return query;
}
