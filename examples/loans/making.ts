/** The lender's data team: registers the data, runs the two pipelines, logs the runs, registers the models. */
import { readFile } from "node:fs/promises";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { capture, cook, parsePipeline, pipelineStoreOf, type EvenkeelClient, type Executor, type Recipe } from "../../src/index.ts";
import type { Teller } from "./teller.ts";

export interface Made {
  /** `credit/1` */
  readonly model: string;
  readonly run: string;
  readonly recipe: Recipe;
  readonly policy: unknown;
  readonly metrics: Readonly<Record<string, number>>;
}

const FOLDER = fileURLToPath(new URL(".", import.meta.url));
export const SCRATCH = join(FOLDER, ".scratch");

/** Columns of the source that say something about a person that no model should need. */
const DATASET_SPEC = {
  key: ["id"],
  label: { column: "default_payment_next_month", words: { 0: "repaid", 1: "defaulted" } },
  protected: [
    { column: "sex", words: { 1: "male", 2: "female" } },
    {
      column: "education",
      words: {
        0: "other_unknown",
        1: "graduate",
        2: "university",
        3: "high_school",
        4: "other_unknown",
        5: "other_unknown",
        6: "other_unknown",
      },
    },
  ],
};

/** Registers one version of the training table and tags it. */
export async function registerData(
  trainer: EvenkeelClient,
  csv: string,
  tag: string,
  reason: string,
): Promise<{ readonly id: string; readonly rows: number }> {
  return trainer.put("/v1/datasets/loans/versions", Buffer.from(csv), { query: { spec: JSON.stringify(DATASET_SPEC), tag, reason } });
}

/** What the steps run in: part of every step's key, so that another version of the packages is another outcome. */
async function environment(): Promise<string> {
  const lock = await readFile(new URL("../../package-lock.json", import.meta.url));
  return `node ${process.versions.node.split(".")[0] ?? ""}, ${createHash("sha256").update(lock).digest("hex").slice(0, 16)}`;
}

export interface Kitchen {
  readonly trainer: EvenkeelClient;
  readonly execute: Executor;
  readonly now: () => number;
  readonly tell: Teller;
}

export const cookOptions = async ({ trainer, execute, now }: Kitchen) => ({
  store: pipelineStoreOf(trainer),
  execute,
  scratch: SCRATCH,
  environment: await environment(),
  now,
});

/** Runs one of the two pipelines and registers what comes out. @param kind - which files: `evenkeel.<kind>.yaml`, `params.<kind>.yaml` */
export async function make(kitchen: Kitchen, kind: "logistic" | "forest", seed: number): Promise<Made> {
  const { trainer, tell } = kitchen;
  const pipeline = parsePipeline(await readFile(join(FOLDER, `evenkeel.${kind}.yaml`), "utf8"));
  if (!pipeline.ok) throw new Error(JSON.stringify(pipeline.error));
  const options = await cookOptions(kitchen);
  const recipe = await capture(pipeline.value, {
    folder: FOLDER,
    params: parse(await readFile(join(FOLDER, `params.${kind}.yaml`), "utf8")),
    seed,
    store: options.store,
  });
  const cooked = await cook(recipe, { ...options, onProgress: ({ step, state }) => tell.progress(`${kind}: ${step} ${state}`) });
  if (!cooked.ok) throw new Error(`step ${cooked.error.step} of ${kind} failed: ${cooked.error.log}`);
  const outs = Object.fromEntries(cooked.value.outcomes.flatMap((outcome) => Object.entries(outcome.outs)));
  const metrics = Object.assign({}, ...cooked.value.outcomes.map((outcome) => outcome.metrics)) as Record<string, number>;

  const datasets = Object.values(recipe.datasets).map(({ version }) => ({ kind: "dataset_version" as const, id: version }));
  const run = await trainer.post<{ readonly id: string }>("/v1/runs", {
    experiment: "loans",
    name: kind === "forest" ? "random-forest" : "logistic-regression",
    params: paramsOf(recipe),
    inputs: datasets,
  });
  const featureSpec: unknown = JSON.parse((await options.store.getBlob(must(outs["feature-set"]))).toString("utf8"));
  const featureSet = await trainer.post<{ readonly id: string }>("/v1/feature-sets", featureSpec);
  const recipeBlob = await options.store.putBlob(Buffer.from(JSON.stringify(recipe)));
  const artifacts = [...Object.entries(outs).map(([path, blob]) => ({ path, blob })), { path: "recipe.json", blob: recipeBlob }];
  await trainer.post(`/v1/runs/${run.id}/log`, {
    metrics: Object.entries(metrics).map(([key, value]) => ({ key, value, step: 0 })),
    artifacts,
  });
  const model = await trainer.post<{ readonly number: number }>("/v1/models/credit/versions", {
    blob: must(outs["model"]),
    featureSet: featureSet.id,
    run: run.id,
  });
  await trainer.post(`/v1/runs/${run.id}/finish`, { status: "finished" });
  const policy: unknown = JSON.parse((await options.store.getBlob(must(outs["policy"]))).toString("utf8"));
  return { model: `credit/${model.number}`, run: run.id, recipe, policy, metrics };
}

/** Parameters as a run shows them: one flat list. */
function paramsOf(recipe: Recipe): Record<string, string | number | boolean> {
  const flat: Record<string, string | number | boolean> = { seed: recipe.seed };
  for (const { params } of recipe.steps) {
    for (const [part, values] of Object.entries(params)) {
      if (part === "features" || typeof values !== "object" || values === null) continue;
      for (const [name, value] of Object.entries(values))
        if (typeof value === "number" || typeof value === "string" || typeof value === "boolean") flat[`${part}.${name}`] = value;
    }
  }
  return flat;
}

function must<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("the pipeline left out one of its outputs");
  return value;
}
