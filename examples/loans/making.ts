/** The lender's data team: registers the data, and trains by the two declared pipelines. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { failureLine, outOfKind, parsePipeline, runPipeline, type EvenkeelClient, type Kitchen } from "../../src/index.ts";
import type { Teller } from "./teller.ts";

export interface Made {
  /** `credit/1` */
  readonly model: string;
  readonly policy: unknown;
  readonly metrics: Readonly<Record<string, number>>;
}

/** Where the pipelines are declared. */
export const FOLDER = fileURLToPath(new URL(".", import.meta.url));

/** Registers one version of the training table and tags it. */
export async function registerData(
  trainer: EvenkeelClient,
  csv: string,
  tag: string,
  reason: string,
): Promise<{ readonly id: string; readonly rows: number }> {
  const spec: unknown = parse(await readFile(join(FOLDER, "dataset.yaml"), "utf8"));
  return trainer.put("/v1/datasets/loans/versions", Buffer.from(csv), { query: { spec: JSON.stringify(spec), tag, reason } });
}

/** Trains by one of the two pipelines. @param kind - which files: `evenkeel.<kind>.yaml`, `params.<kind>.yaml` */
export async function make(kitchen: Kitchen, tell: Teller, kind: "logistic" | "forest", seed: number): Promise<Made> {
  const pipeline = parsePipeline(await readFile(join(FOLDER, `evenkeel.${kind}.yaml`), "utf8"));
  if (!pipeline.ok) throw new Error(JSON.stringify(pipeline.error));
  const order = {
    pipeline: pipeline.value,
    params: parse(await readFile(join(FOLDER, `params.${kind}.yaml`), "utf8")),
    seed,
    experiment: "loans",
    name: kind === "forest" ? "random-forest" : "logistic-regression",
    model: "credit",
  };
  const trained = await runPipeline(kitchen, order, { onProgress: ({ step, state }) => tell.progress(`${kind}: ${step} ${state}`) });
  if (!trained.ok)
    throw new Error(`${kind}: ${trained.error.kind === "spoiled" ? failureLine(trained.error.spoiled.failures[0]) : "its files are gone"}`);
  const { model, cooked, metrics } = trained.value;
  const policy: unknown = JSON.parse((await kitchen.client.getBytes(`/v1/blobs/${must(outOfKind(cooked, "policy"))}`)).toString("utf8"));
  return { model: must(model), policy, metrics };
}

function must<T>(value: T | undefined | null): T {
  if (value === undefined || value === null) throw new Error("the pipeline left out one of its outputs");
  return value;
}
