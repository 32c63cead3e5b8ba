/**
 * As much of WebAssembly's binary format (W3C core specification 2.0, chapter 5) as one function over 128-bit vectors needs. The instructions are
 * written out by a program, so no compiler and no binary file belong to the sources.
 */

/** As much of the global as is used here; the types of Node have none of it. */
declare const WebAssembly: {
  readonly Memory: new (pages: { readonly initial: number; readonly maximum: number }) => WasmMemory;
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: Readonly<Record<string, unknown>> };
};

export interface WasmMemory {
  /** Another one after `grow`. */
  readonly buffer: ArrayBuffer;
  /** @throws RangeError beyond the maximum */
  grow(pages: number): number;
}

export const PAGE_BYTES = 65_536;

export function newMemory(pages: { readonly initial: number; readonly maximum: number }): WasmMemory {
  return new WebAssembly.Memory(pages);
}

/** A function that reads and writes a memory: its parameters are whole numbers, its other locals vectors. */
export interface WasmFunction {
  readonly parameters: number;
  readonly vectors: number;
  readonly body: readonly number[];
}

/** Compiles a function and ties it to a memory. @throws what the engine throws where it has no vectors, or no WebAssembly */
export function compiled({ parameters, vectors, body }: WasmFunction, memory: WasmMemory): (...parameters: readonly number[]) => void {
  const code = [1, ...unsigned(vectors), VECTOR, ...body, END];
  const bytes = Uint8Array.of(
    ...MAGIC,
    ...section(1, [1, 0x60, parameters, ...Array.from({ length: parameters }, () => WHOLE), 0]),
    ...section(2, [1, ...name("m"), ...name("m"), 2, 0, 1]),
    ...section(3, [1, 0]),
    ...section(7, [1, ...name("f"), 0, 0]),
    ...section(10, [1, ...unsigned(code.length), ...code]),
  );
  return asFunction(new WebAssembly.Instance(new WebAssembly.Module(bytes), { m: { m: memory } }).exports["f"]);
}

/** The module above exports one function, and nothing else by that name. */
const asFunction = (exported: unknown) => exported as (...parameters: readonly number[]) => void;

const MAGIC = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
const WHOLE = 0x7f;
const VECTOR = 0x7b;
const END = 0x0b;

const section = (id: number, content: readonly number[]): number[] => [id, ...unsigned(content.length), ...content];
const name = (text: string): number[] => [text.length, ...Buffer.from(text)];

/** LEB128. */
function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let left = value;
  do {
    const more = left >= 128;
    bytes.push((left & 127) | (more ? 128 : 0));
    left >>>= 7;
  } while (left > 0);
  return bytes;
}

function signed(value: number): number[] {
  const bytes: number[] = [];
  for (let left = value; ; left >>= 7) {
    const isLast = left >= -64 && left < 64;
    bytes.push((left & 127) | (isLast ? 0 : 128));
    if (isLast) return bytes;
  }
}

/** An expression: instructions that leave one value. */
export type Code = readonly number[];

const vector = (operation: number, ...rest: number[]): number[] => [0xfd, ...unsigned(operation), ...rest];
/** Alignments are hints: any address is right. */
const at = (offset: number): number[] => [2, ...unsigned(offset)];

export const local = (place: number): Code => [0x20, ...unsigned(place)];
export const set = (place: number, value: Code): Code => [...value, 0x21, ...unsigned(place)];
export const whole = (value: number): Code => [0x41, ...signed(value)];
export const wholeSum = (a: Code, b: Code): Code => [...a, ...b, 0x6a];
/** Repeats the body while a whole number isn't 0. */
export const repeated = (body: Code, again: Code): Code => [0x03, 0x40, ...body, ...again, 0x0d, 0, END];

export const loaded = (address: Code, offset: number): Code => [...address, ...vector(0x00, ...at(offset))];
/** Four lanes of one number. */
export const loadedToAll = (address: Code, offset: number): Code => [...address, ...vector(0x09, ...at(offset))];
export const stored = (address: Code, offset: number, value: Code): Code => [...address, ...value, ...vector(0x0b, ...at(offset))];
/** Sixteen bytes out of the thirty-two of both. */
export const shuffled = (a: Code, b: Code, bytes: readonly number[]): Code => [...a, ...b, ...vector(0x0d, ...bytes)];
export const and = (a: Code, b: Code): Code => [...a, ...b, ...vector(0x4e)];
export const or = (a: Code, b: Code): Code => [...a, ...b, ...vector(0x50)];
export const xor = (a: Code, b: Code): Code => [...a, ...b, ...vector(0x51)];
/** Bits of `a` where those of `mask` are set, of `b` elsewhere. */
export const chosen = (a: Code, b: Code, mask: Code): Code => [...a, ...b, ...mask, ...vector(0x52)];
/** Of four lanes of 32 bits. */
export const shiftedLeft = (value: Code, bits: number): Code => [...value, ...whole(bits), ...vector(0xab)];
export const shiftedRight = (value: Code, bits: number): Code => [...value, ...whole(bits), ...vector(0xad)];
export const sum = (a: Code, b: Code): Code => [...a, ...b, ...vector(0xae)];
