/** How good a model's scores are, as `metrics.json` tells it. */
import { writeFileSync } from "node:fs";

/** Area under the ROC curve: the chance that a repaid loan has the higher score than a defaulted one, ties counting half. */
export function auc(scores: ArrayLike<number>, labels: Uint8Array): number {
  const order = Array.from(labels.keys()).toSorted((a, b) => (scores[a] ?? 0) - (scores[b] ?? 0));
  let rankSum = 0;
  let repaid = 0;
  for (let from = 0; from < order.length;) {
    let to = from;
    while (to < order.length && scores[order[to] ?? 0] === scores[order[from] ?? 0]) to++;
    for (let i = from; i < to; i++) {
      if (labels[order[i] ?? 0] !== 1) continue;
      rankSum += (from + to + 1) / 2;
      repaid++;
    }
    from = to;
  }
  return (rankSum - (repaid * (repaid + 1)) / 2) / (repaid * (order.length - repaid));
}

/** Mean of minus the logarithm of the probability that the score gave to what came true. */
export function logLoss(scores: ArrayLike<number>, labels: Uint8Array): number {
  const losses = labels.keys().map((row) => {
    const score = scores[row] ?? 0;
    return -Math.log(Math.max(labels[row] === 1 ? score : 1 - score, 1e-12));
  });
  return losses.reduce((sum, loss) => sum + loss, 0) / labels.length;
}

/**
 * Writes what is known of a model after its training.
 * @param scores - of every training row by a model that never saw it
 */
export function writeMetrics(path: string, scores: Float64Array, labels: Uint8Array, more: Readonly<Record<string, number>> = {}): void {
  const repaid = labels.reduce((sum, label) => sum + label, 0);
  const rounded = (value: number) => Number(value.toFixed(6));
  const metrics = {
    auc: rounded(auc(scores, labels)),
    log_loss: rounded(logLoss(scores, labels)),
    rows: labels.length,
    repaid_rate: rounded(repaid / labels.length),
    ...more,
  };
  writeFileSync(path, `${JSON.stringify(metrics, null, 2)}\n`);
}
