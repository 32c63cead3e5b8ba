/** Between which edges values are counted whose mean is tested. */

/** Answered better -1, alike 0, worse 1. */
const FLIPS = [-1, 0, 1];

/** Of what is counted with a value; undefined for what is only counted. */
export const edgesOf = (counts: string): readonly number[] | undefined => (counts === "net-flips" ? FLIPS : undefined);
