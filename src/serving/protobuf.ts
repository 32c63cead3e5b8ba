/**
 * Reads the wire format of protocol buffers, field by field, without building objects for what nobody asks about: a forest's millions
 * of numbers are skipped in one step, and a hostile file costs no more than its bytes. Rewrites it the same way: what isn't changed is
 * copied as it lies there.
 */

export class MalformedProtobuf extends Error {
  override readonly name = "MalformedProtobuf";
}

/** One field of a message. `bytes` is a view of what the field holds; it is empty for a varint. */
export interface Field {
  readonly number: number;
  readonly wire: number;
  /** Of a varint: its value, exact up to 2⁵³. 0 for other wires. */
  readonly value: number;
  readonly bytes: Uint8Array;
  /** Where the whole field, its tag included, lies in the message. */
  readonly start: number;
  readonly end: number;
}

const NOTHING = new Uint8Array(0);

/** The fields of one message in the order of the file. @throws MalformedProtobuf when the bytes are not a message */
export function* fieldsOf(message: Uint8Array): Generator<Field> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = message[at++];
      if (byte === undefined) throw new MalformedProtobuf("it ends in the middle of a number");
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new MalformedProtobuf("a number is longer than 64 bits");
  };
  while (at < message.length) {
    const start = at;
    const tag = varint();
    const number = Math.floor(tag / 8);
    const wire = tag % 8;
    if (number === 0 || number > 0x1fffffff) throw new MalformedProtobuf(`there is no field ${number}`);
    switch (wire) {
      case 0:
        yield { number, wire, value: varint(), bytes: NOTHING, start, end: at };
        break;
      case 1:
      case 5: {
        const end = at + (wire === 1 ? 8 : 4);
        if (end > message.length) throw new MalformedProtobuf("it ends in the middle of a field");
        yield { number, wire, value: 0, bytes: message.subarray(at, end), start, end };
        at = end;
        break;
      }
      case 2: {
        const length = varint();
        if (length > message.length - at) throw new MalformedProtobuf("a field is longer than the file");
        at += length;
        yield { number, wire, value: 0, bytes: message.subarray(at - length, at), start, end: at };
        break;
      }
      default:
        throw new MalformedProtobuf(`wire type ${wire} is not in use`);
    }
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** @throws MalformedProtobuf when the bytes are not UTF-8 */
export function textOf(field: Field): string {
  try {
    return utf8.decode(field.bytes);
  } catch {
    throw new MalformedProtobuf("a text is not UTF-8");
  }
}

/** The numbers of a repeated int64 field, exact; negative ones too. Both ways of writing them, one by one and packed. */
export function int64sOf(message: Uint8Array, field: Field): readonly bigint[] {
  if (field.wire === 0) return varints(message.subarray(field.start, field.end)).slice(1);
  return field.wire === 2 ? varints(field.bytes) : [];
}

function varints(bytes: Uint8Array): readonly bigint[] {
  const numbers: bigint[] = [];
  let [value, shift] = [0n, 0n];
  for (const byte of bytes) {
    value |= BigInt(byte & 0x7f) << shift;
    shift += 7n;
    if (byte >= 0x80) continue;
    numbers.push(BigInt.asIntN(64, value));
    [value, shift] = [0n, 0n];
  }
  return numbers;
}

/**
 * A message with some of its fields changed.
 * @param change - gives undefined for a field that stays, else the bytes in its place; none take it away
 */
export function rewritten(message: Uint8Array, change: (field: Field) => Uint8Array | undefined): Uint8Array {
  const pieces: Uint8Array[] = [];
  let copied = 0;
  for (const field of fieldsOf(message)) {
    const bytes = change(field);
    if (bytes === undefined) continue;
    pieces.push(message.subarray(copied, field.start), bytes);
    copied = field.end;
  }
  if (copied === 0) return message;
  pieces.push(message.subarray(copied));
  return Buffer.concat(pieces);
}

/** A field of wire type 2: a text, bytes or a message. */
export function lengthDelimited(number: number, bytes: Uint8Array): Uint8Array {
  return Buffer.concat([varintBytes(number * 8 + 2), varintBytes(bytes.length), bytes]);
}

/** A field of wire type 0. */
export function varintField(number: number, value: number): Uint8Array {
  return Buffer.concat([varintBytes(number * 8), varintBytes(value)]);
}

function varintBytes(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  return Uint8Array.from([...bytes, rest]);
}
