/**
 * Error budgets that are spent. A proof is latched and comes once in a release's life: whoever gave people a release again whose harm was
 * proven in this life would have nobody watch for that harm. And guardrails that are changed again and again get less of the reserve each time.
 */
import { additionBy, provenGuardrail } from "../monitoring/index.ts";
import { unreachable, type Issue, type ReleaseId } from "../std.ts";
import type { Store } from "../store/index.ts";
import type { EndpointDefinition } from "./endpoint-spec.ts";
import type { EndpointRoom } from "./endpoint-room.ts";
import type { ReleaseRefusal } from "./refusals.ts";
import type { Wish } from "./route-commands.ts";
import { besideLive } from "./route-table.ts";

/** Further changes would get less than a thousandth of the budget each. */
const CHANGES_MAX = 9;

type Lives = (release: ReleaseId) => number;

/** Whether a wish would give people a release whose harm is proven. The fallback is exempt: it answers when nothing else can. */
export async function spentByProof(store: Store, room: EndpointRoom, wish: Wish, lives: Lives): Promise<ReleaseRefusal | undefined> {
  const { table, name: endpoint } = room;
  for (const release of newTo(wish)) {
    if (release === table.live || release === table.fallback || table.condemned.has(release) || !room.releases.has(release)) continue;
    const guardrail = await provenGuardrail(store, { endpoint, release, armClass: "serving", epoch: lives(release) });
    if (guardrail !== undefined) return { kind: "error-budget-spent", release, guardrail };
  }
  return undefined;
}

/** Releases that a person gives to people. Going back, and going on, is never made harder. */
function newTo(wish: Wish): readonly ReleaseId[] {
  switch (wish.kind) {
    case "canary":
    case "promote":
    case "start-rollout":
      return [wish.release];
    case "start-ab":
      return wish.arms.map(({ release }) => release);
    case "register":
    case "set-fallback":
    case "shadow":
    case "stop-shadow":
    case "stop-canary":
    case "rollback":
    case "start-drill":
    case "end-drill":
    case "condemn":
    case "reinstate":
    case "advance-rollout":
    case "approve-rollout":
    case "pause-rollout":
    case "continue-rollout":
    case "abort-rollout":
    case "end-ab":
    case "hold":
    case "resume":
      return [];
    default:
      return unreachable(wish);
  }
}

/** Whether a definition changes guardrails of a release that answers people once too often. */
export async function spentByChanges(
  store: Store,
  room: EndpointRoom,
  { guardrails, budget, spec }: EndpointDefinition,
  lives: Lives,
): Promise<readonly Issue[]> {
  const favourable = new Set(Object.entries(spec.actions).flatMap(([action, one]) => (one.favourable ? [action] : [])));
  const declared = { guardrails, budget, favourable, groups: spec.groups ?? {} };
  for (const release of [room.table.live, ...besideLive(room.table)]) {
    const owner = { endpoint: room.name, release, armClass: "serving", epoch: lives(release) } as const;
    const change = await additionBy(store, owner, declared);
    if (change <= CHANGES_MAX) continue;
    return [
      {
        path: "/guardrails",
        expected: `guardrails of ${room.nameOf(release)} as they are: its error budget for changes is already spent`,
        got: `change ${change} of what they promise; after ${CHANGES_MAX} each would get less than a thousandth of the budget of ${budget}`,
        hint: "deploy another release, which starts with a whole budget, or condemn this one and let a named person reinstate it",
      },
    ];
  }
  return [];
}
