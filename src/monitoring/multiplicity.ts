/** Many groups, many metrics, one error budget (sequential-tests §6). Pure. */

/** Kept back for guardrails that are added to a running release. */
const RESERVE = 0.1;
/** Of a guardrail's share: what single groups get where there are intersections as well. */
const SINGLES = 0.8;

/**
 * Each test's share of a release's budget.
 * @param alpha - the release's budget: the chance that it is ever rolled back though all is kept
 * @param guardrails - weights, with the number of tests of single groups and of intersections
 * @returns per guardrail the share of each of its single-group and intersection tests
 */
export function splitBudget(
  alpha: number,
  guardrails: readonly { readonly weight: number; readonly singles: number; readonly intersections: number }[],
): readonly { readonly single: number; readonly intersection: number }[] {
  const total = guardrails.reduce((sum, { weight }) => sum + weight, 0);
  return guardrails.map(({ weight, singles, intersections }) => {
    const share = ((1 - RESERVE) * alpha * weight) / total;
    const forSingles = singles === 0 ? 0 : intersections === 0 ? share : SINGLES * share;
    return {
      single: singles === 0 ? 0 : forSingles / singles,
      intersection: intersections === 0 ? 0 : (share - forSingles) / intersections,
    };
  });
}

/** The share of the i-th test that is added later, from 1; all of them together never spend more than the reserve. */
export const reserveShare = (alpha: number, i: number): number => (RESERVE * alpha) / (i * (i + 1));

/**
 * Which tests are proven together: Holm on the largest evidence of each, weighted by their shares of the budget, so that the first ones
 * named are those that breach on their own.
 * @param alphas - each test's share; equal shares are the plain procedure
 * @returns their indexes, ascending
 */
export function holm(maxLogE: readonly number[], alphas: readonly number[]): readonly number[] {
  const order = maxLogE
    .map((logE, index) => ({ logE, index, alpha: alphas[index] ?? 0 }))
    .toSorted((a, b) => b.logE + Math.log(b.alpha) - (a.logE + Math.log(a.alpha)) || a.index - b.index);
  const budget = alphas.reduce((sum, alpha) => sum + alpha, 0);
  let left = budget;
  const named: number[] = [];
  for (const { logE, index, alpha } of order) {
    // Of the budget of all, this one gets its share among those that are left.
    if (logE < -Math.log((budget * alpha) / left)) break;
    named.push(index);
    left -= alpha;
  }
  return named.toSorted((a, b) => a - b);
}

/** Warnings with a false discovery rate: e-BH on the present evidence (Wang and Ramdas 2022). @returns their indexes, ascending */
export function ebh(logE: readonly number[], q: number): readonly number[] {
  const m = logE.length;
  const order = logE.map((value, index) => ({ value, index })).toSorted((a, b) => b.value - a.value || a.index - b.index);
  let count = 0;
  for (const [i, { value }] of order.entries()) if (value >= Math.log(m / (q * (i + 1)))) count = i + 1;
  return order
    .slice(0, count)
    .map(({ index }) => index)
    .toSorted((a, b) => a - b);
}
