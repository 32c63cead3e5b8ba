/** Experiments. */
import type { LifecycleView, Search } from "../../registry/index.ts";
import type { Server } from "../server.ts";
import { invalid, orError } from "./errors.ts";
import { atMost, pairsOf, type Fields } from "./fields.ts";
import { mount, type MlflowParts } from "./routing.ts";
import { experimentView, pageView } from "./views.ts";

export const MAX_SEARCH = 50_000;

export function experimentRoutes(app: Server, { registry }: MlflowParts): void {
  const { experiments, search } = registry.tracking;
  const reads = { right: "registry:read" } as const;
  const writes = { right: "registry:write" } as const;

  mount(app, { method: "POST", path: "experiments/create", summary: "Make an experiment", ...writes }, async ({ fields, actor }) => {
    const name = atMost(fields.requiredText("name"), { name: "name", length: 500 });
    const artifactLocation = locationIn(fields.text("artifact_location"));
    const tags = Object.fromEntries(pairsOf(fields, "tags").map(checkedTag));
    const made = orError(await experiments.create({ name, artifactLocation, tags }, actor));
    return { experiment_id: String(made.id) };
  });
  mount(app, { method: "GET", path: "experiments/get", summary: "An experiment", ...reads }, async ({ fields }) => ({
    experiment: experimentView(orError(await experiments.get(experimentIdIn(fields.requiredText("experiment_id"))))),
  }));
  mount(app, { method: "GET", path: "experiments/get-by-name", summary: "An experiment by its name", ...reads }, async ({ fields }) => ({
    experiment: experimentView(orError(await experiments.byName(fields.requiredText("experiment_name")))),
  }));
  for (const method of ["POST", "GET"] as const)
    mount(app, { method, path: "experiments/search", summary: "Search experiments", ...reads }, async ({ fields }) => {
      const page = orError(
        await search.experiments({ ...searchIn(fields, { isRequired: true, most: MAX_SEARCH }), view: viewIn(fields, "view_type") }),
      );
      return pageView("experiments", page.found.map(experimentView), page.next);
    });
  for (const [path, isDeleted] of [
    ["delete", true],
    ["restore", false],
  ] as const)
    mount(
      app,
      {
        method: "POST",
        path: `experiments/${path}`,
        summary: `${isDeleted ? "Hide" : "Show again"} an experiment and its runs`,
        ...writes,
      },
      async ({ fields, actor }) => {
        orError(await experiments.setDeleted(experimentIdIn(fields.requiredText("experiment_id")), isDeleted, actor));
        return {};
      },
    );
  mount(app, { method: "POST", path: "experiments/update", summary: "Rename an experiment", ...writes }, async ({ fields, actor }) => {
    const id = experimentIdIn(fields.requiredText("experiment_id"));
    const name = atMost(fields.requiredText("new_name"), { name: "name", length: 500 });
    orError(await experiments.rename(id, name, actor));
    return {};
  });
  mount(
    app,
    { method: "POST", path: "experiments/set-experiment-tag", summary: "Tag an experiment", ...writes },
    async ({ fields, actor }) => {
      const id = experimentIdIn(fields.requiredText("experiment_id"));
      const [key, value] = checkedTag({ key: fields.requiredText("key"), value: fields.text("value") ?? "" });
      orError(await experiments.setTag(id, { key, value }, actor));
      return {};
    },
  );
  mount(
    app,
    { method: "POST", path: "experiments/delete-experiment-tag", summary: "Take a tag off an experiment", ...writes },
    async ({ fields, actor }) => {
      const id = experimentIdIn(fields.requiredText("experiment_id"));
      orError(await experiments.setTag(id, { key: fields.requiredText("key"), value: undefined }, actor));
      return {};
    },
  );
}

export function experimentIdIn(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw invalid(`Invalid experiment ID '${text.slice(0, 100)}'. Experiment ID must be a valid integer.`);
}

const checkedTag = ({ key, value }: { readonly key: string; readonly value: string }) =>
  [atMost(cleanKey(key), { name: "key", length: 250 }), atMost(value, { name: "value", length: 5000 })] as const;

/** Keys of tags are free text, but no control characters: nobody could see them. */
export function cleanKey(key: string): string {
  // oxlint-disable-next-line no-control-regex
  if (!/[\u0000-\u001f\u007f]/.test(key)) return key;
  throw invalid(`Invalid value ${JSON.stringify(key.slice(0, 100))} for parameter 'key' supplied: control characters can't stand in a key`);
}

function locationIn(text: string | undefined): string | undefined {
  if (text === undefined || text === "") return undefined;
  atMost(text, { name: "artifact_location", length: 2048 });
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(text)?.[1]?.toLowerCase();
  if (
    scheme === undefined ||
    scheme === "file" ||
    scheme === "runs" ||
    scheme === "models" ||
    /[#;?]/.test(text) ||
    /(^|\/)\.\.(\/|$)/.test(decoded(text))
  )
    throw invalid(
      `Invalid artifact location: '${text.slice(0, 200)}'. Name an absolute URI such as mlflow-artifacts:/folder or s3://bucket/folder, without fragment, parameters or '..'; files on this machine are kept by the server itself.`,
    );
  return text.replace(/\/+$/, "");
}

/** As a server further on might read it. */
export function decoded(text: string): string {
  let read = text;
  for (let i = 0; i < 5; i++) {
    try {
      const next = decodeURIComponent(read);
      if (next === read) return read;
      read = next;
    } catch {
      return read;
    }
  }
  return read;
}

/** Ids of experiments to search in. */
export function experimentIdsIn(fields: Fields): readonly number[] {
  const ids = [...new Set(fields.texts("experiment_ids").map(experimentIdIn))];
  if (ids.length <= MAX_EXPERIMENTS) return ids;
  throw invalid(`A search can name at most ${MAX_EXPERIMENTS} experiments. Got ${ids.length}.`);
}
const MAX_EXPERIMENTS = 10_000;

export const viewIn = (fields: Fields, name: string): LifecycleView =>
  VIEWS[fields.choice(name, { ACTIVE_ONLY: 1, DELETED_ONLY: 2, ALL: 3 }) ?? "ACTIVE_ONLY"];
const VIEWS = { ACTIVE_ONLY: "active", DELETED_ONLY: "deleted", ALL: "all" } as const;

export function searchIn(
  fields: Fields,
  {
    isRequired = false,
    most,
    usual = 1000,
    orderBy,
  }: { readonly isRequired?: boolean; readonly most: number; readonly usual?: number; readonly orderBy?: readonly string[] },
): Search {
  const asked = fields.integer("max_results");
  const maxResults = asked ?? (isRequired ? 0 : usual);
  if (maxResults < 1) throw invalid(`Invalid value ${maxResults} for parameter 'max_results' supplied. It must be a positive integer`);
  if (maxResults > most) throw invalid(`Invalid value ${maxResults} for parameter 'max_results' supplied. It must be at most ${most}`);
  return {
    filter: fields.text("filter") ?? "",
    orderBy: orderBy ?? fields.texts("order_by"),
    maxResults,
    pageToken: fields.text("page_token"),
  };
}
