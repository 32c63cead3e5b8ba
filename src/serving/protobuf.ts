/**
 * Reads the wire format of protocol buffers, field by field, without building objects for what nobody asks about: a forest's millions
 * of numbers are skipped in one step, and a hostile file costs no more than its bytes.
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
    const tag = varint();
    const number = Math.floor(tag / 8);
    const wire = tag % 8;
    if (number === 0 || number > 0x1fffffff) throw new MalformedProtobuf(`there is no field ${number}`);
    switch (wire) {
      case 0:
        yield { number, wire, value: varint(), bytes: NOTHING };
        break;
      case 1:
      case 5: {
        const end = at + (wire === 1 ? 8 : 4);
        if (end > message.length) throw new MalformedProtobuf("it ends in the middle of a field");
        yield { number, wire, value: 0, bytes: message.subarray(at, end) };
        at = end;
        break;
      }
      case 2: {
        const length = varint();
        if (length > message.length - at) throw new MalformedProtobuf("a field is longer than the file");
        yield { number, wire, value: 0, bytes: message.subarray(at, at + length) };
        at += length;
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
