/** The way in for applications: ask for a decision, tell what became of it; and the way back for people who look a decision up. */
import { iso } from "./iso.ts";
import { orNull } from "../checked.ts";
import { Type, type Static } from "typebox";
import { actorOf, mayDo, type Audit, type ProtectedReads } from "../access/index.ts";
import {
  groupsOf,
  readDecision,
  readDecisions,
  readOutcomes,
  readShadowAnswers,
  recordOutcomes,
  type RecordedDecision,
} from "../decisions/index.ts";
import type { Reasons } from "../diagnosis/index.ts";
import type { DecisionRefusal, Gateway } from "../serving/index.ts";
import { canonicalJson, sha256Hex, type Store } from "../store/index.ts";
import { unreachable, type DecisionId, type EndpointName, type ReleaseId } from "../std.ts";
import { RELEASE_HEADER_TEXT, askedRelease, type AskedReleaseParts } from "./asked-release.ts";
import { idempotencyKeyOf } from "./idempotency-key.ts";
import { ProblemError } from "./problem.ts";
import { Explanation, explanationFor } from "./reason-views.ts";
import { notFound, principalOf, validatorOf, type Server } from "./server.ts";
import { traceOf } from "./traces.ts";

const EndpointParams = Type.Object({ endpoint: Type.String() });
const Value = Type.Union([Type.Number(), Type.String(), Type.Boolean(), Type.Null()]);

/** Documentation of the body; the endpoint's own schema is stricter and checks it. */
const DecisionBody = Type.Object(
  {
    subject: Type.Optional(
      Type.String({ description: "Who is decided about, in the application's own words. Kept only as a keyed hash." }),
    ),
    inputs: Type.Record(Type.String(), Value, { description: "The endpoint's inputs" }),
    groups: Type.Optional(
      Type.Record(Type.String(), Type.String(), { description: "The person's groups, where they are known. Never shown to a model." }),
    ),
  },
  { title: "DecisionRequest" },
);
export const DecisionReplyView = Type.Object(
  {
    id: Type.String(),
    action: Type.String(),
    score: orNull(Type.Number()),
    reasons: Type.Array(Type.String()),
    release: Type.String({ description: "r12" }),
    generation: Type.Integer(),
    route: Type.Enum(["live", "canary", "ab", "standby", "fallback", "pinned"]),
    decidedAt: Type.String(),
    explanation: Type.Optional(Explanation),
  },
  { title: "Decision" },
);
export type DecisionReplyView = Static<typeof DecisionReplyView>;

const OutcomesBody = Type.Object(
  {
    outcomes: Type.Array(
      Type.Object(
        {
          decision: Type.String({ maxLength: 40 }),
          value: Type.String({ minLength: 1, maxLength: 250 }),
          at: Type.Optional(Type.String({ description: "ISO 8601; now when left out" })),
        },
        { additionalProperties: false },
      ),
      { minItems: 1, maxItems: 1000 },
    ),
  },
  { additionalProperties: false },
);
const OutcomesView = Type.Object(
  { recorded: Type.Integer(), corrected: Type.Integer(), unchanged: Type.Integer(), unknown: Type.Array(Type.String()) },
  { title: "RecordedOutcomes" },
);

export const DecisionView = Type.Object(
  {
    seq: Type.Integer(),
    id: Type.String(),
    release: Type.String(),
    route: Type.String(),
    generation: Type.Integer(),
    action: Type.String(),
    score: orNull(Type.Number()),
    reasons: Type.Array(Type.String()),
    because: orNull(Type.String({ description: "Why the planned release didn't answer" })),
    decidedAt: Type.String(),
    latencyMs: Type.Number(),
    isCounted: Type.Boolean({ description: "Evidence for guardrails; else a repeat within 24 hours" }),
    groups: orNull(Type.Record(Type.String(), Type.String(), { description: "Only for readers with protected:read" })),
  },
  { title: "RecordedDecision" },
);
export type DecisionView = Static<typeof DecisionView>;
export const DecisionPageView = Type.Object(
  { decisions: Type.Array(DecisionView), next: orNull(Type.Integer()) },
  { title: "DecisionPage" },
);
export type DecisionPageView = Static<typeof DecisionPageView>;
export const DecisionDetailView = Type.Object(
  {
    ...DecisionView.properties,
    request: orNull(Type.Unknown({ description: "As it was sent; only for readers with protected:read, null once erased" })),
    outcomes: Type.Array(Type.Object({ value: Type.String(), good: Type.Boolean(), at: Type.String() })),
    shadows: Type.Array(Type.Object({ release: Type.String(), action: Type.String(), score: orNull(Type.Number()) })),
  },
  { title: "DecisionDetail" },
);
export type DecisionDetailView = Static<typeof DecisionDetailView>;

export interface DecisionRouteParts extends Pick<AskedReleaseParts, "isCondemned"> {
  readonly gateway: Gateway;
  readonly store: Store;
  readonly audit: Audit;
  readonly reads: ProtectedReads;
  readonly reasons: Pick<Reasons, "of">;
  /** Told of what failed when an answer had already been given. */
  readonly onError: (error: Error, reference: string) => void;
  /** Declared outcomes of an endpoint, each with whether it is good; undefined for an unknown endpoint. */
  readonly outcomesOf: (endpoint: string) => ReadonlyMap<string, boolean> | undefined;
  /** `r12`, where it is one of the endpoint's. */
  readonly releaseName: (endpoint: string, release: ReleaseId) => string;
  readonly releaseId: (endpoint: string, name: string) => ReleaseId | undefined;
}

/** Decisions that an entry of the audit log about corrected outcomes names. */
const CORRECTIONS_NAMED = 100;

export const decisionRoutes = (parts: DecisionRouteParts) => (app: Server) => {
  const { gateway, store, audit, reads } = parts;
  app.post(
    "/v1/endpoints/:endpoint/decisions",
    {
      config: { right: "decide", takesRelease: true, turnsAway: (endpoint) => gateway.turnsAway(endpoint) },
      schema: {
        summary: "Decide about a person",
        description: `Answered once it is recorded. With an \`Idempotency-Key\` the same request gives the same answer again. With \`reasons=true\` the answer says what moved the score most, if that is found in time: it never comes later for it. ${RELEASE_HEADER_TEXT}`,
        tags: ["decisions"],
        params: EndpointParams,
        querystring: Type.Object({ reasons: Type.Optional(Type.Boolean({ description: "Give the principal reasons with the answer" })) }),
        body: DecisionBody,
        response: { 200: DecisionReplyView },
      },
      // The endpoint's compiled schema checks the body; this one is for the documentation.
      validatorCompiler: ({ schema, httpPart }) => (httpPart === "body" ? () => true : validatorOf(schema, httpPart)),
    },
    async (request, reply) => {
      const startedUs = request.query.reasons ? store.runtime.clock.monotonicUs() : 0;
      const idempotencyKey = idempotencyKeyOf(request) ?? null;
      const pinned = askedRelease(request, parts, request.params.endpoint);
      const decided = await gateway.decide(request.params.endpoint, request.body, {
        ...(pinned === undefined ? {} : { pinned }),
        ...traceOf(request),
        payload: request.rawText,
        source: principalOf(request).tokenId,
        idempotencyKey,
        // Of what the body says, not of how it was written: a retry may come through another serialiser.
        bodyHash: idempotencyKey === null ? null : sha256Hex(canonicalJson(request.body)),
      });
      if (!decided.ok) throw refusal(decided.error, request.params.endpoint);
      if (decided.value.isReplay) void reply.header("idempotent-replayed", "true");
      const answer = { ...decided.value.reply, reasons: [...decided.value.reply.reasons] };
      if (!request.query.reasons) return answer;
      return { ...answer, explanation: await explanationFor(parts, { endpoint: request.params.endpoint, id: answer.id, startedUs }) };
    },
  );

  app.post(
    "/v1/endpoints/:endpoint/outcomes",
    {
      config: { right: "outcomes:write" },
      schema: {
        summary: "Tell what became of decisions",
        description: "The first outcome of a decision counts; a later one that differs is kept as a correction.",
        tags: ["decisions"],
        params: EndpointParams,
        body: OutcomesBody,
        response: { 200: OutcomesView },
      },
    },
    async (request) => {
      const declared = parts.outcomesOf(request.params.endpoint);
      if (!declared) throw notFound(`endpoint "${request.params.endpoint}"`);
      const nowMs = store.runtime.clock.nowMs();
      const issues = request.body.outcomes.flatMap(({ value, at }, i) => [
        ...(declared.has(value)
          ? []
          : [
              {
                path: `/outcomes/${i}/value`,
                expected: `an outcome of the endpoint: ${[...declared.keys()].join(", ") || "it declares none"}`,
                got: value,
              },
            ]),
        ...(at === undefined || Number.isFinite(Date.parse(at))
          ? []
          : [{ path: `/outcomes/${i}/at`, expected: "a time in ISO 8601", got: at }]),
      ]);
      if (issues.length > 0) throw new ProblemError("invalid", undefined, issues.slice(0, 20));
      const outcomes = request.body.outcomes.map(({ decision, value, at }) => ({
        decision: asDecisionId(decision),
        value,
        good: declared.get(value) ?? false,
        atMs: at === undefined ? nowMs : Date.parse(at),
      }));
      const recorded = await recordOutcomes(store, outcomes, {
        source: principalOf(request).tokenId,
        endpoint: asEndpointName(request.params.endpoint),
        onCorrected: (tx, decisions) =>
          audit.append(tx, {
            actor: actorOf(principalOf(request)),
            action: "outcome.corrected",
            object: `endpoint/${request.params.endpoint}`,
            payload: { count: decisions.length, decisions: decisions.slice(0, CORRECTIONS_NAMED) },
          }),
      });
      return { ...recorded, unknown: [...recorded.unknown] };
    },
  );

  app.get(
    "/v1/endpoints/:endpoint/decisions",
    {
      config: { right: "decisions:read" },
      schema: {
        summary: "Recorded decisions, newest first",
        tags: ["decisions"],
        params: EndpointParams,
        querystring: Type.Object({
          release: Type.Optional(Type.String({ description: "r12" })),
          action: Type.Optional(Type.String()),
          after: Type.Optional(Type.Integer({ minimum: 0 })),
          limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
        }),
        response: { 200: DecisionPageView },
      },
    },
    async (request) => {
      const { endpoint } = request.params;
      if (!parts.outcomesOf(endpoint)) throw notFound(`endpoint "${endpoint}"`);
      const { release: name, action, after, limit = 50 } = request.query;
      const release = name === undefined ? undefined : parts.releaseId(endpoint, name);
      if (name !== undefined && release === undefined) throw notFound(`release "${name}"`);
      const filter = { endpoint: asEndpointName(endpoint), ...(release ? { release } : {}), ...(action === undefined ? {} : { action }) };
      const page = await readDecisions(store.db, filter, { limit, ...(after === undefined ? {} : { after }) });
      const seesGroups = mayDo(principalOf(request), "protected:read");
      const decisions = page.decisions.map((decision) => viewOf(decision, parts, seesGroups));
      const shown = decisions.filter(({ groups }) => groups !== null).length;
      await reads.note(principalOf(request), { object: `endpoint/${endpoint}`, asked: { view: "decisions", ...request.query }, shown });
      return { decisions, next: page.next };
    },
  );

  app.get(
    "/v1/endpoints/:endpoint/decisions/:id",
    {
      config: { right: "decisions:read" },
      schema: {
        summary: "One recorded decision with what became of it",
        tags: ["decisions"],
        params: Type.Object({ endpoint: Type.String(), id: Type.String() }),
        response: { 200: DecisionDetailView },
      },
    },
    async (request) => {
      const { endpoint, id } = request.params;
      const decision = await readDecision(store.db, asDecisionId(id));
      if (!decision || decision.endpoint !== endpoint) throw notFound(`decision ${id}`);
      const seesGroups = mayDo(principalOf(request), "protected:read");
      const shown = seesGroups && decision.payload !== null ? 1 : 0;
      await reads.note(principalOf(request), { object: `decision/${decision.id}`, asked: { endpoint }, shown });
      const [outcomes, shadows] = [await readOutcomes(store.db, decision.id), await readShadowAnswers(store.db, decision.id)];
      return {
        ...viewOf(decision, parts, seesGroups),
        request: seesGroups && decision.payload !== null ? JSON.parse(decision.payload) : null,
        outcomes: outcomes.map(({ value, good, atMs }) => ({ value, good, at: iso(atMs) })),
        shadows: shadows.map(({ release, action, score }) => ({ release: parts.releaseName(endpoint, release), action, score })),
      };
    },
  );
};

function viewOf(decision: RecordedDecision, parts: DecisionRouteParts, seesGroups: boolean): DecisionView {
  const {
    seq,
    id,
    endpoint,
    release,
    answeredBy,
    generation,
    action,
    score,
    reasons,
    because,
    decidedAtMs,
    latencyUs,
    counted,
    cell,
    payload,
  } = decision;
  return {
    seq,
    id,
    release: parts.releaseName(endpoint, release),
    route: answeredBy,
    generation,
    action,
    score,
    reasons: [...reasons],
    because,
    decidedAt: iso(decidedAtMs),
    latencyMs: latencyUs / 1000,
    isCounted: counted,
    groups: seesGroups && payload !== null ? { ...groupsOf(cell) } : null,
  };
}

/** Why there is no decision, for the caller. @param rowsAt - where many applications stand in the body */
export function refusal(refused: DecisionRefusal, endpoint: string, rowsAt = ""): ProblemError {
  switch (refused.kind) {
    case "unknown-endpoint":
      return notFound(`endpoint "${endpoint}"`);
    case "invalid":
      return new ProblemError(
        "invalid",
        "Nothing was decided and nothing recorded.",
        refused.issues.map((issue) => ({ ...issue, path: rowsAt + issue.path })),
      );
    case "overloaded":
      return new ProblemError("overloaded", "Nothing was recorded. Try again in a second.");
    case "key-reused":
      return new ProblemError(
        "key-reused",
        "Give every request a key of its own, and the same key only to a retry of the same body.",
        (refused.rows ?? [])
          .slice(0, 20)
          .map((row) => ({ path: `${rowsAt}/${row}/key`, expected: "a key that no other body was sent with" })),
      );
    case "not-loaded":
      return new ProblemError("conflict", "That release is not loaded, so it can't decide. `evenkeel status` shows those that are.");
    case "too-late":
      return new ProblemError(
        "overloaded",
        refused.isRecorded
          ? "The answer came too late but was recorded: ask again with the same idempotency key."
          : "The answer came too late. Nothing was recorded.",
      );
    case "no-answer":
      return new ProblemError("overloaded", `No release had an answer, the fallback neither: ${refused.because}. Nothing was recorded.`);
    default:
      return unreachable(refused);
  }
}

/** Whether there is one with this id is the log's to say. */
const asDecisionId = (id: string): DecisionId => id as DecisionId;
/** The endpoint was found under this name. */
const asEndpointName = (name: string): EndpointName => name as EndpointName;
