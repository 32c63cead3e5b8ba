/** Datasets: versions that never change, tags that move, and what differs between two versions. */
import { createReadStream } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { Readable } from "node:stream";
import { Type } from "typebox";
import { actorOf, mayDo } from "../access/index.ts";
import { checked, orNull, wholeNumber } from "../checked.ts";
import { err } from "../std.ts";
import { DatasetSpec, parseReference, tableFormats } from "../registry/index.ts";
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
import { DatasetDiffView, diffView } from "./dataset-diff-view.ts";
import { unpackTar } from "./tar.ts";
import { blobIdAt, orProblem, readsRegistry, writesRegistry, type RegistryRouteParts } from "./registry-parts.ts";
import { notFound, principalOf, type Server } from "./server.ts";
import { TAR, uploadRoutes } from "./uploads.ts";

const DatasetParams = Type.Object({ dataset: Type.String() });
export const reasonText = Type.String({ minLength: 1, maxLength: 2000, description: "Kept with the move and in the audit log" });

const Version = Type.String({ description: "A number or tag of this dataset, or a reference to any version" });
const KeyColumns = Type.Optional(
  Type.String({ description: "Columns that name a row, with commas between; the declared ones when left out" }),
);

export async function datasetRoutes(app: Server, { store, registry, reads }: RegistryRouteParts): Promise<void> {
  const { datasets } = registry;
  const known = async (name: string) => {
    const dataset = (await datasets.list()).find((one) => one.name === name);
    if (!dataset) throw notFound(`dataset "${name}"`);
    return dataset;
  };
  /** Both versions as the registry names them, and the columns that either's dataset protects. */
  const compared = async (dataset: string, asked: { readonly from: string; readonly to: string }) => {
    const versions = { from: within(dataset, asked.from), to: within(dataset, asked.to) };
    const found = [orProblem(await datasets.get(versions.from), "/from"), orProblem(await datasets.get(versions.to), "/to")];
    const specs = await Promise.all(found.map(async (version) => (await known(version.dataset)).spec));
    return { versions, guarded: specs.flatMap((spec) => spec.protected ?? []).map(({ column }) => column) };
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
        const rest = { dataset, ...declared, ...labels, mayMoveProtected: mayDo(principal, "registry:remove") };
        const isFolder = request.headers["content-type"] === TAR;
        const known = blob === undefined ? undefined : blobIdAt("/blob", blob);
        const added = await take(
          request,
          async ({ path, bytes }) => {
            if (known && bytes > 0)
              throw new ProblemError("invalid", undefined, [{ path: "/blob", expected: "a blob or a body", got: "both" }]);
            if (!isFolder || known) return datasets.add({ ...rest, source: known ? { blob: known } : { path } }, actorOf(principal));
            return withFolder(`${path}.files`, async (folder) => {
              const entries = await unpackTar(createReadStream(path), folder);
              if (!entries.ok) return err({ kind: "invalid" as const, issues: entries.error });
              return datasets.add({ ...rest, source: { entries: entries.value } }, actorOf(principal));
            });
          },
          Number.POSITIVE_INFINITY,
        );
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
              { dataset, ...request.body, mayMoveProtected: mayDo(principalOf(request), "registry:remove") },
              actorOf(principalOf(request)),
            ),
          ),
        },
      };
    },
  );
  app.get(
    "/v1/datasets/:dataset/diff",
    {
      config: readsRegistry,
      schema: {
        summary: "What differs between two versions, and for whom",
        description: "Groups and the verdict, which names them, are shown to readers with protected:read.",
        tags: ["datasets"],
        params: DatasetParams,
        querystring: Type.Object({
          from: Version,
          to: Type.String(),
          by: Type.Optional(Type.String({ description: "Protected attributes to look at, with commas between; all when left out" })),
          key: KeyColumns,
        }),
        response: { 200: DatasetDiffView },
      },
    },
    async (request) => {
      const { dataset } = request.params;
      const { from, to, by, key } = request.query;
      const { versions, guarded } = await compared(dataset, { from, to });
      const how = { ...(by === undefined ? {} : { by: by.split(",") }), ...(key === undefined ? {} : { key: key.split(",") }) };
      const diff = orProblem(await datasets.diff(versions.from, versions.to, how));
      const seesGroups = mayDo(principalOf(request), "protected:read");
      const shown = seesGroups ? diff.groups.length : 0;
      await reads.note(principalOf(request), { object: `dataset/${dataset}`, asked: { view: "diff", ...request.query }, shown });
      return diffView(diff, { seesGroups, guarded: seesGroups ? [] : guarded });
    },
  );
  app.get(
    "/v1/datasets/:dataset/diff/rows",
    {
      config: readsRegistry,
      schema: {
        summary: "The rows in which two versions differ, as CSV",
        description:
          "The first column says whether a row is `missing` or `new`, or how it was `before` and is `after`. They are rows of people: for those who " +
          "write to the registry, and readers with protected:read. Protected columns are there only for the latter.",
        tags: ["datasets"],
        produces: ["text/csv"],
        params: DatasetParams,
        querystring: Type.Object({ from: Version, to: Type.String(), key: KeyColumns }),
      },
    },
    async (request, reply) => {
      const principal = principalOf(request);
      const seesGroups = mayDo(principal, "protected:read");
      if (!seesGroups && !mayDo(principal, "registry:write"))
        throw new ProblemError("forbidden", "Rows are of people: registry:write or protected:read is needed.");
      const { dataset } = request.params;
      const { from, to, key } = request.query;
      const { versions, guarded } = await compared(dataset, { from, to });
      const how = { hidden: seesGroups ? [] : guarded, ...(key === undefined ? {} : { key: key.split(",") }) };
      const { count, pieces } = orProblem(await datasets.diffRows(versions.from, versions.to, how));
      const rows = Readable.from(pieces, { objectMode: false });
      try {
        await reads.note(principal, { object: `dataset/${dataset}`, asked: { view: "diff-rows", ...request.query }, shown: count });
      } catch (error) {
        rows.destroy();
        throw error;
      }
      return reply.type("text/csv; charset=utf-8").header("content-disposition", "attachment").send(rows);
    },
  );
}

async function withFolder<T>(folder: string, work: (folder: string) => Promise<T>): Promise<T> {
  await mkdir(folder);
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** `2` and `clean` are versions of this dataset; whole references stay what they are. */
function within(dataset: string, text: string): string {
  if (parseReference(text)) return text;
  return /^[0-9]+$/.test(text) ? `${dataset}/${text}` : `${dataset}@${text}`;
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
