/** From what each feature moved to the few reasons that a person is told. Pure. */
import type { PolicySpec, ToldFeature } from "../serving/index.ts";

/** What one column of a model's rows moved the score by. */
export interface Moved {
  readonly feature: ToldFeature;
  readonly contribution: number;
  /** 0 where it is exact. */
  readonly standardError: number;
}

export interface PrincipalReason {
  readonly code: string;
  readonly text: string;
  /** Those that moved the score, whichever way. */
  readonly features: readonly string[];
  readonly contribution: number;
  /** Of the whole difference; null where there is none. */
  readonly share: number | null;
  readonly standardError: number;
}

export interface PrincipalReasons {
  /** The weightiest first. */
  readonly reasons: readonly PrincipalReason[];
  /** What protected attributes moved: part of the difference, and never a reason. */
  readonly withheld: {
    readonly attributes: readonly string[];
    readonly features: readonly string[];
    readonly contribution: number;
    readonly share: number | null;
  } | null;
  /** What all that is neither told nor withheld moved. */
  readonly others: number;
}

/** More are not likely to help, says the official commentary to 12 CFR 1002.9(b)(2). */
const MOST = 4;
/** Less is rounding. */
const LEAST = 1e-9;
/** A sampled contribution nearer to nothing than so many of its standard errors may be chance: nobody is told a reason that isn't one. */
const CERTAIN = 2;

/**
 * Features of one code are one reason; only what moved the score towards the action that was given is one, most first, ties in the
 * order of the feature set. Fewer than four are not filled up.
 * @param towards - the direction of the score that led to the action: 1 or −1
 */
export function principalReasons(
  moved: readonly Moved[],
  { towards, isFavourable }: { readonly towards: 1 | -1; readonly isFavourable: boolean },
): PrincipalReasons {
  const difference = moved.reduce((sum, { contribution }) => sum + contribution, 0);
  const shareOf = (contribution: number) => (Math.abs(difference) < LEAST ? null : contribution / difference);
  const [hidden, open] = [
    moved.filter(({ feature }) => feature.attributes.length > 0),
    moved.filter(({ feature }) => feature.attributes.length === 0),
  ];
  const byCode = Map.groupBy(open, ({ feature }) => feature.code);
  const reasons = [...byCode].flatMap(([code, parts]): PrincipalReason[] => {
    const contribution = sumOf(parts);
    // Errors of one walk's features hang together: their sum is the most that it can be.
    const standardError = parts.reduce((sum, part) => sum + part.standardError, 0);
    if (towards * contribution <= Math.max(LEAST, CERTAIN * standardError)) return [];
    const features = parts.filter((part) => Math.abs(part.contribution) > LEAST).map(({ feature }) => feature.name);
    return [{ code, text: textOf(code, parts, isFavourable), features, contribution, share: shareOf(contribution), standardError }];
  });
  const told = reasons.toSorted((a, b) => rounded(towards * (b.contribution - a.contribution))).slice(0, MOST);
  const withheld = sumOf(hidden);
  const attributes = new Set(hidden.flatMap(({ feature }) => feature.attributes));
  return {
    reasons: told,
    withheld:
      Math.abs(withheld) <= LEAST
        ? null
        : {
            attributes: [...attributes],
            features: hidden.map(({ feature }) => feature.name),
            contribution: withheld,
            share: shareOf(withheld),
          },
    others: difference - withheld - told.reduce((sum, { contribution }) => sum + contribution, 0),
  };
}

const sumOf = (parts: readonly Moved[]): number => parts.reduce((sum, { contribution }) => sum + contribution, 0);
/** Equal but for rounding is equal; sorting keeps the order of such. */
const rounded = (apart: number): number => (Math.abs(apart) <= LEAST ? 0 : apart);

/** A declared reason speaks of what counted against somebody; what counted for them is told by what the feature means. */
function textOf(code: string, parts: readonly Moved[], isFavourable: boolean): string {
  const reason = parts.map(({ feature }) => feature.reason).find((text) => text !== null);
  if (!isFavourable && reason !== undefined && reason !== null) return reason;
  const [first, ...more] = parts;
  return first && more.length === 0 ? first.feature.text : (reason ?? code);
}

/**
 * Which way the score has to go to come to an action such as the one that was given: away from the nearest band of the other kind
 * (favourable or not). Where such bands are on both sides, or none is, the way that it went.
 */
export function towardsAction(
  { bands }: PolicySpec,
  given: { readonly score: number; readonly isFavourable: boolean; readonly difference: number },
  isFavourable: (action: string) => boolean,
): 1 | -1 {
  const sorted = bands.toSorted((a, b) => a.from - b.from);
  const own = sorted.findLastIndex(({ from }) => from <= given.score);
  const isOther = ({ action }: { readonly action: string }) => isFavourable(action) !== given.isFavourable;
  const [below, above] = [sorted.slice(0, Math.max(0, own)).some(isOther), sorted.slice(own + 1).some(isOther)];
  if (below !== above) return below ? 1 : -1;
  return given.difference < 0 ? -1 : 1;
}
