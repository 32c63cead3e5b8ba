/** Bytes of some hundred rows and keys, one after the other, and their hashes, made all at once: first 128 bits of their SHA-256. */
import { hash } from "node:crypto";
import { viewOf } from "./raw-row.ts";
import { HASH_WORDS, type RowBytes } from "./row-hash.ts";
import { BLOCK_BYTES, FREE_FROM, RESULT, hashFourIn, type HashFour } from "./sha256-lanes.ts";
import { newMemory, PAGE_BYTES, type WasmMemory } from "./wasm-code.ts";

/** Messages before lanes are worth their making, which takes some 40 ms. */
const LANES_FROM = 4000;
/** Longer messages are OpenSSL's: with so many blocks, its call costs little beside them. */
const LANE_BLOCKS_MAX = 20;
const LANES = 4;
const FIRST_PAGES = 2;
/** What 32 bits address, nearly. */
const PAGES_MAX = 32_767;

interface Lanes {
  readonly memory: WasmMemory;
  readonly hashFour: HashFour;
  result: Uint32Array;
}

export class HashBatch implements RowBytes {
  /** All bytes behind `length` are 0. */
  buffer = Buffer.alloc(FIRST_PAGES * PAGE_BYTES);
  view = viewOf(this.buffer);
  length = FREE_FROM;
  /** Of the messages, in their order: four words each, that of the first bytes first. Valid after `hashAll`. */
  hashes = new Uint32Array(64 * HASH_WORDS);
  count = 0;
  #from = FREE_FROM;
  #starts = new Int32Array(64);
  #lengths = new Int32Array(64);
  #order = new Int32Array(64);
  readonly #places = new Int32Array(LANE_BLOCKS_MAX + 2);
  /** undefined while messages are few; null where the engine has none. */
  #lanes: Lanes | null | undefined;
  readonly #lanesFrom: number;
  #hashed = 0;

  /** @param lanesFrom - after so many messages, short ones are hashed four at a time */
  constructor(lanesFrom = LANES_FROM) {
    this.#lanesFrom = lanesFrom;
  }

  /** What is added from now on is one message. */
  begin(): void {
    this.#from = this.length;
  }

  end(): void {
    if (this.count === this.#starts.length) this.#widen();
    const from = this.#from;
    const bytes = this.length - from;
    this.#starts[this.count] = from;
    this.#lengths[this.count++] = bytes;
    this.reserve(2 * BLOCK_BYTES);
    this.buffer[this.length] = 0x80;
    this.length = from + blocksOf(bytes) * BLOCK_BYTES;
    this.view.setUint32(this.length - 4, bytes * 8);
  }

  hashAll(): void {
    if (this.#lanes) this.#hashShort(this.#lanes);
    for (let i = 0; i < this.count; i++) {
      const length = this.#lengths[i] ?? 0;
      if (this.#lanes && blocksOf(length) <= LANE_BLOCKS_MAX) continue;
      const from = this.#starts[i] ?? 0;
      const text = hash("sha256", this.buffer.subarray(from, from + length), "binary");
      for (let word = 0; word < HASH_WORDS; word++) this.hashes[i * HASH_WORDS + word] = wordOf(text, word * 4);
    }
    this.#hashed += this.count;
  }

  /** Begins anew, without messages. */
  clear(): void {
    this.buffer.fill(0, FREE_FROM, this.length);
    this.length = FREE_FROM;
    this.count = 0;
    if (this.#lanes === undefined && this.#hashed >= this.#lanesFrom) this.#makeLanes();
  }

  reserve(more: number): void {
    const { buffer } = this;
    if (this.length + more <= buffer.length) return;
    const pages = Math.ceil(Math.max(buffer.length * 2, this.length + more) / PAGE_BYTES);
    if (this.#lanes) {
      this.#lanes.memory.grow(pages - buffer.length / PAGE_BYTES);
      this.#use(this.#lanes);
      return;
    }
    this.buffer = Buffer.alloc(pages * PAGE_BYTES);
    this.view = viewOf(this.buffer);
    buffer.copy(this.buffer, 0, 0, this.length);
  }

  /** Those with as many blocks as one another, four by four. */
  #hashShort({ hashFour, result }: Lanes): void {
    const places = this.#places.fill(0);
    for (let i = 0; i < this.count; i++) {
      const blocks = blocksOf(this.#lengths[i] ?? 0);
      if (blocks <= LANE_BLOCKS_MAX) places[blocks + 1] = (places[blocks + 1] ?? 0) + 1;
    }
    for (let blocks = 1; blocks < places.length; blocks++) places[blocks] = (places[blocks] ?? 0) + (places[blocks - 1] ?? 0);
    for (let i = 0; i < this.count; i++) {
      const blocks = blocksOf(this.#lengths[i] ?? 0);
      if (blocks > LANE_BLOCKS_MAX) continue;
      const to = places[blocks] ?? 0;
      this.#order[to] = i;
      places[blocks] = to + 1;
    }
    // By now each place is where the messages with so many blocks end.
    for (let blocks = 1; blocks <= LANE_BLOCKS_MAX; blocks++) {
      const to = places[blocks] ?? 0;
      for (let at = places[blocks - 1] ?? 0; at < to; at += LANES) {
        const start = (lane: number) => this.#starts[this.#order[Math.min(at + lane, to - 1)] ?? 0] ?? 0;
        hashFour(start(0), start(1), start(2), start(3), blocks);
        for (let lane = 0; lane < LANES && at + lane < to; lane++) {
          const message = (this.#order[at + lane] ?? 0) * HASH_WORDS;
          for (let word = 0; word < HASH_WORDS; word++) this.hashes[message + word] = result[word * LANES + lane] ?? 0;
        }
      }
    }
  }

  #makeLanes(): void {
    try {
      const memory = newMemory({ initial: this.buffer.length / PAGE_BYTES, maximum: PAGES_MAX });
      const lanes = { memory, hashFour: hashFourIn(memory), result: new Uint32Array() };
      this.#use(lanes);
      this.#lanes = lanes;
    } catch {
      // An engine without vectors, or one that may not compile: OpenSSL gives the same hashes, and takes longer.
      this.#lanes = null;
    }
  }

  #use(lanes: Lanes): void {
    this.buffer = Buffer.from(lanes.memory.buffer);
    this.view = viewOf(this.buffer);
    lanes.result = new Uint32Array(lanes.memory.buffer, RESULT, HASH_WORDS * LANES);
  }

  #widen(): void {
    const size = this.count * 2;
    this.#starts = widened(this.#starts, size);
    this.#lengths = widened(this.#lengths, size);
    this.#order = new Int32Array(size);
    this.hashes = new Uint32Array(size * HASH_WORDS);
  }
}

/** Behind a message there are one bit, zeros up to a whole block, and its length. */
const blocksOf = (bytes: number): number => (bytes + 72) >>> 6;

const wordOf = (text: string, at: number): number =>
  (text.charCodeAt(at) << 24) | (text.charCodeAt(at + 1) << 16) | (text.charCodeAt(at + 2) << 8) | text.charCodeAt(at + 3);

function widened(old: Int32Array<ArrayBuffer>, size: number): Int32Array<ArrayBuffer> {
  const wider = new Int32Array(size);
  wider.set(old);
  return wider;
}
