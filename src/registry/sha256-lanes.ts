/**
 * SHA-256 (FIPS 180-4) of four messages at once, one in each lane of 128-bit vectors. A call into OpenSSL takes several times as long as hashing
 * a row does; here a call hashes four rows, and costs nearly nothing.
 */
import {
  and,
  chosen,
  compiled,
  loaded,
  loadedToAll,
  local,
  or,
  repeated,
  set,
  shiftedLeft,
  shiftedRight,
  shuffled,
  stored,
  sum,
  whole,
  wholeSum,
  xor,
  type Code,
  type WasmMemory,
} from "./wasm-code.ts";

export const BLOCK_BYTES = 64;
const ROUNDS = 64;
const LANES = 4;
/** Where the memory has the constants of the rounds, and behind them the result: word `i` of message `lane` is at `RESULT / 4 + 4 * i + lane`. */
const CONSTANTS = 0;
export const RESULT = CONSTANTS + ROUNDS * 4;
/** From there on the memory is the caller's. */
export const FREE_FROM = RESULT + 8 * 16;

/**
 * Hashes four messages of the same number of blocks, padded as the standard has it.
 * @param blocks - at least one
 */
export type HashFour = (first: number, second: number, third: number, fourth: number, blocks: number) => void;

/** @throws where the engine has no vectors */
export function hashFourIn(memory: WasmMemory): HashFour {
  new Uint32Array(memory.buffer, CONSTANTS, ROUNDS).set(fractions(ROUNDS, 3));
  return compiled({ parameters: LANES + 1, vectors: VECTORS, body: body() }, memory);
}

/** The first 32 bits of the fractional parts of the square or cube roots of the first primes, by whole numbers. */
function fractions(count: number, root: 2 | 3): number[] {
  const bits: number[] = [];
  for (let prime = 2; bits.length < count; prime++) {
    let isPrime = true;
    for (let factor = 2; factor * factor <= prime; factor++) if (prime % factor === 0) isPrime = false;
    if (!isPrime) continue;
    // Of the root of prime * 2^(32 * root), the last 32 bits.
    const scaled = BigInt(prime) << BigInt(32 * root);
    let low = 0n;
    for (let bit = 1n << 40n; bit > 0n; bit >>= 1n) if ((low + bit) ** BigInt(root) <= scaled) low += bit;
    bits.push(Number(low & 0xffffffffn));
  }
  return bits;
}

const BLOCKS_LEFT = LANES;
/** Locals behind the parameters: eight of the state, sixteen words of the block, four for what lies between. */
const VECTORS = 8 + 16 + 4;
const STATE = LANES + 1;
const WORDS = STATE + 8;
const SPARE = WORDS + 16;

const rotated = (value: Code, bits: number): Code => or(shiftedRight(value, bits), shiftedLeft(value, 32 - bits));
const state = (i: number, round: number): number => STATE + ((i - round + ROUNDS) & 7);
const word = (i: number): number => WORDS + (i & 15);

function body(): number[] {
  const zero = whole(0);
  const begin = fractions(8, 2).flatMap((bits, i) => stored(zero, RESULT + 16 * i, splat(bits)));
  const load = Array.from({ length: 8 }, (_, i) => set(STATE + i, loaded(zero, RESULT + 16 * i))).flat();
  const rounds = Array.from({ length: ROUNDS }, (_, round) => [...(round < 16 ? [] : nextWord(round)), ...oneRound(round)]).flat();
  const add = Array.from({ length: 8 }, (_, i) => {
    const place = RESULT + 16 * i;
    return stored(zero, place, sum(loaded(zero, place), local(STATE + i)));
  }).flat();
  const onward = Array.from({ length: LANES }, (_, lane) => set(lane, wholeSum(local(lane), whole(BLOCK_BYTES)))).flat();
  const countDown = set(BLOCKS_LEFT, wholeSum(local(BLOCKS_LEFT), whole(-1)));
  return [...begin, ...repeated([...load, ...words(), ...rounds, ...add, ...onward, ...countDown], local(BLOCKS_LEFT))];
}

/** A constant in all lanes. */
function splat(bits: number): Code {
  const bytes = [0, 8, 16, 24].map((shift) => (bits >>> shift) & 255);
  return [0xfd, 0x0c, ...bytes, ...bytes, ...bytes, ...bytes];
}

const REVERSED = Array.from({ length: 16 }, (_, i) => i ^ 3);
const lanes = (...of: readonly number[]): number[] => of.flatMap((lane) => [0, 1, 2, 3].map((byte) => lane * 4 + byte));

/** The blocks' words, most significant byte first: four of each message are loaded, and four by four change places. */
function words(): number[] {
  const spare = (i: number) => local(SPARE + i);
  return [0, 4, 8, 12].flatMap((first) => {
    const own = (i: number) => local(WORDS + first + i);
    const load = [0, 1, 2, 3].flatMap((lane) => set(WORDS + first + lane, loaded(local(lane), first * 4)));
    return [
      ...load,
      ...set(SPARE, shuffled(own(0), own(1), lanes(0, 4, 1, 5))),
      ...set(SPARE + 1, shuffled(own(0), own(1), lanes(2, 6, 3, 7))),
      ...set(SPARE + 2, shuffled(own(2), own(3), lanes(0, 4, 1, 5))),
      ...set(SPARE + 3, shuffled(own(2), own(3), lanes(2, 6, 3, 7))),
      ...[0, 1].flatMap((pair) => [
        ...set(WORDS + first + 2 * pair, shuffled(spare(pair), spare(pair + 2), lanes(0, 1, 4, 5))),
        ...set(WORDS + first + 2 * pair + 1, shuffled(spare(pair), spare(pair + 2), lanes(2, 3, 6, 7))),
      ]),
      ...[0, 1, 2, 3].flatMap((i) => set(WORDS + first + i, shuffled(own(i), own(i), REVERSED))),
    ];
  });
}

function nextWord(round: number): Code {
  const [first, second] = [local(word(round + 1)), local(word(round + 14))];
  const small0 = xor(xor(rotated(first, 7), rotated(first, 18)), shiftedRight(first, 3));
  const small1 = xor(xor(rotated(second, 17), rotated(second, 19)), shiftedRight(second, 10));
  return set(word(round), sum(sum(local(word(round)), small0), sum(local(word(round + 9)), small1)));
}

/** The letters are those of the standard; they change places by their numbers, and nothing is moved. */
function oneRound(round: number): Code {
  const letter = (i: number) => local(state(i, round));
  const [a, b, c, d] = [letter(0), letter(1), letter(2), letter(3)];
  const [e, f, g, h] = [letter(4), letter(5), letter(6), letter(7)];
  const sum1 = xor(xor(rotated(e, 6), rotated(e, 11)), rotated(e, 25));
  const sum0 = xor(xor(rotated(a, 2), rotated(a, 13)), rotated(a, 22));
  const constant = loadedToAll(whole(0), CONSTANTS + 4 * round);
  const first = sum(sum(sum(h, sum1), chosen(f, g, e)), sum(constant, local(word(round))));
  const majority = or(and(a, b), and(c, or(a, b)));
  return [
    ...set(SPARE, first),
    ...set(state(3, round), sum(d, local(SPARE))),
    ...set(state(7, round), sum(sum(local(SPARE), sum0), majority)),
  ];
}
