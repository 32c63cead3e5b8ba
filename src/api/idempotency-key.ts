/** Keys that make a request that is sent again the same one. */
import type { FastifyRequest } from "fastify";
import { ProblemError } from "./problem.ts";

/** A key as it stands in a body, or bare in a header. */
export const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,255}$/;
/** The IETF draft's form: a structured-field string (RFC 9651), parameters behind it without meaning. */
const QUOTED = /^"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"\s*(;.*)?$/;

/** `Idempotency-Key` of a request, quoted or bare; undefined where there is none. @throws ProblemError */
export function idempotencyKeyOf(request: FastifyRequest): string | undefined {
  const header = request.headers["idempotency-key"];
  if (header === undefined) return undefined;
  const key = typeof header === "string" ? keyIn(header) : undefined;
  if (key !== undefined) return key;
  throw new ProblemError("invalid", undefined, [{ path: "/headers/idempotency-key", expected: "1 to 255 visible ASCII characters, once" }]);
}

/** Undefined where it is none. */
export function keyIn(header: string): string | undefined {
  if (!header.startsWith('"')) return IDEMPOTENCY_KEY.test(header) ? header : undefined;
  const key = QUOTED.exec(header)?.[1]?.replaceAll(/\\(["\\])/g, "$1");
  return key !== undefined && key.length >= 1 && key.length <= 255 ? key : undefined;
}
