/** Rollouts by steps, what a rollback would do, and rehearsals of it. */
import { Type } from "typebox";
import { orNull } from "../checked.ts";
import {
  DrillMode,
  previewRollback,
  type Drill,
  type Drills,
  type EndpointRoom,
  type Releases,
  type RollbackPreview,
  type RolloutControl,
  type WaitsFor,
  type Wish,
} from "../releases/index.ts";
import type { Store } from "../store/index.ts";
import { unreachable } from "../std.ts";
import { byOf } from "./by.ts";
import { EndpointParams, ReasonBody, command } from "./command-body.ts";
import { SwitchView } from "./endpoint-view.ts";
import { SMALL_CELL, type GroupNames } from "./group-names.ts";
import { iso } from "./iso.ts";
import { releaseProblem } from "./release-problems.ts";
import { DrillView, DrillsView, RollbackPreviewView, RolloutView } from "./rollout-view.ts";
import { routeCommander } from "./route-commander.ts";
import { namesIn } from "./route-views.ts";
import { principalOf, type Server } from "./server.ts";

export interface RolloutRouteParts {
  readonly store: Store;
  readonly releases: Releases;
  readonly rollouts: RolloutControl;
  readonly drills: Drills;
}

const StartBody = Type.Object(
  {
    release: Type.String({ description: "r12" }),
    /** The plan's own schema checks it, with paths of its own. */
    rollout: Type.Optional(Type.Unknown({ description: "all_at_once, canary, shadow_first, blue_green, or { steps: [...] }" })),
    ...command,
  },
  { additionalProperties: false },
);
const DrillBody = Type.Object({ mode: DrillMode, reason: command.reason }, { additionalProperties: false });

export const rolloutRoutes = (parts: RolloutRouteParts) => (app: Server) => {
  const { releases, store } = parts;
  const { roomOf, releaseOf, told, act } = routeCommander(releases);
  const routes = { params: EndpointParams, response: { 200: SwitchView } };

  app.post(
    "/v1/endpoints/:endpoint/rollout",
    {
      config: { right: "route:write" },
      schema: {
        summary: "Bring a release to everybody step by step",
        description: "A plan without steps (`all_at_once`, which holds when none is given) makes it live at once.",
        tags: ["rollouts"],
        ...routes,
        body: StartBody,
      },
    },
    async (request) => {
      const room = roomOf(request.params.endpoint);
      const principal = principalOf(request);
      const { id } = releaseOf(room, request.body.release);
      return told(principal, room, () => releases.startRollout(room.name, id, request.body.rollout, byOf(principal, request.body)));
    },
  );
  app.get(
    "/v1/endpoints/:endpoint/rollout",
    {
      config: { right: "read" },
      schema: {
        summary: "The rollout under way, and what it waits for",
        tags: ["rollouts"],
        params: EndpointParams,
        response: { 200: Type.Object({ rollout: orNull(RolloutView) }) },
      },
    },
    async (request) => ({ rollout: await rolloutView(parts.rollouts, roomOf(request.params.endpoint)) }),
  );
  const acts: readonly { readonly path: string; readonly summary: string; readonly wishOf: (room: EndpointRoom) => Wish }[] = [
    {
      path: "approve",
      summary: "Approve the step that the rollout is in; not for who started it",
      wishOf: ({ table: { rollout, live } }) => ({ kind: "approve-rollout", release: rollout?.release ?? live, step: rollout?.step ?? 0 }),
    },
    { path: "pause", summary: "Let the rollout wait where it is", wishOf: () => ({ kind: "pause-rollout" }) },
    { path: "continue", summary: "Let a paused rollout go on", wishOf: () => ({ kind: "continue-rollout" }) },
    { path: "abort", summary: "End the rollout; its release keeps no place", wishOf: () => ({ kind: "abort-rollout" }) },
  ];
  for (const { path, summary, wishOf } of acts)
    app.post(
      `/v1/endpoints/:endpoint/rollout/${path}`,
      { config: { right: "route:write" }, schema: { summary, tags: ["rollouts"], ...routes, body: ReasonBody } },
      (request) => act(principalOf(request), request.params.endpoint, wishOf, request.body),
    );

  app.get(
    "/v1/endpoints/:endpoint/rollback/preview",
    {
      config: { right: "read", needsMemory: true },
      schema: {
        summary: "What a rollback would do",
        description: "The target answers the latest applications again; nothing is changed.",
        tags: ["releases"],
        params: EndpointParams,
        querystring: Type.Object({
          to: Type.Optional(Type.String({ description: "r11; where a rollback goes by itself when left out" })),
          limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 5000, description: "Applications; 500 when left out" })),
        }),
        response: {
          200: Type.Object({ preview: orNull(RollbackPreviewView), why: orNull(Type.String({ description: "Why there is none" })) }),
        },
      },
    },
    async (request) => {
      const room = roomOf(request.params.endpoint);
      const { to, limit } = request.query;
      const preview = await previewRollback({ store, releases }, room, to === undefined ? null : releaseOf(room, to).id, limit ?? 500);
      if (preview.ok) return { preview: previewView(room, preview.value, namesIn(room, principalOf(request))), why: null };
      const problem = releaseProblem(preview.error, room);
      if (preview.error.kind === "nowhere-to-roll-back") return { preview: null, why: problem.message };
      throw problem;
    },
  );

  app.post(
    "/v1/endpoints/:endpoint/drills",
    {
      config: { right: "route:write", needsMemory: true },
      schema: {
        summary: "Rehearse a rollback",
        description: "`live`: the target answers everybody for two seconds. `replay`: it answers recent applications, and nobody notices.",
        tags: ["releases"],
        params: EndpointParams,
        body: DrillBody,
        response: { 200: DrillView },
      },
    },
    async (request) => {
      const room = roomOf(request.params.endpoint);
      const { mode, reason } = request.body;
      const done = await parts.drills.run(room, mode, byOf(principalOf(request), { reason }));
      if (!done.ok) throw releaseProblem(done.error, room);
      return drillView(room, done.value);
    },
  );
  app.get(
    "/v1/endpoints/:endpoint/drills",
    {
      config: { right: "read" },
      schema: {
        summary: "Rehearsals of a rollback, newest first",
        tags: ["releases"],
        params: EndpointParams,
        querystring: Type.Object({ limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })) }),
        response: { 200: DrillsView },
      },
    },
    async (request) => {
      const room = roomOf(request.params.endpoint);
      const drills = await parts.drills.list(room.name, request.query.limit ?? 50);
      const dueMs = await parts.drills.dueMs(room);
      return { drills: drills.map((drill) => drillView(room, drill)), due: dueMs === null ? null : iso(Math.max(dueMs, room.liveSinceMs)) };
    },
  );
};

async function rolloutView(rollouts: RolloutControl, room: EndpointRoom): Promise<RolloutView | null> {
  const { rollout } = room.table;
  if (!rollout) return null;
  const verdict = await rollouts.verdict(room);
  return {
    release: room.nameOf(rollout.release),
    step: rollout.step + 1,
    steps: rollout.plan.map(({ bakeMs, guardrails, when = null, ...step }) => ({
      ...step,
      when,
      guardrails: [...guardrails],
      bakeSeconds: bakeMs / 1000,
    })),
    since: iso(rollout.stepSinceMs),
    startedBy: rollout.startedBy,
    approvedBy: rollout.approvedBy,
    isPaused: rollout.isPaused,
    waitsFor: verdict?.kind === "wait" ? verdict.for.map(waitText) : [],
  };
}

/** What a rollout waits for, as people read it. */
function waitText(waits: WaitsFor): string {
  switch (waits.kind) {
    case "decisions":
      return `${waits.need - waits.have} more people (${waits.have} of ${waits.need})`;
    case "bake":
      return `time, until ${iso(waits.untilMs)}`;
    case "guardrail":
      return `${waits.guardrail}: ${waits.word === "no-data" ? "too few decisions to say anything" : waits.word}`;
    case "approval":
      return `an approval by somebody else than ${waits.startedBy}`;
    case "paused":
      return "somebody to let it go on: it is paused";
    case "held":
      return `a named person to resume automatic rollouts`;
    case "frozen":
      return `the end of the frozen period at ${iso(waits.untilMs)}: ${waits.why}`;
    case "replay":
      return waits.why;
    default:
      return unreachable(waits);
  }
}

function previewView(room: EndpointRoom, preview: RollbackPreview, names: GroupNames): RollbackPreviewView {
  const { from, to, isFallback, isWarm, expectedUs, asked, unanswered, better, worse, actions, groups, guardrails } = preview;
  return {
    from: room.nameOf(from),
    to: room.nameOf(to),
    isFallback,
    isWarm,
    expectedMs: expectedUs === null ? null : expectedUs / 1000,
    asked,
    unanswered,
    better,
    worse,
    actions: actions.map((pair) => ({ ...pair })),
    groups: groups.map(({ attribute, value, people, ...flips }) => {
      const isHidden = !names.areVisible && people < SMALL_CELL;
      const group = names.areVisible ? `${attribute}=${value}` : names.letterOf(attribute, value);
      return isHidden ? { group, people: null, better: null, worse: null } : { group, people, ...flips };
    }),
    guardrails: guardrails.map(({ guardrail, group, limit, estimate, groupN, referenceN, wouldBreach }) => ({
      guardrail,
      group: names.label(group),
      limit,
      estimate: !names.areVisible && Math.min(groupN, referenceN) < SMALL_CELL ? null : estimate,
      wouldBreach,
    })),
  };
}

export function drillView(
  room: EndpointRoom,
  { atMs, mode, live, target, passed, thereUs, backUs, answers, failed, actor }: Drill,
): DrillView {
  const ms = (us: number | null) => (us === null ? null : us / 1000);
  return {
    at: iso(atMs),
    mode,
    live: room.nameOf(live),
    target: room.nameOf(target),
    passed,
    thereMs: ms(thereUs),
    backMs: ms(backUs),
    answers,
    failed,
    actor,
  };
}
