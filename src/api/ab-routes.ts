/** A/B tests: releases of equal standing at fixed shares, compared. */
import { Type, type Static } from "typebox";
import type { Principal } from "../access/index.ts";
import { orNull } from "../checked.ts";
import { SAMPLE_RATIO_PROOF, wilson, type Total } from "../monitoring/index.ts";
import { Duration, millisecondsOf } from "../duration.ts";
import type { AbComparison, AbControl, EndpointRoom, Releases } from "../releases/index.ts";
import { byOf } from "./by.ts";
import { EndpointParams, ReasonBody, command } from "./command-body.ts";
import { SwitchView } from "./endpoint-view.ts";
import { SMALL_CELL } from "./group-names.ts";
import { iso } from "./iso.ts";
import { routeCommander } from "./route-commander.ts";
import { namesIn } from "./route-views.ts";
import { reasonFor } from "./shown-reason.ts";
import { principalOf, type Server } from "./server.ts";

export interface AbRouteParts {
  readonly releases: Releases;
  readonly ab: AbControl;
}

const StartBody = Type.Object(
  {
    arms: Type.Array(
      Type.Object(
        {
          release: Type.String({ description: "r12" }),
          weight: Type.Optional(
            Type.Integer({ minimum: 1, maximum: 1000, description: "Its share is its weight's in the sum; 1 by default" }),
          ),
        },
        { additionalProperties: false },
      ),
      { minItems: 2, maxItems: 4, description: "Live is one of them" },
    ),
    answers: Type.Optional(Type.Integer({ minimum: 1, maximum: 1e9, description: "Ends by itself after so many answers" })),
    for: Type.Optional(Duration),
    ...command,
  },
  { additionalProperties: false },
);

const Rate = {
  answers: orNull(Type.Integer({ description: "null where fewer than 10 and the reader may not see groups" })),
  favourable: orNull(Type.Integer()),
  rate: orNull(Type.Number()),
  interval: orNull(Type.Object({ low: Type.Number(), high: Type.Number() }, { description: "Wilson, 95 %: for reading once, no test" })),
};
const AbView = Type.Object(
  {
    since: Type.String(),
    startedBy: Type.String(),
    endsAfterAnswers: orNull(Type.Integer()),
    endsAt: orNull(Type.String()),
    ended: orNull(
      Type.Object({
        at: Type.String(),
        how: Type.String({ description: "Kind of the transition" }),
        by: Type.String(),
        reason: Type.String(),
      }),
    ),
    arms: Type.Array(
      Type.Object({
        release: Type.String({ description: "r12" }),
        weight: Type.Integer(),
        asked: Type.Number({ description: "Share by weight" }),
        observed: orNull(Type.Number({ description: "Share of the answers" })),
        ...Rate,
        groups: Type.Array(Type.Object({ group: Type.String(), ...Rate })),
      }),
    ),
    sampleRatio: Type.Object(
      {
        evidence: Type.Number({ description: "Against the shares asked for, from one coin" }),
        threshold: Type.Number(),
        isMismatch: Type.Boolean(),
      },
      { description: "Whether people reach the arms in the shares that were asked for; may be looked at at any time" },
    ),
  },
  { title: "AbTest" },
);
export type AbView = Static<typeof AbView>;

export const abRoutes = (parts: AbRouteParts) => (app: Server) => {
  const { releases, ab } = parts;
  const { roomOf, releaseOf, told, act } = routeCommander(releases);
  const routes = { params: EndpointParams, response: { 200: SwitchView } };
  app.post(
    "/v1/endpoints/:endpoint/ab",
    {
      config: { right: "route:write" },
      schema: {
        summary: "Compare live with other releases at fixed shares",
        description:
          "Everybody always gets the same arm. Guardrails watch every arm; a rollback, a condemned arm or a promotion ends it, nothing promotes by itself.",
        tags: ["rollouts"],
        ...routes,
        body: StartBody,
      },
    },
    async (request) => {
      const room = roomOf(request.params.endpoint);
      const principal = principalOf(request);
      const { arms: asked, answers = null, for: duration } = request.body;
      const arms = asked.map(({ release, weight = 1 }) => ({ release: releaseOf(room, release).id, weight }));
      const counted = await ab.counted(room.name, arms);
      const forMs = duration === undefined ? null : millisecondsOf(duration);
      return told(principal, room, () =>
        releases.command(room.name, { kind: "start-ab", arms, answers, forMs, counted }, byOf(principal, request.body)),
      );
    },
  );
  app.get(
    "/v1/endpoints/:endpoint/ab",
    {
      config: { right: "read" },
      schema: {
        summary: "The A/B test under way, or the last one, with its arms compared",
        tags: ["rollouts"],
        params: EndpointParams,
        response: { 200: Type.Object({ ab: orNull(AbView) }) },
      },
    },
    async (request) => {
      const room = roomOf(request.params.endpoint);
      const compared = await ab.compare(room);
      return { ab: compared ? abView(room, compared, principalOf(request)) : null };
    },
  );
  app.post(
    "/v1/endpoints/:endpoint/ab/end",
    {
      config: { right: "route:write" },
      schema: { summary: "End the A/B test: live answers everybody again", tags: ["rollouts"], ...routes, body: ReasonBody },
    },
    (request) => act(principalOf(request), request.params.endpoint, () => ({ kind: "end-ab", sinceMs: null }), request.body),
  );
};

function abView(room: EndpointRoom, { test, arms, sampleRatio }: AbComparison, principal: Principal): AbView {
  const names = namesIn(room, principal);
  const weights = arms.reduce((sum, { weight }) => sum + weight, 0);
  const answers = arms.reduce((sum, arm) => sum + arm.answers, 0);
  return {
    since: iso(test.sinceMs),
    startedBy: test.startedBy,
    endsAfterAnswers: test.answers,
    endsAt: test.untilMs === null ? null : iso(test.untilMs),
    ended: test.ended && {
      at: iso(test.ended.atMs),
      how: test.ended.how,
      by: test.ended.actor.name,
      reason: reasonFor(test.ended, names),
    },
    arms: arms.map((arm) => ({
      release: room.nameOf(arm.release),
      weight: arm.weight,
      asked: arm.weight / weights,
      observed: answers === 0 ? null : arm.answers / answers,
      ...rateOf({ n: arm.answers, k: arm.favourable }),
      groups: arm.groups.map(({ attribute, value, ...counts }) => ({
        group: names.label({ [attribute]: value }),
        // With one small group the others would tell it by what is left.
        ...(!names.areVisible && arm.groups.some((other) => other.attribute === attribute && other.answers < SMALL_CELL)
          ? HIDDEN
          : rateOf({ n: counts.answers, k: counts.favourable })),
      })),
    })),
    sampleRatio: { evidence: sampleRatio.evidence, threshold: SAMPLE_RATIO_PROOF, isMismatch: sampleRatio.isMismatch },
  };
}

const HIDDEN = { answers: null, favourable: null, rate: null, interval: null };

function rateOf(total: Total) {
  const [low, high] = wilson(total);
  return {
    answers: total.n,
    favourable: total.k,
    rate: total.n === 0 ? null : total.k / total.n,
    interval: total.n === 0 ? null : { low, high },
  };
}
