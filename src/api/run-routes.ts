/** Runs: one training each, with what went in and what came out. */
import { Type, type Static } from "typebox";
import { iso } from "./iso.ts";
import { orNull } from "../checked.ts";
import { actorOf } from "../access/index.ts";
import { RunLog, RunParams, RunTags, nodeKinds, runStatuses, type Run, type RunDetail } from "../registry/index.ts";
import { ProblemError } from "./problem.ts";
import { orProblem, readsRegistry, writesRegistry, type RegistryRouteParts } from "./registry-parts.ts";
import { principalOf, type Server } from "./server.ts";

const Time = Type.String({ description: "ISO 8601, UTC" });
const Scalar = Type.Union([Type.String(), Type.Number(), Type.Boolean()]);
export const NodeView = Type.Object(
  { kind: Type.Enum(nodeKinds), id: Type.String({ minLength: 1, maxLength: 250 }) },
  { title: "LineageNode", additionalProperties: false },
);
const Nodes = Type.Array(NodeView, { maxItems: 1000 });

export const RunView = Type.Object(
  {
    id: Type.String(),
    experiment: Type.String(),
    name: Type.String(),
    status: Type.Enum(runStatuses),
    params: Type.Record(Type.String(), Scalar),
    tags: Type.Record(Type.String(), Type.String()),
    metrics: Type.Record(Type.String(), Type.Number(), { description: "The newest value of each" }),
    startedAt: Time,
    endedAt: orNull(Time),
    createdBy: Type.String(),
  },
  { title: "Run" },
);
export type RunView = Static<typeof RunView>;
export const RunDetailView = Type.Object(
  {
    ...RunView.properties,
    history: Type.Array(Type.Object({ key: Type.String(), step: Type.Integer(), value: Type.Number(), at: Time })),
    artifacts: Type.Array(Type.Object({ path: Type.String(), blob: Type.String(), bytes: Type.Integer() })),
    inputs: Type.Array(NodeView),
    outputs: Type.Array(NodeView),
  },
  { title: "RunDetail" },
);
export type RunDetailView = Static<typeof RunDetailView>;
export const RunPageView = Type.Object({ runs: Type.Array(RunView), next: orNull(Type.String()) }, { title: "RunPage" });
export type RunPageView = Static<typeof RunPageView>;
const compared = <S extends Parameters<typeof Type.Array>[0]>(value: S) =>
  Type.Array(Type.Object({ key: Type.String(), values: Type.Array(orNull(value)), differs: Type.Boolean() }));
export const RunComparisonView = Type.Object(
  { runs: Type.Array(RunView), params: compared(Scalar), metrics: compared(Type.Number()) },
  { title: "RunComparison", description: "Values in the order of the runs; null where a run has none" },
);
export type RunComparisonView = Static<typeof RunComparisonView>;

const RunParam = Type.Object({ run: Type.String() });

export function runRoutes(app: Server, { registry: { runs, tracking } }: RegistryRouteParts): void {
  app.get(
    "/v1/runs",
    {
      config: readsRegistry,
      schema: {
        summary: "Runs, newest first",
        tags: ["runs"],
        querystring: Type.Object({
          experiment: Type.Optional(Type.String()),
          before: Type.Optional(Type.String()),
          limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
        }),
        response: { 200: RunPageView },
      },
    },
    async (request) => {
      const page = await runs.list(request.query);
      return { runs: page.runs.map(runView), next: page.next };
    },
  );
  app.get(
    "/v1/run-comparison",
    {
      config: readsRegistry,
      schema: {
        summary: "Runs side by side",
        tags: ["runs"],
        querystring: Type.Object({ runs: Type.String({ description: "Ids with commas between, at most 100" }) }),
        response: { 200: RunComparisonView },
      },
    },
    async (request) => {
      const comparison = orProblem(await runs.compare(request.query.runs.split(",")));
      const { params, metrics } = comparison;
      return {
        runs: comparison.runs.map(runView),
        params: params.map((row) => ({ ...row, values: [...row.values] })),
        metrics: metrics.map((row) => ({ ...row, values: [...row.values] })),
      };
    },
  );
  app.get(
    "/v1/runs/:run",
    { config: readsRegistry, schema: { summary: "One run", tags: ["runs"], params: RunParam, response: { 200: RunDetailView } } },
    async (request) => runDetailView(orProblem(await runs.get(request.params.run))),
  );
  app.post(
    "/v1/runs",
    {
      config: writesRegistry,
      schema: {
        summary: "Start a run",
        tags: ["runs"],
        body: Type.Object(
          {
            experiment: Type.String(),
            name: Type.String(),
            params: Type.Optional(RunParams),
            tags: Type.Optional(RunTags),
            inputs: Type.Optional(Nodes),
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
      config: writesRegistry,
      schema: {
        summary: "Add parameters, tags, metrics and artifacts",
        description: "A parameter never changes its value, and an artifact never its bytes.",
        tags: ["runs"],
        params: RunParam,
        body: RunLog,
        response: { 200: RunView },
      },
    },
    async (request) => runView(orProblem(await runs.log(request.params.run, request.body, actorOf(principalOf(request))))),
  );
  app.post(
    "/v1/runs/:run/links",
    {
      config: writesRegistry,
      schema: {
        summary: "Say what a run was made from, or what it made",
        tags: ["runs"],
        params: RunParam,
        body: Type.Object({ inputs: Type.Optional(Nodes), outputs: Type.Optional(Nodes) }, { additionalProperties: false }),
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      orProblem(await runs.link(request.params.run, request.body, actorOf(principalOf(request))));
      return reply.code(204).send(null);
    },
  );
  app.post(
    "/v1/runs/:run/finish",
    {
      config: writesRegistry,
      schema: {
        summary: "End a run: nothing is added to it any more",
        tags: ["runs"],
        params: RunParam,
        body: Type.Object({ status: Type.Enum(["finished", "failed"]) }, { additionalProperties: false }),
        response: { 200: RunView },
      },
    },
    async (request) => runView(orProblem(await runs.finish(request.params.run, request.body.status, actorOf(principalOf(request))))),
  );
  app.delete(
    "/v1/runs/:run",
    {
      config: writesRegistry,
      schema: {
        summary: "Delete a run of which nothing is made",
        description: "Refused while a release, or a protected alias, rests on what it made; the refusal names them.",
        tags: ["runs"],
        params: RunParam,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      const { id } = orProblem(await runs.get(request.params.run));
      const deleted = await tracking.runs.setDeleted(id, true, actorOf(principalOf(request)));
      if (!deleted.ok) throw new ProblemError("conflict", `${deleted.error.message}.`);
      return reply.code(204).send(null);
    },
  );
}

function runView({ id, experiment, name, status, params, tags, metrics, startedAtMs, endedAtMs, createdBy }: Run): RunView {
  return {
    id,
    experiment,
    name,
    status,
    params: { ...params },
    tags: { ...tags },
    metrics: { ...metrics },
    startedAt: iso(startedAtMs),
    endedAt: endedAtMs === null ? null : iso(endedAtMs),
    createdBy,
  };
}

function runDetailView(run: RunDetail): RunDetailView {
  return {
    ...runView(run),
    history: run.history.map(({ atMs, ...point }) => ({ ...point, at: iso(atMs) })),
    artifacts: run.artifacts.map((artifact) => ({ ...artifact })),
    inputs: [...run.inputs],
    outputs: [...run.outputs],
  };
}
