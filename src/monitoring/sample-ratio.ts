/** Whether people reach the arms of a comparison in the shares that were asked for. Pure. */

/** Evidence from which on a mismatch counts as proven: one coin in a thousand fair tests ever comes so far, however often one looks. */
export const SAMPLE_RATIO_PROOF = 1000;

/**
 * The logarithm of the evidence against the weights: the wealth of somebody who bets against them on every answer, by the multinomial
 * test of Lindon and Malek (2022, "Anytime-valid inference for multinomial count data") with a uniform prior. It may be looked at after
 * every answer. Answers of one person must fall to one arm, so that somebody who asks a hundred times counts a hundred times here.
 * @param arms - answers and positive weight of each
 */
export function sampleRatioEvidence(arms: readonly { readonly answers: number; readonly weight: number }[]): number {
  const total = arms.reduce((sum, { weight }) => sum + weight, 0);
  const answers = arms.reduce((sum, arm) => sum + arm.answers, 0);
  const expected = arms.reduce((sum, arm) => sum + (arm.answers === 0 ? 0 : arm.answers * Math.log(arm.weight / total)), 0);
  const mixed = logFactorial(arms.length - 1) - logFactorial(arms.length - 1 + answers);
  return mixed + arms.reduce((sum, arm) => sum + logFactorial(arm.answers), 0) - expected;
}

/** Exact sums for small numbers, Stirling's series (error below 1e-10) beyond. */
function logFactorial(n: number): number {
  if (n < 20) {
    let sum = 0;
    for (let i = 2; i <= n; i++) sum += Math.log(i);
    return sum;
  }
  return n * Math.log(n) - n + 0.5 * Math.log(2 * Math.PI * n) + 1 / (12 * n) - 1 / (360 * n ** 3) + 1 / (1260 * n ** 5);
}
