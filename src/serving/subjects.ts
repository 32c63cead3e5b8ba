/** People's ids leave the request only as keyed hashes: the same person is recognised, and nobody without the key can tell who it is. */
import { hash } from "node:crypto";
import type { ReleaseId } from "../std.ts";

/** Gives the pseudonym of a person. */
export type SubjectHash = (subject: string) => string;

/** Of SHA-256, in bytes. */
const BLOCK = 64;
const DIGEST = 32;

/**
 * Pseudonyms: HMAC-SHA-256 (RFC 2104, section 2) over the id after NFKC and trimming, as 64 hex digits. The same for all endpoints of a
 * server, so that a person's decisions can be found and erased.
 *
 * Of two plain hashes: 1.8 µs a decision, where an object of `createHmac` takes 12.
 * @param key - secret of the server, 32 to 64 bytes
 */
export function subjectHash(key: Uint8Array): SubjectHash {
  if (key.length < DIGEST || key.length > BLOCK) throw new RangeError(`expected a key of 32 to 64 bytes, got ${key.length}`);
  const padded = (pad: number) => Uint8Array.from({ length: BLOCK }, (_, i) => (key[i] ?? 0) ^ pad);
  const inner = padded(0x36);
  const outer = Buffer.concat([padded(0x5c), Buffer.alloc(DIGEST)]);
  return (subject) => {
    const message = Buffer.concat([inner, Buffer.from(subject.normalize("NFKC").trim())]);
    outer.set(hash("sha256", message, "buffer"), BLOCK);
    return hash("sha256", outer, "hex");
  };
}

/**
 * Whether somebody belongs to the share that a canary or a shadow answers. Sticky: the same person is in for as long as the share
 * doesn't shrink below their place. Each release draws its own people, so that it isn't always the same ones who meet the new.
 * @param hash - hex digits that are spread evenly: a subject hash, or the end of a decision's id
 * @param share - of all people, 0 to 1
 */
export function isInShare(hash: string, release: ReleaseId, share: number): boolean {
  return mixed(leadingBits(hash) ^ bitsOf(release)) < share * 2 ** 32;
}

/**
 * Which of several releases with fixed weights answers somebody: the same one for as long as they stay. Each set of releases draws
 * its own people, others than a canary of one of them.
 * @param hash - as above
 * @returns index of the arm
 */
export function armOf(hash: string, arms: readonly { readonly release: ReleaseId; readonly weight: number }[]): number {
  const salt = arms.reduce((bits, { release }) => bits ^ bitsOf(release), AB_BITS);
  const total = arms.reduce((sum, { weight }) => sum + weight, 0);
  const place = (mixed(leadingBits(hash) ^ salt) / 2 ** 32) * total;
  let end = 0;
  for (const [index, { weight }] of arms.entries()) {
    end += weight;
    if (place < end) return index;
  }
  return arms.length - 1;
}
/** Any bits will do, as long as they are always the same. */
const AB_BITS = 0x51ed270b;

const bitsOf = (release: ReleaseId): number => leadingBits(release.slice(release.indexOf(":") + 1));

const leadingBits = (hex: string): number => Number.parseInt(hex.slice(0, 8), 16) | 0;

/** Spreads 32 bits evenly (the finalizer of MurmurHash3); unsigned. */
function mixed(bits: number): number {
  let h = bits;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
