/** Where decisions are delivered to, and how far that has come. Sinks are declared by `POST /v1/apply`. */
import { Type, type Static } from "typebox";
import { actorOf, mayDo, reaches, rolesWith, type Principal } from "../access/index.ts";
import { orNull, valueAt } from "../checked.ts";
import { SinkSpec, type SinkRefusal, type SinkStatus, type Sinks } from "../decisions/index.ts";
import { unreachable, type Issue } from "../std.ts";
import type { ChangeView } from "./endpoint-view.ts";
import { iso } from "./iso.ts";
import { ProblemError } from "./problem.ts";
import { notFound, principalOf, type Server } from "./server.ts";

const counts = { decisions: Type.Integer(), outcomes: Type.Integer() };
export const SinkView = Type.Object(
  {
    name: Type.String(),
    kind: Type.Enum(["ndjson", "parquet", "mongodb", "http"]),
    endpoints: orNull(Type.Array(Type.String(), { description: "null: all, also those to come" })),
    include: Type.Array(Type.String({ description: "What of people goes along" })),
    state: Type.Enum(["running", "paused", "disabled"]),
    why: orNull(Type.String({ description: "Why it doesn't run" })),
    delivered: Type.Object(counts),
    lag: Type.Object(
      { ...counts, seconds: Type.Number({ description: "Age of the oldest entry that isn't delivered" }) },
      { description: "Recorded and not delivered yet" },
    ),
    failures: Type.Integer(),
    lastError: orNull(Type.String({ description: "Of the last attempt; null when that succeeded" })),
    lastErrorAt: orNull(Type.String()),
    lastSuccessAt: orNull(Type.String()),
    createdAt: Type.String(),
  },
  { title: "SinkStatus" },
);
export type SinkView = Static<typeof SinkView>;
export const SinkDetailView = Type.Object({ ...SinkView.properties, spec: SinkSpec }, { title: "SinkDetail" });
export type SinkDetailView = Static<typeof SinkDetailView>;

const SinkParams = Type.Object({ sink: Type.String() });
const ReasonBody = Type.Object(
  { reason: Type.String({ minLength: 1, maxLength: 2000, description: "Kept in the audit log" }) },
  { additionalProperties: false },
);

export const sinkRoutes = (sinks: Sinks) => (app: Server) => {
  app.get(
    "/v1/sinks",
    {
      config: { right: "read" },
      schema: {
        summary: "All sinks, and how far each has come",
        tags: ["sinks"],
        response: { 200: Type.Object({ sinks: Type.Array(SinkView) }) },
      },
    },
    async (request) => {
      const all = (await sinks.list()).filter((sink) => isVisible(principalOf(request), sink));
      return { sinks: all.map((sink) => viewOf(sink)) };
    },
  );
  app.get(
    "/v1/sinks/:sink",
    {
      config: { right: "read" },
      schema: { summary: "One sink with its declaration", tags: ["sinks"], params: SinkParams, response: { 200: SinkDetailView } },
    },
    async (request) => {
      const found = await sinks.show(request.params.sink);
      if (!found || !isVisible(principalOf(request), found)) throw notFound(`sink "${request.params.sink}"`);
      return { ...viewOf(found), spec: found.spec };
    },
  );
  for (const verb of ["pause", "resume"] as const)
    app.post(
      `/v1/sinks/:sink/${verb}`,
      {
        config: { right: "sinks:write" },
        schema: {
          summary: verb === "pause" ? "Deliver nothing for now; the sink keeps its place" : "Go on where the sink was",
          tags: ["sinks"],
          params: SinkParams,
          body: ReasonBody,
          response: { 200: SinkView },
        },
      },
      async (request) => {
        const { sink } = request.params;
        const done = await sinks[verb](sink, { actor: actorOf(principalOf(request)), reason: request.body.reason });
        if (!done.ok) throw problemOf(done.error, sink);
        return viewOf(done.value);
      },
    );
  app.delete(
    "/v1/sinks/:sink",
    {
      config: { right: "sinks:write" },
      schema: {
        summary: "Deliver nothing more",
        description: "What was delivered stays where it is. Declared again under its name, the sink goes on where it was.",
        tags: ["sinks"],
        params: SinkParams,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      const { sink } = request.params;
      const done = await sinks.remove(sink, { actor: actorOf(principalOf(request)), reason: "removed" });
      if (!done.ok) throw problemOf(done.error, sink);
      return reply.code(204).send(null);
    },
  );
};

/** Counts of a sink are over all that it takes: whoever reaches only some of its endpoints doesn't see it. */
export const isVisible = (principal: Principal, { spec: { endpoints } }: SinkStatus): boolean =>
  principal.endpoints === null || (endpoints !== undefined && endpoints.every((name) => reaches(principal, name)));

export interface ApplySinkRequest {
  readonly principal: Principal;
  readonly locate: (issue: Issue) => Issue;
  readonly isDry: boolean;
  /** Endpoints that stand before it in the same file. */
  readonly declared: readonly string[];
}

/** Declares a sink, for whoever may. @throws ProblemError */
export async function applySink(
  sinks: Sinks,
  value: unknown,
  { principal, locate, isDry, declared }: ApplySinkRequest,
): Promise<ChangeView> {
  refuse(principal, "sinks:write", "a sink has decisions delivered elsewhere");
  if (valueAt(value, "/protected") === true) refuse(principal, "protected:read", "this sink has people's data delivered elsewhere");
  const by = { actor: actorOf(principal), reason: "applied a file" };
  const done = isDry ? await sinks.plan(value, declared) : await sinks.apply(value, by);
  if (!done.ok) throw problemOf(done.error, "", locate);
  const { name, change, trouble } = done.value;
  const note = trouble === null ? {} : { note: `its target takes nothing now (${trouble}); the sink tries again and catches up` };
  return { kind: "sink", name, release: null, change, ...note };
}

function refuse(principal: Principal, right: "sinks:write" | "protected:read", why: string): void {
  if (mayDo(principal, right)) return;
  const { name, role } = principal;
  throw new ProblemError(
    "forbidden",
    `The token "${name}" (${role}) lacks the right ${right}, which ${rolesWith(right).join(", ")} can have: ${why}.`,
  );
}

function problemOf(refusal: SinkRefusal, name: string, locate: (issue: Issue) => Issue = (issue) => issue): ProblemError {
  switch (refusal.kind) {
    case "unknown-sink":
      return notFound(`sink "${name}"`);
    case "invalid":
      return new ProblemError("invalid", "Nothing was changed.", refusal.issues.map(locate));
    default:
      return unreachable(refusal);
  }
}

function viewOf(sink: SinkStatus): SinkView {
  const { spec, state, why, delivered, lag, lagMs, failures, lastError, lastErrorAtMs, lastSuccessAtMs, createdAtMs } = sink;
  return {
    name: spec.name,
    kind: spec.target.kind,
    endpoints: spec.endpoints ? [...spec.endpoints] : null,
    include: [...(spec.include ?? [])],
    state,
    why,
    delivered: { decisions: delivered.decision, outcomes: delivered.outcome },
    lag: { decisions: lag.decision, outcomes: lag.outcome, seconds: lagMs / 1000 },
    failures,
    lastError,
    lastErrorAt: lastErrorAtMs === null ? null : iso(lastErrorAtMs),
    lastSuccessAt: lastSuccessAtMs === null ? null : iso(lastSuccessAtMs),
    createdAt: iso(createdAtMs),
  };
}
