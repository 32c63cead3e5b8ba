/** What blame finds, as it is stored and told; and what tier 1 is given. */
import { Type, type Static } from "typebox";
import { checked, orNull, wholeNumber } from "../checked.ts";
import type { Issue, ReleaseId, Result } from "../std.ts";
import { err, ok } from "../std.ts";
import type { VerdictWord } from "./verdict.ts";

const object = <P extends Parameters<typeof Type.Object>[0]>(properties: P, title?: string) =>
  Type.Object(properties, title === undefined ? { additionalProperties: false } : { title, additionalProperties: false });
const Release = Type.Unsafe<ReleaseId>(Type.String());
const Steps = Type.Array(Type.String());
const EstimateFields = { share: Type.Number(), low: Type.Number(), high: Type.Number() };

const words = {
  "did it": true,
  "most likely": true,
  "these two together": true,
  "we cannot tell": true,
  "could not be reproduced": true,
} as const satisfies Record<VerdictWord, true>;

/**
 * Shares are differences of selection rates: 0.304 is 30.4 points. All parts and what is unexplained sum to the harm: how much further
 * the group is behind under the bad release with its applicants than under the good one with its own.
 */
export const BlameReport = object(
  {
    /** 0: from recorded decisions alone. 1: the model's steps, by training mixtures. */
    tier: Type.Union([Type.Literal(0), Type.Literal(1)]),
    good: Release,
    bad: Release,
    group: Type.String(),
    /** `rest`, or the value that the group is compared with. */
    reference: Type.String(),
    limit: orNull(object({ kind: Type.Union([Type.Literal("ratio"), Type.Literal("gap")]), limit: Type.Number() })),
    /** How far the group is behind under each release, its own applicants answered by it. */
    gap: object({ good: Type.Number(), bad: Type.Number() }),
    harm: object(EstimateFields),
    /** People asked about. Not replayable: those whom a release can't answer any more; they are in no figure. */
    people: object({ good: Type.Integer(), bad: Type.Integer(), notReplayable: Type.Integer() }),
    parts: Type.Array(
      object({ step: Type.String(), /** Null where it isn't part of one. */ block: orNull(Type.String()), ...EstimateFields }),
    ),
    /** Tier 1 only: the part of the model block as it served that isn't in its steps as they were built again. */
    unexplained: orNull(object(EstimateFields)),
    /** Smallest sets of steps that, put back, end the breach; and that alone make it. All that tie. */
    restoring: Type.Array(Steps),
    inducing: Type.Array(Steps),
    /** Pairs that do more, or less, together than the sum of what each does alone; at most three, the largest first. */
    together: Type.Array(object({ steps: Steps, share: Type.Number() })),
    /** Steps that no mixture could separate, and why. */
    merged: Type.Array(object({ steps: Steps, because: Type.String() })),
    seeds: Type.Array(Type.Integer()),
    /** Of the bad release's applicants those whom the good one would have favoured and the bad one didn't, by group. */
    mostHarmed: Type.Array(
      object({
        conditions: Type.Record(Type.String(), Type.String()),
        people: Type.Integer(),
        harmed: Type.Integer(),
        rate: Type.Number(),
        rateOutside: Type.Number(),
        p: Type.Number(),
      }),
    ),
    verdict: object({
      word: Type.Unsafe<VerdictWord>(Type.Enum(Object.keys(words))),
      steps: Steps,
      because: Type.String(),
      peopleNeeded: Type.Optional(Type.Integer()),
    }),
    /** For a person who reads nothing else. */
    sentence: Type.String(),
    notes: Type.Array(Type.String()),
  },
  "Blame",
);
export type BlameReport = Static<typeof BlameReport>;

/** A report with when it was made. */
export interface StoredBlame extends Readonly<BlameReport> {
  readonly incident: number;
  readonly madeAtMs: number;
}

const Blob = Type.String({ pattern: "^sha256:[0-9a-f]{64}$" });

/** The mixtures that somebody trained where the pipelines' files are (`trainHybrids`), by their models. */
export const TrainedMixtures = object(
  {
    groups: Type.Array(object({ members: Type.Array(Type.String(), { minItems: 1, maxItems: 8 }), mergedBecause: orNull(Type.String()) }), {
      minItems: 1,
      maxItems: 5,
    }),
    hybrids: Type.Array(
      object({
        mask: Type.Integer({ minimum: 0, maximum: 31, description: "Bit g: group g is the bad release's" }),
        seed: wholeNumber(),
        model: Blob,
        featureSet: Type.Optional(Blob),
      }),
      { minItems: 2, maxItems: 3200 },
    ),
  },
  "TrainedMixtures",
);
export type TrainedMixtures = Static<typeof TrainedMixtures>;

const parse = checked(TrainedMixtures);

/** Every mixture of the groups must be there once for every seed. */
export function parseMixtures(value: unknown): Result<TrainedMixtures, readonly Issue[]> {
  const parsed = parse(value);
  if (!parsed.ok) return parsed;
  const { groups, hybrids } = parsed.value;
  const wanted = 2 ** groups.length;
  const bySeed = Map.groupBy(hybrids, ({ seed }) => seed);
  for (const [seed, mine] of bySeed) {
    const masks = new Set(mine.map(({ mask }) => mask));
    if (mine.length === wanted && masks.size === wanted && mine.every(({ mask }) => mask < wanted)) continue;
    const missing = Array.from({ length: wanted }, (_, mask) => mask).filter((mask) => !masks.has(mask));
    const got = missing.length > 0 ? `none for mask ${missing.join(", ")}` : "further ones";
    return err([{ path: "/hybrids", expected: `one model for each of ${wanted} mixtures with seed ${seed}`, got }]);
  }
  return ok(parsed.value);
}
