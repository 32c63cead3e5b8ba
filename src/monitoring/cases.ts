/** Sequential tests of given blocks, in the form of the vectors of sequential-tests §15: any auditor can check a proof with it. Pure. */
import { Type, type Static } from "typebox";
import { checked, object } from "../checked.ts";
import { err, ok, unreachable, type Issue, type Result } from "../std.ts";
import { closeBucketBlock, startBucketTest, type BucketTestState } from "./bucket-test.ts";
import { differenceBand, rateBand, ratioBand, type Band, type Total } from "./confidence-sequence.ts";
import { thresholdOf } from "./evidence.ts";
import { meanBand, widerBand } from "./figures.ts";
import { DECISIONS_TO_SAY } from "./guardrail-state.ts";
import {
  TEST_KINDS,
  cellsOf,
  closeBlock,
  limitTrouble,
  nextPivot,
  startTest,
  type TestDefinition,
  type TestKind,
  type TestState,
} from "./sequential-test.ts";

const Numbers = Type.Array(Type.Number(), { maxItems: 1000 });
const Times = Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000, description: "The block comes so often" }));
const Alpha = Type.Optional(Type.Number({ exclusiveMinimum: 0, exclusiveMaximum: 1, description: "Budget of a verdict and a band" }));
const Id = Type.String({ minLength: 1, maxLength: 200 });

const CountsCase = object({
  id: Id,
  fn: Type.Literal("v1"),
  kind: Type.Unsafe<TestKind>(Type.Enum([...TEST_KINDS])),
  limit: Type.Number(),
  options: Type.Optional(
    object({
      dependence: Type.Optional(Type.Number({ minimum: 1, maximum: 1000 })),
      prior: Type.Optional(Type.Array(Type.Number({ minimum: 0, maximum: 1 }), { maxItems: 4 })),
      priorN: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 1e9 })),
    }),
  ),
  blocks: Type.Array(object({ n: Numbers, k: Numbers, times: Times }), { maxItems: 1_000_000 }),
  alpha: Alpha,
});
const BucketsCase = object({
  id: Id,
  fn: Type.Literal("buckets"),
  edges: Numbers,
  limit: Type.Number(),
  harm: Type.Union([Type.Literal("up"), Type.Literal("down")]),
  blocks: Type.Array(object({ count: Numbers, sum: Numbers, times: Times }), { maxItems: 1_000_000 }),
  alpha: Alpha,
});
type CountsCase = Static<typeof CountsCase>;
type BucketsCase = Static<typeof BucketsCase>;

/** A test and the blocks that it is to be fed. */
export type EvidenceCase = CountsCase | BucketsCase;

/** What a case comes to. */
export interface CaseResult {
  readonly id: string;
  /** After each entry of the blocks, after its last repetition. */
  readonly logE: readonly number[];
  readonly maxLogE: number;
  /** What the next block would be bet against; null for buckets, which have no pivot. */
  readonly nextPivot: readonly number[] | null;
  /** Only where the case has a budget. */
  readonly verdict?: {
    readonly state: "breached" | "ok" | "no-data" | "not-comparable";
    /** Evidence (its logarithm) that is proof: ln(1/α). */
    readonly threshold: number;
    /** The entry, from 0, with the block that was the proof; null without one. */
    readonly provenAt: number | null;
  };
  /** For all times together, at the case's budget, of all its counts; a null end is infinite. */
  readonly band?: readonly [low: number, high: number | null];
}

/** Blocks that one call may bring, repetitions included: a minute's work. */
const BLOCKS_MAX = 10_000_000;
const parse = checked(Type.Array(Type.Union([CountsCase, BucketsCase]), { maxItems: 100_000 }));

/** From what was sent to cases; issues have paths into it. */
export function parseCases(value: unknown): Result<readonly EvidenceCase[], readonly Issue[]> {
  const parsed = parse(value);
  if (!parsed.ok) return parsed;
  const issues: Issue[] = [];
  let blocks = 0;
  for (const [i, one] of parsed.value.entries()) {
    blocks += one.blocks.reduce((sum, { times = 1 }) => sum + times, 0);
    for (const issue of one.fn === "v1" ? countsIssues(one) : bucketsIssues(one)) issues.push({ ...issue, path: `/${i}${issue.path}` });
  }
  if (blocks > BLOCKS_MAX)
    issues.push({ path: "", expected: `at most ${BLOCKS_MAX.toLocaleString("en")} blocks in all`, got: blocks.toLocaleString("en") });
  return issues.length > 0 ? err(issues) : ok(parsed.value);
}

function countsIssues({ kind, limit, options = {}, blocks }: CountsCase): Issue[] {
  const cells = cellsOf(kind);
  const issues: Issue[] = [];
  const trouble = limitTrouble(kind, limit);
  if (trouble) issues.push({ path: "/limit", expected: trouble, got: String(limit) });
  if (options.prior && options.prior.length !== cells)
    issues.push({ path: "/options/prior", expected: `${cells} rates, one a cell`, got: String(options.prior.length) });
  for (const [b, { n, k }] of blocks.entries()) {
    const path = `/blocks/${b}`;
    for (const [name, counts] of [["n", n] as const, ["k", k] as const])
      if (counts.length !== cells)
        issues.push({ path: `${path}/${name}`, expected: `${cells} counts, one a cell of ${kind}`, got: String(counts.length) });
    for (const [g, ng] of n.entries()) {
      if (!(ng > 0)) issues.push({ path: `${path}/n/${g}`, expected: "more than 0: until then the block stays open", got: String(ng) });
      const kg = k[g];
      if (kg !== undefined && !(kg >= 0 && kg <= Math.max(ng, 0)))
        issues.push({ path: `${path}/k/${g}`, expected: `0 to ${ng}, the decisions of the cell`, got: String(kg) });
    }
  }
  return issues;
}

function bucketsIssues({ edges, limit, blocks }: BucketsCase): Issue[] {
  const [first, last] = [edges[0], edges.at(-1)];
  if (edges.length < 2 || first === undefined || last === undefined)
    return [{ path: "/edges", expected: "two edges or more", got: String(edges.length) }];
  const issues: Issue[] = [];
  for (const [b, edge] of edges.entries())
    if (b > 0 && !(edge > (edges[b - 1] ?? edge)))
      issues.push({ path: `/edges/${b}`, expected: `more than ${edges[b - 1] ?? edge}, the edge before`, got: String(edge) });
  if (!(limit > first && limit < last))
    issues.push({ path: "/limit", expected: `a mean between ${first} and ${last}, both excluded`, got: String(limit) });
  const buckets = edges.length - 1;
  for (const [i, { count, sum }] of blocks.entries()) {
    const path = `/blocks/${i}`;
    for (const [name, values] of [["count", count] as const, ["sum", sum] as const])
      if (values.length !== buckets)
        issues.push({ path: `${path}/${name}`, expected: `${buckets} values, one between every two edges`, got: String(values.length) });
    if (!count.some((c) => c > 0)) issues.push({ path: `${path}/count`, expected: "a value in some bucket", got: "none" });
    for (const [b, c] of count.entries()) {
      if (!(c >= 0)) issues.push({ path: `${path}/count/${b}`, expected: "0 or more", got: String(c) });
      const [low, high, s] = [(edges[b] ?? 0) * c, (edges[b + 1] ?? 0) * c, sum[b] ?? 0];
      const rounding = 1e-9 * Math.max(1, Math.abs(low), Math.abs(high));
      if (s < low - rounding || s > high + rounding)
        issues.push({ path: `${path}/sum/${b}`, expected: `${low} to ${high}: ${c} values of this bucket`, got: String(s) });
    }
  }
  return issues;
}

/** @param one - from `parseCases`: without issues */
export function evaluateCase(one: EvidenceCase): CaseResult {
  switch (one.fn) {
    case "v1":
      return evaluateCounts(one);
    case "buckets":
      return evaluateBuckets(one);
    default:
      return unreachable(one);
  }
}

function evaluateCounts({ id, kind, limit, options = {}, blocks, alpha }: CountsCase): CaseResult {
  const dependence = options.dependence ?? 1;
  const definition: TestDefinition = { kind, limit, dependence, prior: options.prior ?? null, priorN: options.priorN ?? 2 };
  const course = feed(startTest(definition), blocks, (state: TestState, block) => closeBlock(definition, state, block), alpha);
  const result = { id, logE: course.logE, maxLogE: course.state.maxLogE, nextPivot: nextPivot(definition, course.state) };
  if (alpha === undefined) return result;
  const totals = totalsOf(blocks, cellsOf(kind), dependence);
  const decisions = totals.reduce((sum, { n }) => sum + n, 0) * dependence;
  const hasNoRatio = kind === "ratio_min" && totals[1]?.k === 0;
  const state = course.provenAt !== null ? "breached" : decisions < DECISIONS_TO_SAY ? "no-data" : hasNoRatio ? "not-comparable" : "ok";
  const [low, high] = bandOf(kind, totals, alpha);
  return {
    ...result,
    verdict: { state, threshold: thresholdOf(alpha), provenAt: course.provenAt },
    band: [low, Number.isFinite(high) ? high : null],
  };
}

/** Counts of all blocks by cell. Divided by the dependence, the evidence of a band is the root of a cluster's, which is valid. */
function totalsOf(blocks: CountsCase["blocks"], cells: number, dependence: number): readonly Total[] {
  return Array.from({ length: cells }, (_, g) => ({
    n: blocks.reduce((sum, { n, times = 1 }) => sum + (n[g] ?? 0) * times, 0) / dependence,
    k: blocks.reduce((sum, { k, times = 1 }) => sum + (k[g] ?? 0) * times, 0) / dependence,
  }));
}

const NOBODY: Total = { n: 0, k: 0 };

function bandOf(kind: TestDefinition["kind"], [a = NOBODY, b = NOBODY, c = NOBODY, d = NOBODY]: readonly Total[], alpha: number): Band {
  switch (kind) {
    case "rate_min":
    case "rate_max":
      return rateBand(a, alpha);
    case "ratio_min":
      return ratioBand(a, b, alpha);
    case "diff_min":
      return differenceBand(a, b, alpha);
    case "did_min":
      return widerBand(differenceBand(a, b, alpha / 2), differenceBand(c, d, alpha / 2));
    default:
      return unreachable(kind);
  }
}

function evaluateBuckets({ id, edges, limit, harm, blocks, alpha }: BucketsCase): CaseResult {
  const definition = { edges, limit, harm };
  const start = startBucketTest(definition);
  const course = feed(start, blocks, (state: BucketTestState, block) => closeBucketBlock(definition, state, block), alpha);
  const result = { id, logE: course.logE, maxLogE: course.state.maxLogE, nextPivot: null };
  if (alpha === undefined) return result;
  const [total, sum] = blocks.reduce<readonly [number, number]>(
    ([count, all], block) => [count + times(block.count, block.times), all + times(block.sum, block.times)],
    [0, 0],
  );
  const state = course.provenAt !== null ? "breached" : total < DECISIONS_TO_SAY ? "no-data" : "ok";
  return {
    ...result,
    verdict: { state, threshold: thresholdOf(alpha), provenAt: course.provenAt },
    band: meanBand({ edges, total, sum }, alpha),
  };
}

const times = (values: readonly number[], often = 1): number => values.reduce((sum, value) => sum + value, 0) * often;

interface Course<S> {
  readonly state: S;
  readonly logE: readonly number[];
  readonly provenAt: number | null;
}

function feed<S extends { readonly logE: number }, B extends { readonly times?: number }>(
  start: S,
  blocks: readonly B[],
  close: (state: S, block: B) => S,
  alpha: number | undefined,
): Course<S> {
  const enough = alpha === undefined ? Number.POSITIVE_INFINITY : thresholdOf(alpha);
  let state = start;
  let provenAt: number | null = null;
  const logE = blocks.map((block, i) => {
    for (let often = block.times ?? 1; often > 0; often--) {
      state = close(state, block);
      if (provenAt === null && state.logE >= enough) provenAt = i;
    }
    return state.logE;
  });
  return { state, logE, provenAt };
}
