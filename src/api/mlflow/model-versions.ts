/** Versions of registered models: made of the files that lie at their source, which are kept as they are at that moment. */
import {
  addressIn,
  loggedModelArtifacts,
  runArtifacts,
  runIdIn,
  versionArtifacts,
  type ArtifactFile,
  type RegisteredVersion,
  type Tracking,
} from "../../registry/index.ts";
import type { ModelIntake } from "../model-intake.ts";
import { ProblemError } from "../problem.ts";
import { sentence } from "../protocol-errors.ts";
import type { Server } from "../server.ts";
import { MlflowError, invalid, orError } from "./errors.ts";
import { decoded, searchIn } from "./experiments.ts";
import { registryTag, registryTags, stageOf, versionNumberIn } from "./registered-models.ts";
import type { Fields } from "./fields.ts";
import { mount, type MlflowParts } from "./routing.ts";
import { runIn } from "./runs.ts";
import { pageView, versionView } from "./views.ts";

export function modelVersionRoutes(app: Server, { registry, intake }: MlflowParts): void {
  const { tracking } = registry;
  const { models, versions, loggedModels } = tracking;
  const reads = { right: "registry:read" } as const;
  const writes = { right: "registry:write" } as const;
  const at = (path: string) => `model-versions/${path}`;
  const named = (fields: Fields) => {
    const model = fields.requiredText("name");
    return { model, number: versionNumberIn(fields.requiredText("version")) };
  };
  const whole = (version: RegisteredVersion) => ({ model_version: versionView(version) });

  mount(
    app,
    { method: "POST", path: at("create"), summary: "Register a version: its files never change again", ...writes },
    async ({ fields, actor }) => {
      const { name: model } = orError(await models.get(fields.requiredText("name")));
      const source = fields.requiredText("source");
      const modelId = fields.text("model_id") || undefined;
      const logged = modelId === undefined ? undefined : orError(await loggedModels.get(modelId));
      const runId = fields.text("run_id");
      const files = await filesAt(source, tracking);
      const version = await versions.register(
        {
          model,
          source,
          runLink: fields.text("run_link") ?? "",
          description: fields.text("description") ?? "",
          tags: registryTags(fields),
          run: runId ? await knownRun(runId, tracking) : (logged?.run ?? null),
          loggedModel: modelId ?? /^models:\/(m-[0-9a-f]{32})$/.exec(source)?.[1] ?? null,
          files: files ?? [],
          serves: await servedBy(files, source, intake),
        },
        actor,
      );
      return whole(orError(version));
    },
  );
  mount(app, { method: "GET", path: at("get"), summary: "A version", ...reads }, async ({ fields }) => {
    const { model, number } = named(fields);
    return whole(orError(await versions.get(model, number)));
  });
  mount(app, { method: "GET", path: at("get-download-uri"), summary: "Where a version's files are", ...reads }, async ({ fields }) => {
    const { model, number } = named(fields);
    const version = orError(await versions.get(model, number));
    const isKept = version.source === null || isOurs(version.source);
    return { artifact_uri: isKept ? versionArtifacts(version.id) : version.source };
  });
  mount(app, { method: "GET", path: at("search"), summary: "Search versions", ...reads }, async ({ fields }) => {
    const asked = fields.integer("max_results");
    if (asked !== undefined && asked < 1) throw invalid(`Invalid value for max_results. It must be a positive integer, but got ${asked}`);
    const page = orError(await versions.search(searchIn(fields, { most: 200_000, usual: 200_000 })));
    return pageView("model_versions", page.found.map(versionView), page.next);
  });
  mount(app, { method: "PATCH", path: at("update"), summary: "Describe a version", ...writes }, async ({ fields, actor }) => {
    const { model, number } = named(fields);
    return whole(orError(await versions.describe(model, number, fields.text("description") ?? "", actor)));
  });
  mount(app, { method: "POST", path: at("set-tag"), summary: "Tag a version", ...writes }, async ({ fields, actor }) => {
    const { model, number } = named(fields);
    orError(await versions.setTag(model, number, registryTag(fields), actor));
    return {};
  });
  mount(app, { method: "DELETE", path: at("delete-tag"), summary: "Take a tag off a version", ...writes }, async ({ fields, actor }) => {
    const { model, number } = named(fields);
    orError(await versions.setTag(model, number, { key: fields.requiredText("key"), value: undefined }, actor));
    return {};
  });
  mount(
    app,
    { method: "POST", path: at("transition-stage"), summary: "Move a version to a stage, which serves nobody", ...writes },
    async ({ fields, actor }) => {
      const { model, number } = named(fields);
      const stage = stageOf(fields.requiredText("stage"));
      const archiveOthers = fields.flag("archive_existing_versions") ?? false;
      if (archiveOthers && stage !== "Staging" && stage !== "Production")
        throw invalid(
          `Model version transition cannot archive existing model versions because '${stage}' is not an Active stage. Valid stages are ['Staging', 'Production']`,
        );
      return whole(orError(await versions.moveTo(model, number, { stage, archiveOthers }, actor)));
    },
  );
  mount(
    app,
    { method: "DELETE", path: at("delete"), summary: "Delete a version of which nothing was made", ...writes },
    async ({ fields, actor }) => {
      const { model, number } = named(fields);
      orError(await versions.delete(model, number, actor));
      return {};
    },
  );
}

const isOurs = (source: string): boolean => /^(models|runs|mlflow-artifacts):/.test(source);

async function knownRun(hex: string, { runs }: Tracking): Promise<string | null> {
  const id = runIdIn(hex);
  const run = id === undefined ? undefined : await runs.get(id);
  // MLflow asks nothing of it: a run of another server may have made the model.
  return run?.ok ? run.value.id : null;
}

/** All files at a source, by their paths from there; undefined where the source is kept elsewhere. */
async function filesAt(source: string, tracking: Tracking): Promise<readonly ArtifactFile[] | undefined> {
  checkSource(source);
  const { artifacts, loggedModels, versions, models, runs, search } = tracking;
  const [, loggedId] = /^models:\/+(m-[0-9a-f]{32})\/?$/.exec(source) ?? [];
  if (loggedId !== undefined) {
    const model = orError(await loggedModels.get(loggedId));
    return artifacts.below(addressIn(loggedModelArtifacts(model.experiment.artifactLocation, model.id)) ?? "");
  }
  const [, name, sign, label = ""] = /^models:\/+([^/@]+)([/@])([^/]+)$/.exec(source) ?? [];
  if (name !== undefined) {
    const model = orError(await models.get(name));
    const number = sign === "@" ? model.aliases[label] : /^\d+$/.test(label) ? Number(label) : undefined;
    if (number === undefined) throw new MlflowError("RESOURCE_DOES_NOT_EXIST", `Model Version (name=${name}, version=${label}) not found`);
    return artifacts.below(addressIn(versionArtifacts(orError(await versions.get(name, number)).id)) ?? "");
  }
  if (source.startsWith("models:")) throw new MlflowError("RESOURCE_DOES_NOT_EXIST", `There is no model at '${source.slice(0, 200)}'`);
  const [, hex, path = ""] = /^runs:\/+([^/]+)\/?(.*)$/s.exec(source) ?? [];
  if (hex !== undefined) {
    const run = orError(await runs.get(runIn(hex)));
    const files = await artifacts.below(
      [addressIn(runArtifacts(run.experiment.artifactLocation, run.id)), path].join("/").replace(/\/+$/, ""),
    );
    if (files.length > 0) return files;
    // Since MLflow 3 a run's models lie beside it.
    const [details] = await search.details([run]);
    for (const { model: id } of details?.links.modelsOut.toReversed() ?? []) {
      const model = await loggedModels.get(id);
      if (model.ok && model.value.name === path)
        return artifacts.below(addressIn(loggedModelArtifacts(model.value.experiment.artifactLocation, id)) ?? "");
    }
    return files;
  }
  const address = addressIn(source.replace(/^mlflow-artifacts:\/\/[^/]+/, "mlflow-artifacts:"));
  return address === undefined ? undefined : artifacts.below(decoded(address));
}

function checkSource(source: string): void {
  const shown = source.slice(0, 300);
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(source)?.[1]?.toLowerCase();
  if (scheme === undefined || scheme === "file")
    throw invalid(
      `Invalid model version source: '${shown}'. To use a local path as a model version source, the run_id request parameter has to be specified and the local path has to be contained within the artifact directory of the run specified by the run_id.`,
    );
  const read = decoded(source);
  if (read.split(/[/\\?#]/).includes("..") || read.includes("\0") || source.length > 2048)
    throw invalid(
      `Invalid model version source: '${shown}'. If supplying a source as an http, https, local file path, ftp, objectstore, or mlflow-artifacts uri, an absolute path must be provided without relative path references present. Please provide an absolute path.`,
    );
}

async function servedBy(files: readonly ArtifactFile[] | undefined, source: string, intake: ModelIntake) {
  if (files === undefined) return { unservable: `its files are not kept here but at ${source.slice(0, 300)}: import them first` };
  if (files.length === 0) return { unservable: "there were no files at its source when it was registered" };
  const beside = files.filter(({ path }) => !path.includes("/")).map(({ path, blob }) => ({ name: path, blob }));
  try {
    return await intake.look(beside);
  } catch (error) {
    if (!(error instanceof ProblemError) || (error.kind !== "unprocessable" && error.kind !== "invalid")) throw error;
    const [issue] = error.issues;
    return { unservable: `${error.message}${issue ? ` ${sentence(issue)}` : ""}` };
  }
}
