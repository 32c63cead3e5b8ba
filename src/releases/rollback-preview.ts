/** What a rollback would do, without doing it: the target answers the latest applications, and nothing is changed. */
import { err, ok, type ReleaseId, type Result } from "../std.ts";
import { groupsOf } from "../decisions/index.ts";
import type { Store } from "../store/index.ts";
import { askAgain } from "./ask-again.ts";
import type { EndpointRoom } from "./endpoint-room.ts";
import type { ReleaseRefusal } from "./refusals.ts";
import type { Releases } from "./releases.ts";
import { replayedGuardrails, type ReplayedGuardrail } from "./replayed-guardrails.ts";
import { rollbackCandidates } from "./route-table.ts";

export interface RollbackPreview {
  readonly from: ReleaseId;
  readonly to: ReleaseId;
  readonly isFallback: boolean;
  /** Loaded and proven already: nothing would have to be waited for. */
  readonly isWarm: boolean;
  /** Median of the latest changes of this endpoint's route table; null where none was measured since the start. */
  readonly expectedUs: number | null;
  /** The latest applications that the live release answered, and how many of them the target can't answer. */
  readonly asked: number;
  readonly unanswered: number;
  /** Applicants by what both say: favourable afterwards and not before, and the other way round. */
  readonly better: number;
  readonly worse: number;
  /** Counts by action before and after. */
  readonly actions: readonly { readonly before: string; readonly after: string; readonly people: number }[];
  readonly groups: readonly {
    readonly attribute: string;
    readonly value: string;
    readonly people: number;
    readonly better: number;
    readonly worse: number;
  }[];
  /** How the guardrails on ratios would stand among them. */
  readonly guardrails: readonly ReplayedGuardrail[];
}

/** @param to - null for where a rollback would go by itself */
export async function previewRollback(
  parts: { readonly store: Store; readonly releases: Releases },
  room: EndpointRoom,
  to: ReleaseId | null,
  limit: number,
): Promise<Result<RollbackPreview, ReleaseRefusal>> {
  const candidates = rollbackCandidates(room.table);
  const target = to ?? candidates[0];
  if (target === undefined) return err({ kind: "nowhere-to-roll-back" });
  if (!candidates.includes(target)) return err({ kind: "not-a-candidate", release: target, candidates });
  const isWarm = room.warm.isWarm(target);
  const from = room.table.live;
  const again = await askAgain(parts, room, room.info(target), { release: from, limit });
  if (!again.ok) return again;
  const { recorded, answers } = again.value;
  const actions = new Map<string, number>();
  const groups = new Map<string, { people: number; better: number; worse: number }>();
  let [unanswered, better, worse] = [0, 0, 0];
  for (const [i, before] of recorded.entries()) {
    const after = answers[i];
    if (after?.kind !== "answered") {
      unanswered++;
      continue;
    }
    const isBetter = !before.favourable && after.favourable;
    const isWorse = before.favourable && !after.favourable;
    if (isBetter) better++;
    if (isWorse) worse++;
    const pair = `${before.action}\0${after.action}`;
    actions.set(pair, (actions.get(pair) ?? 0) + 1);
    for (const [attribute, value] of Object.entries(groupsOf(before.cell))) {
      const key = `${attribute}\0${value}`;
      const known = groups.get(key) ?? { people: 0, better: 0, worse: 0 };
      groups.set(key, { people: known.people + 1, better: known.better + (isBetter ? 1 : 0), worse: known.worse + (isWorse ? 1 : 0) });
    }
  }
  const switches = room.switchesUs.toSorted((a, b) => a - b);
  return ok({
    from,
    to: target,
    isFallback: target === room.table.fallback,
    isWarm,
    expectedUs: switches[Math.floor(switches.length / 2)] ?? null,
    asked: recorded.length,
    unanswered,
    better,
    worse,
    actions: [...actions].toSorted(byKey).map(([pair, people]) => {
      const [before = "", after = ""] = pair.split("\0");
      return { before, after, people };
    }),
    groups: [...groups].toSorted(byKey).map(([key, counts]) => {
      const [attribute = "", value = ""] = key.split("\0");
      return { attribute, value, ...counts };
    }),
    guardrails: replayedGuardrails(room.definition, answers),
  });
}

const byKey = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]) => (a < b ? -1 : 1);
