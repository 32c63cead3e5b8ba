/** Steps of pipelines: what became of them, and whether the same comes out again. */
import { Type, type Static } from "typebox";
import { actorOf } from "../access/index.ts";
import { StepOutcomeRecord, StepRepeat } from "../pipelines/index.ts";
import { ProblemError } from "./problem.ts";
import { readsRegistry, writesRegistry, type RegistryRouteParts } from "./registry-parts.ts";
import { notFound, principalOf, type Server } from "./server.ts";

export const DeterminismView = Type.Object(
  {
    repeats: Type.Integer({ description: "How often it was looked" }),
    differing: Type.Array(Type.String(), { description: "Outputs that were not the same bytes every time" }),
  },
  { title: "Determinism" },
);
export type DeterminismView = Static<typeof DeterminismView>;

export function stepRoutes(app: Server, { steps }: RegistryRouteParts): void {
  app.get(
    "/v1/steps/:key",
    {
      config: readsRegistry,
      schema: {
        summary: "What became of a step once",
        tags: ["pipelines"],
        params: Type.Object({ key: Type.String() }),
        response: { 200: StepOutcomeRecord },
      },
    },
    async (request) => {
      const outcome = await steps.find(request.params.key);
      if (!outcome) throw notFound(`step ${request.params.key}`);
      return outcome;
    },
  );
  app.post(
    "/v1/steps",
    {
      config: writesRegistry,
      schema: {
        summary: "Keep what became of a step",
        description: "The first outcome of a key stays.",
        tags: ["pipelines"],
        body: StepOutcomeRecord,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      if (!(await steps.save(request.body)))
        throw new ProblemError("unprocessable", "It names bytes that are not in the store: put its outputs there first.");
      return reply.code(204).send(null);
    },
  );
  app.get(
    "/v1/pipelines/:pipeline/steps/:step",
    {
      config: readsRegistry,
      schema: {
        summary: "The newest outcome of a step, whatever it was made of",
        description: "Its facts, when there are any, say what that was: so what has changed since can be told.",
        tags: ["pipelines"],
        params: Type.Object({ pipeline: Type.String(), step: Type.String() }),
        response: { 200: StepOutcomeRecord },
      },
    },
    async (request) => {
      const { pipeline, step } = request.params;
      const outcome = await steps.newest(pipeline, step);
      if (!outcome) throw notFound(`step ${step} of pipeline ${pipeline}`);
      return outcome;
    },
  );
  app.get(
    "/v1/steps/:key/repeats",
    {
      config: readsRegistry,
      schema: {
        summary: "Whether a step does the same again",
        tags: ["pipelines"],
        params: Type.Object({ key: Type.String() }),
        response: { 200: DeterminismView },
      },
    },
    async (request) => {
      const found = await steps.determinism(request.params.key);
      if (!found) throw notFound(`step ${request.params.key}`);
      return { repeats: found.repeats, differing: [...found.differing] };
    },
  );
  app.post(
    "/v1/steps/:key/repeats",
    {
      config: writesRegistry,
      schema: {
        summary: "Keep what came out when a step ran again",
        description: "The first outcome stays the one that counts.",
        tags: ["pipelines"],
        params: Type.Object({ key: Type.String() }),
        body: StepRepeat,
        response: { 200: DeterminismView },
      },
    },
    async (request) => {
      const { key } = request.params;
      if (!(await steps.find(key))) throw notFound(`step ${key}`);
      const found = await steps.addRepeat(key, request.body, actorOf(principalOf(request)));
      if (!found) throw new ProblemError("unprocessable", "It names bytes that are not in the store: put its outputs there first.");
      return { repeats: found.repeats, differing: [...found.differing] };
    },
  );
}
