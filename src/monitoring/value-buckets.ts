/** Between which edges values are counted whose mean is tested. */

/** A score's hundred bins, five by five: 20 buckets lose next to nothing, and cost a fifth (sequential-tests §9). */
const SCORES = Array.from({ length: 21 }, (_, i) => i / 20);
/** Answered better -1, alike 0, worse 1. */
const FLIPS = [-1, 0, 1];

/** Of what is counted with a value; undefined for what is only counted. */
export const edgesOf = (counts: string): readonly number[] | undefined =>
  counts === "scores" ? SCORES : counts === "net-flips" ? FLIPS : undefined;
