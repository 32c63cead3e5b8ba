/** The two tiers of blame over one scene. Tier 0 works on what served; tier 1 splits its model block into the steps of the making. Pure. */
import { assert } from "../std.ts";
import { gapOf, type DrawOptions } from "./bootstrap.ts";
import { predictionInterval, type Estimate } from "./estimate.ts";
import {
  breachesOf,
  estimateOf,
  meanGaps,
  measure,
  minus,
  plus,
  shareLines,
  type CoalitionAnswers,
  type Game,
  type Line,
} from "./measure.ts";
import { dividends, minimalSets } from "./minimal-sets.ts";
import { owenMarginals } from "./owen.ts";
import { Answering, type ModelScores, type Scene } from "./scene.ts";
import { shapleyMarginals } from "../shapley.ts";
import { points, type Share } from "./verdict.ts";

export interface Part extends Share {
  /** The tier 0 player that the step is part of. */
  readonly block: string | null;
}

export interface TierResult {
  readonly gap: { readonly good: number; readonly bad: number };
  readonly harm: Estimate;
  readonly parts: readonly Part[];
  readonly unexplained: Estimate | null;
  readonly restoring: readonly (readonly string[])[];
  readonly inducing: readonly (readonly string[])[];
  /** Every pair of steps with its dividend. */
  readonly together: readonly { readonly steps: readonly [string, string]; readonly share: number }[];
}

/** Players of tier 0 that differ, in the order of their bits. */
function servedPlayers({ differs, windows }: Scene): readonly string[] {
  return [...(differs.model ? ["model"] : []), ...(differs.threshold ? ["threshold"] : []), ...(windows.length > 1 ? ["population"] : [])];
}

/** What every coalition of `players` answers. @param modelOf - the model for a coalition */
function coalitions(
  scene: Scene,
  players: readonly string[],
  answering: Answering,
  modelOf: (mask: number) => ModelScores,
): CoalitionAnswers[] {
  const isIn = (mask: number, player: string) => players.includes(player) && ((mask >> players.indexOf(player)) & 1) === 1;
  return Array.from({ length: 2 ** players.length }, (_, mask) => {
    const window = isIn(mask, "population") ? scene.windows.length - 1 : 0;
    return { window, answers: answering.of(modelOf(mask), isIn(mask, "threshold") ? "bad" : "good", window) };
  });
}

const servedModel =
  ({ served, differs }: Scene) =>
  (mask: number) =>
    differs.model && mask & 1 ? served.bad : served.good;

export async function tierZero(scene: Scene, options?: DrawOptions): Promise<TierResult> {
  const players = servedPlayers(scene);
  const [game] = await measure(scene.windows, [coalitions(scene, players, new Answering(scene), servedModel(scene))], options);
  assert(game, "one game was measured");
  const lines = shareLines([game], shapleyMarginals(players.length));
  return {
    ...observed(game),
    parts: players.map((step, i) => ({ step, block: null, ...estimateOf(lineAt(lines, i)) })),
    unexplained: null,
    ...setsOf([game], players, scene),
  };
}

/** The steps of the making, built again. */
export interface Rebuilt {
  /** Names of the steps, or of several that could not be told apart; bit i of a mask is the i-th. */
  readonly steps: readonly string[];
  /** For each seed the models of all 2^k mixtures of the steps. */
  readonly bySeed: ReadonlyMap<number, readonly ModelScores[]>;
  /** Whether some seed gave the very bytes that served. */
  readonly isIdentical: Readonly<Record<"good" | "bad", boolean>>;
}

export interface TierOneResult extends TierResult {
  /** Why what was built again isn't what served; null where it is. */
  readonly notReproduced: string | null;
  readonly notes: readonly string[];
}

/** Owen's value: the parts of the model block sum to what it was worth in tier 0, but for what is left as unexplained. */
export async function tierOne(scene: Scene, rebuilt: Rebuilt, options?: DrawOptions): Promise<TierOneResult> {
  const outer = servedPlayers(scene);
  assert(outer[0] === "model", "the two releases have different models");
  const { steps, bySeed } = rebuilt;
  const players = [...steps, ...outer.slice(1)];
  const answering = new Answering(scene);
  const seeds = [...bySeed.values()];
  const games = await measure(
    scene.windows,
    [
      coalitions(scene, outer, answering, servedModel(scene)),
      ...seeds.map((models) =>
        coalitions(scene, players, answering, (mask) => {
          const model = models[mask & (2 ** steps.length - 1)];
          assert(model, "there is a model for every mixture");
          return model;
        }),
      ),
    ],
    options,
  );
  const [served, ...again] = games;
  assert(served, "the served game was measured");
  const outerLines = shareLines([served], shapleyMarginals(outer.length));
  const stepLines = shareLines(again, owenMarginals(players.map((_, i) => (i < steps.length ? 0 : i)))).slice(0, steps.length);
  return {
    ...observed(served),
    parts: [
      ...steps.map((step, i) => ({ step, block: "model", ...estimateOf(lineAt(stepLines, i)) })),
      ...outer.slice(1).map((step, i) => ({ step, block: null, ...estimateOf(lineAt(outerLines, i + 1)) })),
    ],
    unexplained: estimateOf(minus(lineAt(outerLines, 0), plus(stepLines))),
    ...setsOf(again, players, scene),
    ...reproduction({ served, again, rebuilt, limit: scene.limit }),
  };
}

function lineAt(lines: readonly Line[], i: number): Line {
  const line = lines[i];
  assert(line, "a line for every player");
  return line;
}

/** The first coalition is the good release with its own applicants, the last one the bad release with its. */
function observed(game: Game): Pick<TierResult, "gap" | "harm"> {
  const last = game.gaps.length - 1;
  const [good, bad] = [game.gaps[0] ?? Number.NaN, game.gaps[last] ?? Number.NaN];
  const byDraw = (game.drawn[last] ?? new Float64Array()).map((gap, draw) => gap - (game.drawn[0]?.[draw] ?? Number.NaN));
  return { gap: { good, bad }, harm: estimateOf({ bySeed: [bad - good], byDraw }) };
}

function setsOf(
  games: readonly Game[],
  players: readonly string[],
  { limit }: Scene,
): Pick<TierResult, "restoring" | "inducing" | "together"> {
  const names = (mask: number) => players.filter((_, i) => (mask >> i) & 1);
  const sets = limit ? minimalSets(breachesOf(games, limit)) : { restoring: [], inducing: [] };
  const beyond = dividends(meanGaps(games));
  const together = players.flatMap((a, i) =>
    players.slice(i + 1).map((b, j) => ({ steps: [a, b] as const, share: beyond[(1 << i) | (1 << (i + 1 + j))] ?? 0 })),
  );
  return { restoring: sets.restoring.map(names), inducing: sets.inducing.map(names), together };
}

/** What served may differ from what was built again by this much and still be it: half a point, besides the luck of training. */
const REBUILT_TOLERANCE = 0.005;

/** Is what was built again what served? Each release with its own applicants, over the seeds. */
function reproduction(input: {
  readonly served: Game;
  readonly again: readonly Game[];
  readonly rebuilt: Rebuilt;
  readonly limit: Scene["limit"];
}): Pick<TierOneResult, "notReproduced" | "notes"> {
  const { served, again, rebuilt, limit } = input;
  const trouble: string[] = [];
  const notes: string[] = [];
  for (const which of ["good", "bad"] as const) {
    const at = (game: Game) => (which === "good" ? 0 : game.counts.length - 1);
    const counts = served.counts[at(served)];
    assert(counts, "the served game has all coalitions");
    const [was, gaps] = [gapOf(counts), again.map((game) => game.gaps[at(game)] ?? Number.NaN)];
    const seeds = `${gaps.length} ${gaps.length === 1 ? "seed" : "seeds"}`;
    if (rebuilt.isIdentical[which]) {
      notes.push(`the ${which} release was built again, byte for byte (${seeds} tried)`);
      continue;
    }
    const expected = predictionInterval(gaps) ?? { low: gaps[0] ?? Number.NaN, high: gaps[0] ?? Number.NaN };
    const isWithin = was >= expected.low - REBUILT_TOLERANCE && was <= expected.high + REBUILT_TOLERANCE;
    const range = `${points(Math.min(...gaps))} to ${points(Math.max(...gaps))} points`;
    if (isWithin)
      notes.push(`the ${which} release as it served (${points(was)} points) is within the luck of its training (${range} with ${seeds})`);
    else trouble.push(`the ${which} release as it served is ${points(was)} points behind, built again with ${seeds} it is ${range}`);
  }
  if (limit) {
    const breaching = again.filter((game) => breachesOf([game], limit).at(-1) === true).length;
    notes.push(`${breaching} of ${again.length} seeds of the bad release's making break the limit`);
  }
  return { notReproduced: trouble.length > 0 ? trouble.join("; ") : null, notes };
}
