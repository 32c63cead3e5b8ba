/**
 * What the pages of the browser application show, one view a page:
 * `GET /v1/ui/home` → `HomeView`, `GET /v1/ui/incidents/:n` → `IncidentView`, `GET /v1/ui/incidents/:n/affected?cursor=` → `AffectedPage`;
 * `GET /v1/events` sends `home` (a fresh `HomeView`, at most once a second, when it differs) and else `ping` (`PingView`).
 *
 * The server computes and sorts; the browser puts numbers and times into words. Releases are named as people name them (`r12`).
 * Group values are the endpoint's own words, spaces for underscores (`high school`), for those with `protected:read`; for others the
 * server sends letters (`A`, `B`, …, the same ones everywhere), also inside `finding` and other sentences. Times are integer milliseconds, rates and shares 0…1.
 */
import { Type, type Static } from "typebox";
import { orNull, object } from "../checked.ts";

const Ms = Type.Integer({ description: "milliseconds since 1970 (UTC)" });
const Count = Type.Integer({ minimum: 0 });
const Share = Type.Number({ minimum: 0, maximum: 1 });
/** `r12` */
const ReleaseName = Type.String();

/** Who looks. */
export const ViewerView = object({
  name: Type.String(),
  role: Type.String(),
  /** Has `protected:read`: groups are words, not letters. */
  seesGroups: Type.Boolean(),
});
export type ViewerView = Static<typeof ViewerView>;

/** Data of the event `ping`: nothing has changed, and this is the time. */
export const PingView = object({ nowMs: Ms });
export type PingView = Static<typeof PingView>;

export const PlaceView = Type.Enum(["live", "canary", "ab", "shadow", "standby", "fallback"]);
export type PlaceView = Static<typeof PlaceView>;
export const IncidentStateView = Type.Enum(["open", "contained", "in_review", "resolved", "closed"]);
export type IncidentStateView = Static<typeof IncidentStateView>;

/** The one test of an endpoint that is closest to its limit. */
export const ClosestView = object({
  guardrail: Type.String(),
  /** Short name of the metric: `AIR`, `error rate`. */
  metric: Type.String(),
  unit: Type.Enum(["ratio", "rate", "ms"]),
  release: ReleaseName,
  place: PlaceView,
  group: orNull(Type.String()),
  /** Null while it can't be computed. */
  estimate: orNull(Type.Number()),
  limit: Type.Number(),
  evidence: Type.Number({ minimum: 0 }),
  threshold: Type.Number({ minimum: 0 }),
  /** People counted so far by this test. */
  decisions: Count,
  /** How many it takes before it says anything; null where it has them. */
  needed: orNull(Count),
});
export type ClosestView = Static<typeof ClosestView>;

const kind = <K extends string>(name: K) => ({ kind: Type.Literal(name) });
const closest = { closest: orNull(ClosestView) };

/** All guardrails of an endpoint as one word. The first of these that is true: on fallback, breached, watched, waits, holds. */
export const GuardrailsView = Type.Union([
  object({ ...kind("holds"), hold: Count, ...closest }),
  /** `watched`: evidence is at least the root of the threshold. */
  object({ ...kind("watched"), watched: Count, ...closest }),
  object({ ...kind("breached"), breached: Count, ...closest }),
  /** Too few decisions to say. */
  object({ ...kind("waits"), waiting: Count, of: Count, ...closest }),
  /** A rollback has put the fallback in; not said of an endpoint that never had another live release. `because`: by whom. */
  object({ ...kind("on-fallback"), sinceMs: Ms, because: Type.String() }),
  object({ ...kind("not-watched"), because: Type.Enum(["no-live-release", "no-guardrails"]) }),
]);
export type GuardrailsView = Static<typeof GuardrailsView>;

/** The kinds are those of `releases/transition.ts`. */
export const TransitionView = object({
  kind: Type.Enum([
    "registered",
    "fallback-set",
    "shadow-started",
    "shadow-changed",
    "shadow-stopped",
    "canary-started",
    "canary-changed",
    "canary-stopped",
    "promoted",
    "rolled-back",
    "condemned",
    "reinstated",
    "rollout-started",
    "rollout-advanced",
    "rollout-approved",
    "rollout-paused",
    "rollout-continued",
    "rollout-aborted",
    "drill-started",
    "drill-ended",
    "ab-started",
    "ab-ended",
    "rollouts-held",
    "rollouts-resumed",
  ]),
  /** The release that it is about: the one that went live, was put back, condemned, …; null for holding and resuming. */
  release: orNull(ReleaseName),
  /** Of a canary, or of a shadow that answers only some. */
  share: orNull(Share),
  actor: Type.String(),
  reason: Type.String(),
  happenedMs: Ms,
});
export type TransitionView = Static<typeof TransitionView>;

/** One row of the table of endpoints. */
export const EndpointRowView = object({
  name: Type.String(),
  description: Type.String(),
  /** `isFallback`: the rule that is always loaded is what answers. */
  live: orNull(object({ release: ReleaseName, isFallback: Type.Boolean(), sinceMs: Ms })),
  canary: orNull(object({ release: ReleaseName, share: Share })),
  /** The arms of an A/B test, live first. */
  ab: orNull(Type.Array(ReleaseName)),
  shadows: Type.Array(object({ release: ReleaseName, share: Share })),
  perMinute: Type.Number({ minimum: 0 }),
  /** Decisions in each of the last 60 full minutes, oldest first. */
  minutes: Type.Array(Count, { maxItems: 60 }),
  guardrails: GuardrailsView,
  lastTransition: orNull(TransitionView),
  /** The last rehearsal of a rollback, where it didn't pass: to whom it would go, and how many it had no answer for. */
  failedDrill: orNull(object({ target: ReleaseName, failed: Count, happenedMs: Ms })),
  /** The newest one that isn't resolved or closed. */
  incident: orNull(object({ n: Count, state: IncidentStateView, affected: orNull(Count) })),
});
export type EndpointRowView = Static<typeof EndpointRowView>;

/** An open incident that needs whoever looks. */
export const NeedsYouView = object({
  incident: Count,
  endpoint: Type.String(),
  /** When a release was put back; null where the bad one still decides. */
  rolledBackMs: orNull(Ms),
  openedMs: Ms,
  /** The finding as a sentence without its full stop: `r12 turned down applicants with high school education`. */
  finding: Type.String(),
  /** Failed requests between proof and the last answer of the old table. */
  failedRequests: orNull(Count),
  affected: orNull(Count),
});
export type NeedsYouView = Static<typeof NeedsYouView>;

export const HomeView = object({
  nowMs: Ms,
  /** IANA name of the zone that times are told in. */
  zone: Type.String(),
  viewer: ViewerView,
  totals: object({
    endpoints: Count,
    withLiveRelease: Count,
    perMinute: Type.Number({ minimum: 0 }),
    /** Valid requests for decisions that got no answer, and of how many, since the server's start. */
    failed: object({ requests: Count, of: Count, fromMs: Ms }),
    openIncidents: Count,
    /** The last one of all endpoints: how long from the proof or the command until every new request met the new table. */
    lastRollback: orNull(object({ switchedUs: Count, happenedMs: Ms })),
  }),
  needsYou: Type.Array(NeedsYouView),
  /** In the order to show: open incident, watched, on fallback, waiting, then name. */
  endpoints: Type.Array(EndpointRowView),
});
export type HomeView = Static<typeof HomeView>;

/** One line of what happened. */
export const HappeningView = object({
  happenedMs: Ms,
  /** From the proof; null for what doesn't belong to the rollback. */
  sinceProofUs: orNull(Type.Integer()),
  mark: Type.Enum(["live", "canary", "shadow", "breach", "check", "record", "rollback", "search", "person"]),
  text: Type.String(),
  detail: orNull(Type.String()),
});
export type HappeningView = Static<typeof HappeningView>;

/** Counts are null where a side has fewer than 10 and the reader may not see groups. */
const Side = object({ group: Type.String(), favourable: orNull(Count), of: orNull(Count) });

/** What the guardrail had in hand when it had proof. */
export const EvidenceView = object({
  guardrail: Type.String(),
  metric: Type.String(),
  unit: Type.Enum(["ratio", "rate", "ms"]),
  estimate: orNull(Type.Number()),
  /** 95 % band for all times; `high` null where it has no upper end. */
  band: object({ low: Type.Number(), high: orNull(Type.Number()) }),
  /** What `Side.favourable` counts: favourable answers, answers of certain actions, answers that another release gave, or what came of decisions. */
  counts: Type.Enum(["selections", "actions", "substitutions", "flips", "net-flips", "outcomes", "slow", "scores"]),
  limit: Type.Number(),
  evidence: Type.Number({ minimum: 0 }),
  threshold: Type.Number({ minimum: 0 }),
  /** Error budget of the endpoint, and over how many tests it is shared. */
  budget: Type.Number({ minimum: 0, maximum: 1 }),
  tests: Count,
  decisions: Count,
  harmed: Side,
  /** Null for a metric that compares with nobody; its group is null where it is everybody else. */
  reference: orNull(object({ group: orNull(Type.String()), favourable: orNull(Count), of: orNull(Count) })),
  /** Who sent these decisions, largest share first. */
  sources: Type.Array(object({ name: Type.String(), share: Share })),
});
export type EvidenceView = Static<typeof EvidenceView>;

const Estimate = { share: Type.Number(), low: Type.Number(), high: Type.Number() };
const estimate = object(Estimate);

/** Which step moved the harm. `share`, `low` and `high` are differences of rates (0.304 is 30.4 points); positive: made it worse. */
export const BlameView = object({
  tier: Type.Enum([0, 1]),
  madeMs: Ms,
  verdict: object({
    word: Type.Enum(["did it", "most likely", "these two together", "we cannot tell", "could not be reproduced"]),
    /** As in a sentence: `the training data`. */
    steps: Type.Array(Type.String()),
    because: Type.String(),
  }),
  harm: estimate,
  /** Largest share first. */
  parts: Type.Array(
    object({
      step: Type.String(),
      /** `Data`, `Algorithm`, … */
      label: Type.String(),
      /** What is known to have changed in it: `loans/13 → loans/14`. */
      change: orNull(Type.String()),
      ...Estimate,
      /** The verdict names it. */
      isNamed: Type.Boolean(),
    }),
  ),
  /** Null where nothing is left over. */
  unexplained: orNull(estimate),
  /** How it was computed, in one or two sentences. */
  method: Type.String(),
});
export type BlameView = Static<typeof BlameView>;

/** People by what the restored release says to them. A count is null where the cell has under 10 people and the viewer may not see it. */
const PeopleCounts = {
  people: orNull(Count),
  /** `harmed` or `worse_terms`: the restored release gives a better answer. */
  better: orNull(Count),
  /** `benefited`: nothing is taken from them. */
  worse: orNull(Count),
};

export const WhoView = object({
  ...PeopleCounts,
  reasonChanged: Count,
  notReplayable: Count,
  /** Attributes in the endpoint's order, groups of one attribute together. */
  groups: Type.Array(object({ attribute: Type.String(), group: Type.String(), ...PeopleCounts, isHarmed: Type.Boolean() })),
  /** Best for the person first: rows and columns of `flips`. */
  actions: Type.Array(Type.String()),
  /** `flips[i][j]`: people whom the bad release gave `actions[i]` and the restored one gives `actions[j]`. */
  flips: Type.Array(Type.Array(Count)),
});
export type WhoView = Static<typeof WhoView>;

const Said = object({ action: Type.String(), score: orNull(Type.Number()) });

/** One person: the decision that stands for them, and what both releases say. */
export const AffectedPersonView = object({
  decision: Type.String(),
  decidedMs: Ms,
  class: Type.Enum(["harmed", "worse_terms", "reason_changed", "benefited", "not_replayable"]),
  groups: Type.Array(Type.String()),
  before: Said,
  after: orNull(Said),
  /** Why it can't be replayed, or what changed in the reasons. */
  note: orNull(Type.String()),
});
export type AffectedPersonView = Static<typeof AffectedPersonView>;

/** Up to 50 people, in order of class and then time. `nextCursor` null: these were the last. */
export const AffectedPage = object({ people: Type.Array(AffectedPersonView, { maxItems: 50 }), nextCursor: orNull(Type.String()) });
export type AffectedPage = Static<typeof AffectedPage>;

/** What a channel was told of an incident, or is to be. */
export const ToldView = object({
  channel: Type.String(),
  news: Type.Enum(["opened", "escalated", "changed", "acknowledged", "repeated", "resolved"]),
  /** `pending`: on its way; `dead`: given up; `dropped`: its channel was removed. */
  state: Type.Enum(["pending", "delivered", "dead", "dropped"]),
  /** When it was delivered; else when it was to be. */
  atMs: Ms,
  attempts: Count,
});
export type ToldView = Static<typeof ToldView>;

/** What a person can say that an incident has come to. */
const IncidentMoveView = Type.Enum(["in_review", "resolved", "closed"]);
export type IncidentMoveView = Static<typeof IncidentMoveView>;

export const IncidentView = object({
  nowMs: Ms,
  zone: Type.String(),
  viewer: ViewerView,
  n: Count,
  endpoint: Type.String(),
  state: IncidentStateView,
  /** Where this viewer can move it from here; empty for those who may not. */
  moves: Type.Array(IncidentMoveView),
  openedMs: Ms,
  /** Name of the guardrail or person. */
  openedBy: Type.String(),
  /** What opened it: a guardrail's proof, a release that failed, or a person. */
  kind: Type.Enum(["breach", "failure", "by-hand"]),
  /** As in `NeedsYouView`. */
  finding: Type.String(),
  reason: Type.String(),
  release: ReleaseName,
  isCondemned: Type.Boolean(),
  restored: orNull(ReleaseName),
  /** Decisions of the release that count for this incident; `toMs` null while it still decides. */
  served: object({ fromMs: Ms, toMs: orNull(Ms), decisions: Count }),
  rollback: orNull(
    object({
      automatic: Type.Boolean(),
      happenedMs: Ms,
      switchedUs: Count,
      /** Until the last answer of the old table had been given; null where that isn't known. */
      drainedUs: orNull(Count),
      failedRequests: orNull(Count),
    }),
  ),
  /** Why nothing was rolled back by itself; null where something was. */
  notRolledBack: orNull(Type.String()),
  happenings: Type.Array(HappeningView),
  evidence: orNull(EvidenceView),
  /** The most thorough report first; empty while there is none. */
  blame: Type.Array(BlameView, { maxItems: 2 }),
  /** Null until the affected people have been looked for. */
  who: orNull(WhoView),
  /** Who was told by which channel, oldest first. */
  told: Type.Array(ToldView),
});
export type IncidentView = Static<typeof IncidentView>;
