/** A/B tests while they run: ends them when they have what they were started for, and compares their arms. */
import { groupsOf, minuteOf, readTotals, readWindow } from "../decisions/index.ts";
import { SAMPLE_RATIO_PROOF, sampleRatioEvidence } from "../monitoring/index.ts";
import type { EndpointName, ReleaseId } from "../std.ts";
import type { Store } from "../store/index.ts";
import type { EndpointRoom } from "./endpoint-room.ts";
import type { Releases } from "./releases.ts";
import type { AbArm, AbTest } from "./route-table.ts";
import type { Actor, Change, Stamp, Transition } from "./transition.ts";

export interface AbControlParts {
  readonly store: Store;
  readonly releases: Releases;
}

interface Counted {
  readonly answers: number;
  readonly favourable: number;
}
/** An A/B test that is under way, or was the endpoint's last. */
export interface AbPast extends Omit<AbTest, "counted"> {
  /** Null while it is under way. */
  readonly ended: (Stamp & { readonly how: Change["kind"] }) | null;
}
export interface AbComparison {
  readonly test: AbPast;
  /** In the order of the test's arms. By group: those that the endpoint declares, and `unknown`. */
  readonly arms: readonly (AbArm &
    Counted & { readonly groups: readonly (Counted & { readonly attribute: string; readonly value: string })[] })[];
  /** The answers by arm against the weights: evidence of a mismatch, and whether it is proven. */
  readonly sampleRatio: { readonly evidence: number; readonly isMismatch: boolean };
}

const actor: Actor = { kind: "system", name: "ab" };
const HISTORY_MAX = 1000;

export class AbControl {
  readonly #parts: AbControlParts;

  constructor(parts: AbControlParts) {
    this.#parts = parts;
  }

  /** Ends every A/B test that has lasted as long, or counted as many answers, as it was to. */
  async tick(): Promise<void> {
    const { store, releases } = this.#parts;
    const nowMs = store.runtime.clock.nowMs();
    for (const room of releases.rooms()) {
      const { ab } = room.table;
      if (!ab) continue;
      const reason =
        ab.untilMs !== null && ab.untilMs <= nowMs
          ? "its time is over"
          : ab.answers !== null && (await this.counted(room.name, ab.arms)) - ab.counted >= ab.answers
            ? `it has ${ab.answers.toLocaleString("en")} answers`
            : null;
      // Refused where somebody was quicker.
      if (reason !== null) await releases.command(room.name, { kind: "end-ab", sinceMs: ab.sinceMs }, { actor, reason });
    }
  }

  /** Answers that releases have given as arms of A/B tests so far. */
  async counted(endpoint: EndpointName, arms: readonly { readonly release: ReleaseId }[]): Promise<number> {
    const releases = new Set(arms.map(({ release }) => release));
    const rows = await readTotals(this.#parts.store.db, { endpoint, arm: "ab" });
    return rows.reduce((sum, { release, decisions }) => sum + (releases.has(release) ? decisions : 0), 0);
  }

  /** The A/B test that is under way, or else the last one; undefined where there was none among the latest transitions. */
  async compare(room: EndpointRoom): Promise<AbComparison | undefined> {
    const { store, releases } = this.#parts;
    const test = lastTest(await releases.history(room.name, { limit: HISTORY_MAX }));
    if (!test) return undefined;
    const window = {
      fromMinute: minuteOf(test.sinceMs),
      toMinute: minuteOf(test.ended?.atMs ?? store.runtime.clock.nowMs()) + 1,
    };
    const { actions, groups = {} } = room.definition.spec;
    const arms: AbComparison["arms"][number][] = [];
    for (const arm of test.arms) {
      const rows = await readWindow(store.db, { endpoint: room.name, release: arm.release, arm: "ab", ...window });
      const counted = rows.map((row) => ({
        groups: groupsOf(row.cell),
        answers: row.decisions,
        favourable: actions[row.action]?.favourable ? row.decisions : 0,
      }));
      const byGroup = Object.entries(groups).flatMap(([attribute, values]) =>
        values.map((value) => ({ attribute, value, ...sumOf(counted.filter((row) => row.groups[attribute] === value)) })),
      );
      arms.push({ ...arm, ...sumOf(counted), groups: byGroup });
    }
    const evidence = Math.exp(Math.min(sampleRatioEvidence(arms), 700));
    return { test, arms, sampleRatio: { evidence, isMismatch: evidence >= SAMPLE_RATIO_PROOF } };
  }
}

const sumOf = (rows: readonly Counted[]): Counted => ({
  answers: rows.reduce((sum, { answers }) => sum + answers, 0),
  favourable: rows.reduce((sum, { favourable }) => sum + favourable, 0),
});

/** @param history - newest first */
function lastTest(history: readonly Transition[]): AbPast | undefined {
  const at = history.findIndex(({ change }) => change.kind === "ab-started");
  const started = history[at];
  if (started?.change.kind !== "ab-started") return undefined;
  const { arms, answers, untilMs } = started.change;
  const end = history.slice(0, at).findLast(({ change }) => endsTest(change, arms));
  return {
    arms,
    answers,
    untilMs,
    sinceMs: started.atMs,
    startedBy: started.actor.name,
    ended: end ? { atMs: end.atMs, how: end.change.kind, actor: end.actor, reason: end.reason } : null,
  };
}

const endsTest = (change: Change, arms: readonly AbArm[]): boolean =>
  change.kind === "ab-ended" ||
  change.kind === "promoted" ||
  change.kind === "rolled-back" ||
  (change.kind === "condemned" && arms.some(({ release }) => release === change.release));
