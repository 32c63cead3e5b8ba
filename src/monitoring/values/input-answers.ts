/** Drift and quality of what comes in, input by input (fairness-metrics §9). Pure. */
import { OWN_BINS, binCount, binLabel, type InputProfile, type InputRow, type ProfiledInput } from "../../decisions/index.ts";
import { noNumber, numberOf, type MetricAnswer, type Reason } from "./answer.ts";
import { driftAnswer, isDriftMeasure, psiChance, type Compared, type DriftMeasure } from "./drift.ts";
import { falseDiscovery } from "./two-rates.ts";

/** Names, in the order in which they are shown, with what they say. */
export const INPUT_METRICS = {
  population_stability_index: "How much would the bars of an input have to be rearranged to be those of the reference",
  jensen_shannon_distance: "The same idea between 0 and 1, to base 2",
  ks_statistic: "The largest gap between the cumulative curves, numbers only",
  wasserstein_distance_normed: "How far a value has moved on average, in standard deviations of the training data",
  chi2_statistic: "How unusual the table of both is",
  cramers_v: "How strongly it depends on the time",
  linf_distance: "The bin whose share moved most",
  total_variation_distance: "Share of people that would have to move",
  hellinger_distance: "Another distance between 0 and 1",
  missing_rate: "How often an input is empty",
  invalid_type_rate: "How often it is of another type",
  out_of_range_rate: "How often it is outside of what training saw",
  new_category_rate: "How often it is a value that training never saw",
  unit_change_ratio: "The median over that of the reference: did somebody switch to thousands",
  constant_feature: "1 where one bin holds everybody though it didn't before",
} as const;
export type InputMetricName = keyof typeof INPUT_METRICS;
export const isInputMetric = (name: string): name is InputMetricName => Object.hasOwn(INPUT_METRICS, name);

/** What live inputs are compared with: the training data, the first week of the release, or the same time a week before. */
export type InputReference = "training" | "launch" | "previous";

export interface InputQuestion {
  readonly profile: InputProfile | undefined;
  readonly live: readonly InputRow[];
  readonly against: InputReference;
  /** Of `launch` and `previous`; null where there was no such time. */
  readonly before: readonly InputRow[] | null;
}

interface Input {
  readonly input: ProfiledInput;
  readonly live: readonly number[];
  readonly reference: readonly number[] | null;
}

export function inputAnswers(
  names: readonly InputMetricName[],
  { profile, live, against, before }: InputQuestion,
): readonly MetricAnswer[] {
  if (!profile) return names.map((name) => noNumber(name, "no_profile"));
  const inputs = profile.inputs.map((input, i): Input => {
    const counted = before && countsOf(input, i, before);
    return { input, live: countsOf(input, i, live), reference: against === "training" ? input.reference : counted };
  });
  const compared = inputs.map((one) => comparedOf(one));
  const tested = compared.flatMap((one, i) => (typeof one === "string" ? [] : [{ i, p: psiChance(one) }]));
  const q = falseDiscovery(tested.map(({ p }) => p));
  const chanceOf = new Map(tested.map(({ i }, at) => [i, q[at] ?? 1]));
  return names.flatMap((name) =>
    inputs.map((one, i) => {
      const answer = isDriftMeasure(name) ? measured(name, one, compared[i] ?? "no_profile", chanceOf.get(i) ?? 1) : quality(name, one);
      return { ...answer, feature: one.input.name, against };
    }),
  );
}

function countsOf(input: ProfiledInput, at: number, rows: readonly InputRow[]): readonly number[] {
  const counts = Array.from({ length: binCount(input) }, () => 0);
  for (const row of rows) if (row.input === at) counts[row.bin] = (counts[row.bin] ?? 0) + row.count;
  return counts;
}

const sumOf = (counts: readonly number[]): number => counts.reduce((sum, count) => sum + count, 0);

function comparedOf({ input, live, reference }: Input): Compared | Reason {
  if (sumOf(live) === 0) return "no_decisions";
  if (reference === null || sumOf(reference) === 0) return "no_profile";
  if (reference.length !== live.length) return "bins_mismatch";
  if (input.kind !== "numbers") return { live, reference, numbers: null };
  // Whatever is outside of what training saw is at its ends: far out, not infinitely far.
  const ordered = (counts: readonly number[]) => [counts[2] ?? 0, ...counts.slice(OWN_BINS), counts[3] ?? 0];
  const numbers = { live: ordered(live), reference: ordered(reference), scale: { middles: middlesOf(input), sd: input.sd } };
  return { live, reference, numbers: sumOf(numbers.live) === 0 || sumOf(numbers.reference) === 0 ? null : numbers };
}

function middlesOf({ edges, min, max }: Extract<ProfiledInput, { kind: "numbers" }>): readonly number[] {
  const bounds = [min, ...edges, max];
  return [min, ...bounds.slice(1).map((high, i) => ((bounds[i] ?? high) + high) / 2), max];
}

function measured(name: DriftMeasure, { input, live, reference }: Input, compared: Compared | Reason, q: number): MetricAnswer {
  if (typeof compared === "string") return noNumber(name, compared);
  return driftAnswer(name, compared, {
    q,
    bins: live.map((n, bin) => ({ label: binLabel(input, bin), n, reference: reference?.[bin] ?? 0 })),
  });
}

type QualityName = Exclude<InputMetricName, DriftMeasure>;

function quality(name: QualityName, one: Input): MetricAnswer {
  const { live, reference, input } = one;
  const n = sumOf(live);
  if (n === 0) return noNumber(name, "no_decisions");
  const share = (...bins: readonly number[]) => {
    const x = bins.reduce((sum, bin) => sum + (live[bin] ?? 0), 0);
    return { x, n, rate: x / n };
  };
  const rate = (limit: number, ...bins: readonly number[]) => {
    const { x, rate: value } = share(...bins);
    return numberOf(name, value, { numerator: { x, n }, limit, status: value > limit ? "alert" : "ok" });
  };
  switch (name) {
    case "missing_rate": {
      const before = reference && sumOf(reference) > 0 ? (reference[0] ?? 0) / sumOf(reference) : null;
      return before === null ? { ...rate(1, 0), status: "ok" } : rate(Math.max(2 * before, before + 0.01), 0);
    }
    case "invalid_type_rate":
      return rate(0, 1);
    case "out_of_range_rate":
      return input.kind === "numbers" ? rate(0.01, 2, 3) : noNumber(name, input.kind === "powers" ? "no_profile" : "not_applicable");
    case "new_category_rate":
      return input.kind === "categories" ? rate(0.01, 4) : noNumber(name, "not_applicable");
    case "unit_change_ratio":
      return unitChange(one);
    case "constant_feature": {
      const largest = (counts: readonly number[]) => Math.max(...counts) / sumOf(counts);
      if (!reference || sumOf(reference) === 0) return noNumber(name, "no_profile");
      const isStuck = n >= 100 && largest(live) === 1 && largest(reference) < 0.9;
      return numberOf(name, isStuck ? 1 : 0, { status: isStuck ? "alert" : "ok" });
    }
    default:
      return name satisfies never;
  }
}

function unitChange({ input, live, reference }: Input): MetricAnswer {
  const name = "unit_change_ratio";
  if (input.kind !== "numbers") return noNumber(name, input.kind === "powers" ? "no_profile" : "not_applicable");
  if (!reference || sumOf(reference) === 0) return noNumber(name, "no_profile");
  const middles = middlesOf(input);
  const median = (counts: readonly number[]): number | undefined => {
    const ordered = [counts[2] ?? 0, ...counts.slice(OWN_BINS), counts[3] ?? 0];
    const half = sumOf(ordered) / 2;
    let below = 0;
    for (const [i, count] of ordered.entries()) if ((below += count) >= half && half > 0) return middles[i];
    return undefined;
  };
  const [now, before] = [median(live), median(reference)];
  if (now === undefined || before === undefined) return noNumber(name, "no_denominator");
  if (before === 0) return noNumber(name, "reference_zero");
  return numberOf(name, now / before, { status: now / before < 0.1 || now / before > 10 ? "alert" : "ok" });
}
