/** Endpoints: what answers, how their guardrails stand, and every way to change which release does. */
import { Type } from "typebox";
import { mayDo, reaches, type Principal } from "../access/index.ts";
import { shown } from "../checked.ts";
import type { ExpectationWatch } from "../monitoring/index.ts";
import type { EndpointRoom, GuardrailControl, Incidents, Releases, Rollbacks } from "../releases/index.ts";
import { ChangeView, EndpointView, type MemoryView, ReleaseView, SwitchView, TransitionRecordView } from "./endpoint-view.ts";
import { InputsSpec } from "../serving/index.ts";
import { apply, type ApplyParts } from "./apply.ts";
import { byOf } from "./by.ts";
import { warningView } from "./expectation-view.ts";
import { EndpointParams, ReasonBody, command } from "./command-body.ts";
import { guardrailViews } from "./guardrail-views.ts";
import { routeCommander } from "./route-commander.ts";
import { namesIn, releaseView, routeView, transitionView } from "./route-views.ts";
import { ProblemError } from "./problem.ts";
import { releaseProblem } from "./release-problems.ts";
import { refuseNewTarget } from "./server-targets.ts";
import { principalOf, type Server } from "./server.ts";

export interface EndpointRouteParts extends ApplyParts {
  readonly control: GuardrailControl;
  readonly incidents: Incidents;
  readonly rollbacks: Rollbacks;
  readonly expectations: Pick<ExpectationWatch, "warnings">;
}

const ReleaseParams = Type.Object({ endpoint: Type.String(), release: Type.String() });
const ReleaseBody = Type.Object({ release: Type.String({ description: "r12" }), ...command }, { additionalProperties: false });
const CanaryBody = Type.Object(
  {
    release: Type.String(),
    share: Type.Number({ exclusiveMinimum: 0, exclusiveMaximum: 1, description: "Of the people whom `when` holds for" }),
    when: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 4096,
        description: "CEL condition over the inputs, blind to groups: amount < 5000. Everybody when left out",
      }),
    ),
    ...command,
  },
  { additionalProperties: false },
);
const ShadowBody = Type.Object(
  {
    release: Type.String({ description: "r12" }),
    share: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 1, description: "Of the people; everybody when left out" })),
    ...command,
  },
  { additionalProperties: false },
);
const RollbackBody = Type.Object(
  {
    to: Type.Optional(Type.String({ description: "A release that was live before, or the fallback; the last good one when left out" })),
    condemn: Type.Optional(Type.Boolean()),
    ...command,
  },
  { additionalProperties: false },
);
const ApplyBody = Type.Object(
  { yaml: Type.String({ maxLength: 262_144 }), dryRun: Type.Optional(Type.Boolean()) },
  { additionalProperties: false },
);
/** The release's own schema checks the rest, with paths of its own. */
const NewReleaseBody = Type.Record(Type.String(), Type.Unknown());

export const endpointRoutes = (parts: EndpointRouteParts) => (app: Server) => {
  const { releases } = parts;
  const { roomOf, releaseOf, told, act } = routeCommander(releases);

  app.post(
    "/v1/apply",
    {
      config: { right: "apply" },
      schema: {
        summary: "Declare endpoints, releases, sinks, channels and alerts in YAML",
        description: "All of it is checked before any of it is applied. The same text twice changes nothing.",
        tags: ["endpoints"],
        body: ApplyBody,
        response: { 200: Type.Object({ changes: Type.Array(ChangeView) }) },
      },
    },
    async (request) => ({ changes: await apply(parts, request.body.yaml, principalOf(request), request.body.dryRun ?? false) }),
  );
  app.get(
    "/v1/endpoints",
    {
      config: { right: "read" },
      schema: {
        summary: "All endpoints with their guardrails",
        tags: ["endpoints"],
        response: { 200: Type.Object({ endpoints: Type.Array(EndpointView) }) },
      },
    },
    async (request) => {
      const principal = principalOf(request);
      const rooms = releases.rooms().filter(({ name }) => reaches(principal, name));
      return { endpoints: await Promise.all(rooms.map((room) => endpointView(parts, room, principal))) };
    },
  );
  app.get(
    "/v1/endpoints/:endpoint",
    {
      config: { right: "read" },
      schema: { summary: "One endpoint with its guardrails", tags: ["endpoints"], params: EndpointParams, response: { 200: EndpointView } },
    },
    async (request) => endpointView(parts, roomOf(request.params.endpoint), principalOf(request)),
  );
  app.get(
    "/v1/endpoints/:endpoint/inputs",
    {
      config: { right: "read" },
      schema: {
        summary: "What an endpoint asks, as it was declared",
        description: "Values of an input that names a group are for readers with protected:read.",
        tags: ["endpoints"],
        params: EndpointParams,
        response: { 200: InputsSpec },
      },
    },
    async (request) => {
      const { inputs, groups } = roomOf(request.params.endpoint).definition.compiled;
      return mayDo(principalOf(request), "protected:read") ? { ...inputs } : withoutGroupValues(inputs, groups);
    },
  );
  app.get(
    "/v1/endpoints/:endpoint/transitions",
    {
      config: { right: "read" },
      schema: {
        summary: "Every change of the route table, newest first",
        tags: ["endpoints"],
        params: EndpointParams,
        querystring: Type.Object({
          before: Type.Optional(Type.Integer()),
          limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
        }),
        response: { 200: Type.Object({ transitions: Type.Array(TransitionRecordView) }) },
      },
    },
    async (request) => {
      const room = roomOf(request.params.endpoint);
      const names = namesIn(room, principalOf(request));
      const history = await releases.history(room.name, request.query);
      return { transitions: history.map((transition) => transitionView(room, transition, names)) };
    },
  );
  app.get(
    "/v1/endpoints/:endpoint/releases",
    {
      config: { right: "read" },
      schema: {
        summary: "All releases of an endpoint, newest first",
        tags: ["releases"],
        params: EndpointParams,
        response: { 200: Type.Object({ releases: Type.Array(ReleaseView) }) },
      },
    },
    async (request) => {
      const room = roomOf(request.params.endpoint);
      const all = [...room.releases.values()].toSorted((a, b) => b.number - a.number);
      return { releases: all.map((info) => releaseView(room, info)) };
    },
  );
  app.get(
    "/v1/endpoints/:endpoint/releases/:release",
    {
      config: { right: "read" },
      schema: { summary: "One release", tags: ["releases"], params: ReleaseParams, response: { 200: ReleaseView } },
    },
    async (request) => {
      const room = roomOf(request.params.endpoint);
      return releaseView(room, releaseOf(room, request.params.release));
    },
  );
  app.post(
    "/v1/endpoints/:endpoint/releases",
    {
      config: { right: "route:write" },
      schema: {
        summary: "Make a release",
        description: "Loaded and tried before it is known. The same parts are the same release.",
        tags: ["releases"],
        params: EndpointParams,
        body: NewReleaseBody,
        response: { 200: ReleaseView, 201: ReleaseView },
      },
    },
    async (request, reply) => {
      const room = roomOf(request.params.endpoint);
      const named = request.body["endpoint"];
      if (named !== undefined && named !== room.name)
        throw new ProblemError("invalid", undefined, [
          { path: "/endpoint", expected: `${room.name}, as in the address, or nothing`, got: shown(named) },
        ]);
      refuseNewTarget(principalOf(request), room, request.body);
      const made = await releases.createRelease(
        { ...request.body, endpoint: room.name },
        byOf(principalOf(request), { reason: "made a release" }),
      );
      if (!made.ok) throw releaseProblem(made.error, room);
      return reply.code(made.value.isNew ? 201 : 200).send(releaseView(room, made.value.info));
    },
  );
  const routes = { params: EndpointParams, response: { 200: SwitchView } };
  app.post(
    "/v1/endpoints/:endpoint/shadow",
    {
      config: { right: "route:write" },
      schema: {
        summary: "Let a release answer in the shadow: recorded, given to nobody",
        tags: ["releases"],
        description: "Up to four at a time, each for a share of the people; the same person is always in or out.",
        ...routes,
        body: ShadowBody,
      },
    },
    (request) =>
      act(
        principalOf(request),
        request.params.endpoint,
        (room) => ({
          kind: "shadow",
          release: releaseOf(room, request.body.release).id,
          ...(request.body.share === undefined ? {} : { share: request.body.share }),
        }),
        request.body,
      ),
  );
  app.post(
    "/v1/endpoints/:endpoint/canary",
    {
      config: { right: "route:write" },
      schema: { summary: "Let a release answer a share of the people", tags: ["releases"], ...routes, body: CanaryBody },
    },
    (request) =>
      act(
        principalOf(request),
        request.params.endpoint,
        (room) => ({
          kind: "canary",
          release: releaseOf(room, request.body.release).id,
          share: request.body.share,
          ...(request.body.when === undefined ? {} : { when: request.body.when }),
        }),
        request.body,
      ),
  );
  app.post(
    "/v1/endpoints/:endpoint/promote",
    { config: { right: "route:write" }, schema: { summary: "Make a release live", tags: ["releases"], ...routes, body: ReleaseBody } },
    (request) =>
      act(
        principalOf(request),
        request.params.endpoint,
        (room) => ({ kind: "promote", release: releaseOf(room, request.body.release).id }),
        request.body,
      ),
  );
  app.post(
    "/v1/endpoints/:endpoint/rollback",
    {
      config: { right: "route:write" },
      schema: {
        summary: "Put the last good release, or the fallback, back",
        description:
          "Condemns what was live and opens an incident about it, in which the people whom it answered are found. With `condemn: false` nothing is said against it, and neither happens.",
        tags: ["releases"],
        ...routes,
        body: RollbackBody,
      },
    },
    async (request) => {
      const room = roomOf(request.params.endpoint);
      const principal = principalOf(request);
      const { to, condemn = true } = request.body;
      const wish = { from: null, to: to === undefined ? null : releaseOf(room, to).id, condemn };
      return told(principal, room, () => parts.rollbacks.byHand(room, wish, byOf(principal, request.body)));
    },
  );
  app.post(
    "/v1/endpoints/:endpoint/stop",
    {
      config: { right: "route:write" },
      schema: { summary: "End a release's shadow or canary", tags: ["releases"], ...routes, body: ReleaseBody },
    },
    (request) =>
      act(
        principalOf(request),
        request.params.endpoint,
        (room) => {
          const { id } = releaseOf(room, request.body.release);
          return room.table.canary?.release === id ? { kind: "stop-canary" } : { kind: "stop-shadow", release: id };
        },
        request.body,
      ),
  );
  app.post(
    "/v1/endpoints/:endpoint/reinstate",
    {
      config: { right: "reinstate" },
      schema: { summary: "Let a condemned release serve again", tags: ["releases"], ...routes, body: ReleaseBody },
    },
    (request) =>
      act(
        principalOf(request),
        request.params.endpoint,
        (room) => ({ kind: "reinstate", release: releaseOf(room, request.body.release).id }),
        request.body,
      ),
  );
  app.post(
    "/v1/endpoints/:endpoint/resume",
    {
      config: { right: "route:write" },
      schema: { summary: "Let automatic rollouts go on", tags: ["releases"], ...routes, body: ReasonBody },
    },
    (request) => act(principalOf(request), request.params.endpoint, () => ({ kind: "resume" }), request.body),
  );
};

/** What an endpoint is shown by. */
export type EndpointViewParts = Pick<EndpointRouteParts, "releases" | "control" | "incidents" | "expectations">;

export async function endpointView(parts: EndpointViewParts, room: EndpointRoom, principal: Principal): Promise<EndpointView> {
  const [tests, open, warnings] = [
    await parts.control.tests(room),
    await parts.incidents.list({ endpoint: room.name, states: ["open", "contained", "in_review"] }),
    await parts.expectations.warnings(room.name),
  ];
  const names = namesIn(room, principal);
  return {
    name: room.name,
    description: room.definition.spec.description ?? "",
    route: routeView(room, names),
    guardrails: guardrailViews(room, tests, names),
    openIncidents: open.map(({ n }) => n),
    inputWarnings: warnings.map(warningView),
    memory: memoryView(parts.releases, room.name),
  };
}

function memoryView({ memory }: Releases, endpoint: string): MemoryView {
  const loaded = memory.holdings().filter((one) => one.endpoint === endpoint);
  return {
    budgetBytes: Number.isFinite(memory.limitBytes) ? memory.limitBytes : null,
    usedBytes: memory.usedBytes(),
    loaded: loaded.map(({ number, ownBytes, residentBytes, isAtRest }) => ({ release: `r${number}`, ownBytes, residentBytes, isAtRest })),
  };
}

/** What the groups are called is for those who may see groups. */
function withoutGroupValues(inputs: InputsSpec, groups: Readonly<Record<string, unknown>>): InputsSpec {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, { values, ...input }]) => [
      name,
      values && !Object.hasOwn(groups, name) ? { ...input, values } : input,
    ]),
  );
}
