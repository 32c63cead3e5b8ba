/** What a release is made of, as the API shows it: names, ids and parameters; nothing of the people in the data. */
import { Type, type Static } from "typebox";
import { orNull } from "../checked.ts";
import type { CodeStep, MadeOf } from "../releases/index.ts";
import { iso } from "./iso.ts";

const Time = Type.String({ description: "ISO 8601, UTC" });
const Scalar = Type.Union([Type.String(), Type.Number(), Type.Boolean()]);

export const ReleaseHeadView = Type.Object({
  endpoint: Type.String(),
  release: Type.String({ description: "r12" }),
  id: Type.String({ description: "rel:…" }),
  name: Type.String(),
});

const DatasetUseView = Type.Object({
  version: Type.String({ description: "credit/2" }),
  id: Type.String({ description: "tbl:…" }),
  blob: Type.String({ description: "The bytes that were read" }),
  rows: Type.Integer(),
  addedAt: Time,
});
const RunUseView = Type.Object({
  id: Type.String(),
  name: Type.String(),
  experiment: Type.String(),
  status: Type.String(),
  startedAt: Time,
  params: Type.Record(Type.String(), Scalar),
  metrics: Type.Record(Type.String(), Type.Number()),
  code: Type.Object({
    commit: orNull(Type.String()),
    source: orNull(Type.String({ description: "The file that ran, as its client named it" })),
    recipe: orNull(Type.String({ description: "Blob that says how to make the run again" })),
    steps: Type.Array(
      Type.Object({
        name: Type.String(),
        role: Type.String(),
        files: Type.Record(Type.String(), Type.String(), { description: "Blob by path" }),
        external: Type.Record(Type.String(), Type.String(), { description: "What it read that isn't kept here, and in which state" }),
      }),
    ),
  }),
});
const ModelUseView = Type.Object({
  version: Type.String({ description: "credit/3" }),
  id: Type.String({ description: "mdl:…" }),
  blob: Type.String(),
  registeredAt: Time,
});
const FeatureSetUseView = Type.Object({
  version: Type.String({ description: "credit-basic/1" }),
  id: Type.String({ description: "fs:…" }),
});

function stepView({ name, role, files, deps }: CodeStep) {
  const external = Object.fromEntries(deps.flatMap((dep) => (dep.kind === "external" ? [[dep.external, dep.pin]] : [])));
  return { name, role, files: { ...files }, external };
}

/** The parts upstream, each kind nearest first. */
export const partsFields = {
  models: Type.Array(ModelUseView),
  featureSets: Type.Array(FeatureSetUseView),
  runs: Type.Array(RunUseView),
  datasets: Type.Array(DatasetUseView),
};

export const MadeOfView = Type.Object(
  {
    ...ReleaseHeadView.properties,
    scorer: Type.String({ description: "rules, onnx, http or container" }),
    origin: Type.Unknown({ description: "What was said of the release when it was made" }),
    createdAt: Time,
    createdBy: Type.String(),
    ...partsFields,
    unknown: Type.Array(Type.String(), { description: "What nobody knows, one sentence each" }),
  },
  { title: "MadeOf" },
);
export type MadeOfView = Static<typeof MadeOfView>;

export function madeOfView(made: MadeOf): MadeOfView {
  const { release, unknown } = made;
  return {
    ...releaseHead(release),
    scorer: release.bundle.scorer.kind,
    origin: release.origin,
    createdAt: iso(release.createdAtMs),
    createdBy: release.createdBy,
    ...partsView(made),
    unknown: [...unknown],
  };
}

export const releaseHead = ({ endpoint, number, id, name }: Pick<MadeOf["release"], "endpoint" | "number" | "id" | "name">) => ({
  endpoint,
  release: `r${number}`,
  id,
  name,
});

export function partsView({ models, featureSets, runs, datasets }: Pick<MadeOf, "models" | "featureSets" | "runs" | "datasets">) {
  return {
    models: models.map(({ model, number, id, blob, createdAtMs }) => ({
      version: `${model}/${number}`,
      id,
      blob,
      registeredAt: iso(createdAtMs),
    })),
    featureSets: featureSets.map(({ name, number, id }) => ({ version: `${name}/${number}`, id })),
    runs: runs.map(({ run, code }) => ({
      id: run.id,
      name: run.name,
      experiment: run.experiment,
      status: run.status,
      startedAt: iso(run.startedAtMs),
      params: { ...run.params },
      metrics: { ...run.metrics },
      code: { ...code, steps: code.steps.map(stepView) },
    })),
    datasets: datasets.map(({ version: { dataset, number, id, rows, createdAtMs }, blob }) => ({
      version: `${dataset}/${number}`,
      id,
      blob,
      rows,
      addedAt: iso(createdAtMs),
    })),
  };
}
