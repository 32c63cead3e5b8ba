/** features: derives the feature set for every client, by the code that will derive it for every application. */
import { readFileSync, writeFileSync } from "node:fs";
import { celVariables, compileFeatures, parseFeatureSet } from "../evenkeel.ts";
import { writeMatrix } from "../matrix.ts";
import { StepRefusal, argumentsOf, paramsOf, runAsProcess } from "../step.ts";
import { INPUTS, parseTrainingTable } from "../training-table.ts";

export async function main(argv: readonly string[], cwd: string): Promise<void> {
  const { table, params, matrix, "feature-set": featureSet } = argumentsOf(argv, cwd, ["table", "params", "matrix", "feature-set"]);
  const spec = parseFeatureSet(paramsOf(params, "features"));
  if (!spec.ok) throw refusalOf(spec.error);
  const features = compileFeatures(spec.value, celVariables(INPUTS));
  if (!features.ok) throw refusalOf(features.error);
  const { width, names } = features.value;

  const rows = parseTrainingTable(readFileSync(table, "utf8"));
  const x = new Float32Array(rows.length * width);
  for (const [i, { inputs }] of rows.entries()) features.value.derive(inputs, x, i * width);
  writeMatrix(matrix, {
    names,
    ids: Int32Array.from(rows, ({ id }) => id),
    labels: Uint8Array.from(rows, ({ hasRepaid }) => (hasRepaid ? 1 : 0)),
    x,
  });
  writeFileSync(featureSet, `${JSON.stringify(spec.value, null, 2)}\n`);
}

interface FeatureIssue {
  readonly path: string;
  readonly expected: string;
  readonly got?: string;
}

const refusalOf = (issues: readonly FeatureIssue[]) =>
  new StepRefusal(issues.map(({ path, expected, got = "nothing" }) => `features${path}: expected ${expected}, got ${got}`).join("; "));

await runAsProcess(import.meta.url, main);
