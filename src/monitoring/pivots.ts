/** The most likely point on a test's boundary, given what has been seen before (sequential-tests §5). A bad one costs speed, never validity. */

/** Rates under this are clamped: the test stays valid and becomes slow. */
const PMIN = 1e-4;

/** Decaying memory of one cell: how many decisions, and how many of them favourable. */
export interface CellMemory {
  readonly n: number;
  readonly k: number;
}

/** `p_a >= limit · p_b`: the point with `p_a = limit · p_b` of the largest likelihood, in closed form. */
export function ratioPivot(a: CellMemory, b: CellMemory, limit: number): readonly [number, number] {
  const c = a.k + b.k;
  const linear = a.k + limit * b.k + limit * a.n + b.n;
  const square = limit * (a.n + b.n);
  const free = (2 * c) / (linear + Math.sqrt(Math.max(linear * linear - 4 * square * c, 0)));
  const pb = clamp(free, PMIN, (1 - PMIN) / Math.max(1, limit));
  return [limit * pb, pb];
}

/**
 * `Σ c_g p_g >= d` for differences: the point on the boundary of the largest likelihood, by the multiplier `m` at which the sum is `d`.
 * @param cells - memories of the cells, in the order of the coefficients
 */
export function differencePivot(cells: readonly CellMemory[], coefficients: readonly number[], d: number): readonly number[] {
  const rates = cells.map(({ n, k }) => clamp(k / n, PMIN, 1 - PMIN));
  const at = (m: number) =>
    cells.map(({ n }, g) => {
      const mg = (m * (coefficients[g] ?? 0)) / n;
      const x = rates[g] ?? 0;
      const q = Math.sqrt((1 - mg) ** 2 + 4 * mg * x);
      return mg <= 0.5 ? (2 * x) / (1 - mg + q) : (mg - 1 + q) / (2 * mg);
    });
  const sumAt = (m: number) => at(m).reduce((sum, p, g) => sum + (coefficients[g] ?? 0) * p, 0);
  let low = -1;
  let high = 1;
  while (sumAt(low) > d) low *= 2;
  while (sumAt(high) < d) high *= 2;
  for (let step = 0; step < 200; step++) {
    const middle = (low + high) / 2;
    if (middle === low || middle === high) break;
    if (sumAt(middle) < d) low = middle;
    else high = middle;
  }
  return at((low + high) / 2);
}

const clamp = (x: number, low: number, high: number) => Math.min(Math.max(x, low), high);
