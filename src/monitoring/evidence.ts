/** What a test's evidence means, in figures and words for people (sequential-tests §10). Pure. */

/** Evidence that is proof: a release's error budget share α is spent no sooner than a fair one would reach this with chance α. */
export const thresholdOf = (alpha: number): number => -Math.log(alpha);

/** Evidence (a logarithm) from which a test is worth a look: half of what proof needs. */
export const watchedFrom = (alpha: number): number => thresholdOf(alpha) / 2;

/** How far evidence has come on the way to proof, from 0 to 1; evidence for the release counts as 0. */
export const meterOf = (logE: number, alpha: number): number => Math.min(1, Math.max(0, logE / thresholdOf(alpha)));

/** `1 : 340 against a fair release; needed 1 : 12,000`. */
export function oddsText(logE: number, alpha: number): string {
  const odds = (log: number) => (log > Math.log(1e15) ? `1 : 10^${Math.floor(log / Math.LN10)}` : `1 : ${wholeOrShort(Math.exp(log))}`);
  return logE <= 0
    ? `no evidence against a fair release; needed ${odds(thresholdOf(alpha))}`
    : `${odds(logE)} against a fair release; needed ${odds(thresholdOf(alpha))}`;
}

const wholeOrShort = (value: number): string =>
  value < 10 ? value.toFixed(1) : String(Math.floor(value * (1 + 1e-12))).replace(/\B(?=(\d{3})+$)/g, ",");

/** Where a test stood after a block: all its decisions so far, of all cells, and its evidence. */
export interface Progress {
  readonly decisions: number;
  readonly logE: number;
}

/** Blocks that a forecast looks back over. */
const LOOKS_BACK = 8;

/** The progress that a forecast needs, with the newest added and what is too old left out. */
export const withProgress = (recent: readonly Progress[], newest: Progress): Progress[] => [...recent.slice(-LOOKS_BACK), newest];

/**
 * How many more decisions proof needs if evidence goes on growing as over the last blocks.
 * @returns undefined where it doesn't grow, or there are too few blocks to tell; 0 where there is proof
 */
export function decisionsToProof(recent: readonly Progress[], alpha: number): number | undefined {
  const [oldest, newest] = [recent[0], recent.at(-1)];
  if (!oldest || !newest) return undefined;
  const missing = thresholdOf(alpha) - newest.logE;
  if (missing <= 0) return 0;
  const growth = (newest.logE - oldest.logE) / (newest.decisions - oldest.decisions);
  return growth > 0 && Number.isFinite(growth) ? Math.ceil(missing / growth) : undefined;
}
