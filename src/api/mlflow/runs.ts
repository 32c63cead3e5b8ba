/** Runs: begun, logged to, searched. */
import { runIdIn, type LoggedPoint, type RunStatus } from "../../registry/index.ts";
import type { Server } from "../server.ts";
import { parseStrictJson } from "../strict-json.ts";
import { MlflowError, invalid, orError } from "./errors.ts";
import { MAX_SEARCH, cleanKey, experimentIdIn, experimentIdsIn, searchIn, viewIn } from "./experiments.ts";
import { atMost, isObject, keyOf, pairsOf, type Fields } from "./fields.ts";
import { mount, type MlflowParts } from "./routing.ts";
import { metricView, pageView, runInfoView, runView } from "./views.ts";

const MAX_PARAM = 6000;
const MAX_TAG = 8000;
const MOST = { metrics: 1000, params: 100, tags: 100 } as const;
const MOST_AT_ONCE = 1000;
const STATUSES = { RUNNING: 1, SCHEDULED: 2, FINISHED: 3, FAILED: 4, KILLED: 5 } as const;
const STATUS_OF = {
  RUNNING: "running",
  SCHEDULED: "scheduled",
  FINISHED: "finished",
  FAILED: "failed",
  KILLED: "killed",
} as const satisfies Record<keyof typeof STATUSES, RunStatus>;

export function runRoutes(app: Server, { registry }: MlflowParts): void {
  const { runs, links, search } = registry.tracking;
  const reads = { right: "registry:read" } as const;
  const writes = { right: "registry:write" } as const;

  mount(app, { method: "POST", path: "runs/create", summary: "Begin a run", ...writes }, async ({ fields, actor }) => {
    const tags = Object.fromEntries(pairsOf(fields, "tags").map((tag) => tagOf(tag)));
    const run = orError(
      await runs.begin(
        {
          experiment: experimentIdIn(fields.text("experiment_id") || "0"),
          name: fields.text("run_name"),
          user: fields.text("user_id"),
          startedAtMs: fields.integer("start_time"),
          tags,
        },
        actor,
      ),
    );
    const [whole] = await search.details([run]);
    return { run: whole ? runView(whole) : {} };
  });
  mount(app, { method: "GET", path: "runs/get", summary: "A run", ...reads }, async ({ fields }) => {
    const [whole] = await search.details([orError(await runs.get(runOf(fields)))]);
    return { run: whole ? runView(whole) : {} };
  });
  mount(
    app,
    { method: "POST", path: "runs/update", summary: "Change a run's status, end or name", ...writes },
    async ({ fields, actor }) => {
      const status = fields.choice("status", STATUSES);
      const run = await runs.update(
        runOf(fields),
        { status: status && STATUS_OF[status], endedAtMs: fields.integer("end_time"), name: fields.text("run_name") || undefined },
        actor,
      );
      return { run_info: runInfoView(orError(run)) };
    },
  );
  mount(app, { method: "POST", path: "runs/log-metric", summary: "Log a point of a metric", ...writes }, async ({ fields, actor }) => {
    const run = runOf(fields);
    orError(await runs.log(run, { points: [pointOf(fields, "key", "name")] }, actor));
    return {};
  });
  mount(app, { method: "POST", path: "runs/log-parameter", summary: "Log a parameter", ...writes }, async ({ fields, actor }) => {
    const run = runOf(fields);
    const key = keyOf(fields.requiredText("key"), { name: "name", what: "Param key" });
    orError(await runs.log(run, { params: [[key, (fields.text("value") ?? "").slice(0, MAX_PARAM)]] }, actor));
    return {};
  });
  mount(app, { method: "POST", path: "runs/set-tag", summary: "Tag a run", ...writes }, async ({ fields, actor }) => {
    const run = runOf(fields);
    const tag = tagOf({ key: fields.requiredText("key"), value: fields.text("value") ?? "", at: "name" });
    orError(await runs.log(run, { tags: [tag] }, actor));
    return {};
  });
  mount(app, { method: "POST", path: "runs/delete-tag", summary: "Take a tag off a run", ...writes }, async ({ fields, actor }) => {
    orError(await runs.deleteTag(runOf(fields), fields.requiredText("key"), actor));
    return {};
  });
  mount(
    app,
    { method: "POST", path: "runs/log-batch", summary: "Log points, parameters and tags at once", ...writes },
    async ({ fields, actor }) => {
      const run = runOf(fields);
      checkCounts(fields);
      const points = fields.list("metrics").map((each) => pointOf(each, "key", each.nameOf("name")));
      const params = pairsOf(fields, "params").map(
        ({ key, value, at }) => [keyOf(key, { name: at, what: at }), value.slice(0, MAX_PARAM)] as const,
      );
      const twice = params.map(([key]) => key).filter((key, i, all) => all.indexOf(key) !== i);
      if (twice.length > 0)
        throw invalid(
          `Duplicate parameter keys have been submitted: [${[...new Set(twice)].map((key) => `'${key}'`).join(", ")}]. Please ensure the request contains only one param value per param key.`,
        );
      const tags = pairsOf(fields, "tags").map((tag) => tagOf(tag));
      orError(await runs.log(run, { points, params, tags, isBatch: true }, actor));
      return {};
    },
  );
  mount(
    app,
    { method: "POST", path: "runs/log-inputs", summary: "Say what data and models a run took", ...writes },
    async ({ fields, actor }) => {
      const run = runOf(fields);
      const all = fields.list("datasets");
      if (all.length > 1000) throw invalid(`A request can contain at most 1000 datasets. Got ${all.length} datasets.`);
      const modelsIn = fields.list("models").map((each) => each.requiredText("model_id"));
      orError(await links.add(run, { datasets: all.map(datasetInputOf), modelsIn }, actor));
      return {};
    },
  );
  mount(app, { method: "POST", path: "runs/outputs", summary: "Say what models a run made", ...writes }, async ({ fields, actor }) => {
    const run = runOf(fields);
    const modelsOut = fields.list("models").map((each) => ({ model: each.requiredText("model_id"), step: each.integer("step") ?? 0 }));
    orError(await links.add(run, { modelsOut }, actor));
    return {};
  });
  mount(
    app,
    { method: "POST", path: "runs/log-model", summary: "Note a model, as clients before MLflow 3 do", ...writes },
    async ({ fields, actor }) => {
      const run = runOf(fields);
      const model = modelInfoIn(fields.requiredText("model_json"));
      const { tags } = orError(await runs.get(run));
      const before = jsonOf(tags[MODEL_HISTORY_TAG] ?? "[]");
      const history = JSON.stringify([...(Array.isArray(before) ? before : []), model]);
      orError(await runs.log(run, { tags: [[MODEL_HISTORY_TAG, atMost(history, { name: "model_json", length: MAX_TAG })]] }, actor));
      return {};
    },
  );
  mount(app, { method: "POST", path: "runs/search", summary: "Search runs", ...reads }, async ({ fields }) => {
    const experiments = experimentIdsIn(fields);
    const page = orError(
      await search.runs({ ...searchIn(fields, { most: MAX_SEARCH }), experiments, view: viewIn(fields, "run_view_type") }),
    );
    return pageView("runs", page.found.map(runView), page.next);
  });
  for (const [path, isDeleted] of [
    ["delete", true],
    ["restore", false],
  ] as const)
    mount(
      app,
      { method: "POST", path: `runs/${path}`, summary: isDeleted ? "Hide a run" : "Show a run again", ...writes },
      async ({ fields, actor }) => {
        orError(await runs.setDeleted(runOf(fields), isDeleted, actor));
        return {};
      },
    );
  mount(app, { method: "GET", path: "metrics/get-history", summary: "All points of a metric", ...reads }, async ({ fields }) => {
    const page = await search.history({
      run: runIn(fields.runId()),
      key: fields.requiredText("metric_key"),
      maxResults: fields.integer("max_results"),
      pageToken: fields.text("page_token"),
    });
    const { found, next } = orError(page);
    return pageView("metrics", found.map(metricView), next);
  });
}

/** @throws MlflowError for what names no run that there could be */
export function runOf(fields: Fields): string {
  return runIn(fields.runId());
}
export function runIn(hex: string): string {
  const id = runIdIn(hex);
  if (id === undefined) throw new MlflowError("RESOURCE_DOES_NOT_EXIST", `Run with id=${hex.slice(0, 300)} not found`);
  return id;
}

const tagOf = ({ key, value, at }: { readonly key: string; readonly value: string; readonly at: string }) =>
  [keyOf(cleanKey(key), { name: at, what: at === "name" ? "Tag key" : at }), value.slice(0, MAX_TAG)] as const;

/** @param shownAs - how its name is called in messages about it */
function pointOf(fields: Fields, name: "key", shownAs: string): LoggedPoint {
  const key = keyOf(fields.requiredText(name), { name: shownAs, what: shownAs === "name" ? "Metric name" : shownAs });
  const value = fields.required("value").number("value") ?? Number.NaN;
  const atMs = fields.required("timestamp").integer("timestamp") ?? 0;
  if (atMs < 0)
    throw invalid(
      `Invalid value ${atMs} for parameter '${fields.nameOf("timestamp")}' supplied: metric '${key}' (value=${value}). Timestamp must be a nonnegative long (64-bit integer) `,
    );
  const [datasetName, digest] = [fields.text("dataset_name"), fields.text("dataset_digest")];
  return {
    key,
    value,
    atMs,
    step: fields.integer("step") ?? 0,
    model: fields.text("model_id") || undefined,
    dataset: datasetName && digest ? { name: datasetName, digest } : undefined,
  };
}

const MODEL_HISTORY_TAG = "mlflow.log-model.history";

function modelInfoIn(text: string): Readonly<Record<string, unknown>> {
  const model = jsonOf(text);
  if (!isObject(model)) throw invalid(`Malformed model info. \n${text.slice(0, 200)}\n Received: ${text.slice(0, 200)}`);
  const missing = ["artifact_path", "flavors", "utc_time_created", "run_id"].filter((name) => !Object.hasOwn(model, name));
  if (missing.length > 0) throw invalid(`Model json is missing mandatory fields: {${missing.map((name) => `'${name}'`).join(", ")}}`);
  return model;
}

function jsonOf(text: string): unknown {
  const parsed = parseStrictJson(Buffer.from(text));
  return parsed.ok ? parsed.value.value : undefined;
}

function checkCounts(fields: Fields): void {
  let sum = 0;
  for (const [what, most] of Object.entries(MOST)) {
    const count = fields.list(what).length;
    sum += count;
    if (count > most) throw tooMany(what, most, count);
  }
  if (sum > MOST_AT_ONCE) throw tooMany("metrics, params, and tags", MOST_AT_ONCE, sum);
}
const tooMany = (what: string, most: number, got: number) =>
  invalid(
    `A batch logging request can contain at most ${most} ${what}. Got ${got} ${what}. Please split up ${what} across multiple requests and try again.`,
  );

function datasetInputOf(input: Fields) {
  const dataset = input.object("dataset");
  if (!dataset) throw invalid("Dataset input must have a dataset");
  const text = (name: string, length: number): string => {
    const value = dataset.text(name);
    if (value === undefined) throw invalid(`Dataset ${name} cannot be None`);
    return atMost(value, { name, length });
  };
  const optional = (name: string, length: number): string | null => {
    const value = dataset.text(name);
    return value === undefined ? null : atMost(value, { name, length });
  };
  return {
    dataset: {
      name: text("name", 500),
      digest: text("digest", 36),
      sourceType: text("source_type", 65_535),
      source: text("source", 65_535),
      schema: optional("schema", 1_048_575),
      profile: optional("profile", 16_777_215),
    },
    tags: Object.fromEntries(
      pairsOf(input, "tags").map(({ key, value }) => [
        atMost(cleanKey(key), { name: "key", length: 255 }),
        atMost(value, { name: "value", length: 500 }),
      ]),
    ),
  };
}
