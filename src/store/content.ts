/** Content ids: the same content has the same name everywhere and for ever. */
import { createHash } from "node:crypto";
import canonicalize from "canonicalize";
import type { Brand } from "../std.ts";

/** What JSON can hold. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined };

/** SHA-256 as 64 lower-case hex digits. */
export function sha256Hex(data: Uint8Array | string): string {
  return createHash("sha256").update(data).digest("hex");
}

/** Canonical JSON (RFC 8785): one text for one value, whatever the order of keys. Undefined properties are left out. */
export function canonicalJson(value: unknown): string {
  const text = canonicalize(value);
  if (text === undefined) throw new TypeError("canonical JSON of undefined");
  return text;
}

/** Content id of a value: `prefix:` and the SHA-256 of its canonical JSON. The caller names the brand that the prefix stands for. */
export function contentId<B extends string>(prefix: string, value: unknown): Brand<string, B> {
  return `${prefix}:${sha256Hex(canonicalJson(value))}` as Brand<string, B>;
}
