/** Our records as MLflow's messages: unset fields and empty lists are left out. Pure. */
import {
  hexOf,
  loggedModelArtifacts,
  runArtifacts,
  versionArtifacts,
  type DatasetInput,
  type Experiment,
  type FoundRun,
  type LoggedModel,
  type LoggedModelStatus,
  type MetricValue,
  type RegisteredModel,
  type RegisteredVersion,
  type RunStatus,
  type TrackedRun,
} from "../../registry/index.ts";

type Pairs = Readonly<Record<string, string | number | boolean>>;

export const pairs = (values: Pairs) => Object.entries(values).map(([key, value]) => ({ key, value: String(value) }));
/** Nothing for an empty list. */
const listed = <K extends string, T>(name: K, list: readonly T[]): Partial<Record<K, readonly T[]>> =>
  list.length > 0 ? asRecord(name, list) : {};
/** A page of a search, with what the next is asked by unless it is the last. */
export const pageView = <K extends string, T>(name: K, list: readonly T[], next: string | null) => ({
  ...listed(name, list),
  ...(next === null ? {} : { next_page_token: next }),
});
const asRecord = <K extends string, T>(name: K, value: T) => ({ [name]: value }) as Record<K, T>;
/** JSON has no NaN. */
const metricNumber = (value: number) => (Number.isNaN(value) ? "NaN" : value);
/** `ana` of `ana#3f2a91c0b4d7`. */
const personOf = (actor: string) => actor.replace(/#[^#]*$/, "");

export const statusNames = {
  running: "RUNNING",
  scheduled: "SCHEDULED",
  finished: "FINISHED",
  failed: "FAILED",
  killed: "KILLED",
} as const satisfies Record<RunStatus, string>;
export const modelStatusName = (status: LoggedModelStatus) => `LOGGED_MODEL_${status}` as const;

export const experimentView = (experiment: Experiment) => ({
  experiment_id: String(experiment.id),
  name: experiment.name,
  artifact_location: experiment.artifactLocation,
  lifecycle_stage: experiment.isDeleted ? "deleted" : "active",
  creation_time: experiment.createdAtMs,
  last_update_time: experiment.updatedAtMs,
  ...listed("tags", pairs(experiment.tags)),
});

export const metricView = ({ key, value, atMs, step }: MetricValue) => ({ key, value: metricNumber(value), timestamp: atMs, step });

export const runInfoView = (run: TrackedRun) => ({
  run_id: hexOf(run.id),
  run_uuid: hexOf(run.id),
  run_name: run.name,
  experiment_id: String(run.experiment.id),
  user_id: run.user ?? run.tags["mlflow.user"] ?? "",
  status: statusNames[run.status],
  start_time: run.startedAtMs,
  ...(run.endedAtMs === null ? {} : { end_time: run.endedAtMs }),
  artifact_uri: runArtifacts(run.experiment.artifactLocation, run.id),
  lifecycle_stage: run.isDeleted ? "deleted" : "active",
});

const datasetInputView = ({ dataset, tags }: DatasetInput) => ({
  ...listed("tags", pairs(tags)),
  dataset: {
    name: dataset.name,
    digest: dataset.digest,
    source_type: dataset.sourceType,
    source: dataset.source,
    ...(dataset.schema === null ? {} : { schema: dataset.schema }),
    ...(dataset.profile === null ? {} : { profile: dataset.profile }),
  },
});

export const runView = ({ run, metrics, links }: FoundRun) => ({
  info: runInfoView(run),
  data: { ...listed("metrics", metrics.map(metricView)), ...listed("params", pairs(run.params)), ...listed("tags", pairs(run.tags)) },
  inputs: {
    ...listed("dataset_inputs", links.datasets.map(datasetInputView)),
    ...listed(
      "model_inputs",
      links.modelsIn.map((model) => ({ model_id: model })),
    ),
  },
  outputs: listed(
    "model_outputs",
    links.modelsOut.map(({ model, step }) => ({ model_id: model, step })),
  ),
});

export const loggedModelView = (model: LoggedModel) => ({
  info: {
    model_id: model.id,
    experiment_id: String(model.experiment.id),
    name: model.name,
    creation_timestamp_ms: model.createdAtMs,
    last_updated_timestamp_ms: model.updatedAtMs,
    artifact_uri: loggedModelArtifacts(model.experiment.artifactLocation, model.id),
    status: modelStatusName(model.status),
    model_type: model.type,
    source_run_id: model.run === null ? "" : hexOf(model.run),
    ...listed("tags", pairs(model.tags)),
    ...listed(
      "registrations",
      model.registrations.map(({ name, number }) => ({ name, version: String(number) })),
    ),
  },
  data: {
    ...listed("params", pairs(model.params)),
    ...listed(
      "metrics",
      model.metrics.map((point) => ({
        ...metricView(point),
        run_id: hexOf(point.run),
        model_id: model.id,
        ...(point.dataset ? { dataset_name: point.dataset.name, dataset_digest: point.dataset.digest } : {}),
      })),
    ),
  },
});

export const versionView = (version: RegisteredVersion) => ({
  name: version.model,
  version: String(version.number),
  creation_timestamp: version.createdAtMs,
  last_updated_timestamp: version.updatedAtMs,
  user_id: personOf(version.createdBy),
  current_stage: version.stage,
  description: version.description ?? "",
  source: version.source ?? versionArtifacts(version.id),
  run_id: version.run === null ? "" : hexOf(version.run),
  run_link: version.runLink ?? "",
  status: "READY",
  ...listed("tags", pairs(version.tags)),
  ...listed("aliases", version.aliases),
  ...(version.loggedModel === null ? {} : { model_id: version.loggedModel }),
  // Ours: what it is by content, and whether a release can be made of it.
  content_id: version.id,
  ...(version.unservable === null ? {} : { unservable: version.unservable }),
});

export const modelView = (model: RegisteredModel, latest: readonly RegisteredVersion[]) => ({
  name: model.name,
  creation_timestamp: model.createdAtMs,
  last_updated_timestamp: model.updatedAtMs,
  ...(model.createdBy === null ? {} : { user_id: personOf(model.createdBy) }),
  ...(model.description === null ? {} : { description: model.description }),
  ...listed("latest_versions", latest.map(versionView)),
  ...listed("tags", pairs(model.tags)),
  ...listed(
    "aliases",
    Object.entries(model.aliases).map(([alias, number]) => ({ alias, version: String(number) })),
  ),
});
