/** Logistic regression by Newton's method, on standardised features with an L2 penalty (as scikit-learn does with C = 1/l2). */
import type { Matrix } from "./matrix.ts";
import { drawFor } from "./random.ts";

export interface LogisticModel {
  readonly means: Float32Array;
  readonly scales: Float32Array;
  readonly weights: Float32Array;
  readonly bias: number;
}

export interface LogisticOptions {
  readonly l2: number;
  readonly iterations: number;
}

export function trainLogistic(matrix: Matrix, options: LogisticOptions): LogisticModel {
  const { x, labels } = matrix;
  const rows = labels.length;
  const width = matrix.names.length;
  const { means, scales } = standardise(matrix);
  const size = width + 1;
  const beta = new Float64Array(size);
  const row = new Float64Array(size);
  row[width] = 1;
  for (let iteration = 0; iteration < options.iterations; iteration++) {
    const hessian = new Float64Array(size * size);
    const gradient = new Float64Array(size);
    for (let i = 0; i < rows; i++) {
      let z = beta[width] ?? 0;
      for (let f = 0; f < width; f++) {
        const value = ((x[i * width + f] ?? 0) - (means[f] ?? 0)) * (scales[f] ?? 0);
        row[f] = value;
        z += value * (beta[f] ?? 0);
      }
      const p = 1 / (1 + Math.exp(-z));
      const error = (labels[i] ?? 0) - p;
      const curvature = p * (1 - p);
      for (let a = 0; a < size; a++) {
        const ra = row[a] ?? 0;
        gradient[a] = (gradient[a] ?? 0) + error * ra;
        const scaled = curvature * ra;
        for (let b = 0; b <= a; b++) hessian[a * size + b] = (hessian[a * size + b] ?? 0) + scaled * (row[b] ?? 0);
      }
    }
    for (let f = 0; f < width; f++) {
      gradient[f] = (gradient[f] ?? 0) - options.l2 * (beta[f] ?? 0);
      hessian[f * size + f] = (hessian[f * size + f] ?? 0) + options.l2;
    }
    const step = solvePositive(hessian, gradient, size);
    let largest = 0;
    for (let a = 0; a < size; a++) {
      beta[a] = (beta[a] ?? 0) + (step[a] ?? 0);
      largest = Math.max(largest, Math.abs(step[a] ?? 0));
    }
    if (largest < 1e-9) break;
  }
  return { means, scales, weights: Float32Array.from(beta.subarray(0, width)), bias: Math.fround(beta[width] ?? 0) };
}

/** P(repaid) of one row. */
export function logisticScore(model: LogisticModel, x: Float32Array, at: number): number {
  let z = model.bias;
  for (let f = 0; f < model.weights.length; f++)
    z += ((x[at + f] ?? 0) - (model.means[f] ?? 0)) * (model.scales[f] ?? 0) * (model.weights[f] ?? 0);
  return 1 / (1 + Math.exp(-z));
}

const FOLDS = 5;

/** Scores of every row by a model that was trained without the row's fold. Rows fall into folds by a draw over their ids. */
export function crossValidatedScores(matrix: Matrix, options: LogisticOptions): Float64Array {
  const { ids, labels, names, x } = matrix;
  const width = names.length;
  const folds = Uint8Array.from(ids, (id) => Math.floor(drawFor(id, 0) * FOLDS));
  const scores = new Float64Array(labels.length);
  for (let fold = 0; fold < FOLDS; fold++) {
    const kept = Array.from(ids.keys()).filter((i) => folds[i] !== fold);
    const model = trainLogistic(
      {
        names,
        ids: Int32Array.from(kept, (i) => ids[i] ?? 0),
        labels: Uint8Array.from(kept, (i) => labels[i] ?? 0),
        x: Float32Array.from(
          { length: kept.length * width },
          (_, at) => x[(kept[Math.floor(at / width)] ?? 0) * width + (at % width)] ?? 0,
        ),
      },
      options,
    );
    for (let i = 0; i < scores.length; i++) if (folds[i] === fold) scores[i] = logisticScore(model, x, i * width);
  }
  return scores;
}

/** Means, and the inverse of standard deviations; a column that never changes gets 0, so that it says nothing. */
function standardise({ x, labels, names }: Matrix): Pick<LogisticModel, "means" | "scales"> {
  const width = names.length;
  const sums = new Float64Array(width);
  const squares = new Float64Array(width);
  const total = labels.length;
  for (let i = 0; i < labels.length; i++) {
    for (let f = 0; f < width; f++) {
      const value = x[i * width + f] ?? 0;
      sums[f] = (sums[f] ?? 0) + value;
      squares[f] = (squares[f] ?? 0) + value * value;
    }
  }
  const means = Float32Array.from(sums, (sum) => sum / total);
  const scales = Float32Array.from(squares, (square, f) => {
    const mean = (sums[f] ?? 0) / total;
    const variance = square / total - mean * mean;
    return variance > 1e-12 ? 1 / Math.sqrt(variance) : 0;
  });
  return { means, scales };
}

/** Solves A y = b for a symmetric positive definite A given by its lower triangle (Cholesky). */
function solvePositive(lower: Float64Array, b: Float64Array, size: number): Float64Array {
  const l = lower.slice();
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) {
      let value = l[i * size + j] ?? 0;
      for (let k = 0; k < j; k++) value -= (l[i * size + k] ?? 0) * (l[j * size + k] ?? 0);
      l[i * size + j] = i === j ? Math.sqrt(Math.max(value, 1e-12)) : value / (l[j * size + j] ?? 1);
    }
  }
  const y = b.slice();
  for (let i = 0; i < size; i++) {
    let value = y[i] ?? 0;
    for (let k = 0; k < i; k++) value -= (l[i * size + k] ?? 0) * (y[k] ?? 0);
    y[i] = value / (l[i * size + i] ?? 1);
  }
  for (let i = size - 1; i >= 0; i--) {
    let value = y[i] ?? 0;
    for (let k = i + 1; k < size; k++) value -= (l[k * size + i] ?? 0) * (y[k] ?? 0);
    y[i] = value / (l[i * size + i] ?? 1);
  }
  return y;
}
