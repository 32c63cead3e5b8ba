/** What people and guardrails want of a route table, and what it answers. Pure: time and actor come with the command. */
import { err, ok, unreachable, type CommandId, type ReleaseId, type Result } from "../std.ts";
import {
  AUTOMATIC_ROLLBACKS_A_DAY,
  armsTrouble,
  automaticRollbacksSince,
  evolve,
  isArm,
  isShadowShare,
  isShare,
  placesOf,
  rollbackCandidates,
  type AbArm,
  type OpenTable,
  type Rollout,
  type RouteTable,
} from "./route-table.ts";
import { isApprovedFirst, type RolloutStep } from "./rollout-plan.ts";
import type { Change, Stamp, Transition } from "./transition.ts";

/** What a command asks for, without who, when and why. */
export type Wish =
  /** Make a release known. */
  | { readonly kind: "register"; readonly release: ReleaseId }
  /** What answers when nothing else can. The first one opens the endpoint: it is live at once. */
  | { readonly kind: "set-fallback"; readonly release: ReleaseId }
  /** Start a shadow, or change the share of one that runs. `share`: of the subjects, above 0 and at most 1; all when left out. */
  | { readonly kind: "shadow"; readonly release: ReleaseId; readonly share?: number }
  | { readonly kind: "stop-shadow"; readonly release: ReleaseId }
  /**
   * Start a canary, or change the one that runs. `when`: a condition over the inputs that the shell has checked; the share is of those
   * whom it holds for.
   */
  | { readonly kind: "canary"; readonly release: ReleaseId; readonly share: number; readonly when?: string }
  | { readonly kind: "stop-canary" }
  | { readonly kind: "promote"; readonly release: ReleaseId }
  /**
   * `from`: what is to be taken out, null for whatever is live. `to`: null for the first candidate.
   * `condemn` is quietly left out for the fallback: a rollback is never made harder.
   */
  | { readonly kind: "rollback"; readonly from: ReleaseId | null; readonly to: ReleaseId | null; readonly condemn: boolean }
  /** Rehearse a rollback: its target (null for the first candidate) answers everybody, until `end-drill` puts back what was live. */
  | { readonly kind: "start-drill"; readonly to: ReleaseId | null }
  | { readonly kind: "end-drill" }
  /** Take every place but live away from a release, and keep it from getting one. */
  | { readonly kind: "condemn"; readonly release: ReleaseId }
  | { readonly kind: "reinstate"; readonly release: ReleaseId }
  /** Bring a release to everybody, step by step. `counted`: people whom it has answered so far in the first step's place. */
  | { readonly kind: "start-rollout"; readonly release: ReleaseId; readonly plan: readonly RolloutStep[]; readonly counted: number }
  /** From `step` to the next one, or live after the last. `counted` as above, for the next step's place. */
  | { readonly kind: "advance-rollout"; readonly release: ReleaseId; readonly step: number; readonly counted: number }
  | { readonly kind: "approve-rollout"; readonly release: ReleaseId; readonly step: number }
  | { readonly kind: "pause-rollout" }
  | { readonly kind: "continue-rollout" }
  /** Ends it where it is; the release keeps no place. */
  | { readonly kind: "abort-rollout" }
  /**
   * Compare live with others, at fixed shares. `answers`, `forMs`: after how many answers, or how long, it ends by itself; null: not by
   * that. `counted`: answers that the arms have given in A/B tests so far.
   */
  | {
      readonly kind: "start-ab";
      readonly arms: readonly AbArm[];
      readonly answers: number | null;
      readonly forMs: number | null;
      readonly counted: number;
    }
  /** `sinceMs`: which one is meant, null for whichever is under way. Live answers everybody again. */
  | { readonly kind: "end-ab"; readonly sinceMs: number | null }
  /** Hold automatic rollouts until a named person resumes them. */
  | { readonly kind: "hold" }
  | { readonly kind: "resume" };

export interface Command extends Stamp {
  readonly id: CommandId;
  readonly wish: Wish;
  /** What was asked for, where the shell has chosen something in the wish (a rollback's target): a retry asks the same again. */
  readonly asked?: Wish;
  /** The generation that the actor saw: refuse when the table has moved on. Null: whatever it is now. */
  readonly expectedGeneration: number | null;
}

export type Rejection =
  | { readonly kind: "no-fallback-yet" }
  | { readonly kind: "stale-generation"; readonly expected: number; readonly actual: number }
  | { readonly kind: "command-id-reused"; readonly command: CommandId }
  | { readonly kind: "needs-a-named-person" }
  | { readonly kind: "needs-a-reason" }
  | { readonly kind: "unknown-release"; readonly release: ReleaseId }
  | { readonly kind: "already-known"; readonly release: ReleaseId }
  | { readonly kind: "condemned-release"; readonly release: ReleaseId }
  | { readonly kind: "not-condemned"; readonly release: ReleaseId }
  | { readonly kind: "already-condemned"; readonly release: ReleaseId }
  | { readonly kind: "already-live"; readonly release: ReleaseId }
  | { readonly kind: "already-canary"; readonly release: ReleaseId }
  | { readonly kind: "already-shadow"; readonly release: ReleaseId }
  | { readonly kind: "already-fallback"; readonly release: ReleaseId }
  | { readonly kind: "not-live"; readonly release: ReleaseId; readonly live: ReleaseId }
  | { readonly kind: "not-shadow"; readonly release: ReleaseId }
  | { readonly kind: "no-canary" }
  | { readonly kind: "canary-under-way"; readonly release: ReleaseId }
  | { readonly kind: "too-many-shadows"; readonly limit: number }
  | { readonly kind: "bad-share"; readonly share: number }
  | { readonly kind: "live-is-rolled-back-instead"; readonly release: ReleaseId }
  | { readonly kind: "fallback-stays"; readonly release: ReleaseId }
  | { readonly kind: "not-a-candidate"; readonly release: ReleaseId; readonly candidates: readonly ReleaseId[] }
  | { readonly kind: "nowhere-to-roll-back" }
  | { readonly kind: "too-many-automatic-rollbacks"; readonly limit: number }
  | { readonly kind: "rollout-under-way"; readonly release: ReleaseId }
  | { readonly kind: "no-rollout" }
  | { readonly kind: "no-steps" }
  | { readonly kind: "not-that-step"; readonly step: number; readonly present: number }
  | { readonly kind: "is-paused"; readonly release: ReleaseId }
  | { readonly kind: "not-paused"; readonly release: ReleaseId }
  | { readonly kind: "needs-approval"; readonly release: ReleaseId; readonly startedBy: string | null }
  | { readonly kind: "needs-a-second-person"; readonly startedBy: string }
  | { readonly kind: "nothing-to-approve" }
  | { readonly kind: "already-approved"; readonly by: string }
  | { readonly kind: "frozen"; readonly untilMs: number; readonly why: string }
  | { readonly kind: "drill-under-way"; readonly release: ReleaseId }
  | { readonly kind: "no-drill" }
  | { readonly kind: "bad-arms"; readonly why: "count" | "twice" | "weight" | "live-is-missing"; readonly live: ReleaseId }
  | { readonly kind: "ends-at-once" }
  | { readonly kind: "ab-under-way" }
  | { readonly kind: "no-ab" }
  | { readonly kind: "rollouts-held" }
  | { readonly kind: "already-held" }
  | { readonly kind: "not-held" };

export const SHADOWS_AT_MOST = 4;

/** What the endpoint's definition asks of commands at the time they are given. */
export interface Rules {
  /** A second person approves before anybody is answered by a new release. */
  readonly approval: boolean;
  /** Nothing new for anybody now; taking away is always possible. */
  readonly frozen: { readonly untilMs: number; readonly why: string } | null;
}
export const NO_RULES: Rules = { approval: false, frozen: null };

/**
 * What `command` does to `table`: the one transition that follows, or null for a command that was applied before.
 * A refused command leaves no trace in the table: sent again it is judged anew.
 */
export function decide(table: RouteTable, command: Command, rules: Rules = NO_RULES): Result<Transition | null, Rejection> {
  const { id, actor, reason, atMs, expectedGeneration } = command;
  const intent = intentOf(command);
  const before = table.applied.get(id);
  if (before !== undefined) return before === intent ? ok(null) : err({ kind: "command-id-reused", command: id });
  if (expectedGeneration !== null && expectedGeneration !== table.generation)
    return err({ kind: "stale-generation", expected: expectedGeneration, actual: table.generation });
  const change = changeFor(table, command, rules);
  if (!change.ok) return change;
  return ok({ generation: table.generation + 1, command: id, intent, actor, reason, atMs, change: change.value });
}

/** `decide` and `evolve` in one: the very same table when nothing changes. */
export function apply(table: RouteTable, command: Command, rules: Rules = NO_RULES): Result<RouteTable, Rejection> {
  const decided = decide(table, command, rules);
  if (!decided.ok) return decided;
  return ok(decided.value === null ? table : evolve(table, decided.value));
}

/** What a command asks for as one text. Keys in a fixed order, whatever order the caller wrote them in. */
export function intentOf({ wish, asked = wish }: Command): string {
  return JSON.stringify(Object.entries(asked).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function changeFor(table: RouteTable, command: Command, rules: Rules): Result<Change, Rejection> {
  const { wish } = command;
  if (wish.kind === "register") {
    const { release } = wish;
    return table.releases.has(release) ? err({ kind: "already-known", release }) : ok({ kind: "registered", release });
  }
  if (table.kind === "open") return frozenFor(wish, rules) ?? openChange(table, wish, command, rules);
  if (wish.kind !== "set-fallback") return err({ kind: "no-fallback-yet" });
  const { release } = wish;
  return table.releases.has(release)
    ? ok({ kind: "fallback-set", fallback: release, live: release })
    : err({ kind: "unknown-release", release });
}

function openChange(
  table: OpenTable,
  wish: Exclude<Wish, { kind: "register" }>,
  command: Command,
  rules: Rules,
): Result<Change, Rejection> {
  const automatic = command.actor.kind === "system";
  switch (wish.kind) {
    case "set-fallback": {
      const { release } = wish;
      if (table.fallback === release) return err({ kind: "already-fallback", release });
      return usable(table, release) ?? rollingOut(table, release) ?? ok({ kind: "fallback-set", fallback: release, live: null });
    }
    case "shadow": {
      const { release, share = 1 } = wish;
      const before = table.shadows.find((shadow) => shadow.release === release);
      if (isArm(table.ab, release)) return err({ kind: "ab-under-way" });
      const isMoved = before !== undefined && before.share !== share;
      const refused =
        usable(table, release) ?? rollingOut(table, release) ?? (isMoved ? undefined : placed(table, release)) ?? held(table, automatic);
      if (refused) return refused;
      if (!isShadowShare(share)) return err({ kind: "bad-share", share });
      if (isMoved) return ok({ kind: "shadow-changed", release, share });
      if (table.shadows.length >= SHADOWS_AT_MOST) return err({ kind: "too-many-shadows", limit: SHADOWS_AT_MOST });
      return ok({ kind: "shadow-started", release, share });
    }
    case "stop-shadow": {
      const { release } = wish;
      if (!isShadow(table, release)) return err({ kind: "not-shadow", release });
      return rollingOut(table, release) ?? ok({ kind: "shadow-stopped", release });
    }
    case "canary":
      return canaryChange(table, wish, automatic, rules);
    case "stop-canary":
      if (!table.canary) return err({ kind: "no-canary" });
      return rollingOut(table, table.canary.release) ?? ok({ kind: "canary-stopped", release: table.canary.release });
    case "promote": {
      const { release } = wish;
      const refused = usable(table, release) ?? held(table, automatic);
      if (refused) return refused;
      if (table.live === release) return err({ kind: "already-live", release });
      if (table.rollout && table.rollout.release !== release) return err({ kind: "rollout-under-way", release: table.rollout.release });
      const unapproved = table.rollout ? approvalLeft(table.rollout) : rules.approval;
      if (unapproved) return err({ kind: "needs-approval", release, startedBy: table.rollout?.startedBy ?? null });
      if (table.canary && table.canary.release !== release) return err({ kind: "canary-under-way", release: table.canary.release });
      if (table.ab && !isArm(table.ab, release)) return err({ kind: "ab-under-way" });
      return ok({ kind: "promoted", live: release, from: table.live });
    }
    case "rollback":
      return rollbackChange(table, wish, command.atMs, automatic);
    case "start-drill":
      return drillChange(table, wish, automatic, rules);
    case "end-drill":
      return table.drilledFrom === null
        ? err({ kind: "no-drill" })
        : ok({ kind: "drill-ended", live: table.drilledFrom, from: table.live });
    case "condemn": {
      const { release } = wish;
      if (!table.releases.has(release)) return err({ kind: "unknown-release", release });
      if (table.condemned.has(release)) return err({ kind: "already-condemned", release });
      if (table.fallback === release) return err({ kind: "fallback-stays", release });
      if (table.live === release) return err({ kind: "live-is-rolled-back-instead", release });
      return ok({ kind: "condemned", release, from: placesOf(table, release)[0] ?? null, automatic });
    }
    case "reinstate": {
      const { release } = wish;
      const refused = unanswered(command);
      if (refused) return refused;
      return table.condemned.has(release) ? ok({ kind: "reinstated", release }) : err({ kind: "not-condemned", release });
    }
    case "start-rollout":
      return startRollout(table, wish, automatic, rules);
    case "advance-rollout":
      return advanceRollout(table, wish, automatic);
    case "approve-rollout":
      return unanswered(command) ?? approveRollout(table, wish, command);
    case "pause-rollout": {
      if (!table.rollout) return err({ kind: "no-rollout" });
      const { release, isPaused } = table.rollout;
      return isPaused ? err({ kind: "is-paused", release }) : ok({ kind: "rollout-paused", release });
    }
    case "continue-rollout": {
      if (!table.rollout) return err({ kind: "no-rollout" });
      const { release, isPaused } = table.rollout;
      return isPaused ? ok({ kind: "rollout-continued", release }) : err({ kind: "not-paused", release });
    }
    case "abort-rollout":
      return table.rollout ? ok({ kind: "rollout-aborted", release: table.rollout.release }) : err({ kind: "no-rollout" });
    case "start-ab":
      return startAb(table, wish, command, rules);
    case "end-ab":
      if (!table.ab || (wish.sinceMs !== null && wish.sinceMs !== table.ab.sinceMs)) return err({ kind: "no-ab" });
      return ok({ kind: "ab-ended", arms: table.ab.arms.map(({ release }) => release) });
    case "hold":
      return table.hold ? err({ kind: "already-held" }) : ok({ kind: "rollouts-held" });
    case "resume":
      return unanswered(command) ?? (table.hold ? ok({ kind: "rollouts-resumed" }) : err({ kind: "not-held" }));
    default:
      return unreachable(wish);
  }
}

function canaryChange(
  table: OpenTable,
  { release, share, when }: Extract<Wish, { kind: "canary" }>,
  automatic: boolean,
  rules: Rules,
): Result<Change, Rejection> {
  const refused = usable(table, release) ?? held(table, automatic);
  if (refused) return refused;
  if (table.drilledFrom !== null) return err({ kind: "drill-under-way", release: table.drilledFrom });
  if (table.ab) return err({ kind: "ab-under-way" });
  // Also that of another release: sooner or later the rollout wants the place.
  if (table.rollout) return err({ kind: "rollout-under-way", release: table.rollout.release });
  if (rules.approval) return err({ kind: "needs-approval", release, startedBy: null });
  if (!isShare(share)) return err({ kind: "bad-share", share });
  if (table.live === release) return err({ kind: "already-live", release });
  const who = { release, share, ...(when === undefined ? {} : { when }) };
  if (!table.canary) return ok({ kind: "canary-started", ...who });
  if (table.canary.release !== release) return err({ kind: "canary-under-way", release: table.canary.release });
  const isSame = table.canary.share === share && table.canary.when === (when ?? null);
  return isSame ? err({ kind: "already-canary", release }) : ok({ kind: "canary-changed", ...who });
}

/** Only where nothing else is under way, and never so that it could not be ended: ending gives back what answered before. */
function drillChange(
  table: OpenTable,
  { to }: Extract<Wish, { kind: "start-drill" }>,
  automatic: boolean,
  { frozen }: Rules,
): Result<Change, Rejection> {
  const refused = held(table, automatic) ?? (frozen ? err({ kind: "frozen" as const, ...frozen }) : undefined);
  if (refused) return refused;
  if (table.drilledFrom !== null) return err({ kind: "drill-under-way", release: table.drilledFrom });
  if (table.rollout) return err({ kind: "rollout-under-way", release: table.rollout.release });
  if (table.canary) return err({ kind: "canary-under-way", release: table.canary.release });
  if (table.ab) return err({ kind: "ab-under-way" });
  const candidates = rollbackCandidates(table);
  const target = to ?? candidates[0];
  if (target === undefined) return err({ kind: "nowhere-to-roll-back" });
  if (!candidates.includes(target)) return err({ kind: "not-a-candidate", release: target, candidates });
  return ok({ kind: "drill-started", live: target, from: table.live });
}

/** Of equal standing, so live is one of them; and alone, so that what is compared is all that differs. */
function startAb(
  table: OpenTable,
  { arms, answers, forMs, counted }: Extract<Wish, { kind: "start-ab" }>,
  { actor, atMs }: Command,
  rules: Rules,
): Result<Change, Rejection> {
  const { live } = table;
  const unusable = arms.map(({ release }) => usable(table, release)).find((refusal) => refusal !== undefined);
  const refused = unusable ?? held(table, actor.kind === "system");
  if (refused) return refused;
  if (table.drilledFrom !== null) return err({ kind: "drill-under-way", release: table.drilledFrom });
  if (table.rollout) return err({ kind: "rollout-under-way", release: table.rollout.release });
  if (table.canary) return err({ kind: "canary-under-way", release: table.canary.release });
  if (table.ab) return err({ kind: "ab-under-way" });
  const why = armsTrouble(arms) ?? (arms.some(({ release }) => release === live) ? null : "live-is-missing");
  if (why !== null) return err({ kind: "bad-arms", why, live });
  if ((answers !== null && answers < 1) || (forMs !== null && forMs < 1)) return err({ kind: "ends-at-once" });
  const other = arms.find(({ release }) => release !== live);
  if (rules.approval && other) return err({ kind: "needs-approval", release: other.release, startedBy: null });
  const liveFirst = arms.toSorted((a, b) => Number(b.release === live) - Number(a.release === live));
  return ok({ kind: "ab-started", arms: liveFirst, answers, untilMs: forMs === null ? null : atMs + forMs, counted });
}

function startRollout(
  table: OpenTable,
  { release, plan, counted }: Extract<Wish, { kind: "start-rollout" }>,
  automatic: boolean,
  rules: Rules,
): Result<Change, Rejection> {
  const refused = usable(table, release) ?? held(table, automatic);
  if (refused) return refused;
  if (table.live === release) return err({ kind: "already-live", release });
  if (table.drilledFrom !== null) return err({ kind: "drill-under-way", release: table.drilledFrom });
  if (table.rollout) return err({ kind: "rollout-under-way", release: table.rollout.release });
  if (table.canary && table.canary.release !== release) return err({ kind: "canary-under-way", release: table.canary.release });
  if (table.ab) return err({ kind: "ab-under-way" });
  const [first] = plan;
  if (first === undefined) return err({ kind: "no-steps" });
  const badShare = plan.find(({ place, share }) =>
    place === "canary" ? !isShare(share ?? 0) : place === "shadow" && !isShadowShare(share ?? 1),
  );
  if (badShare) return err({ kind: "bad-share", share: badShare.share ?? 0 });
  if (rules.approval && !isApprovedFirst(plan)) return err({ kind: "needs-approval", release, startedBy: null });
  // A canary that somebody started by hand goes on as the rollout's; it can't be taken back to a step before.
  if (table.canary && first.place !== "canary") return err({ kind: "already-canary", release });
  return noRoom(table, release, first) ?? ok({ kind: "rollout-started", release, plan: [...plan], counted });
}

function advanceRollout(
  table: OpenTable,
  { release, step, counted }: Extract<Wish, { kind: "advance-rollout" }>,
  automatic: boolean,
): Result<Change, Rejection> {
  const { rollout } = table;
  if (!rollout || rollout.release !== release) return err({ kind: "no-rollout" });
  if (rollout.step !== step) return err({ kind: "not-that-step", step, present: rollout.step });
  const refused = held(table, automatic);
  if (refused) return refused;
  if (rollout.isPaused) return err({ kind: "is-paused", release });
  if (needsApprovalNow(rollout)) return err({ kind: "needs-approval", release, startedBy: rollout.startedBy });
  const next = rollout.plan[step + 1];
  if (next === undefined) return ok({ kind: "promoted", live: release, from: table.live });
  return noRoom(table, release, next) ?? ok({ kind: "rollout-advanced", release, step: step + 1, counted });
}

function approveRollout(
  { rollout }: OpenTable,
  { release, step }: Extract<Wish, { kind: "approve-rollout" }>,
  { actor }: Command,
): Result<Change, Rejection> {
  if (!rollout || rollout.release !== release) return err({ kind: "no-rollout" });
  if (rollout.step !== step) return err({ kind: "not-that-step", step, present: rollout.step });
  if (!rollout.plan[step]?.approval) return err({ kind: "nothing-to-approve" });
  if (rollout.approvedBy !== null) return err({ kind: "already-approved", by: rollout.approvedBy });
  if (actor.name === rollout.startedBy) return err({ kind: "needs-a-second-person", startedBy: rollout.startedBy });
  return ok({ kind: "rollout-approved", release, step });
}

const needsApprovalNow = ({ plan, step, approvedBy }: Rollout): boolean => approvedBy === null && (plan[step]?.approval ?? false);
/** Whether somebody has still to approve before the release may be live. */
const approvalLeft = (rollout: Rollout): boolean =>
  needsApprovalNow(rollout) || rollout.plan.slice(rollout.step + 1).some(({ approval }) => approval);

function noRoom(table: OpenTable, release: ReleaseId, { place }: RolloutStep): Refusal | undefined {
  const isFull = place === "shadow" && !isShadow(table, release) && table.shadows.length >= SHADOWS_AT_MOST;
  return isFull ? err({ kind: "too-many-shadows", limit: SHADOWS_AT_MOST }) : undefined;
}

/** Places of a release that is being rolled out are the rollout's to give. */
const rollingOut = ({ rollout }: OpenTable, release: ReleaseId): Refusal | undefined =>
  rollout?.release === release ? err({ kind: "rollout-under-way", release }) : undefined;

const GIVING: ReadonlySet<Wish["kind"]> = new Set(["canary", "promote", "start-rollout", "advance-rollout", "start-ab"]);
const frozenFor = ({ kind }: Wish, { frozen }: Rules): Refusal | undefined =>
  frozen && GIVING.has(kind) ? err({ kind: "frozen", ...frozen }) : undefined;

/** A rollback ends any canary as well: all traffic goes to the target. */
function rollbackChange(
  table: OpenTable,
  { from, to, condemn }: Extract<Wish, { kind: "rollback" }>,
  atMs: number,
  automatic: boolean,
): Result<Change, Rejection> {
  const { live } = table;
  if (from !== null && from !== live) return err({ kind: "not-live", release: from, live });
  const candidates = rollbackCandidates(table);
  const target = to ?? candidates[0];
  if (target === undefined) return err({ kind: "nowhere-to-roll-back" });
  if (target === live) return err({ kind: "already-live", release: target });
  if (table.condemned.has(target)) return err({ kind: "condemned-release", release: target });
  if (!candidates.includes(target)) return err({ kind: "not-a-candidate", release: target, candidates });
  if (automatic && automaticRollbacksSince(table, atMs) >= AUTOMATIC_ROLLBACKS_A_DAY)
    return err({ kind: "too-many-automatic-rollbacks", limit: AUTOMATIC_ROLLBACKS_A_DAY });
  return ok({
    kind: "rolled-back",
    live: target,
    from: live,
    condemned: condemn && live !== table.fallback ? live : null,
    stoppedCanary: table.canary && table.canary.release !== target ? table.canary.release : null,
    automatic,
  });
}

type Refusal = { readonly ok: false; readonly error: Rejection };

function usable(table: OpenTable, release: ReleaseId): Refusal | undefined {
  if (!table.releases.has(release)) return err({ kind: "unknown-release", release });
  return table.condemned.has(release) ? err({ kind: "condemned-release", release }) : undefined;
}

function placed(table: OpenTable, release: ReleaseId): Refusal | undefined {
  if (table.live === release) return err({ kind: "already-live", release });
  if (table.canary?.release === release) return err({ kind: "already-canary", release });
  return isShadow(table, release) ? err({ kind: "already-shadow", release }) : undefined;
}

const isShadow = ({ shadows }: OpenTable, release: ReleaseId): boolean => shadows.some((shadow) => shadow.release === release);

const held = (table: OpenTable, automatic: boolean): Refusal | undefined =>
  table.hold && automatic ? err({ kind: "rollouts-held" }) : undefined;

/** Some things need somebody to answer for them: a name and a reason. */
function unanswered({ actor, reason }: Command): Refusal | undefined {
  if (actor.kind !== "person" || actor.name.trim() === "") return err({ kind: "needs-a-named-person" });
  return reason.trim() === "" ? err({ kind: "needs-a-reason" }) : undefined;
}
