/**
 * The route table: which release answers which share of an endpoint's traffic. Pure: it is the fold of its transitions, and
 * says nothing that they don't. What people and guardrails want of it is in `route-commands.ts`; invariants are numbered in
 * `docs/route-table.md`.
 */
import { assert, unreachable, type CommandId, type ReleaseId } from "../std.ts";
import type { RolloutStep } from "./rollout-plan.ts";
import type { Change, Place, Stamp, Transition } from "./transition.ts";

export interface Canary {
  readonly release: ReleaseId;
  /** Of the subjects whom `when` holds for, above 0 and below 1. */
  readonly share: number;
  /** A condition over the endpoint's inputs, in CEL; null: everybody. */
  readonly when: string | null;
}
export interface Shadow {
  readonly release: ReleaseId;
  /** Of the subjects, above 0 and at most 1: whose applications it answers too. */
  readonly share: number;
}
/** One release of an A/B test. */
export interface AbArm {
  readonly release: ReleaseId;
  /** A whole number: its share of the subjects is that of its weight in the sum of all. */
  readonly weight: number;
}
/** Releases of equal standing that answer fixed shares of the subjects, to be compared. */
export interface AbTest {
  /** Live is one of them. */
  readonly arms: readonly AbArm[];
  readonly sinceMs: number;
  readonly startedBy: string;
  /** It ends by itself after so many answers, or at that time; null: not by that. */
  readonly answers: number | null;
  readonly untilMs: number | null;
  /** Answers that its arms had given in A/B tests before. */
  readonly counted: number;
}
/** A release on its way to everybody, step by step. */
export interface Rollout {
  readonly release: ReleaseId;
  readonly plan: readonly RolloutStep[];
  /** Index of the step that it is in. */
  readonly step: number;
  readonly stepSinceMs: number;
  /** People whom the release had answered in this step's place before the step began. */
  readonly counted: number;
  /** Who may not approve it. */
  readonly startedBy: string;
  /** Of the present step; null while nobody has. */
  readonly approvedBy: string | null;
  readonly isPaused: boolean;
}
interface TableBase {
  /** Number of transitions folded in; 0 before the first. */
  readonly generation: number;
  readonly releases: ReadonlySet<ReleaseId>;
  /** What the latest commands asked for, by their id: the same id twice changes nothing. Bounded by `APPLIED_KEPT`. */
  readonly applied: ReadonlyMap<CommandId, string>;
}
/** Before the endpoint has a fallback it answers nobody. */
export interface ClosedTable extends TableBase {
  readonly kind: "closed";
}
export interface OpenTable extends TableBase {
  readonly kind: "open";
  readonly fallback: ReleaseId;
  readonly live: ReleaseId;
  readonly canary: Canary | null;
  readonly shadows: readonly Shadow[];
  readonly rollout: Rollout | null;
  readonly ab: AbTest | null;
  /** What a drill has taken out and puts back when it ends; null while none is under way. */
  readonly drilledFrom: ReleaseId | null;
  /** Releases that were live and good before, newest last; the last one is the standby. Neither live, fallback nor condemned ones. */
  readonly history: readonly ReleaseId[];
  readonly condemned: ReadonlyMap<ReleaseId, Stamp>;
  /** Set while automatic rollouts wait for a person. */
  readonly hold: Stamp | null;
  /** The latest automatic rollbacks, at most `AUTOMATIC_ROLLBACKS_A_DAY` of them. */
  readonly automaticRollbacksAtMs: readonly number[];
}
export type RouteTable = ClosedTable | OpenTable;

/** Commands beyond these are known from the stored transitions only (`transitions.ts` looks there first). */
export const APPLIED_KEPT = 1000;
export const AUTOMATIC_ROLLBACKS_A_DAY = 2;
export const DAY_MS = 24 * 60 * 60 * 1000;

export const emptyTable: ClosedTable = { kind: "closed", generation: 0, releases: new Set(), applied: new Map() };

/** The table after `transition`, which must be its next one. */
export function evolve(table: RouteTable, transition: Transition): RouteTable {
  assert(transition.generation === table.generation + 1, `transition ${transition.generation} after generation ${table.generation}`);
  const base: TableBase = { generation: transition.generation, releases: table.releases, applied: withApplied(table.applied, transition) };
  const { change } = transition;
  if (change.kind === "registered") return { ...table, ...base, releases: new Set([...table.releases, change.release]) };
  if (table.kind === "open") return { ...changed(table, change, transition), ...base };
  assert(change.kind === "fallback-set" && change.live !== null, `${change.kind} before there is a fallback`);
  return {
    ...base,
    kind: "open",
    fallback: change.fallback,
    live: change.live,
    canary: null,
    shadows: [],
    rollout: null,
    ab: null,
    drilledFrom: null,
    history: [],
    condemned: new Map(),
    hold: null,
    automaticRollbacksAtMs: [],
  };
}

function changed(table: OpenTable, change: Exclude<Change, { kind: "registered" }>, stamp: Transition): OpenTable {
  const { actor, reason, atMs } = stamp;
  switch (change.kind) {
    case "fallback-set":
      return { ...table, fallback: change.fallback, history: without(table.history, change.fallback) };
    case "shadow-started":
    case "shadow-changed":
      return { ...table, shadows: shadowed(table.shadows, change.release, change.share ?? 1) };
    case "shadow-stopped":
      return { ...table, shadows: notOf(table.shadows, change.release) };
    case "canary-started":
    case "canary-changed":
      return {
        ...table,
        canary: { release: change.release, share: change.share, when: change.when ?? null },
        shadows: notOf(table.shadows, change.release), // it answers some for real now
      };
    case "canary-stopped":
      return { ...table, canary: null };
    case "promoted": {
      const earlier = change.from === table.fallback ? table.history : [...table.history, change.from];
      return {
        ...table,
        live: change.live,
        canary: null,
        shadows: notOf(table.shadows, change.live),
        rollout: null,
        ab: null,
        drilledFrom: null,
        history: without(earlier, change.live),
      };
    }
    case "rolled-back": {
      const condemned =
        change.condemned === null ? table.condemned : new Map([...table.condemned, [change.condemned, { actor, reason, atMs }]]);
      return {
        ...table,
        live: change.live,
        canary: null,
        // A rollout ends with its shadow: it is no time for it, and nobody would look at what it says.
        shadows: notOf(table.rollout ? notOf(table.shadows, table.rollout.release) : table.shadows, change.live),
        rollout: null,
        ab: null,
        drilledFrom: null,
        // What was rolled back from is no longer "good before": it comes back by being promoted, never by a rollback.
        history: without(table.history, change.live),
        condemned,
        hold: change.automatic ? { actor, reason, atMs } : table.hold,
        automaticRollbacksAtMs: change.automatic ? latest([...table.automaticRollbacksAtMs, atMs]) : table.automaticRollbacksAtMs,
      };
    }
    case "drill-started":
    case "drill-ended":
      return {
        ...table,
        live: change.live,
        shadows: notOf(table.shadows, change.live),
        drilledFrom: change.kind === "drill-started" ? change.from : null,
        // What is taken out for a while stays the first to be put back, and warm.
        history: [...without(table.history, change.live), ...(change.from === table.fallback ? [] : [change.from])],
      };
    case "condemned":
      return {
        ...table,
        canary: table.canary?.release === change.release ? null : table.canary,
        shadows: notOf(table.shadows, change.release),
        rollout: table.rollout?.release === change.release ? null : table.rollout,
        // With an arm gone there is nothing left to compare.
        ab: isArm(table.ab, change.release) ? null : table.ab,
        drilledFrom: table.drilledFrom === change.release ? null : table.drilledFrom,
        history: without(table.history, change.release),
        condemned: new Map([...table.condemned, [change.release, { actor, reason, atMs }]]),
        hold: change.automatic ? { actor, reason, atMs } : table.hold,
      };
    case "reinstated":
      return { ...table, condemned: new Map([...table.condemned].filter(([release]) => release !== change.release)) };
    case "rollout-started":
    case "rollout-advanced": {
      const plan = change.kind === "rollout-started" ? change.plan : (table.rollout?.plan ?? []);
      const index = change.kind === "rollout-started" ? 0 : change.step;
      const rollout: Rollout = {
        release: change.release,
        plan,
        step: index,
        stepSinceMs: atMs,
        counted: change.counted,
        startedBy: change.kind === "rollout-started" ? actor.name : (table.rollout?.startedBy ?? actor.name),
        approvedBy: null,
        isPaused: false,
      };
      return placedBy({ ...table, rollout }, change.release, plan[index]);
    }
    case "rollout-approved":
      return { ...table, rollout: table.rollout && { ...table.rollout, approvedBy: actor.name } };
    case "rollout-paused":
      return { ...table, rollout: table.rollout && { ...table.rollout, isPaused: true } };
    case "rollout-continued":
      return { ...table, rollout: table.rollout && { ...table.rollout, isPaused: false } };
    case "rollout-aborted":
      return {
        ...table,
        rollout: null,
        canary: table.canary?.release === change.release ? null : table.canary,
        shadows: notOf(table.shadows, change.release),
      };
    case "ab-started": {
      const { arms, answers, untilMs, counted } = change;
      return {
        ...table,
        ab: { arms, answers, untilMs, counted, sinceMs: atMs, startedBy: actor.name },
        shadows: table.shadows.filter(({ release }) => !arms.some((arm) => arm.release === release)),
      };
    }
    case "ab-ended":
      return { ...table, ab: null };
    case "rollouts-held":
      return { ...table, hold: { actor, reason, atMs } };
    case "rollouts-resumed":
      return { ...table, hold: null };
    default:
      return unreachable(change);
  }
}

/** Gives a release the place of a rollout's step. */
function placedBy(table: OpenTable, release: ReleaseId, step: RolloutStep | undefined): OpenTable {
  if (step?.place === "shadow") return { ...table, shadows: shadowed(table.shadows, release, step.share ?? 1) };
  if (step?.place === "canary")
    return { ...table, canary: { release, share: step.share ?? 0, when: step.when ?? null }, shadows: notOf(table.shadows, release) };
  return table;
}

const notOf = (shadows: readonly Shadow[], gone: ReleaseId) => shadows.filter(({ release }) => release !== gone);
const shadowed = (shadows: readonly Shadow[], release: ReleaseId, share: number) => [...notOf(shadows, release), { release, share }];
const without = (releases: readonly ReleaseId[], gone: ReleaseId) => releases.filter((release) => release !== gone);
const latest = (timesMs: readonly number[]) => timesMs.toSorted((a, b) => a - b).slice(-AUTOMATIC_ROLLBACKS_A_DAY);

function withApplied(applied: ReadonlyMap<CommandId, string>, { command, intent }: Transition): ReadonlyMap<CommandId, string> {
  const kept = [...applied].slice(Math.max(0, applied.size + 1 - APPLIED_KEPT));
  return new Map([...kept, [command, intent]]);
}

/** The release that a rollback would put back first, kept warm: the last one that was live and good; null when only the fallback is left. */
export const standbyOf = (table: OpenTable): ReleaseId | null => table.history.at(-1) ?? null;

/** Every release that the table points at, the most important first. @param fallback - another one that is about to be set */
export function neededBy(table: OpenTable, fallback = table.fallback): readonly ReleaseId[] {
  const { live, shadows } = table;
  const standby = standbyOf(table);
  return [...new Set([fallback, live, ...besideLive(table), ...(standby ? [standby] : []), ...shadows.map(({ release }) => release)])];
}

/** Where a rollback may go, best first: what was live and good before, newest first, then the fallback. Never what is live. */
export function rollbackCandidates(table: OpenTable): readonly ReleaseId[] {
  return [...table.history.toReversed(), table.fallback].filter((release) => release !== table.live);
}

export const isArm = (ab: AbTest | null, release: ReleaseId): boolean => ab?.arms.some((arm) => arm.release === release) ?? false;

/** The releases that answer a share of the people beside live: the canary, or the other arms of an A/B test. */
export const besideLive = ({ ab, canary, live }: OpenTable): readonly ReleaseId[] => [
  ...(canary ? [canary.release] : []),
  ...(ab ? ab.arms.map(({ release }) => release).filter((release) => release !== live) : []),
];

/** Every place that points at `release`: none of these may be unloaded or deleted. */
export function placesOf(table: RouteTable, release: ReleaseId): readonly Place[] {
  if (table.kind === "closed") return [];
  const places: Place[] = [];
  if (table.live === release) places.push("live");
  if (table.canary?.release === release) places.push("canary");
  if (table.live !== release && isArm(table.ab, release)) places.push("ab");
  if (table.shadows.some((shadow) => shadow.release === release)) places.push("shadow");
  if (standbyOf(table) === release) places.push("standby");
  if (table.fallback === release) places.push("fallback");
  return places;
}

/** How many automatic rollbacks the endpoint has had in the day before `atMs`; a clock that went back makes none of them forgotten. */
export function automaticRollbacksSince(table: OpenTable, atMs: number): number {
  return table.automaticRollbacksAtMs.filter((rolledBackAtMs) => rolledBackAtMs > atMs - DAY_MS).length;
}

/**
 * Which invariants of `docs/route-table.md` the table breaks: none, if the program is right. The shell asserts this before it
 * stores a transition, so that a mistake here refuses one command instead of deciding about people.
 */
export function brokenInvariants(table: RouteTable): readonly string[] {
  if (table.kind === "closed") return [];
  const broken: string[] = [];
  const must = (holds: boolean, what: string) => {
    if (!holds) broken.push(what);
  };
  const shadows = table.shadows.map(({ release }) => release);
  const placed = [table.live, table.fallback, ...besideLive(table), ...shadows, ...table.history];
  must(
    placed.every((release) => table.releases.has(release)),
    "I1: every place holds a known release",
  );
  must(!table.condemned.has(table.fallback), "I2: the fallback is not condemned");
  must(!placed.some((release) => table.condemned.has(release)), "I3: a condemned release holds no place");
  const serving = [table.live, ...besideLive(table), ...shadows];
  must(new Set(serving).size === serving.length, "I4: live, canary and shadows are different releases");
  must(table.canary === null || isShare(table.canary.share), "I5: a canary's share is above 0 and below 1");
  must(
    table.shadows.every(({ share }) => isShadowShare(share)),
    "I5: a shadow's share is above 0 and at most 1",
  );
  must(!table.history.includes(table.live) && !table.history.includes(table.fallback), "I6: the history holds neither live nor fallback");
  must(new Set(table.history).size === table.history.length, "I6: the history holds each release once");
  if (table.rollout) {
    const { release, plan, step } = table.rollout;
    const at = plan[step];
    must(at !== undefined, "I15: a rollout is in one of its steps");
    must(
      table.releases.has(release) && !table.condemned.has(release) && table.live !== release,
      "I15: a rollout's release isn't live or condemned",
    );
    must(
      at?.place !== "canary" ||
        (table.canary?.release === release && table.canary.share === at.share && table.canary.when === (at.when ?? null)),
      "I15: a rollout's canary has its step's share and condition",
    );
    must(at?.place !== "shadow" || shadows.includes(release), "I15: a rollout's shadow answers");
    must(table.canary === null || table.canary.release === release, "I15: no other canary beside a rollout");
  }
  if (table.ab) {
    must(armsTrouble(table.ab.arms) === null && isArm(table.ab, table.live), "I19: an A/B test has two to four arms, live among them");
    must(
      table.canary === null && table.rollout === null && table.drilledFrom === null,
      "I19: nothing else is under way beside an A/B test",
    );
  }
  must(
    table.drilledFrom === null || (table.drilledFrom !== table.live && !table.condemned.has(table.drilledFrom)),
    "I18: what a drill puts back isn't live, nor condemned",
  );
  must(table.automaticRollbacksAtMs.length <= AUTOMATIC_ROLLBACKS_A_DAY, "I9: no more automatic rollbacks than a day allows");
  return broken;
}

export const isShare = (share: number): boolean => share > 0 && share < 1;

export const ARMS_AT_MOST = 4;
export const WEIGHT_AT_MOST = 1000;

/** What is wrong with the arms of an A/B test, whichever release is live; null: nothing. */
export function armsTrouble(arms: readonly AbArm[]): "count" | "twice" | "weight" | null {
  if (arms.length < 2 || arms.length > ARMS_AT_MOST) return "count";
  if (new Set(arms.map(({ release }) => release)).size < arms.length) return "twice";
  return arms.every(({ weight }) => Number.isInteger(weight) && weight >= 1 && weight <= WEIGHT_AT_MOST) ? null : "weight";
}

export const isShadowShare = (share: number): boolean => share > 0 && share <= 1;
