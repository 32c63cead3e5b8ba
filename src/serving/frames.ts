/**
 * Messages between a server and its scorer processes over a socket: a header of 16 bytes (payload length, kind, batch, rows; unsigned
 * 32-bit little-endian numbers) and the payload. Numbers travel as they lie in memory: both ends run on one machine.
 */
import type { Writable } from "node:stream";

/** JSON: the model to load, and how it will be asked. Sent once, first. */
export const LOAD = 6;
/** JSON: what the codes of texts in the next batch stand for. Sent only where rows have texts. */
export const TEXTS = 7;
/** Rows of 32-bit floats, to be scored. */
export const SCORE = 1;
/** JSON: how the model will be called. Sent once. */
export const READY = 2;
/** JSON: the issues for which the model is refused. Sent instead of READY. */
export const REFUSED = 3;
/** One 64-bit float for each row of the batch. */
export const SCORES = 4;
/** Text: why the batch could not be scored. */
export const FAILED = 5;

export interface Frame {
  readonly kind: number;
  readonly batch: number;
  readonly rows: number;
  /** Its own memory, so that it can be looked at as numbers. */
  readonly payload: ArrayBuffer;
}

const HEADER = 16;

export function writeFrame(to: Writable, kind: number, batch: number, rows: number, payload: Uint8Array): void {
  const frame = Buffer.allocUnsafe(HEADER + payload.byteLength);
  frame.writeUInt32LE(payload.byteLength, 0);
  frame.writeUInt32LE(kind, 4);
  frame.writeUInt32LE(batch, 8);
  frame.writeUInt32LE(rows, 12);
  frame.set(payload, HEADER);
  to.write(frame);
}

/** Puts frames together from whatever pieces a socket gives. */
export class FrameReader {
  readonly #maxBytes: number;
  readonly #onFrame: (frame: Frame) => void;
  readonly #header = Buffer.alloc(HEADER);
  #headerAt = 0;
  #payload = new Uint8Array(0);
  #payloadAt = 0;

  /** @param maxBytes - a longer payload is an error of the other end */
  constructor(maxBytes: number, onFrame: (frame: Frame) => void) {
    this.#maxBytes = maxBytes;
    this.#onFrame = onFrame;
  }

  /** @throws RangeError when the other end doesn't speak our protocol */
  push(chunk: Uint8Array): void {
    let at = 0;
    for (;;) {
      if (this.#headerAt < HEADER) {
        const taken = Math.min(HEADER - this.#headerAt, chunk.length - at);
        this.#header.set(chunk.subarray(at, at + taken), this.#headerAt);
        this.#headerAt += taken;
        at += taken;
        if (this.#headerAt < HEADER) return;
        const bytes = this.#header.readUInt32LE(0);
        if (bytes > this.#maxBytes) throw new RangeError(`a frame of ${bytes} bytes, expected at most ${this.#maxBytes}`);
        this.#payload = new Uint8Array(bytes);
        this.#payloadAt = 0;
      }
      const taken = Math.min(this.#payload.length - this.#payloadAt, chunk.length - at);
      this.#payload.set(chunk.subarray(at, at + taken), this.#payloadAt);
      this.#payloadAt += taken;
      at += taken;
      if (this.#payloadAt < this.#payload.length) return;
      this.#headerAt = 0;
      this.#onFrame({
        kind: this.#header.readUInt32LE(4),
        batch: this.#header.readUInt32LE(8),
        rows: this.#header.readUInt32LE(12),
        payload: this.#payload.buffer,
      });
    }
  }
}
