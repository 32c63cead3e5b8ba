/** The exact binomial distribution: how far an observed share may lie from the true one by chance. */

/**
 * The counts that `n` independent draws with chance `p` give in all but `1 - coverage` of cases, at most half of that outside on either
 * side. Computed from the distribution itself, outwards from its mode, so that nothing under- or overflows.
 */
export function binomialBand(n: number, p: number, coverage: number): { readonly low: number; readonly high: number } {
  if (p <= 0) return { low: 0, high: 0 };
  if (p >= 1) return { low: n, high: n };
  const mode = Math.min(n, Math.floor((n + 1) * p));
  const odds = p / (1 - p);
  // Up to a factor: relative to the mode's own.
  const weights = new Float64Array(n + 1);
  weights[mode] = 1;
  for (let k = mode; k < n; k++) weights[k + 1] = ((weights[k] ?? 0) * (n - k) * odds) / (k + 1);
  for (let k = mode; k > 0; k--) weights[k - 1] = ((weights[k] ?? 0) * k) / ((n - k + 1) * odds);
  const tail = (weights.reduce((sum, weight) => sum + weight, 0) * (1 - coverage)) / 2;
  let [low, high] = [0, n];
  for (let below = weights[low] ?? 0; below <= tail; below += weights[low] ?? 0) low++;
  for (let above = weights[high] ?? 0; above <= tail; above += weights[high] ?? 0) high--;
  return { low, high };
}
