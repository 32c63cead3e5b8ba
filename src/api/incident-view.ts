/** Incidents with their evidence, blame and the people they touched, as the API gives them. */
import { Type, type Static } from "typebox";
import { orNull } from "../checked.ts";
import { saidStates } from "../releases/index.ts";

export const IncidentHeadView = Type.Object(
  {
    n: Type.Integer(),
    endpoint: Type.String(),
    kind: Type.Enum(["breach", "failure", "by-hand"], { description: "A guardrail's proof, a release that failed, or a person" }),
    state: Type.Enum(["open", "contained", "in_review", "resolved", "closed"]),
    title: Type.String(),
    release: Type.String(),
    restored: orNull(Type.String()),
    openedAt: Type.String(),
    openedBy: Type.String(),
  },
  { title: "Incident" },
);
export type IncidentHeadView = Static<typeof IncidentHeadView>;

export const ProofView = Type.Object(
  {
    guardrail: Type.String(),
    group: Type.String(),
    reference: Type.String(),
    limit: Type.Number(),
    groupDecisions: orNull(Type.Integer({ description: "null where fewer than 10 on a side and the reader may not see groups" })),
    groupFavourable: orNull(Type.Integer()),
    referenceDecisions: orNull(Type.Integer()),
    referenceFavourable: orNull(Type.Integer()),
    decisions: Type.Integer(),
    evidence: Type.Number(),
    threshold: Type.Number(),
    provenAt: Type.String(),
    sources: Type.Array(Type.Object({ source: Type.String(), share: Type.Number() })),
  },
  { title: "Proof" },
);
export type ProofView = Static<typeof ProofView>;

export const IncidentDetailView = Type.Object(
  {
    ...IncidentHeadView.properties,
    next: Type.Array(Type.Enum([...saidStates]), { description: "Where a person can move it from here" }),
    reason: Type.String(),
    notRolledBack: orNull(Type.String()),
    proof: orNull(ProofView),
    candidates: Type.Array(
      Type.Object({ release: Type.String(), passes: Type.Boolean(), why: orNull(Type.String()), asked: orNull(Type.Integer()) }),
    ),
    rollback: orNull(
      Type.Object({
        from: Type.String(),
        to: Type.String(),
        automatic: Type.Boolean(),
        generation: Type.Integer(),
        switchedMs: Type.Number({ description: "From the proof until every new request met the new table" }),
        drainedMs: orNull(Type.Number({ description: "From the proof until the last answer of the old table" })),
        failedRequests: orNull(Type.Integer({ description: "Valid requests that got no answer between those two" })),
      }),
    ),
    timeline: Type.Array(
      Type.Object({
        at: Type.String(),
        sinceProofMs: orNull(Type.Number()),
        kind: Type.String(),
        actor: Type.String(),
        text: Type.String(),
      }),
    ),
  },
  { title: "IncidentDetail" },
);
export type IncidentDetailView = Static<typeof IncidentDetailView>;

export const BlamePartView = Type.Object(
  { step: Type.String(), share: Type.Number(), low: Type.Number(), high: Type.Number() },
  { title: "BlamePart" },
);
export const BlameReportView = Type.Object(
  {
    tier: Type.Enum([0, 1]),
    group: Type.String(),
    reference: Type.String(),
    harm: Type.Object({ share: Type.Number(), low: Type.Number(), high: Type.Number() }),
    parts: Type.Array(BlamePartView),
    unexplained: orNull(Type.Number()),
    verdict: Type.String({ description: "A sentence" }),
    culprits: Type.Array(Type.String()),
    notes: Type.Array(Type.String()),
    madeAt: Type.String(),
  },
  { title: "BlameReport" },
);
export type BlameReportView = Static<typeof BlameReportView>;

export const AffectedView = Type.Object(
  {
    incident: Type.Integer(),
    total: Type.Integer({ description: "People decided about by the release, each once" }),
    better: Type.Integer({ description: "The restored release gives a better answer" }),
    worse: Type.Integer({ description: "The restored release would have been worse: nothing is taken from them" }),
    unchanged: Type.Integer(),
    notReplayable: Type.Integer(),
    people: Type.Array(
      Type.Object({
        decision: Type.String(),
        class: Type.String(),
        group: Type.String(),
        decidedAt: Type.String(),
        before: Type.Object({ action: Type.String(), score: orNull(Type.Number()) }),
        after: orNull(Type.Object({ action: Type.String(), score: orNull(Type.Number()) })),
      }),
    ),
    next: orNull(Type.String()),
  },
  { title: "Affected" },
);
export type AffectedView = Static<typeof AffectedView>;
