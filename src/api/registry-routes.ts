/** Blobs, datasets, feature sets, runs, models, steps and lineage: what goes into a model, over HTTP. */
import { Type, type Static } from "typebox";
import { actorOf, mayDo } from "../access/index.ts";
import { StepOutcomeRecord, type StepOutcomes } from "../pipelines/index.ts";
import { RunLog, nodeKinds, type DatasetVersion, type ModelVersion, type Refusal, type Registry, type Run } from "../registry/index.ts";
import { inspectModel, scoreCall } from "../serving/index.ts";
import { parseBlobId, type Store } from "../store/index.ts";
import type { BlobId, Result } from "../std.ts";
import { ProblemError } from "./problem.ts";
import { notFound, principalOf, type Server } from "./server.ts";

const orNull = <S extends Parameters<typeof Type.Array>[0]>(schema: S) => Type.Union([schema, Type.Null()]);
const Time = Type.String();
const iso = (atMs: number) => new Date(atMs).toISOString();
/** Raw uploads: models and tables. */
const MAX_UPLOAD_BYTES = 256 * 1024 * 1024;

const BlobView = Type.Object({ id: Type.String(), bytes: Type.Integer() }, { title: "Blob" });
export const DatasetVersionView = Type.Object(
  {
    dataset: Type.String(),
    number: Type.Integer(),
    id: Type.String({ description: "Logical table id: the same data has the same id in any order of rows" }),
    blob: Type.String(),
    rows: Type.Integer(),
    bytes: Type.Integer(),
    tags: Type.Array(Type.String()),
    createdAt: Time,
    isNew: Type.Boolean(),
  },
  { title: "DatasetVersion" },
);
export type DatasetVersionView = Static<typeof DatasetVersionView>;
const RunView = Type.Object(
  {
    id: Type.String(),
    experiment: Type.String(),
    name: Type.String(),
    status: Type.Enum(["running", "finished", "failed"]),
    params: Type.Record(Type.String(), Type.Unknown()),
    metrics: Type.Record(Type.String(), Type.Number()),
    startedAt: Time,
    endedAt: orNull(Time),
    createdBy: Type.String(),
  },
  { title: "Run" },
);
export type RunView = Static<typeof RunView>;
const NodeView = Type.Object({ kind: Type.Enum(nodeKinds), id: Type.String() }, { title: "LineageNode", additionalProperties: false });
const RunDetailView = Type.Object({
  ...RunView.properties,
  artifacts: Type.Array(Type.Object({ path: Type.String(), blob: Type.String(), bytes: Type.Integer() })),
  inputs: Type.Array(NodeView),
  outputs: Type.Array(NodeView),
});
export const ModelVersionView = Type.Object(
  {
    model: Type.String(),
    number: Type.Integer(),
    id: Type.String(),
    blob: Type.String(),
    features: Type.Array(Type.String()),
    featureSet: orNull(Type.String()),
    run: orNull(Type.String()),
    createdAt: Time,
  },
  { title: "ModelVersion" },
);
export type ModelVersionView = Static<typeof ModelVersionView>;

export interface RegistryRouteParts {
  readonly store: Store;
  readonly registry: Registry;
  readonly steps: StepOutcomes;
}

export const registryRoutes = (parts: RegistryRouteParts) => (app: Server) => {
  app.addContentTypeParser(
    ["application/octet-stream", "text/csv"],
    { parseAs: "buffer", bodyLimit: MAX_UPLOAD_BYTES },
    (_request, body, done) => done(null, body),
  );
  const read = { right: "registry:read" } as const;
  const write = { right: "registry:write" } as const;
  const { datasets, featureSets, runs, models, lineage } = parts.registry;

  app.put(
    "/v1/blobs",
    {
      config: write,
      bodyLimit: MAX_UPLOAD_BYTES,
      schema: { summary: "Keep bytes under their SHA-256", tags: ["blobs"], response: { 200: BlobView } },
    },
    async (request) => {
      const bytes = bytesOf(request.body);
      return { id: await parts.store.blobs.put(bytes), bytes: bytes.length };
    },
  );
  app.get(
    "/v1/blobs/:id",
    { config: read, schema: { summary: "Bytes, verified against their id", tags: ["blobs"], params: Type.Object({ id: Type.String() }) } },
    async (request, reply) => {
      const bytes = await parts.store.blobs.get(blobId(request.params.id));
      return reply.type("application/octet-stream").header("content-disposition", "attachment").send(bytes);
    },
  );

  app.get(
    "/v1/datasets",
    {
      config: read,
      schema: { summary: "All datasets", tags: ["datasets"], response: { 200: Type.Object({ datasets: Type.Array(Type.Unknown()) }) } },
    },
    async () => ({ datasets: [...(await datasets.list())] }),
  );
  app.get(
    "/v1/datasets/:dataset",
    {
      config: read,
      schema: {
        summary: "Versions of a dataset, newest first",
        tags: ["datasets"],
        params: Type.Object({ dataset: Type.String() }),
        response: { 200: Type.Object({ versions: Type.Array(DatasetVersionView) }) },
      },
    },
    async (request) => {
      const versions = await datasets.versions(request.params.dataset);
      if (versions.length === 0) throw notFound(`dataset "${request.params.dataset}"`);
      return { versions: versions.map((version) => datasetView(version, false)) };
    },
  );
  app.put(
    "/v1/datasets/:dataset/versions",
    {
      config: write,
      bodyLimit: MAX_UPLOAD_BYTES,
      schema: {
        summary: "Add a version from a CSV file",
        description: "Read, checked and profiled before it is kept. The same bytes again are the same version.",
        tags: ["datasets"],
        params: Type.Object({ dataset: Type.String() }),
        querystring: Type.Object({
          spec: Type.Optional(Type.String({ description: "JSON: key, label and protected columns" })),
          tag: Type.Optional(Type.String()),
          reason: Type.Optional(Type.String()),
        }),
        response: { 200: DatasetVersionView },
      },
    },
    async (request) => {
      const { spec, tag, reason } = request.query;
      const added = await datasets.add(
        {
          dataset: request.params.dataset,
          source: { bytes: bytesOf(request.body) },
          ...(spec === undefined ? {} : { spec: parsedJson(spec) }),
          ...(tag === undefined ? {} : { tag }),
          ...(reason === undefined ? {} : { reason }),
        },
        actorOf(principalOf(request)),
      );
      const { version, isNew } = orProblem(added);
      return datasetView(version, isNew);
    },
  );
  app.get(
    "/v1/dataset-version",
    {
      config: read,
      schema: {
        summary: "The version that a reference names",
        tags: ["datasets"],
        querystring: Type.Object({ reference: Type.String({ description: "credit/2, credit@clean or tbl:…" }) }),
        response: { 200: DatasetVersionView },
      },
    },
    async (request) => datasetView(orProblem(await datasets.get(request.query.reference)), false),
  );
  app.post(
    "/v1/datasets/:dataset/tags",
    {
      config: write,
      schema: {
        summary: "Move a tag",
        tags: ["datasets"],
        params: Type.Object({ dataset: Type.String() }),
        body: Type.Object({ tag: Type.String(), number: orNull(Type.Integer()), reason: Type.String() }, { additionalProperties: false }),
        response: { 200: Type.Object({ tags: Type.Record(Type.String(), Type.Integer()) }) },
      },
    },
    async (request) => ({
      tags: { ...orProblem(await datasets.setTag({ dataset: request.params.dataset, ...request.body }, actorOf(principalOf(request)))) },
    }),
  );
  app.get(
    "/v1/dataset-diff",
    {
      config: read,
      schema: {
        summary: "What differs between two versions, and for whom",
        description: "Groups are shown to readers with protected:read.",
        tags: ["datasets"],
        querystring: Type.Object({ from: Type.String(), to: Type.String(), by: Type.Optional(Type.String()) }),
        response: { 200: Type.Unknown() },
      },
    },
    async (request) => {
      const { from, to, by } = request.query;
      const diff = orProblem(await datasets.diff(from, to, by?.split(",")));
      return mayDo(principalOf(request), "protected:read") ? diff : { identity: diff.identity, schema: diff.schema, rows: diff.rows };
    },
  );

  app.get(
    "/v1/feature-sets",
    {
      config: read,
      schema: {
        summary: "All feature sets",
        tags: ["feature sets"],
        response: { 200: Type.Object({ featureSets: Type.Array(Type.Unknown()) }) },
      },
    },
    async () => ({ featureSets: [...(await featureSets.list())] }),
  );
  app.post(
    "/v1/feature-sets",
    {
      config: write,
      schema: {
        summary: "Keep a feature set",
        tags: ["feature sets"],
        body: Type.Record(Type.String(), Type.Unknown()),
        response: { 200: Type.Object({ id: Type.String(), name: Type.String(), number: Type.Integer() }) },
      },
    },
    async (request) => {
      const { id, name, number } = orProblem(await featureSets.put(request.body, actorOf(principalOf(request))));
      return { id, name, number };
    },
  );

  const RunParams = Type.Object({ run: Type.String() });
  app.get(
    "/v1/runs",
    {
      config: read,
      schema: {
        summary: "Runs, newest first",
        tags: ["runs"],
        querystring: Type.Object({
          experiment: Type.Optional(Type.String()),
          before: Type.Optional(Type.String()),
          limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
        }),
        response: { 200: Type.Object({ runs: Type.Array(RunView), next: orNull(Type.String()) }) },
      },
    },
    async (request) => {
      const page = await runs.list(request.query);
      return { runs: page.runs.map(runView), next: page.next };
    },
  );
  app.get(
    "/v1/runs/:run",
    { config: read, schema: { summary: "One run", tags: ["runs"], params: RunParams, response: { 200: RunDetailView } } },
    async (request) => {
      const run = orProblem(await runs.get(request.params.run));
      return { ...runView(run), artifacts: run.artifacts.map((one) => ({ ...one })), inputs: [...run.inputs], outputs: [...run.outputs] };
    },
  );
  app.post(
    "/v1/runs",
    {
      config: write,
      schema: {
        summary: "Start a run",
        tags: ["runs"],
        body: Type.Object(
          {
            experiment: Type.String(),
            name: Type.String(),
            params: Type.Optional(Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Boolean()]))),
            inputs: Type.Optional(Type.Array(NodeView)),
          },
          { additionalProperties: false },
        ),
        response: { 200: RunView },
      },
    },
    async (request) => runView(orProblem(await runs.start(request.body, actorOf(principalOf(request))))),
  );
  app.post(
    "/v1/runs/:run/log",
    {
      config: write,
      schema: {
        summary: "Log metrics, parameters and artifacts",
        tags: ["runs"],
        params: RunParams,
        body: RunLog,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      orProblem(await runs.log(request.params.run, request.body, actorOf(principalOf(request))));
      return reply.code(204).send(null);
    },
  );
  app.post(
    "/v1/runs/:run/finish",
    {
      config: write,
      schema: {
        summary: "End a run",
        tags: ["runs"],
        params: RunParams,
        body: Type.Object({ status: Type.Enum(["finished", "failed"]) }, { additionalProperties: false }),
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      orProblem(await runs.finish(request.params.run, request.body.status, actorOf(principalOf(request))));
      return reply.code(204).send(null);
    },
  );

  const ModelParams = Type.Object({ model: Type.String() });
  app.get(
    "/v1/models",
    {
      config: read,
      schema: { summary: "All models", tags: ["models"], response: { 200: Type.Object({ models: Type.Array(Type.Unknown()) }) } },
    },
    async () => ({ models: [...(await models.list())] }),
  );
  app.get(
    "/v1/models/:model",
    {
      config: read,
      schema: {
        summary: "Versions of a model",
        tags: ["models"],
        params: ModelParams,
        response: { 200: Type.Object({ versions: Type.Array(ModelVersionView) }) },
      },
    },
    async (request) => {
      const versions = await models.versions(request.params.model);
      if (versions.length === 0) throw notFound(`model "${request.params.model}"`);
      return { versions: versions.map(modelView) };
    },
  );
  app.post(
    "/v1/models/:model/versions",
    {
      config: write,
      schema: {
        summary: "Register a version: its bytes never change again",
        tags: ["models"],
        params: ModelParams,
        body: Type.Object(
          { blob: Type.String(), featureSet: Type.Optional(Type.String({ description: "fs:…" })), run: Type.Optional(Type.String()) },
          { additionalProperties: false },
        ),
        response: { 200: ModelVersionView },
      },
    },
    async (request) => {
      const { blob, featureSet, run } = request.body;
      const id = blobId(blob);
      const set = featureSet === undefined ? undefined : (await featureSets.list()).find((one) => one.id === featureSet);
      if (featureSet !== undefined && !set) throw notFound(`feature set ${featureSet}`);
      const signature = signatureOf(await parts.store.blobs.get(id), set?.spec.features.map(({ name }) => name) ?? []);
      const version = await models.register(
        { model: request.params.model, blob: id, signature, ...(set ? { featureSet: set.id } : {}), ...(run === undefined ? {} : { run }) },
        actorOf(principalOf(request)),
      );
      return modelView(orProblem(version));
    },
  );
  app.post(
    "/v1/models/:model/aliases",
    {
      config: write,
      schema: {
        summary: "Move an alias",
        tags: ["models"],
        params: ModelParams,
        body: Type.Object({ alias: Type.String(), number: orNull(Type.Integer()), reason: Type.String() }, { additionalProperties: false }),
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      orProblem(await models.setAlias({ model: request.params.model, ...request.body }, actorOf(principalOf(request))));
      return reply.code(204).send(null);
    },
  );

  app.get(
    "/v1/steps/:key",
    {
      config: read,
      schema: {
        summary: "What became of a step once",
        tags: ["pipelines"],
        params: Type.Object({ key: Type.String() }),
        response: { 200: StepOutcomeRecord },
      },
    },
    async (request) => {
      const outcome = await parts.steps.find(request.params.key);
      if (!outcome) throw notFound(`step ${request.params.key}`);
      return outcome;
    },
  );
  app.post(
    "/v1/steps",
    {
      config: write,
      schema: { summary: "Keep what became of a step", tags: ["pipelines"], body: StepOutcomeRecord, response: { 204: Type.Null() } },
    },
    async (request, reply) => {
      if (!(await parts.steps.save(request.body)))
        throw new ProblemError("unprocessable", "It names bytes that are not in the store: put its outputs there first.");
      return reply.code(204).send(null);
    },
  );

  app.get(
    "/v1/lineage",
    {
      config: read,
      schema: {
        summary: "What something was made of, or what was made of it",
        tags: ["lineage"],
        querystring: Type.Object({
          kind: Type.Enum(nodeKinds),
          id: Type.String(),
          direction: Type.Optional(Type.Enum(["upstream", "downstream"])),
        }),
        response: { 200: Type.Unknown() },
      },
    },
    async (request) => {
      const { direction = "upstream", ...node } = request.query;
      return direction === "upstream" ? lineage.upstream(node) : lineage.downstream(node);
    },
  );
};

/** Raw content types are parsed to buffers in this scope; JSON is no upload. */
function bytesOf(body: unknown): Buffer {
  if (Buffer.isBuffer(body)) return body;
  throw new ProblemError("unsupported-media-type", "Send the bytes with `content-type: application/octet-stream`.");
}

function blobId(text: string): BlobId {
  const id = parseBlobId(text);
  if (!id) throw new ProblemError("invalid", undefined, [{ path: "/blob", expected: "sha256: and 64 hex digits", got: text.slice(0, 80) }]);
  return id;
}

/** The spec's own schema checks what it says. */
function parsedJson<T>(text: string): T {
  try {
    return JSON.parse(text) as T;
  } catch {
    throw new ProblemError("invalid", undefined, [{ path: "/spec", expected: "JSON", got: text.slice(0, 60) }]);
  }
}

function orProblem<T>(result: Result<T, Refusal>): T {
  if (result.ok) return result.value;
  const { error } = result;
  switch (error.kind) {
    case "invalid":
      throw new ProblemError("invalid", "Nothing was kept.", error.issues);
    case "unknown":
      throw new ProblemError("not-found", `There is no ${error.what} ${error.name}${error.hint ? `: ${error.hint}` : ""}.`);
    case "conflict":
      throw new ProblemError("conflict", error.message);
  }
}

/** Reads an ONNX file's inputs and outputs; one that can't be served is refused here, before anything loads it. */
function signatureOf(bytes: Buffer, features: readonly string[]) {
  const model = inspectModel(bytes);
  if (!model.ok) throw new ProblemError("unprocessable", "This is no model that Evenkeel can serve. Convert it to ONNX.", model.error);
  const { inputs, outputs } = model.value;
  const call = features.length > 0 ? scoreCall(model.value, features.length, {}) : undefined;
  if (call && !call.ok) throw new ProblemError("unprocessable", "The model doesn't fit its feature set.", call.error);
  const tensors = (all: typeof inputs) => all.map(({ name, type, shape }) => ({ name, type, shape: [...(shape ?? [])] }));
  return {
    inputs: tensors(inputs),
    outputs: tensors(outputs),
    features: [...features],
    scoreOutput: call?.ok ? call.value.output : (outputs[0]?.name ?? ""),
  };
}

function datasetView({ dataset, number, id, blob, rows, bytes, tags, createdAtMs }: DatasetVersion, isNew: boolean): DatasetVersionView {
  return { dataset, number, id, blob, rows, bytes, tags: [...tags], createdAt: iso(createdAtMs), isNew };
}

function runView({ id, experiment, name, status, params, metrics, startedAtMs, endedAtMs, createdBy }: Run): RunView {
  return {
    id,
    experiment,
    name,
    status,
    params: { ...params },
    metrics: { ...metrics },
    startedAt: iso(startedAtMs),
    endedAt: endedAtMs === null ? null : iso(endedAtMs),
    createdBy,
  };
}

function modelView({ model, number, id, blob, signature, featureSet, run, createdAtMs }: ModelVersion): ModelVersionView {
  return { model, number, id, blob, features: [...signature.features], featureSet, run, createdAt: iso(createdAtMs) };
}
