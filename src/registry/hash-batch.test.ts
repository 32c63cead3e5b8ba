import { hash } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { HashBatch } from "./hash-batch.ts";
import { HASH_BYTES, HASH_WORDS } from "./row-hash.ts";

function hashesOf(batch: HashBatch, messages: readonly Uint8Array[]): string[] {
  for (const message of messages) {
    batch.begin();
    batch.reserve(message.length);
    batch.buffer.set(message, batch.length);
    batch.length += message.length;
    batch.end();
  }
  batch.hashAll();
  const hashes = messages.map((_, i) =>
    Array.from({ length: HASH_WORDS }, (_word, word) => (batch.hashes[i * HASH_WORDS + word] ?? 0).toString(16).padStart(8, "0")).join(""),
  );
  batch.clear();
  return hashes;
}

test("four at a time or one by one, hashes are those of SHA-256, of messages of any length and number", () => {
  // The first batch makes the lanes of those that follow; the other has none.
  const batches = [new HashBatch(1), new HashBatch(Number.POSITIVE_INFINITY)];
  for (const batch of batches) hashesOf(batch, [Buffer.from("first")]);
  const message = fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ minLength: 1000, maxLength: 1500 }));
  fc.assert(
    fc.property(fc.array(message, { maxLength: 40, size: "max" }), (messages) => {
      const expected = messages.map((bytes) => hash("sha256", bytes, "hex").slice(0, HASH_BYTES * 2));
      for (const batch of batches) expect(hashesOf(batch, messages)).toEqual(expected);
    }),
    { numRuns: 100 },
  );
});

test("memory that must grow keeps what is in it", () => {
  const batch = new HashBatch(1);
  hashesOf(batch, [Buffer.from("first")]);
  const messages = Array.from({ length: 5000 }, (_, i) => Buffer.from(`${i} `.repeat(i % 40)));
  const expected = messages.map((bytes) => hash("sha256", bytes, "hex").slice(0, HASH_BYTES * 2));
  expect(hashesOf(batch, messages)).toEqual(expected);
});
