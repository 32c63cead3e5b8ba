/** Logistic regression by Newton's method, on standardised features with an L2 penalty (as scikit-learn does with C = 1/l2). */
import type { Matrix } from "./matrix.ts";

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

/** @param rowWeights - how often each row counts; null: once */
export function trainLogistic(matrix: Matrix, options: LogisticOptions, rowWeights: Float32Array | null): LogisticModel {
  const { x, labels } = matrix;
  const rows = labels.length;
  const width = matrix.names.length;
  const { means, scales } = standardise(matrix, rowWeights);
  const size = width + 1;
  const beta = new Float64Array(size);
  const row = new Float64Array(size);
  row[width] = 1;
  for (let iteration = 0; iteration < options.iterations; iteration++) {
    const hessian = new Float64Array(size * size);
    const gradient = new Float64Array(size);
    for (let i = 0; i < rows; i++) {
      const weight = rowWeights?.[i] ?? 1;
      if (weight === 0) continue;
      let z = beta[width] ?? 0;
      for (let f = 0; f < width; f++) {
        const value = ((x[i * width + f] ?? 0) - (means[f] ?? 0)) * (scales[f] ?? 0);
        row[f] = value;
        z += value * (beta[f] ?? 0);
      }
      const p = 1 / (1 + Math.exp(-z));
      const error = weight * ((labels[i] ?? 0) - p);
      const curvature = weight * p * (1 - p);
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

/** Means, and the inverse of standard deviations; a column that never changes gets 0, so that it says nothing. */
function standardise({ x, labels, names }: Matrix, rowWeights: Float32Array | null): Pick<LogisticModel, "means" | "scales"> {
  const width = names.length;
  const sums = new Float64Array(width);
  const squares = new Float64Array(width);
  let total = 0;
  for (let i = 0; i < labels.length; i++) {
    const weight = rowWeights?.[i] ?? 1;
    total += weight;
    for (let f = 0; f < width; f++) {
      const value = x[i * width + f] ?? 0;
      sums[f] = (sums[f] ?? 0) + weight * value;
      squares[f] = (squares[f] ?? 0) + weight * value * value;
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
