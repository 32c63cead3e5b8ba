/** From a decision back to all that it was made with, and from what went into models forward to every decision made with it. */
import { Type, type Static } from "typebox";
import { reaches, type Principal } from "../access/index.ts";
import { orNull } from "../checked.ts";
import { nodeKinds, type LineageNode } from "../registry/index.ts";
import type { DecisionLineage, PageEnd, ReleaseCount, RouteAt, Transition } from "../releases/index.ts";
import type { DecisionId, ReleaseId } from "../std.ts";
import { EndpointParams } from "./command-body.ts";
import { iso } from "./iso.ts";
import { nodeNamed, type NodeParts } from "./lineage-nodes.ts";
import { MadeOfView, ReleaseHeadView, madeOfView, releaseHead } from "./made-of-view.ts";
import { ProblemError } from "./problem.ts";
import { NodeView } from "./run-routes.ts";
import { routeCommander } from "./route-commander.ts";
import { namesIn } from "./route-views.ts";
import { notFound, principalOf, type Server } from "./server.ts";
import { reasonFor } from "./shown-reason.ts";

const Time = Type.String({ description: "ISO 8601, UTC" });
const PlacedByView = Type.Object({
  generation: Type.Integer(),
  kind: Type.String(),
  actor: Type.String(),
  reason: Type.String(),
  at: Time,
});

export const DecisionTraceView = Type.Object(
  {
    decision: Type.Object({
      id: Type.String(),
      endpoint: Type.String(),
      decidedAt: Time,
      action: Type.String(),
      arm: Type.String(),
      generation: Type.Integer(),
      because: orNull(Type.String({ description: "Why the planned release didn't answer" })),
    }),
    placedBy: orNull(PlacedByView),
    madeOf: MadeOfView,
  },
  { title: "DecisionTrace" },
);
export type DecisionTraceView = Static<typeof DecisionTraceView>;

const counts = {
  decisions: Type.Integer({ description: "Answers that somebody received" }),
  pinned: Type.Integer({ description: "Answers to somebody who tried the release by name" }),
  shadows: Type.Integer({ description: "Answers that nobody received" }),
};
export const DecidedWithView = Type.Object(
  {
    root: NodeView,
    ...counts,
    endpoints: Type.Array(Type.Object({ endpoint: Type.String(), ...counts })),
    releases: Type.Array(
      Type.Object({
        ...ReleaseHeadView.properties,
        ...counts,
        days: Type.Array(Type.Object({ day: Type.String({ description: "2026-11-30, UTC" }), ...counts }), { description: "Oldest first" }),
      }),
      { description: "By endpoint, then by number; only those that answered" },
    ),
  },
  { title: "DecidedWith" },
);
export type DecidedWithView = Static<typeof DecidedWithView>;

export const MadeWithPageView = Type.Object(
  {
    decisions: Type.Array(
      Type.Object({
        id: Type.String(),
        endpoint: Type.String(),
        release: Type.String({ description: "rel:…" }),
        arm: Type.String(),
        decidedAt: Time,
      }),
      { description: "Release by release, each in the order of recording" },
    ),
    next: orNull(Type.String({ description: "Pass as after" })),
  },
  { title: "MadeWithPage" },
);
export type MadeWithPageView = Static<typeof MadeWithPageView>;

export const RouteAtView = Type.Object(
  {
    endpoint: Type.String(),
    at: Time,
    generation: orNull(Type.Integer({ description: "null: it did not answer yet" })),
    since: orNull(PlacedByView),
    releases: Type.Array(Type.Object({ places: Type.Array(Type.String()), madeOf: MadeOfView }), {
      description: "What could answer then, the most important first",
    }),
    answered: Type.Array(Type.Object({ release: Type.String({ description: "rel:…" }), arm: Type.String(), decisions: Type.Integer() }), {
      description: "Who answered in that minute, as counted",
    }),
  },
  { title: "RouteAt" },
);
export type RouteAtView = Static<typeof RouteAtView>;

const nodeQuery = {
  kind: Type.Enum(nodeKinds),
  id: Type.String({ description: "Its id, or a reference such as loans/2, credit@champion or, of a release, loans/r3" }),
};

export interface DecisionLineageParts extends NodeParts {
  readonly lineage: DecisionLineage;
}

export const decisionLineageRoutes = (parts: DecisionLineageParts) => (app: Server) => {
  backRoutes(app, parts);
  forwardRoutes(app, parts);
};

function backRoutes(app: Server, { lineage, releases }: DecisionLineageParts): void {
  const { roomOf } = routeCommander(releases);
  const placedBy = (transition: Transition | null, endpoint: string, principal: Principal) => {
    if (!transition) return null;
    const { generation, change, actor, atMs } = transition;
    return {
      generation,
      kind: change.kind,
      actor: actor.name,
      reason: reasonFor(transition, namesIn(roomOf(endpoint), principal)),
      at: iso(atMs),
    };
  };
  app.get(
    "/v1/lineage/decisions/:id",
    {
      config: { right: "decisions:read" },
      schema: {
        summary: "All that a decision was made with: release, model, run, features, data and code, and what of it nobody knows",
        tags: ["lineage"],
        params: Type.Object({ id: Type.String() }),
        response: { 200: DecisionTraceView },
      },
    },
    async (request) => {
      const principal = principalOf(request);
      const trace = await lineage.trace(asDecisionId(request.params.id));
      if (!trace || !reaches(principal, trace.decision.endpoint)) throw notFound(`decision ${request.params.id}`);
      const { id, endpoint, decidedAtMs, action, arm, generation, because } = trace.decision;
      return {
        decision: { id, endpoint, decidedAt: iso(decidedAtMs), action, arm, generation, because },
        placedBy: placedBy(trace.placedBy, endpoint, principal),
        madeOf: madeOfView(trace),
      };
    },
  );
  app.get(
    "/v1/endpoints/:endpoint/lineage",
    {
      config: { right: "read" },
      schema: {
        summary: "Which release answered at a time, and what it was made of",
        tags: ["lineage"],
        params: EndpointParams,
        querystring: Type.Object({ at: Type.Optional(Type.String({ description: "ISO 8601 with its zone; now when left out" })) }),
        response: { 200: RouteAtView },
      },
    },
    async (request) => {
      const { name } = roomOf(request.params.endpoint);
      const principal = principalOf(request);
      const at = request.query.at === undefined ? lineage.nowMs() : momentOf(request.query.at, lineage.nowMs());
      return routeAtView(await lineage.at(name, at), (transition) => placedBy(transition, name, principal));
    },
  );
}

function forwardRoutes(app: Server, parts: DecisionLineageParts): void {
  const { lineage, releases } = parts;
  app.get(
    "/v1/lineage/decided-with",
    {
      config: { right: "read" },
      schema: {
        summary: "How many decisions were made with something: by endpoint, release and day",
        description: "Counted as they are recorded: the answer takes no longer for a thousand million decisions.",
        tags: ["lineage"],
        querystring: Type.Object(nodeQuery),
        response: { 200: DecidedWithView },
      },
    },
    async (request) => {
      const principal = principalOf(request);
      const root = await nodeNamed(parts, request.query, principal);
      return decidedWithView(root, await lineage.decidedWith(root, (endpoint) => reaches(principal, endpoint)));
    },
  );
  app.get(
    "/v1/lineage/decided-with/decisions",
    {
      config: { right: "decisions:read" },
      schema: {
        summary: "The decisions that were made with something, and that somebody received",
        tags: ["lineage"],
        querystring: Type.Object({
          ...nodeQuery,
          endpoint: Type.Optional(Type.String()),
          release: Type.Optional(Type.String({ description: "r12, of the endpoint" })),
          day: Type.Optional(Type.String({ description: "2026-11-30, UTC" })),
          after: Type.Optional(Type.String()),
          limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
        }),
        response: { 200: MadeWithPageView },
      },
    },
    async (request) => {
      const principal = principalOf(request);
      const { kind, id, endpoint, release, day, after, limit = 100 } = request.query;
      const may = (name: string) => reaches(principal, name);
      if (endpoint === undefined && release !== undefined)
        throw new ProblemError("invalid", undefined, [
          { path: "/endpoint", expected: "the endpoint that the release is of", got: "nothing" },
        ]);
      const { roomOf, releaseOf } = routeCommander(releases);
      if (endpoint !== undefined && !may(endpoint)) throw notFound(`endpoint "${endpoint}"`);
      const room = endpoint === undefined ? undefined : roomOf(endpoint);
      const root = await nodeNamed(parts, { kind, id }, principal);
      const page = await lineage.decisionsWith(
        root,
        {
          limit,
          ...(room ? { endpoint: room.name } : {}),
          ...(room && release !== undefined ? { release: releaseOf(room, release).id } : {}),
          ...(day === undefined ? {} : { day: dayOf(day) }),
          ...(after === undefined ? {} : { after: pageEndOf(after) }),
        },
        may,
      );
      return {
        decisions: page.decisions.map((one) => ({
          id: one.id,
          endpoint: one.endpoint,
          release: one.release,
          arm: one.arm,
          decidedAt: iso(one.decidedAtMs),
        })),
        next: page.next && `${page.next.release}.${page.next.seq}`,
      };
    },
  );
}

const DAY_MS = 24 * 60 * 60 * 1000;

function decidedWithView(root: LineageNode, releases: readonly ReleaseCount[]): DecidedWithView {
  const summed = (some: readonly ReleaseCount[]) => ({
    decisions: some.reduce((sum, { decisions }) => sum + decisions, 0),
    pinned: some.reduce((sum, { pinned }) => sum + pinned, 0),
    shadows: some.reduce((sum, { shadows }) => sum + shadows, 0),
  });
  return {
    root,
    ...summed(releases),
    endpoints: [...Map.groupBy(releases, ({ release }) => release.endpoint)].map(([endpoint, some]) => ({ endpoint, ...summed(some) })),
    releases: releases.map((one) => ({
      ...releaseHead(one.release),
      ...summed([one]),
      days: one.days.map(({ day, ...some }) => ({ day: iso(day * DAY_MS).slice(0, 10), ...some })),
    })),
  };
}

function routeAtView(route: RouteAt, placedBy: (transition: Transition | null) => RouteAtView["since"]): RouteAtView {
  return {
    endpoint: route.endpoint,
    at: iso(route.atMs),
    generation: route.table?.generation ?? null,
    since: placedBy(route.since),
    releases: route.releases.map((one) => ({ places: [...one.places], madeOf: madeOfView(one) })),
    answered: route.answered.map((one) => ({ ...one })),
  };
}

/** A time with its zone: without one it would mean another moment on another machine. */
function momentOf(text: string, nowMs: number): number {
  const atMs = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d([.]\d{1,9})?)?(Z|[+-]\d\d:\d\d))?$/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isFinite(atMs)) throw badQuery("/at", "a time such as 2026-11-30T12:00:00Z, with its zone, or a day", text);
  if (atMs > nowMs) throw badQuery("/at", "a time that has come", text);
  return atMs;
}

function dayOf(text: string): number {
  const atMs = /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isFinite(atMs)) throw badQuery("/day", "a day such as 2026-11-30", text);
  return atMs / DAY_MS;
}

function pageEndOf(text: string): PageEnd {
  const [, release, seq] = /^(rel:[0-9a-f]{64})[.](\d{1,15})$/.exec(text) ?? [];
  if (release === undefined) throw badQuery("/after", "what the page before gave as next", text);
  return { release: asReleaseId(release), seq: Number(seq) };
}

const badQuery = (path: string, expected: string, got: string) =>
  new ProblemError("invalid", undefined, [{ path, expected, got: got.slice(0, 80) }]);

/** Only looked up: texts that are no ids are not found. */
const asDecisionId = (text: string): DecisionId => text as DecisionId;
const asReleaseId = (text: string): ReleaseId => text as ReleaseId;
