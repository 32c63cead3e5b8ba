/** `evenkeel guardrail plan`: how many decisions a proof takes, and how small a group can be guarded. Arithmetic and simulation, no server. */
import {
  TEST_KINDS,
  boundDecisions,
  cellsOf,
  limitTrouble,
  quantileOf,
  simulateDelays,
  slackOf,
  smallestShare,
  type TestDefinition,
  type TestKind,
  type Truth,
} from "../monitoring/index.ts";
import { nearest } from "../checked.ts";
import { table, type Io } from "./io.ts";
import { UsageError, wholeNumber } from "./verb.ts";

/** As the command line gives them. */
export interface DelayWords {
  readonly kind?: string | undefined;
  readonly limit?: string | undefined;
  readonly rate?: string | undefined;
  readonly harm?: string | undefined;
  readonly share?: string | undefined;
  readonly alpha?: string | undefined;
  readonly tests?: string | undefined;
  readonly within?: string | undefined;
  readonly dependence?: string | undefined;
  readonly runs?: string | undefined;
  readonly look?: string | undefined;
  readonly seed?: string | undefined;
}

export interface DelayQuestion {
  readonly definition: TestDefinition;
  readonly truth: Truth;
  readonly rate: number;
  readonly harm: number;
  readonly share: number;
  /** The test's own share of the budget. */
  readonly alpha: number;
  readonly within: number;
  readonly runs: number;
  readonly look: number;
  readonly seed: number;
}

/** @throws UsageError that says which option is wrong */
export function parseDelayQuestion(words: DelayWords): DelayQuestion {
  const kind = kindOf(words.kind ?? "ratio_min");
  const limit = number("--limit", words.limit, { min: -1, max: 1000 });
  const trouble = limitTrouble(kind, limit);
  if (trouble) throw new UsageError(`--limit takes ${trouble}, not "${words.limit}"`);
  const rate = number("--rate", words.rate ?? (cellsOf(kind) === 1 ? words.harm : undefined), { min: 0, max: 1 });
  const harm = number("--harm", words.harm, { min: 0, max: 1000 });
  const share = number("--share", words.share ?? "0.5", { min: 1e-6, max: 1 - 1e-6 });
  const budget = number("--alpha", words.alpha ?? "0.01", { min: 1e-12, max: 0.5 });
  const tests = wholeNumber("--tests", words.tests ?? "1", { min: 1, max: 100_000 });
  const dependence = wholeNumber("--dependence", words.dependence ?? "1", { min: 1, max: 1000 });
  const definition: TestDefinition = { kind, limit, dependence, prior: null, priorN: 2 };
  const truth = truthOf(kind, { rate, harm, share });
  const outside = truth.rates.find((one) => !(one >= 0 && one <= 1));
  if (outside !== undefined)
    throw new UsageError(
      `--harm ${words.harm} at --rate ${words.rate} would be a rate of ${outside.toPrecision(3)}: rates lie between 0 and 1`,
    );
  if (slackOf(definition, truth.rates) >= 0)
    throw new UsageError(`--harm ${words.harm} keeps the limit of ${limit}: there is nothing to prove`);
  return {
    definition,
    truth,
    rate,
    harm,
    share,
    alpha: tests === 1 ? budget : (0.9 * budget) / tests,
    within: wholeNumber("--within", words.within ?? "100000", { min: 10 }),
    runs: wholeNumber("--runs", words.runs ?? "200", { min: 20, max: 100_000 }),
    look: wholeNumber("--look", words.look ?? "20", { min: 1, max: 1_000_000 }),
    seed: wholeNumber("--seed", words.seed ?? "1", { min: 0, max: 2 ** 31 - 1 }),
  };
}

function kindOf(text: string): TestKind {
  const kind = TEST_KINDS.find((known) => known === text);
  if (kind) return kind;
  const near = nearest(text, TEST_KINDS);
  throw new UsageError(`--kind takes ${TEST_KINDS.join(", ")}, not "${text}"${near ? `; did you mean ${near}?` : ""}`);
}

function number(option: string, text: string | undefined, { min, max }: { readonly min: number; readonly max: number }): number {
  if (text === undefined) throw new UsageError(`${option} is needed`);
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (value >= min && value <= max) return value;
  throw new UsageError(`${option} takes a number from ${min} to ${max}, not "${text}"`);
}

interface Asked {
  readonly rate: number;
  readonly harm: number;
  readonly share: number;
}

/** Rates and shares of the cells. A difference is how far the group is behind; a gap that has widened had been none before, seen by two releases on half the decisions each. */
function truthOf(kind: TestKind, { rate, harm, share }: Asked): Truth {
  switch (kind) {
    case "rate_min":
    case "rate_max":
      return { rates: [harm], shares: [1] };
    case "ratio_min":
      return { rates: [harm * rate, rate], shares: [share, 1 - share] };
    case "diff_min":
      return { rates: [rate - harm, rate], shares: [share, 1 - share] };
    case "did_min":
      return { rates: [rate - harm, rate, rate, rate], shares: [share / 2, (1 - share) / 2, share / 2, (1 - share) / 2] };
  }
}

export interface DelayPlan {
  readonly kind: TestKind;
  readonly limit: number;
  readonly rates: readonly number[];
  readonly shares: readonly number[];
  /** Of this one test. */
  readonly alpha: number;
  /** No test with the same promise can have a smaller expected number. */
  readonly bound: number;
  /** Of all cells together; null where most runs were given up. */
  readonly simulated: {
    readonly median: number | null;
    readonly p90: number | null;
    readonly runs: number;
    readonly givenUp: number;
    readonly look: number;
    readonly seed: number;
  };
  /** Of the group alone. */
  readonly groupMedian: number | null;
  /** The smallest share of the decisions at which the group is guarded; null: none, or the test has one group. */
  readonly smallestShare: { readonly within: number; readonly share: number | null } | null;
}

/** Most medians lie at 1.1 to 1.6 times the bound (sequential-tests §13). */
const MEDIAN_OVER_BOUND = 1.5;
/** Runs that need so many times the bound are given up. */
const GIVES_UP_AT = 20;

export function delayPlan(question: DelayQuestion): DelayPlan {
  const { definition, truth, alpha, runs, look, seed, within, rate } = question;
  const bound = boundDecisions(definition, truth, alpha);
  // Looks that are small beside the delay change nothing but the time that a simulation takes.
  const between = Math.max(look, Math.floor(bound / 200));
  const delays = simulateDelays(definition, truth, alpha, { runs, seed, look: between, decisionsMax: GIVES_UP_AT * bound + 1000 });
  const finite = (value: number) => (Number.isFinite(value) ? value : null);
  const median = finite(quantileOf(delays, 0.5));
  const isPair = cellsOf(definition.kind) === 2;
  return {
    kind: definition.kind,
    limit: definition.limit,
    rates: truth.rates,
    shares: truth.shares,
    alpha,
    bound,
    simulated: {
      median,
      p90: finite(quantileOf(delays, 0.9)),
      runs,
      givenUp: delays.filter((delay) => !Number.isFinite(delay)).length,
      look: between,
      seed,
    },
    groupMedian: median === null ? null : Math.round(median * (truth.shares[0] ?? 1)),
    smallestShare: isPair
      ? {
          within,
          share: smallestShare(definition, [truth.rates[0] ?? 0, rate], alpha, { decisions: within, slack: MEDIAN_OVER_BOUND }),
        }
      : null,
  };
}

export function delayPlanText(io: Io, { bound, simulated, alpha, groupMedian, shares, smallestShare: smallest }: DelayPlan): string {
  const whole = (value: number | null) => (value === null ? null : Math.ceil(value));
  const figures = table(
    io,
    ["decisions to proof", "all sides", "of the group"],
    [
      ["at least (bound)", whole(bound), whole(bound * (shares[0] ?? 1))],
      ["half of the time", whole(simulated.median), groupMedian],
      ["nine times of ten", whole(simulated.p90), whole(simulated.p90 === null ? null : simulated.p90 * (shares[0] ?? 1))],
    ],
  );
  const lines = [
    figures,
    `α of this test ${alpha.toPrecision(3)}: proof is 1 : ${Math.round(1 / alpha).toLocaleString("en")}; ${simulated.runs} simulated releases, a look every ${simulated.look} decisions, seed ${simulated.seed}`,
  ];
  if (smallest)
    lines.push(
      smallest.share === null
        ? `within ${smallest.within.toLocaleString("en")} decisions no group can be guarded against this`
        : `within ${smallest.within.toLocaleString("en")} decisions a group can be guarded that is at least ${(100 * smallest.share).toPrecision(2)} % of them`,
    );
  return lines.join("\n");
}
