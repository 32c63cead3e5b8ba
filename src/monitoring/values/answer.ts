/** What is answered when somebody asks for a metric (fairness-metrics §3). Names are those of the reference, letter by letter. */
import { Type, type Static } from "typebox";
import { object, orNull } from "../../checked.ts";

/** Why there is no number, in the order in which the first that holds is told. */
export const REASONS = [
  "not_applicable",
  "not_declared",
  "no_decisions",
  "no_outcomes",
  "selective_labels",
  "no_denominator",
  "too_few",
  "reference_missing",
  "reference_too_few",
  "reference_zero",
  "bins_mismatch",
  "no_profile",
  "suppressed",
] as const;
export const ReasonView = Type.Enum([...REASONS]);
export type Reason = (typeof REASONS)[number];

const Group = Type.Record(Type.String(), Type.String());
/** `x` of `n`. */
const Count = object({ x: Type.Number(), n: Type.Number() });
export type Count = Static<typeof Count>;

const Interval = object({
  level: Type.Number(),
  low: Type.Number(),
  high: Type.Number(),
  kind: Type.Enum(["fixed_window"], { description: "For one look at one closed window, not for watching all the time" }),
  degenerate: Type.Optional(Type.Boolean({ description: "Both rates are 1: the interval says nothing of the uncertainty" })),
});
export type Interval = Static<typeof Interval>;

const Excluded = object({ group: Group, n: orNull(Type.Number()), reason: ReasonView, part: Type.Optional(Type.String()) });
export type Excluded = Static<typeof Excluded>;

const FourFifths = object({
  below_four_fifths: Type.Boolean({ description: "By integers: exactly four fifths is not below" }),
  significant: Type.Boolean({ description: "Fisher's exact p is below 0.05 in this one window" }),
  small_numbers: Type.Boolean({ description: "One person more or fewer would change the finding" }),
  z: orNull(Type.Number({ description: "Standard deviations between the rates; printed, decides nothing" })),
  p_value: Type.Number({ description: "Fisher's exact test, two-sided" }),
  q_value: Type.Number({ description: "The same, corrected for the number of groups of this table (Benjamini and Hochberg)" }),
  approximate: Type.Boolean({ description: "So many that the normal approximation stands for the exact test" }),
});
export type FourFifths = Static<typeof FourFifths>;

const Band = object({
  low: Type.Number(),
  high: Type.Number(),
  n: Type.Integer(),
  mean_score: orNull(Type.Number()),
  good_rate: orNull(Type.Number()),
  interval: orNull(Interval),
  small: Type.Boolean(),
});
export type CalibrationBand = Static<typeof Band>;

const Stratum = object({ stratum: Type.String(), numerator: Count, denominator: Count, difference: orNull(Type.Number()) });
export type Stratum = Static<typeof Stratum>;

const Bin = object({ label: Type.String(), n: Type.Integer(), reference: Type.Integer() });
export type DriftBin = Static<typeof Bin>;

export const MetricAnswer = Type.Object(
  {
    metric: Type.String(),
    value: orNull(Type.Number()),
    reason: orNull(ReasonView),
    numerator: orNull(Count),
    denominator: orNull(Count),
    interval: orNull(Interval),
    /** `{}`: everybody; null: about several groups, or about no people. */
    group: orNull(Group),
    attributes: orNull(Type.Array(Type.String(), { description: "Whose groups are compared, where it is about several" })),
    reference: orNull(Group),
    reference_mode: orNull(Type.Enum(["declared", "best_off"])),
    basis: Type.Enum(["automatic"], { description: "Of actions that releases gave, before any person changed one" }),
    window: Type.Optional(
      object({ from: orNull(Type.String({ description: "null: since the beginning" })), to: Type.String({ description: "Not included" }) }),
    ),
    excluded: Type.Array(Excluded, { description: "Groups left out of the comparison, and why" }),
    labels: orNull(Type.Enum(["all", "approved_only"], { description: "Whose outcomes it is about" })),
    small: Type.Optional(Type.Boolean({ description: "The rate's denominator is below the minimum of a comparison" })),
    /** Of a comparison of several groups: whose rate is highest, and lowest. */
    most: Type.Optional(orNull(Group)),
    least: Type.Optional(orNull(Group)),
    four_fifths: Type.Optional(FourFifths),
    bounds: Type.Optional(object({ low: Type.Number(), high: Type.Number() })),
    parts: Type.Optional(
      Type.Record(Type.String(), object({ value: orNull(Type.Number()), reason: orNull(ReasonView) }), {
        description: "What it is made of, or other ways to say the same",
      }),
    ),
    bands: Type.Optional(Type.Array(Band)),
    strata: Type.Optional(Type.Array(Stratum)),
    bins: Type.Optional(Type.Array(Bin)),
    feature: Type.Optional(Type.String()),
    drift_of: Type.Optional(
      Type.Enum(["scores", "groups"], { description: "What has moved, where it is neither an input nor a group beside another" }),
    ),
    against: Type.Optional(
      Type.Enum(["training", "launch", "previous"], {
        description: "What it was compared with: launch where training data was asked for and says nothing of it",
      }),
    ),
    writer: Type.Optional(
      Type.String({ description: "Id of the token that sent the requests; `others`: of all beyond the largest twenty" }),
    ),
    action: Type.Optional(Type.String()),
    limit: Type.Optional(Type.Number()),
    status: Type.Optional(Type.Enum(["ok", "drift", "alert", "too_few"])),
  },
  { title: "MetricAnswer", additionalProperties: false },
);
export type MetricAnswer = Static<typeof MetricAnswer>;

/** The values of attributes that make a group; empty: everybody. */
export type GroupValues = Readonly<Record<string, string>>;

const blank = {
  reason: null,
  numerator: null,
  denominator: null,
  interval: null,
  group: null,
  attributes: null,
  reference: null,
  reference_mode: null,
  basis: "automatic",
  excluded: [],
  labels: null,
} as const;

type Details = Partial<Omit<MetricAnswer, "metric" | "value" | "reason" | "basis">>;

/** An answer with a number. NaN and infinity are faults of the program: what can't be computed has a reason instead. */
export function numberOf(metric: string, value: number, details: Details = {}): MetricAnswer {
  if (!Number.isFinite(value)) throw new Error(`${metric} came out as ${value}: it needs a reason instead`);
  return { ...blank, excluded: [], metric, value: value === 0 ? 0 : value, ...details };
}

/** An answer without one. */
export function noNumber(metric: string, reason: Reason, details: Details = {}): MetricAnswer {
  return { ...blank, excluded: [], metric, value: null, ...details, reason };
}

/** The one of these reasons that is told: the first in the order of the list. */
export const firstReason = (reasons: readonly Reason[]): Reason | undefined => REASONS.find((reason) => reasons.includes(reason));
