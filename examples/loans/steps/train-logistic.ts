/** algorithm: a logistic regression. Nothing in it is random, so the seed changes nothing. */
import { writeFileSync } from "node:fs";
import { crossValidatedScores, trainLogistic } from "../logistic-regression.ts";
import { readMatrix } from "../matrix.ts";
import { writeMetrics } from "../metrics.ts";
import { argumentsOf, numbersIn, paramsOf, runAsProcess } from "../step.ts";

const HYPERPARAMETERS = { l2: { min: 0, max: 1e6 }, iterations: { min: 1, max: 1000, integer: true } } as const;

export async function main(argv: readonly string[], cwd: string): Promise<void> {
  const { matrix: path, params, model, metrics } = argumentsOf(argv, cwd, ["matrix", "params", "model", "metrics"]);
  const options = numbersIn(paramsOf(params, "train"), HYPERPARAMETERS, "the logistic regression");
  const { logisticToOnnx } = await import("../onnx.ts"); // loaded only once the parameters are known to fit
  const matrix = readMatrix(path);
  writeFileSync(model, logisticToOnnx(trainLogistic(matrix, options)));
  writeMetrics(metrics, crossValidatedScores(matrix, options), matrix.labels);
}

await runAsProcess(import.meta.url, main);
