/** From cumulative counts to blocks. Closing looks only at how many decisions there are, never at what they were: else the proof breaks. Pure. */
import type { Block } from "./sequential-test.ts";

/** Cumulative counts of a test's cells, in its order. */
export interface Cumulative {
  readonly n: readonly number[];
  readonly k: readonly number[];
}

/** New decisions that every cell needs before a block closes (sequential-tests §2). */
export const MIN_CELL = 4;

/** What became of the counts since the last block. */
export type BlockVerdict =
  | { readonly kind: "open" }
  | { readonly kind: "closed"; readonly block: Block }
  /** Counts that only grow have shrunk, or more were favourable than there are: the test pauses until a person has looked. */
  | { readonly kind: "broken"; readonly why: string };

/** What came since `consumed`. */
export function blockSince(now: Cumulative, consumed: Cumulative): BlockVerdict {
  const n: number[] = [];
  const k: number[] = [];
  for (let g = 0; g < now.n.length; g++) {
    const dn = (now.n[g] ?? Number.NaN) - (consumed.n[g] ?? Number.NaN);
    const dk = (now.k[g] ?? Number.NaN) - (consumed.k[g] ?? Number.NaN);
    if (!(Number.isFinite(dn) && Number.isFinite(dk))) return { kind: "broken", why: `the counts of cell ${g} are not numbers` };
    if (dn < 0 || dk < 0) return { kind: "broken", why: `the counts of cell ${g} have shrunk by ${-Math.min(dn, dk)}` };
    if (dk > dn) return { kind: "broken", why: `cell ${g} has ${dk} favourable answers among ${dn} decisions` };
    n.push(dn);
    k.push(dk);
  }
  return n.every((count) => count >= MIN_CELL) ? { kind: "closed", block: { n, k } } : { kind: "open" };
}
