/** What MLflow's web page asks, and its tests: metrics of many runs at once, files to be saved from a browser. */
import { addressIn, loggedModelArtifacts, runArtifacts, versionArtifacts, hexOf, type MetricValue } from "../../registry/index.ts";
import type { Server } from "../server.ts";
import { fileInfo, pathIn, sendFile } from "./artifacts.ts";
import { invalid, orError } from "./errors.ts";
import { experimentIdIn } from "./experiments.ts";
import { Fields, isObject } from "./fields.ts";
import { versionNumberIn } from "./registered-models.ts";
import { TAGS, mount, type MlflowParts } from "./routing.ts";
import { runIn } from "./runs.ts";
import { metricView } from "./views.ts";

const MAX_RUNS = 100;
const MAX_POINTS = 25_000;
const MAX_INTERVAL = 2500;
const MAX_EXPERIMENTS = 20;

export function pageRoutes(app: Server, parts: MlflowParts): void {
  const { tracking } = parts.registry;
  const { artifacts, loggedModels, runs, search, versions } = tracking;
  const reads = { right: "registry:read" } as const;

  mount(
    app,
    { method: "GET", path: "metrics/get-history-bulk", only: "ajax", summary: "A metric of many runs", ...reads },
    async ({ fields }) => {
      const ids = fields.texts("run_id");
      if (ids.length === 0) throw invalid("GetMetricHistoryBulk request must specify at least one run_id.");
      if (ids.length > MAX_RUNS)
        throw invalid(`GetMetricHistoryBulk request cannot specify more than ${MAX_RUNS} run_ids. Received ${ids.length} run_ids.`);
      const key = fields.text("metric_key");
      if (!key) throw invalid("GetMetricHistoryBulk request must specify a metric_key.");
      const most = Math.min(fields.integer("max_results") ?? MAX_POINTS, MAX_POINTS);
      const points = await search.points(ids.map(runIn), key);
      return { metrics: points.slice(0, Math.max(0, most)).map(pointView) };
    },
  );
  mount(
    app,
    { method: "GET", path: "metrics/get-history-bulk-interval", summary: "A sample of a metric of many runs", ...reads },
    async ({ fields }) => {
      const ids = fields.texts("run_ids");
      if (ids.length === 0) throw invalid("Missing value for required parameter 'run_ids'.");
      if (ids.length > MAX_RUNS) throw invalid(`GetMetricHistoryBulkInterval request must specify at most ${MAX_RUNS} run_ids.`);
      const most = fields.integer("max_results") ?? MAX_INTERVAL;
      if (most < 1 || most > MAX_INTERVAL) throw invalid(`max_results must be between 1 and ${MAX_INTERVAL}`);
      const [start, end] = [fields.integer("start_step"), fields.integer("end_step")];
      if ((start === undefined) !== (end === undefined))
        throw invalid("If either start step or end step are specified, both must be specified.");
      if (start !== undefined && end !== undefined && start > end)
        throw invalid(`end_step must be greater than start_step. Found start_step=${start} and end_step=${end}.`);
      const points = await search.points(ids.map(runIn), fields.requiredText("metric_key"));
      const within = points.filter(({ step }) => step >= (start ?? Number.NEGATIVE_INFINITY) && step <= (end ?? Number.POSITIVE_INFINITY));
      return { metrics: sampled(within, most).map(pointView) };
    },
  );
  mount(
    app,
    { method: "POST", path: "experiments/search-datasets", only: "ajax", summary: "Data of some experiments", ...reads },
    async ({ fields }) => {
      const ids = fields.texts("experiment_ids").map(experimentIdIn);
      if (ids.length === 0) throw invalid("SearchDatasets request must specify at least one experiment_id.");
      if (ids.length > MAX_EXPERIMENTS)
        throw invalid(
          `SearchDatasets request cannot specify more than ${MAX_EXPERIMENTS} experiment_ids. Received ${ids.length} experiment_ids.`,
        );
      const found = await search.datasets(ids);
      return {
        dataset_summaries: found.map(({ experiment, name, digest, context }) => ({
          experiment_id: String(experiment),
          name,
          digest,
          ...(context === null ? {} : { context }),
        })),
      };
    },
  );
  mount(
    app,
    { method: "GET", path: "logged-models/:model/artifacts/directories", summary: "Files of a logged model", ...reads },
    async ({ fields, param }) => {
      const model = orError(await loggedModels.get(param("model")));
      const root = loggedModelArtifacts(model.experiment.artifactLocation, model.id);
      const path = pathIn(fields.text("artifact_directory_path") ?? "");
      const files = await artifacts.list(below(root, path));
      return {
        root_uri: root,
        ...(files.length > 0 ? { files: files.map(({ name, bytes }) => fileInfo(path === "" ? name : `${path}/${name}`, bytes)) } : {}),
      };
    },
  );
  mount(
    app,
    { method: "GET", path: "logged-models/:model/artifacts/files", only: "ajax", summary: "A file of a logged model", ...reads },
    async ({ fields, param, request, reply }) => {
      const model = orError(await loggedModels.get(param("model")));
      const address = below(
        loggedModelArtifacts(model.experiment.artifactLocation, model.id),
        pathIn(fields.requiredText("artifact_file_path")),
      );
      return sendFile(parts, { request, reply, file: await artifacts.get(address) });
    },
  );

  const config = { right: "registry:read", takesBasic: true } as const;
  app.get("/get-artifact", { config, schema: { summary: "A file of a run", tags: TAGS } }, async (request, reply) => {
    const fields = new Fields(isObject(request.query) ? request.query : {});
    const run = orError(await runs.get(runIn(fields.runId())));
    const address = below(runArtifacts(run.experiment.artifactLocation, run.id), pathIn(fields.requiredText("path")));
    return sendFile(parts, { request, reply, file: await artifacts.get(address) });
  });
  app.get(
    "/model-versions/get-artifact",
    { config, schema: { summary: "A file of a registered version", tags: TAGS } },
    async (request, reply) => {
      const fields = new Fields(isObject(request.query) ? request.query : {});
      const version = orError(await versions.get(fields.requiredText("name"), versionNumberIn(fields.requiredText("version"))));
      const address = below(versionArtifacts(version.id), pathIn(fields.requiredText("path")));
      return sendFile(parts, { request, reply, file: await artifacts.get(address) });
    },
  );
}

/** An address below a root that is kept here; a root elsewhere has nothing here. */
const below = (root: string, path: string): string => [addressIn(root) ?? "elsewhere", path].filter((part) => part !== "").join("/");

const pointView = (point: MetricValue & { readonly run: string }) => ({ ...metricView(point), run_id: hexOf(point.run) });

/** Points at evenly spaced steps, and each run's last one. */
function sampled<T extends MetricValue & { readonly run: string }>(points: readonly T[], most: number): readonly T[] {
  const steps = [...new Set(points.map(({ step }) => step))].toSorted((a, b) => a - b);
  const every = Math.max(1, Math.ceil(steps.length / most));
  const kept = new Set(steps.filter((_, i) => i % every === 0));
  const last = new Map<string, number>();
  for (const { run, step } of points) last.set(run, Math.max(step, last.get(run) ?? step));
  for (const step of last.values()) kept.add(step);
  return points.filter(({ step }) => kept.has(step));
}
