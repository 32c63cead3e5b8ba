/** Reads a row back from the bytes that `RowHasher` made of it: cells are compared and told in the one spelling of their values. */
import { TAGS } from "./row-hash.ts";

const NUMBER_BYTES = 9;
const BOOLEAN_BYTES = 2;
const TEXT_HEAD = 5;

/** Writes where each cell begins, and where the last ends, into `into`. @param into - one place more than cells */
export function findCells(bytes: Buffer, from: number, into: Uint32Array): void {
  let at = from;
  for (let i = 0; i < into.length - 1; i++) {
    into[i] = at;
    at += cellBytes(bytes, at);
  }
  into[into.length - 1] = at;
}

function cellBytes(bytes: Buffer, at: number): number {
  switch (bytes[at]) {
    case TAGS.empty:
      return 1;
    case TAGS.number:
    case TAGS.timestamp:
      return NUMBER_BYTES;
    case TAGS.boolean:
      return BOOLEAN_BYTES;
    default:
      return TEXT_HEAD + bytes.readUInt32BE(at + 1);
  }
}

export const isEmptyCell = (bytes: Buffer, at: number): boolean => bytes[at] === TAGS.empty;

/** As people read it; null for an empty cell. */
export function cellText(bytes: Buffer, at: number): string | null {
  switch (bytes[at]) {
    case TAGS.empty:
      return null;
    case TAGS.number:
      return String(bytes.readDoubleBE(at + 1));
    case TAGS.boolean:
      return bytes[at + 1] === 1 ? "true" : "false";
    case TAGS.timestamp:
      return momentText(bytes.readBigInt64BE(at + 1));
    default:
      return bytes.toString("utf8", at + TEXT_HEAD, at + TEXT_HEAD + bytes.readUInt32BE(at + 1));
  }
}

function momentText(microseconds: bigint): string {
  const [ms, rest] = [microseconds / 1000n, microseconds % 1000n];
  const text = new Date(Number(rest < 0n ? ms - 1n : ms)).toISOString();
  return rest === 0n ? text : text.replace("Z", `${String(rest < 0n ? rest + 1000n : rest).padStart(3, "0")}Z`);
}
