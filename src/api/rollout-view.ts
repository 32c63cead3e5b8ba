/** Rollouts, previews of a rollback, and drills, as the API gives them. */
import { Type, type Static } from "typebox";
import { orNull } from "../checked.ts";

const Time = Type.String({ description: "ISO 8601, UTC" });
const ReleaseName = Type.String({ description: "r12" });

export const RolloutView = Type.Object(
  {
    release: ReleaseName,
    step: Type.Integer({ description: "From 1" }),
    steps: Type.Array(
      Type.Object({
        place: Type.Enum(["none", "shadow", "canary"]),
        share: orNull(Type.Number()),
        when: orNull(Type.String({ description: "A canary's condition" })),
        minDecisions: Type.Integer(),
        bakeSeconds: Type.Number(),
        guardrails: Type.Array(Type.String()),
        replay: Type.Integer(),
        approval: Type.Boolean(),
      }),
    ),
    since: Time,
    startedBy: Type.String(),
    approvedBy: orNull(Type.String()),
    isPaused: Type.Boolean(),
    waitsFor: Type.Array(Type.String(), { description: "In words; empty when it goes on at the next look" }),
  },
  { title: "Rollout" },
);
export type RolloutView = Static<typeof RolloutView>;

export const RollbackPreviewView = Type.Object(
  {
    from: ReleaseName,
    to: ReleaseName,
    isFallback: Type.Boolean(),
    isWarm: Type.Boolean({ description: "Loaded and proven: nothing would have to be waited for" }),
    expectedMs: orNull(Type.Number({ description: "Median of this endpoint's latest changes since the start" })),
    asked: Type.Integer({ description: "Latest applications of the live release that were answered again" }),
    unanswered: Type.Integer(),
    better: Type.Integer({ description: "Applicants with a favourable answer afterwards and not before" }),
    worse: Type.Integer(),
    actions: Type.Array(Type.Object({ before: Type.String(), after: Type.String(), people: Type.Integer() })),
    groups: Type.Array(
      Type.Object({
        group: Type.String(),
        people: orNull(Type.Integer({ description: "null where fewer than 10 and the reader may not see groups" })),
        better: orNull(Type.Integer()),
        worse: orNull(Type.Integer()),
      }),
    ),
    guardrails: Type.Array(
      Type.Object({
        guardrail: Type.String(),
        group: Type.String(),
        limit: Type.Number(),
        estimate: orNull(Type.Number()),
        wouldBreach: Type.Boolean(),
      }),
    ),
  },
  { title: "RollbackPreview" },
);
export type RollbackPreviewView = Static<typeof RollbackPreviewView>;

export const DrillView = Type.Object(
  {
    at: Time,
    mode: Type.Enum(["live", "replay"]),
    live: ReleaseName,
    target: ReleaseName,
    passed: Type.Boolean(),
    thereMs: orNull(Type.Number({ description: "From the command until every new request met the target" })),
    backMs: orNull(Type.Number()),
    answers: Type.Integer(),
    failed: Type.Integer(),
    actor: Type.String(),
  },
  { title: "Drill" },
);
export type DrillView = Static<typeof DrillView>;

export const DrillsView = Type.Object({
  drills: Type.Array(DrillView),
  due: orNull(Type.String({ description: "When the next one is due by the endpoint's schedule, which may be past; null without one" })),
});
export type DrillsView = Static<typeof DrillsView>;
