/** Logged models: candidates of a run, each with a folder of files. */
import type { Texts } from "../../registry/index.ts";
import type { Server } from "../server.ts";
import { invalid, orError } from "./errors.ts";
import { cleanKey, experimentIdIn, experimentIdsIn, searchIn } from "./experiments.ts";
import { atMost, pairsOf, type Fields } from "./fields.ts";
import { mount, type MlflowParts } from "./routing.ts";
import { runIn } from "./runs.ts";
import { loggedModelView, pageView } from "./views.ts";

const STATUSES = { LOGGED_MODEL_PENDING: 1, LOGGED_MODEL_READY: 2, LOGGED_MODEL_UPLOAD_FAILED: 3 } as const;
const STATUS_OF = { LOGGED_MODEL_PENDING: "PENDING", LOGGED_MODEL_READY: "READY", LOGGED_MODEL_UPLOAD_FAILED: "UPLOAD_FAILED" } as const;

export function loggedModelRoutes(app: Server, { registry }: MlflowParts): void {
  const { loggedModels: models } = registry.tracking;
  const reads = { right: "registry:read" } as const;
  const writes = { right: "registry:write" } as const;

  mount(app, { method: "POST", path: "logged-models", summary: "Begin a logged model", ...writes }, async ({ fields, actor }) => {
    const experiment = experimentIdIn(fields.requiredText("experiment_id"));
    const name = fields.text("name");
    if (name !== undefined && name !== "") checkName(name);
    const run = fields.text("source_run_id");
    const model = orError(
      await models.begin(
        {
          experiment,
          name,
          type: atMost(fields.text("model_type") ?? "", { name: "model_type", length: 500 }),
          run: run ? runIn(run) : null,
          params: paramsIn(fields),
          tags: tagsIn(fields),
        },
        actor,
      ),
    );
    return { model: loggedModelView(model) };
  });
  mount(app, { method: "POST", path: "logged-models/search", summary: "Search logged models", ...reads }, async ({ fields }) => {
    const experiments = experimentIdsIn(fields.required("experiment_ids"));
    const datasets = fields
      .list("datasets")
      .map((each) => ({ name: each.requiredText("dataset_name"), digest: each.text("dataset_digest") }));
    const page = orError(
      await models.search({ ...searchIn(fields, { most: 50_000, usual: 50, orderBy: ordersIn(fields) }), experiments, datasets }),
    );
    return pageView("models", page.found.map(loggedModelView), page.next);
  });
  mount(app, { method: "GET", path: "logged-models/:model", summary: "A logged model", ...reads }, async ({ fields, param }) => ({
    model: loggedModelView(orError(await models.get(param("model"), { evenDeleted: fields.flag("allow_deleted") ?? false }))),
  }));
  mount(
    app,
    { method: "PATCH", path: "logged-models/:model", summary: "Say that a logged model is whole, or failed", ...writes },
    async ({ fields, actor, param }) => {
      const status = fields.required("status").choice("status", STATUSES) ?? "LOGGED_MODEL_PENDING";
      return { model: loggedModelView(orError(await models.setStatus(param("model"), STATUS_OF[status], actor))) };
    },
  );
  mount(
    app,
    { method: "DELETE", path: "logged-models/:model", summary: "Hide a logged model", hasNoBody: true, ...writes },
    async ({ actor, param }) => {
      orError(await models.delete(param("model"), actor));
      return {};
    },
  );
  mount(
    app,
    { method: "POST", path: "logged-models/:model/params", summary: "Add parameters to a logged model", ...writes },
    async ({ fields, actor, param }) => {
      orError(await models.addParams(param("model"), paramsIn(fields), actor));
      return {};
    },
  );
  mount(
    app,
    { method: "PATCH", path: "logged-models/:model/tags", summary: "Tag a logged model", ...writes },
    async ({ fields, actor, param }) => ({
      model: loggedModelView(orError(await models.setTags(param("model"), tagsIn(fields), actor))),
    }),
  );
  mount(
    app,
    { method: "DELETE", path: "logged-models/:model/tags/*", summary: "Take a tag off a logged model", hasNoBody: true, ...writes },
    async ({ actor, param }) => {
      orError(await models.deleteTag(param("model"), param("*"), actor));
      return {};
    },
  );
}

function checkName(name: string): void {
  if (/^[^/:.%"']{1,500}$/.test(name) && name.trim() !== "") return;
  throw invalid(
    `Invalid model name ('${name.slice(0, 200)}') provided. Model name must be a non-empty string and cannot contain the following characters: ('/', ':', '.', '%', '"', "'")`,
  );
}

const paramsIn = (fields: Fields): Texts =>
  Object.fromEntries(
    pairsOf(fields, "params").map(({ key, value, at }) => [
      atMost(cleanKey(key), { name: at, length: 250 }),
      atMost(value, { name: at.replace(/key$/, "value"), length: 6000 }),
    ]),
  );
const tagsIn = (fields: Fields): Texts =>
  Object.fromEntries(
    pairsOf(fields, "tags").map(({ key, value, at }) => [
      atMost(cleanKey(key), { name: at, length: 250 }),
      atMost(value, { name: at.replace(/key$/, "value"), length: 8000 }),
    ]),
  );

/** `{ field_name, ascending }`, in the words of a filter. */
function ordersIn(fields: Fields): readonly string[] {
  return fields.list("order_by").map((order) => {
    const name = order.requiredText("field_name");
    if (order.has("dataset_digest") && !order.has("dataset_name"))
      throw invalid("`dataset_digest` can only be specified together with `dataset_name`");
    const [, entity, rest] = /^([a-z_]+)\.(.+)$/s.exec(name) ?? [];
    if (entity !== undefined && entity !== "metrics" && entity !== "attributes")
      throw invalid(`Invalid order by field name: ${name}. Only metrics are supported.`);
    const quoted = entity === "metrics" ? `metrics.\`${(rest ?? "").replaceAll("`", "``")}\`` : (rest ?? name);
    return `${quoted} ${order.flag("ascending") === false ? "DESC" : "ASC"}`;
  });
}
