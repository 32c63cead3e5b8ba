/** Of which chunks a blob is made, and where each of them lies: the file that stands for a blob that is too large to lie in one piece. */
import { hash } from "node:crypto";

export interface ChunkPlace {
  /** SHA-256 of the chunk's bytes, as 32 characters of latin1. */
  readonly hash: string;
  readonly bytes: number;
  /** Which of the recipe's packs. */
  readonly pack: number;
  readonly at: number;
  /** Fewer than `bytes` where it is compressed. */
  readonly storedBytes: number;
}

export interface Recipe {
  readonly bytes: number;
  readonly packs: readonly string[];
  readonly chunks: readonly ChunkPlace[];
}

const MAGIC = "EKR1";
const HEAD_BYTES = 20;
const PACK_NAME_BYTES = 36;
const CHUNK_BYTES = 50;
const HASH_BYTES = 32;

/** Magic, counts, names of packs, chunks, and the SHA-256 of all that. */
export function recipeBytes({ bytes, packs, chunks }: Recipe): Buffer {
  const length = HEAD_BYTES + packs.length * PACK_NAME_BYTES + chunks.length * CHUNK_BYTES;
  const out = Buffer.alloc(length + HASH_BYTES);
  out.write(MAGIC, "latin1");
  out.writeUInt32BE(packs.length, 4);
  out.writeUInt32BE(chunks.length, 8);
  out.writeBigUInt64BE(BigInt(bytes), 12);
  let at = HEAD_BYTES;
  for (const pack of packs) at += out.write(pack.padEnd(PACK_NAME_BYTES), at, "latin1");
  for (const chunk of chunks) {
    out.write(chunk.hash, at, "latin1");
    out.writeUInt32BE(chunk.bytes, at + 32);
    out.writeUInt32BE(chunk.storedBytes, at + 36);
    out.writeUInt32BE(chunk.pack, at + 40);
    out.writeUIntBE(chunk.at, at + 44, 6);
    at += CHUNK_BYTES;
  }
  out.write(hash("sha256", out.subarray(0, length), "binary"), length, "latin1");
  return out;
}

/** undefined for bytes that are no recipe, or no longer the one that was written. */
export function parseRecipe(bytes: Buffer): Recipe | undefined {
  const length = bytes.length - HASH_BYTES;
  if (length < HEAD_BYTES || bytes.toString("latin1", 0, 4) !== MAGIC) return undefined;
  if (hash("sha256", bytes.subarray(0, length), "binary") !== bytes.toString("latin1", length)) return undefined;
  const [packCount, chunkCount] = [bytes.readUInt32BE(4), bytes.readUInt32BE(8)];
  if (length !== HEAD_BYTES + packCount * PACK_NAME_BYTES + chunkCount * CHUNK_BYTES) return undefined;
  let at = HEAD_BYTES;
  const packs = Array.from({ length: packCount }, () => bytes.toString("latin1", at, (at += PACK_NAME_BYTES)).trimEnd());
  const chunks = Array.from({ length: chunkCount }, () => {
    const from = at;
    at += CHUNK_BYTES;
    return {
      hash: bytes.toString("latin1", from, from + 32),
      bytes: bytes.readUInt32BE(from + 32),
      storedBytes: bytes.readUInt32BE(from + 36),
      pack: bytes.readUInt32BE(from + 40),
      at: bytes.readUIntBE(from + 44, 6),
    };
  });
  return { bytes: Number(bytes.readBigUInt64BE(12)), packs, chunks };
}
