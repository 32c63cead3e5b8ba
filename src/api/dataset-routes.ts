/** Datasets: versions that never change, tags that move, and what differs between two versions. */
import { createReadStream } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { Type } from "typebox";
import { actorOf, mayDo } from "../access/index.ts";
import { checked, orNull, wholeNumber } from "../checked.ts";
import { err } from "../std.ts";
import { DatasetSpec, tableFormats } from "../registry/index.ts";
import { ProblemError } from "./problem.ts";
import {
  AddedDatasetVersionView,
  DatasetDetailView,
  DatasetVersionDetailView,
  DatasetVersionView,
  DatasetView,
  datasetDetailView,
  datasetView,
  versionDetailView,
  versionView,
} from "./dataset-view.ts";
import { datasetDiffRoutes, within } from "./dataset-diff-routes.ts";
import { unpackTar } from "./tar.ts";
import { blobIdAt, orProblem, readsRegistry, writesRegistry, type RegistryRouteParts } from "./registry-parts.ts";
import { notFound, principalOf, type Server } from "./server.ts";
import { TAR, uploadRoutes, assertRoom } from "./uploads.ts";

const DatasetParams = Type.Object({ dataset: Type.String() });
export const reasonText = Type.String({ minLength: 1, maxLength: 2000, description: "Kept with the move and in the audit log" });

export async function datasetRoutes(app: Server, { store, registry, reads }: RegistryRouteParts): Promise<void> {
  const { datasets } = registry;
  const known = async (name: string) => {
    const dataset = (await datasets.list()).find((one) => one.name === name);
    if (!dataset) throw notFound(`dataset "${name}"`);
    return dataset;
  };

  await uploadRoutes(app, store, (scope, take) => {
    scope.put(
      "/v1/datasets/:dataset/versions",
      {
        config: { ...writesRegistry, takesUpload: true },
        schema: {
          summary: "Add a version from a file, or from a folder as a tar archive",
          description:
            "CSV, NDJSON or Parquet; of a folder (`application/x-tar`) the files in one of these formats are the table, and the rest is kept beside it. Read, checked and profiled before it is kept. The same bytes again are the same version. With `blob`, what the store has already is added and the body is empty.",
          tags: ["datasets"],
          consumes: ["application/octet-stream", "text/csv", "application/x-ndjson", "application/vnd.apache.parquet", TAR],
          params: DatasetParams,
          querystring: Type.Object(
            {
              spec: Type.Optional(Type.String({ description: "JSON: key, label and protected columns. Declared with the first version." })),
              format: Type.Optional(
                Type.Enum([...tableFormats], { description: "Of a single file; seen from its first bytes when left out" }),
              ),
              blob: Type.Optional(Type.String({ description: "sha256:… of a file that is there" })),
              tag: Type.Optional(Type.String()),
              reason: Type.Optional(Type.String({ maxLength: 2000, description: "Why the tag moves" })),
            },
            { additionalProperties: false },
          ),
          response: { 200: AddedDatasetVersionView },
        },
      },
      async (request) => {
        const { spec, blob, ...labels } = request.query;
        const declared = spec === undefined ? {} : { spec: specOf(spec) };
        const { dataset } = request.params;
        const principal = principalOf(request);
        const rest = { dataset, ...declared, ...labels, mayMoveProtected: mayDo(principal, "registry:protected") };
        const isFolder = request.headers["content-type"] === TAR;
        const known = blob === undefined ? undefined : blobIdAt("/blob", blob);
        const added = await take(request, async ({ path, bytes }) => {
          if (known && bytes > 0)
            throw new ProblemError("invalid", undefined, [{ path: "/blob", expected: "a blob or a body", got: "both" }]);
          if (!isFolder || known) return datasets.add({ ...rest, source: known ? { blob: known } : { path } }, actorOf(principal));
          await assertRoom(path, bytes); // once more, file by file
          return withFolder(`${path}.files`, async (folder) => {
            const entries = await unpackTar(createReadStream(path), folder);
            if (!entries.ok) return err({ kind: "invalid" as const, issues: entries.error });
            return datasets.add({ ...rest, source: { entries: entries.value } }, actorOf(principal));
          });
        });
        const { version, isNew } = orProblem(added);
        return { ...versionView(version), isNew };
      },
    );
  });
  app.get(
    "/v1/datasets",
    {
      config: readsRegistry,
      schema: { summary: "All datasets", tags: ["datasets"], response: { 200: Type.Object({ datasets: Type.Array(DatasetView) }) } },
    },
    async () => ({ datasets: (await datasets.list()).map(datasetView) }),
  );
  app.get(
    "/v1/datasets/:dataset",
    {
      config: readsRegistry,
      schema: {
        summary: "A dataset: its declaration, versions (newest first) and where its tags have been",
        tags: ["datasets"],
        params: DatasetParams,
        response: { 200: DatasetDetailView },
      },
    },
    async (request) => {
      const dataset = await known(request.params.dataset);
      const { name } = dataset;
      return datasetDetailView(datasetView(dataset), {
        versions: await datasets.versions(name),
        history: await datasets.tagHistory(name),
        redactions: await datasets.redactions(name),
        held: await registry.keeping.held(name),
      });
    },
  );
  app.get(
    "/v1/datasets/:dataset/versions/:version",
    {
      config: readsRegistry,
      schema: {
        summary: "One version with the profile of its columns",
        description: "Groups, and values of protected columns, are shown to readers with protected:read.",
        tags: ["datasets"],
        params: Type.Object({ dataset: Type.String(), version: Type.String({ description: "A number or a tag" }) }),
        response: { 200: DatasetVersionDetailView },
      },
    },
    async (request) => {
      const { dataset, version } = request.params;
      const found = orProblem(await datasets.get(within(dataset, version)));
      const seesGroups = mayDo(principalOf(request), "protected:read");
      const shown = seesGroups ? found.groups.length : 0;
      await reads.note(principalOf(request), {
        object: `dataset/${found.dataset}`,
        asked: { view: "version", version: found.number },
        shown,
      });
      return versionDetailView(found, (await known(dataset)).spec, seesGroups);
    },
  );
  app.get(
    "/v1/dataset-version",
    {
      config: readsRegistry,
      schema: {
        summary: "The version that a reference names",
        tags: ["datasets"],
        querystring: Type.Object({ reference: Type.String({ description: "credit/2, credit@clean or tbl:…" }) }),
        response: { 200: DatasetVersionView },
      },
    },
    async (request) => versionView(orProblem(await datasets.get(request.query.reference), "/reference")),
  );
  app.post(
    "/v1/datasets/:dataset/tags",
    {
      config: writesRegistry,
      schema: {
        summary: "Move a tag, or take it away",
        tags: ["datasets"],
        params: DatasetParams,
        body: Type.Object(
          {
            tag: Type.String(),
            number: orNull(wholeNumber({ description: "Version; null takes the tag away" })),
            reason: reasonText,
            expected: Type.Optional(orNull(wholeNumber({ description: "Move it only if it still points there" }))),
          },
          { additionalProperties: false },
        ),
        response: { 200: Type.Object({ tags: Type.Record(Type.String(), Type.Integer()) }) },
      },
    },
    async (request) => {
      const { name: dataset } = await known(request.params.dataset);
      return {
        tags: {
          ...orProblem(
            await datasets.setTag(
              { dataset, ...request.body, mayMoveProtected: mayDo(principalOf(request), "registry:protected") },
              actorOf(principalOf(request)),
            ),
          ),
        },
      };
    },
  );
  await datasetDiffRoutes(app, { registry, reads });
}

async function withFolder<T>(folder: string, work: (folder: string) => Promise<T>): Promise<T> {
  await mkdir(folder);
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const parseSpec = checked(DatasetSpec);

function specOf(text: string): DatasetSpec {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new ProblemError("invalid", undefined, [{ path: "/spec", expected: "JSON", got: text.slice(0, 60) }]);
  }
  const spec = parseSpec(value);
  if (spec.ok) return spec.value;
  throw new ProblemError(
    "invalid",
    "Nothing was kept.",
    spec.error.map((issue) => ({ ...issue, path: `/spec${issue.path}` })),
  );
}
