/** algorithm: a random forest. */
import { writeFileSync } from "node:fs";
import { readMatrix } from "../matrix.ts";
import { writeMetrics } from "../metrics.ts";
import { outOfBagScores, trainForest } from "../random-forest.ts";
import { argumentsOf, numbersIn, paramsOf, runAsProcess } from "../step.ts";

const HYPERPARAMETERS = {
  trees: { min: 1, max: 10_000, integer: true },
  minLeaf: { min: 1, max: 1e6, integer: true },
  maxDepth: { min: 1, max: 64, integer: true },
} as const;

export async function main(argv: readonly string[], cwd: string): Promise<void> {
  const { matrix: path, params, seed: seedText, model, metrics } = argumentsOf(argv, cwd, ["matrix", "params", "model", "metrics"], "seed");
  const options = numbersIn(paramsOf(params, "train"), HYPERPARAMETERS, "the random forest");
  const { seed } = numbersIn({ seed: Number(seedText) }, { seed: { min: 0, max: 2 ** 32 - 1, integer: true } }, "the random forest");
  const { forestToOnnx } = await import("../onnx.ts"); // loaded only once the parameters are known to fit
  const matrix = readMatrix(path);
  const trees = trainForest(matrix, options, seed);
  writeFileSync(model, forestToOnnx(trees, matrix.names.length));
  writeMetrics(metrics, outOfBagScores(matrix, trees, seed), matrix.labels, {
    nodes: trees.reduce((sum, { feature }) => sum + feature.length, 0),
  });
}

await runAsProcess(import.meta.url, main);
