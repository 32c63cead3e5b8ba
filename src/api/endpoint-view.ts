/** Endpoints, their releases, route tables and guardrails, as the API gives them. Releases are named as people name them: `r12`. */
import { Type, type Static } from "typebox";
import { orNull } from "../checked.ts";
import { ExpectationWarningView } from "./expectation-view.ts";

const Time = Type.String({ description: "ISO 8601, UTC" });
const ReleaseName = Type.String({ description: "r12" });

export const RouteTableView = Type.Object(
  {
    endpoint: Type.String(),
    generation: Type.Integer(),
    live: ReleaseName,
    liveSince: Time,
    canary: orNull(
      Type.Object({
        release: ReleaseName,
        share: Type.Number({ description: "Of the people whom `when` holds for" }),
        when: orNull(Type.String({ description: "Condition over the inputs; null: everybody" })),
      }),
    ),
    ab: orNull(
      Type.Object(
        {
          arms: Type.Array(Type.Object({ release: ReleaseName, weight: Type.Integer(), share: Type.Number() })),
          since: Time,
          answers: orNull(Type.Integer({ description: "Ends after so many" })),
          until: orNull(Time),
        },
        { description: "An A/B test: releases of equal standing at fixed shares" },
      ),
    ),
    shadows: Type.Array(Type.Object({ release: ReleaseName, share: Type.Number({ description: "Of all people; 1: everybody" }) })),
    standby: orNull(ReleaseName),
    fallback: ReleaseName,
    condemned: Type.Array(ReleaseName),
    held: orNull(Type.Object({ by: Type.String(), reason: Type.String() }, { description: "Automatic rollouts wait for a named person" })),
  },
  { title: "RouteTable" },
);
export type RouteTableView = Static<typeof RouteTableView>;

export const TransitionRecordView = Type.Object(
  {
    generation: Type.Integer(),
    kind: Type.String(),
    release: orNull(ReleaseName),
    from: orNull(ReleaseName),
    share: orNull(Type.Number()),
    when: orNull(Type.String({ description: "A canary's condition" })),
    automatic: Type.Boolean(),
    actor: Type.String(),
    reason: Type.String(),
    at: Time,
  },
  { title: "Transition" },
);
export type TransitionRecordView = Static<typeof TransitionRecordView>;

export const ReleaseView = Type.Object(
  {
    release: ReleaseName,
    id: Type.String({ description: "Content id: the same parts have the same id everywhere" }),
    endpoint: Type.String(),
    name: Type.String(),
    scorer: Type.Enum(["rules", "onnx", "http", "container"]),
    origin: Type.Unknown({ description: "Model version, feature set, run and description, where they are known" }),
    features: Type.Array(Type.String()),
    policy: Type.Unknown(),
    groupThresholds: orNull(
      Type.String({ description: "Of a policy with thresholds by group: the words by which the endpoint allows them" }),
    ),
    places: Type.Array(Type.Enum(["live", "canary", "ab", "shadow", "standby", "fallback"])),
    isCondemned: Type.Boolean(),
    createdAt: Time,
    createdBy: Type.String(),
  },
  { title: "Release" },
);
export type ReleaseView = Static<typeof ReleaseView>;

export const GuardrailStateView = Type.Object(
  {
    guardrail: Type.String(),
    metric: Type.String(),
    action: Type.String(),
    release: ReleaseName,
    arm: Type.Enum(["serving", "shadow"]),
    group: Type.String({ description: "A letter for readers without protected:read" }),
    reference: Type.String(),
    limit: Type.Number(),
    direction: Type.Enum(["at_least", "at_most"]),
    state: Type.Enum(["no-data", "not-comparable", "not-identifiable", "ok", "watched", "breached", "paused"]),
    groupDecisions: orNull(Type.Integer({ description: "null where fewer than 10 and the reader may not see groups" })),
    referenceDecisions: orNull(Type.Integer()),
    estimate: orNull(Type.Number()),
    band: orNull(Type.Object({ low: Type.Number(), high: orNull(Type.Number()) })),
    likeForLike: orNull(Type.Number({ description: "Ratio of people compared with people of the same minutes" })),
    likeForLikeInterval: orNull(
      Type.Object({ low: Type.Number(), high: orNull(Type.Number()) }, { description: "Ordinary 95 %, as of one look" }),
    ),
    mixDiffers: Type.Boolean({
      description: "The two ratios are more than 0.05 apart: the group applies more when fewer, or more, are approved",
    }),
    isNamed: Type.Boolean({ description: "Proven together with those that breached (Holm)" }),
    isWarned: Type.Boolean({ description: "Worth a look: of all that are warned about one in ten is wrong at most (e-BH)" }),
    why: orNull(Type.String({ description: "Why it can't be compared or identified" })),
    odds: Type.String({ description: "The evidence in words" }),
    evidence: Type.Number({ description: "The bettor's wealth from one coin" }),
    threshold: Type.Number({ description: "What it takes for proof: 1/α" }),
    forecastDecisions: orNull(Type.Integer()),
    paused: orNull(Type.String()),
  },
  { title: "GuardrailState" },
);
export type GuardrailStateView = Static<typeof GuardrailStateView>;

const Bytes = Type.Integer({ minimum: 0 });
export const MemoryView = Type.Object(
  {
    budgetBytes: orNull(Type.Integer({ minimum: 0, description: "For the scorer processes of all endpoints; null without one" })),
    usedBytes: Type.Integer({ minimum: 0, description: "Of it, by what is needed now; what is at rest makes room" }),
    loaded: Type.Array(
      Type.Object({
        release: ReleaseName,
        ownBytes: Type.Integer({ minimum: 0, description: "Of its scorer process, without what such processes share" }),
        residentBytes: Bytes,
        isAtRest: Type.Boolean({ description: "Nobody needs it now" }),
      }),
      { description: "This endpoint's releases that take memory" },
    ),
  },
  { title: "Memory" },
);
export type MemoryView = Static<typeof MemoryView>;

export const EndpointView = Type.Object(
  {
    name: Type.String(),
    description: Type.String(),
    route: RouteTableView,
    guardrails: Type.Array(GuardrailStateView),
    openIncidents: Type.Array(Type.Integer()),
    inputWarnings: Type.Array(ExpectationWarningView, { description: "Of today (UTC): inputs that aren't as expected" }),
    memory: MemoryView,
  },
  { title: "Endpoint" },
);
export type EndpointView = Static<typeof EndpointView>;

export const ChangeView = Type.Object(
  {
    kind: Type.Enum(["endpoint", "release", "sink", "channel", "alerts"]),
    name: Type.String(),
    release: orNull(ReleaseName),
    change: Type.Enum(["created", "changed", "unchanged"]),
    note: Type.Optional(Type.String({ description: "What a person should know though it was done" })),
  },
  { title: "Change" },
);
export type ChangeView = Static<typeof ChangeView>;

export const SwitchView = Type.Object(
  {
    route: RouteTableView,
    /** From the command until every new request met the new table. */
    switchedMs: Type.Number(),
    /** Until the last answer of the old table had been given. */
    drainedMs: Type.Number(),
    undo: Type.String({ description: "The command that takes this back" }),
  },
  { title: "Switch" },
);
export type SwitchView = Static<typeof SwitchView>;
