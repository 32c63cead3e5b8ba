/** The games of a blame: the harm of every coalition, observed and drawn, and whether it breaks the limit. Pure. */
import { bootstrapGaps, countSides, gapOf, type Answers, type DrawOptions, type SideCounts, type Window } from "./bootstrap.ts";
import { estimate, type Estimate } from "./estimate.ts";
import { share, type Marginals } from "../shapley.ts";

/** What a coalition answers, and to whom: an index into the windows. */
export interface CoalitionAnswers {
  readonly window: number;
  readonly answers: Answers;
}
/** The harm of every coalition, by mask. */
export interface Game {
  readonly gaps: Float64Array;
  readonly counts: readonly SideCounts[];
  /** For each coalition its gap in each draw of the people. */
  readonly drawn: readonly Float64Array[];
}

/** The guardrail's own limit: an adverse impact ratio that must not be lower, or a gap that must not be wider. */
export type HarmLimit = { readonly kind: "ratio" | "gap"; readonly limit: number };

/**
 * @param games - for each game, what each of its 2^k coalitions answers. Answers that are the same array are measured once
 */
export async function measure(
  windows: readonly Window[],
  games: readonly (readonly CoalitionAnswers[])[],
  options?: DrawOptions,
): Promise<readonly Game[]> {
  const measured: ReadonlyMap<Answers, { readonly counts: SideCounts; readonly drawn: Float64Array }>[] = [];
  for (const [at, window] of windows.entries()) {
    const distinct = [
      ...new Set(games.flatMap((game) => game.filter((coalition) => coalition.window === at).map((coalition) => coalition.answers))),
    ];
    const gaps = await bootstrapGaps(window, distinct, options);
    measured.push(
      new Map(distinct.map((answers, i) => [answers, { counts: countSides(window, answers), drawn: gaps[i] ?? new Float64Array() }])),
    );
  }
  return games.map((game) => {
    const parts = game.map(({ window, answers }) => {
      const part = measured[window]?.get(answers);
      if (!part) throw new RangeError(`there is no window ${window}`);
      return part;
    });
    const counts = parts.map((part) => part.counts);
    return { gaps: Float64Array.from(counts, gapOf), counts, drawn: parts.map((part) => part.drawn) };
  });
}

/** A number that depends linearly on the games, such as a share: of each seed, and of each draw as the mean of all seeds. */
export interface Line {
  readonly bySeed: readonly number[];
  readonly byDraw: Float64Array;
}

/** Each player's line. @param games - one game for each seed, over the same players */
export function shareLines(games: readonly Game[], marginals: Marginals): readonly Line[] {
  const draws = games[0]?.drawn[0]?.length ?? 0;
  const bySeed = games.map(({ gaps }) => share(gaps, marginals));
  const lines = marginals.map((_, player) => ({
    bySeed: bySeed.map((shares) => shares[player] ?? Number.NaN),
    byDraw: new Float64Array(draws),
  }));
  const values = new Float64Array(games[0]?.gaps.length ?? 0);
  for (let draw = 0; draw < draws; draw++) {
    for (const { drawn } of games) {
      for (let coalition = 0; coalition < values.length; coalition++) values[coalition] = drawn[coalition]?.[draw] ?? Number.NaN;
      const shares = share(values, marginals);
      for (const [player, { byDraw }] of lines.entries()) byDraw[draw] = (byDraw[draw] ?? 0) + (shares[player] ?? 0) / games.length;
    }
  }
  return lines;
}

/** `a - b`, draw by draw. A line of one seed is taken as the same for all seeds of the other. */
export function minus(a: Line, b: Line): Line {
  const seeds = Math.max(a.bySeed.length, b.bySeed.length);
  const at = ({ bySeed }: Line, seed: number) => (bySeed.length === 1 ? bySeed[0] : bySeed[seed]) ?? Number.NaN;
  return {
    bySeed: Array.from({ length: seeds }, (_, seed) => at(a, seed) - at(b, seed)),
    byDraw: a.byDraw.map((value, draw) => value - (b.byDraw[draw] ?? Number.NaN)),
  };
}

export function plus(lines: readonly Line[]): Line {
  const [first, ...others] = lines;
  if (!first) throw new RangeError("nothing to add up");
  return others.reduce<Line>(
    (sum, line) => ({
      bySeed: sum.bySeed.map((value, seed) => value + (line.bySeed[seed] ?? Number.NaN)),
      byDraw: sum.byDraw.map((value, draw) => value + (line.byDraw[draw] ?? Number.NaN)),
    }),
    first,
  );
}

export const estimateOf = ({ bySeed, byDraw }: Line): Estimate => estimate(bySeed, byDraw);

/** The mean gap of each coalition over the seeds. */
export function meanGaps(games: readonly Game[]): Float64Array {
  const coalitions = games[0]?.gaps.length ?? 0;
  return Float64Array.from(
    { length: coalitions },
    (_, coalition) => games.reduce((sum, { gaps }) => sum + (gaps[coalition] ?? Number.NaN), 0) / games.length,
  );
}

/** For each coalition whether it breaks the limit, all seeds taken together: they answer the same people, so their counts add up. */
export function breachesOf(games: readonly Game[], limit: HarmLimit): boolean[] {
  return Array.from({ length: games[0]?.counts.length ?? 0 }, (_, coalition) =>
    isBroken(
      games.map(({ counts }) => counts[coalition]).filter((counts) => counts !== undefined),
      limit,
    ),
  );
}

/** Limits are compared as integers: 0.6/0.75 is below 0.8 in doubles. */
const LIMIT_UNITS = 1_000_000;

function isBroken(all: readonly SideCounts[], { kind, limit }: HarmLimit): boolean {
  let [harmed, harmedFavourable, reference, referenceFavourable] = [0, 0, 0, 0];
  for (const counts of all) {
    harmed += counts.harmed;
    harmedFavourable += counts.harmedFavourable;
    reference += counts.reference;
    referenceFavourable += counts.referenceFavourable;
  }
  const units = Math.round(limit * LIMIT_UNITS);
  return kind === "ratio"
    ? harmedFavourable * reference * LIMIT_UNITS < units * referenceFavourable * harmed
    : (referenceFavourable * harmed - harmedFavourable * reference) * LIMIT_UNITS > units * harmed * reference;
}
