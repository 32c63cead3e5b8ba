/** Elements of tensors as the Open Inference Protocol's extension `binary_tensor_data` writes them: little-endian, no padding. */
import { err, ok, type Result } from "../std.ts";

export type Element = number | string | boolean | null;

export const DATATYPES = [
  "BOOL",
  "INT8",
  "INT16",
  "INT32",
  "INT64",
  "UINT8",
  "UINT16",
  "UINT32",
  "UINT64",
  "FP32",
  "FP64",
  "BYTES",
] as const;
export type Datatype = (typeof DATATYPES)[number];

/** Bytes of one element; of `BYTES` at least. */
export const WIDTHS: Readonly<Record<Datatype, number>> = {
  BOOL: 1,
  INT8: 1,
  INT16: 2,
  INT32: 4,
  INT64: 8,
  UINT8: 1,
  UINT16: 2,
  UINT32: 4,
  UINT64: 8,
  FP32: 4,
  FP64: 8,
  BYTES: 4,
};

/** Elements from bytes; NaN is a missing value. @returns what is wrong, as the end of a sentence about the input */
export function decodeElements(datatype: Datatype, bytes: Buffer, count: number): Result<readonly Element[], string> {
  if (datatype === "BYTES") return decodeTexts(bytes, count);
  const width = WIDTHS[datatype];
  if (bytes.length !== count * width)
    return err(`has ${count} elements of ${width} bytes, which is ${count * width} bytes, but announces ${bytes.length}`);
  const elements: Element[] = [];
  for (let i = 0; i < count; i++) {
    const element = readers[datatype](bytes, i * width);
    if (element === undefined) return err(`element ${i}: ${UNREADABLE[datatype] ?? "is out of range"}`);
    elements.push(element);
  }
  return ok(elements);
}

export function encodeElements(datatype: "BYTES" | "FP64" | "INT64", elements: readonly Element[]): Buffer {
  if (datatype === "BYTES") {
    return Buffer.concat(
      elements.flatMap((element) => {
        const text = Buffer.from(typeof element === "string" ? element : "");
        const length = Buffer.alloc(4);
        length.writeUInt32LE(text.length);
        return [length, text];
      }),
    );
  }
  const bytes = Buffer.alloc(elements.length * 8);
  for (const [i, element] of elements.entries()) {
    if (datatype === "FP64") bytes.writeDoubleLE(typeof element === "number" ? element : Number.NaN, i * 8);
    else bytes.writeBigInt64LE(BigInt(typeof element === "number" ? element : 0), i * 8);
  }
  return bytes;
}

function decodeTexts(bytes: Buffer, count: number): Result<readonly Element[], string> {
  const texts: string[] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + 4 > bytes.length) return err(`element ${i}: its length lies beyond the end of the ${bytes.length} bytes`);
    const length = bytes.readUInt32LE(at);
    if (at + 4 + length > bytes.length) return err(`element ${i}: has ${length} bytes, but ${bytes.length - at - 4} are left`);
    try {
      texts.push(UTF8.decode(bytes.subarray(at + 4, at + 4 + length)));
    } catch {
      return err(`element ${i}: is not valid UTF-8`);
    }
    at += 4 + length;
  }
  return at === bytes.length ? ok(texts) : err(`has ${bytes.length - at} bytes after its last element`);
}
const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const UNREADABLE: Partial<Record<Datatype, string>> = {
  BOOL: "must be 0 or 1",
  INT64: "is beyond ±(2^53−1), where numbers lose digits; send ids as BYTES",
  UINT64: "is beyond 2^53−1, where numbers lose digits; send ids as BYTES",
};

const safe = (value: bigint): number | undefined => (Number.isSafeInteger(Number(value)) ? Number(value) : undefined);
const orMissing = (value: number): number | null => (Number.isNaN(value) ? null : value);

/** Undefined where the bytes are none of the type's values that we take. */
const readers: Readonly<Record<Exclude<Datatype, "BYTES">, (bytes: Buffer, at: number) => Element | undefined>> = {
  BOOL: (bytes, at) => (bytes[at] === 1 ? true : bytes[at] === 0 ? false : undefined),
  INT8: (bytes, at) => bytes.readInt8(at),
  INT16: (bytes, at) => bytes.readInt16LE(at),
  INT32: (bytes, at) => bytes.readInt32LE(at),
  INT64: (bytes, at) => safe(bytes.readBigInt64LE(at)),
  UINT8: (bytes, at) => bytes.readUInt8(at),
  UINT16: (bytes, at) => bytes.readUInt16LE(at),
  UINT32: (bytes, at) => bytes.readUInt32LE(at),
  UINT64: (bytes, at) => safe(bytes.readBigUInt64LE(at)),
  FP32: (bytes, at) => orMissing(bytes.readFloatLE(at)),
  FP64: (bytes, at) => orMissing(bytes.readDoubleLE(at)),
};
