/** One face for the two sequential tests, of counts and of means: what is planned, stored and advanced need not know which it is. Pure. */
import { blockSince, MIN_CELL, type BlockVerdict, type Cumulative } from "./blocks.ts";
import { closeBucketBlock, startBucketTest, type BucketTestState } from "./bucket-test.ts";
import { cellsOf, closeBlock, limitTrouble, startTest, type Block, type TestDefinition, type TestState } from "./sequential-test.ts";

/** A mean of values between the outer edges; `n` of its counts are values by bucket, `k` their sums. */
export interface MeanDefinition {
  readonly kind: "mean_min" | "mean_max";
  readonly limit: number;
  readonly dependence: number;
  /** Means start from no memory. */
  readonly prior: null;
  readonly priorN: number;
  readonly edges: readonly number[];
}
export type AnyDefinition = TestDefinition | MeanDefinition;
export type AnyKind = AnyDefinition["kind"];
export type AnyState = TestState | BucketTestState;

export const isMean = (definition: AnyDefinition): definition is MeanDefinition =>
  definition.kind === "mean_min" || definition.kind === "mean_max";

const bucketsOf = ({ edges, limit, kind, dependence }: MeanDefinition) =>
  ({ edges, limit, dependence, harm: kind === "mean_max" ? "up" : "down" }) as const;

/** Numbers in `n` and in `k` of a test's counts. */
export const widthOf = (definition: AnyDefinition): number => (isMean(definition) ? definition.edges.length - 1 : cellsOf(definition.kind));

export const startAny = (definition: AnyDefinition): AnyState =>
  isMean(definition) ? startBucketTest(bucketsOf(definition)) : startTest(definition);

/** @throws Error where the state is of another kind of test than the definition: it can't be continued */
export function closeAny(definition: AnyDefinition, state: AnyState, { n, k }: Block): AnyState {
  if (isMean(definition) && !("memory" in state)) return closeBucketBlock(bucketsOf(definition), state, { count: n, sum: k });
  if (!isMean(definition) && "memory" in state) return closeBlock(definition, state, { n, k });
  throw new Error(`a state of another kind of test can't be continued as ${definition.kind}`);
}

/** What came since `consumed`: a block of counts, or of values by bucket. */
export function anyBlockSince(definition: AnyDefinition, now: Cumulative, consumed: Cumulative): BlockVerdict {
  return isMean(definition) ? valuesSince(definition.edges, now, consumed) : blockSince(now, consumed);
}

function valuesSince(edges: readonly number[], now: Cumulative, consumed: Cumulative): BlockVerdict {
  const n: number[] = [];
  const k: number[] = [];
  for (let b = 0; b + 1 < edges.length; b++) {
    const count = (now.n[b] ?? Number.NaN) - (consumed.n[b] ?? Number.NaN);
    const sum = (now.k[b] ?? Number.NaN) - (consumed.k[b] ?? Number.NaN);
    if (!(Number.isFinite(count) && Number.isFinite(sum))) return { kind: "broken", why: `the values of bucket ${b} are not numbers` };
    if (count < 0) return { kind: "broken", why: `the values of bucket ${b} have shrunk by ${-count}` };
    const [low, high] = [(edges[b] ?? 0) * count, (edges[b + 1] ?? 0) * count];
    // Sums of millionths, a millionth of rounding a value.
    const rounding = 1e-6 * (count + 1) + 1e-9 * Math.max(Math.abs(now.k[b] ?? 0), 1);
    if (sum < low - rounding || sum > high + rounding) return { kind: "broken", why: `bucket ${b} has a sum of ${sum} of ${count} values` };
    n.push(count);
    k.push(Math.min(high, Math.max(low, sum)));
  }
  return n.reduce((all, count) => all + count, 0) >= MIN_CELL ? { kind: "closed", block: { n, k } } : { kind: "open" };
}

/** What is wrong with a limit, in words, or undefined. @param edges - of a mean */
export function anyLimitTrouble(kind: AnyKind, limit: number, edges: readonly number[] | undefined): string | undefined {
  if (kind !== "mean_min" && kind !== "mean_max") return limitTrouble(kind, limit);
  const [first, last] = [edges?.[0] ?? 0, edges?.at(-1) ?? 1];
  return limit > first && limit < last ? undefined : `a mean between ${first} and ${last}, both excluded`;
}
