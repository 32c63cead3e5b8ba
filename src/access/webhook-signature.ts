/** Signatures of Standard Webhooks 1.0 (standardwebhooks.com): HMAC-SHA256 (`v1`) and Ed25519 (`v1a`). */
import { createHmac, createPrivateKey, sign, type KeyObject } from "node:crypto";

/** What requests are signed with. Made by `signingKey`. */
export type SigningKey = { readonly kind: "symmetric"; readonly bytes: Buffer } | { readonly kind: "asymmetric"; readonly key: KeyObject };

/** Reads `whsec_…` (24 to 64 bytes) or `whsk_…` (an Ed25519 seed, alone or with its public key). Undefined for anything else. */
export function signingKey(text: string): SigningKey | undefined {
  const [, kind, encoded = ""] = /^(whsec|whsk)_([A-Za-z0-9+/]+={0,2})$/.exec(text) ?? [];
  if (kind === undefined) return undefined;
  const bytes = Buffer.from(encoded, "base64");
  if (kind === "whsec") return bytes.length >= 24 && bytes.length <= 64 ? { kind: "symmetric", bytes } : undefined;
  if (bytes.length !== 32 && bytes.length !== 64) return undefined;
  const key = createPrivateKey({ key: Buffer.concat([ED25519_PKCS8, bytes.subarray(0, 32)]), format: "der", type: "pkcs8" });
  return { kind: "asymmetric", key };
}

/** What stands before a raw Ed25519 seed in PKCS #8 (RFC 8410 §7). */
const ED25519_PKCS8 = Buffer.from("302e020100300506032b657004220420", "hex");

/** One message on its way to a receiver. */
export interface SignedContent {
  /** The same in every attempt. Without a `.`, which separates what is signed. */
  readonly id: string;
  /** Seconds since 1970, of this attempt. */
  readonly timestamp: number;
  readonly body: string;
}

/** The header `webhook-signature`: one signature a key, so that a receiver may know either while one replaces the other. */
export function webhookSignature(keys: readonly SigningKey[], { id, timestamp, body }: SignedContent): string {
  const content = `${id}.${timestamp}.${body}`;
  return keys.map((key) => signatureOf(key, content)).join(" ");
}

const signatureOf = (key: SigningKey, content: string): string =>
  key.kind === "symmetric"
    ? `v1,${createHmac("sha256", key.bytes).update(content).digest("base64")}`
    : `v1a,${sign(null, Buffer.from(content), key.key).toString("base64")}`;
