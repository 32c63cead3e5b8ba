/** Registered models, their tags and aliases. */
import { stages, type RegisteredModel, type Stage } from "../../registry/index.ts";
import { unreachable, type Result } from "../../std.ts";
import type { Refusal } from "../../registry/index.ts";
import { sentence } from "../protocol-errors.ts";
import type { Server } from "../server.ts";
import { MlflowError, invalid, orError } from "./errors.ts";
import { cleanKey, searchIn } from "./experiments.ts";
import { atMost, pairsOf, type Fields } from "./fields.ts";
import { mount, type MlflowParts } from "./routing.ts";
import { modelView, pageView, versionView } from "./views.ts";

export function registeredModelRoutes(app: Server, { registry }: MlflowParts): void {
  const { models, versions } = registry.tracking;
  const reads = { right: "registry:read" } as const;
  const writes = { right: "registry:write" } as const;
  const at = (path: string) => `registered-models/${path}`;
  const whole = async (model: RegisteredModel) => ({ registered_model: modelView(model, await versions.latest(model.name)) });

  mount(app, { method: "POST", path: at("create"), summary: "Make a model", ...writes }, async ({ fields, actor }) => {
    const name = modelNameIn(fields, "name");
    return whole(orError(await models.create({ name, description: fields.text("description"), tags: registryTags(fields) }, actor)));
  });
  mount(app, { method: "GET", path: at("get"), summary: "A model", ...reads }, async ({ fields }) =>
    whole(orError(await models.get(fields.requiredText("name")))),
  );
  mount(app, { method: "PATCH", path: at("update"), summary: "Describe a model", ...writes }, async ({ fields, actor }) =>
    whole(orError(await models.describe(fields.requiredText("name"), fields.text("description") ?? "", actor))),
  );
  mount(app, { method: "POST", path: at("rename"), summary: "Rename a model", ...writes }, async ({ fields, actor }) =>
    whole(orError(await models.rename(fields.requiredText("name"), modelNameIn(fields, "new_name"), actor))),
  );
  mount(
    app,
    { method: "DELETE", path: at("delete"), summary: "Delete a model of which nothing was made", ...writes },
    async ({ fields, actor }) => {
      const name = fields.requiredText("name");
      orError(await models.get(name));
      orError(await versions.deleteModel(name, actor));
      return {};
    },
  );
  mount(app, { method: "GET", path: at("search"), summary: "Search models", ...reads }, async ({ fields }) => {
    const page = orError(await models.search(searchIn(fields, { most: 1000, usual: 100 })));
    const found = [];
    for (const model of page.found) found.push((await whole(model)).registered_model);
    return pageView("registered_models", found, page.next);
  });
  for (const method of ["POST", "GET"] as const)
    mount(app, { method, path: at("get-latest-versions"), summary: "The newest version of each stage", ...reads }, async ({ fields }) => {
      const { name } = orError(await models.get(fields.requiredText("name")));
      const asked = fields.texts("stages").map(stageOf);
      const latest = await versions.latest(name, asked.length > 0 ? asked : stages);
      return latest.length > 0 ? { model_versions: latest.map(versionView) } : {};
    });
  mount(app, { method: "POST", path: at("set-tag"), summary: "Tag a model", ...writes }, async ({ fields, actor }) => {
    orError(await models.setTag(fields.requiredText("name"), registryTag(fields), actor));
    return {};
  });
  mount(app, { method: "DELETE", path: at("delete-tag"), summary: "Take a tag off a model", ...writes }, async ({ fields, actor }) => {
    orError(await models.setTag(fields.requiredText("name"), { key: fields.requiredText("key"), value: undefined }, actor));
    return {};
  });

  mount(app, { method: "POST", path: at("alias"), summary: "Set or move an alias", ...writes }, async ({ fields, actor }) => {
    const { name } = orError(await models.get(fields.requiredText("name")));
    const alias = aliasIn(fields);
    const { number } = orError(await versions.get(name, versionNumberIn(fields.requiredText("version"))));
    moved(await registry.models.setAlias({ model: name, alias, number, reason: "set by an MLflow client" }, actor));
    return {};
  });
  mount(app, { method: "DELETE", path: at("alias"), summary: "Take an alias away", ...writes }, async ({ fields, actor }) => {
    const { name, aliases } = orError(await models.get(fields.requiredText("name")));
    const alias = fields.requiredText("alias");
    if (Object.hasOwn(aliases, alias))
      moved(await registry.models.setAlias({ model: name, alias, number: null, reason: "deleted by an MLflow client" }, actor));
    return {};
  });
  mount(app, { method: "GET", path: at("alias"), summary: "The version that an alias names", ...reads }, async ({ fields }) => {
    const { name, aliases } = orError(await models.get(fields.requiredText("name")));
    const alias = fields.requiredText("alias");
    const number = Object.hasOwn(aliases, alias) ? aliases[alias] : undefined;
    if (number !== undefined) return { model_version: versionView(orError(await versions.get(name, number))) };
    const [newest] = alias.toLowerCase() === "latest" ? (await versions.latest(name)).toSorted((a, b) => b.number - a.number) : [];
    if (!newest) throw invalid(`Registered model alias ${alias.slice(0, 300)} not found.`);
    return { model_version: versionView(newest) };
  });
}

/** Of a new model. */
function modelNameIn(fields: Fields, field: string): string {
  const name = fields.requiredText(field);
  if (name.trim() === "") throw invalid(`Missing value for required parameter '${field}'.`);
  if (/[/:]/.test(name) || name === "." || name === "..")
    throw invalid(`Invalid model name '${name.slice(0, 200)}'. Names cannot contain '/' or ':'.`);
  return atMost(cleanKey(name), { name: field, length: 256 });
}

function aliasIn(fields: Fields): string {
  const alias = fields.requiredText("alias");
  atMost(alias, { name: "Registered model alias name", length: 255 });
  if (!/^[\p{L}\p{N}_-]+$/u.test(alias))
    throw invalid(`Invalid alias name: '${alias.slice(0, 200)}'. Names may only contain alphanumerics, underscores (_), and dashes (-).`);
  if (alias.toLowerCase() === "latest") throw invalid("'latest' alias name (case insensitive) is reserved.");
  if (/^v\d+$/i.test(alias)) throw invalid(`Version alias name '${alias}' is reserved.`);
  return alias;
}

/** A move that our own rules refuse, such as that of a protected alias. */
function moved(result: Result<unknown, Refusal>): void {
  if (result.ok) return;
  const { error } = result;
  switch (error.kind) {
    case "invalid":
      throw invalid(error.issues.map(sentence).join("; "));
    case "unknown":
      throw new MlflowError("RESOURCE_DOES_NOT_EXIST", `There is no ${error.what} ${error.name}`);
    case "forbidden":
      throw new MlflowError("PERMISSION_DENIED", error.message);
    case "conflict":
      throw new MlflowError("RESOURCE_CONFLICT", error.message);
    default:
      return unreachable(error);
  }
}

export function versionNumberIn(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw invalid(`Parameter 'version' must be an integer, got '${text.slice(0, 100)}'.`);
}

export function stageOf(text: string): Stage {
  const stage = stages.find((each) => each.toLowerCase() === text.toLowerCase());
  if (stage) return stage;
  throw invalid(`Invalid Model Version stage: ${text.slice(0, 100)}. Value must be one of ${stages.join(", ")}.`);
}

export const registryTag = (fields: Fields) => ({
  key: atMost(cleanKey(fields.requiredText("key")), { name: "key", length: 250 }),
  value: atMost(fields.text("value") ?? "", { name: "value", length: 100_000 }),
});
export const registryTags = (fields: Fields) =>
  Object.fromEntries(
    pairsOf(fields, "tags").map(({ key, value }) => [
      atMost(cleanKey(key), { name: "key", length: 250 }),
      atMost(value, { name: "value", length: 100_000 }),
    ]),
  );
