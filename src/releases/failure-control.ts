/** A release that can't serve any more goes by itself: what answers in its stead per request becomes what is live, and somebody is told. */
import type { ReplayableDecision } from "../decisions/index.ts";
import type { ReleaseTrouble, ReplayedAnswer } from "../serving/index.ts";
import type { ReleaseId } from "../std.ts";
import type { EndpointRoom } from "./endpoint-room.ts";
import { judgeTarget, type PreflightVerdict } from "./preflight.ts";
import type { ReleaseInfo } from "./release-rows.ts";
import type { Releases } from "./releases.ts";
import { replayedGuardrails } from "./replayed-guardrails.ts";
import type { Finding, Rollbacks } from "./rollbacks.ts";
import { placesOf } from "./route-table.ts";
import type { Actor } from "./transition.ts";

export interface FailureControlParts {
  readonly releases: Releases;
  readonly rollbacks: Rollbacks;
}

const actor: Actor = { kind: "system", name: "failures" };

export class FailureControl {
  readonly #parts: FailureControlParts;
  /** At most one for each loaded release. */
  readonly #noted = new Map<ReleaseId, ReleaseTrouble>();

  constructor(parts: FailureControlParts) {
    this.#parts = parts;
  }

  /** Called by the gateway, which goes on: what is to be done is done at the next `tick`. */
  note(trouble: ReleaseTrouble): void {
    this.#noted.set(trouble.release, trouble);
  }

  /** Acts on what was noted. Beside the looks of the guardrails, one after the other, so that the two never take out one release twice. */
  async tick(): Promise<void> {
    const noted = [...this.#noted.values()];
    this.#noted.clear();
    for (const trouble of noted) {
      const room = this.#parts.releases.room(trouble.endpoint);
      if (room.ok) await this.#act(room.value, trouble);
    }
  }

  async #act(room: EndpointRoom, trouble: ReleaseTrouble): Promise<void> {
    const { release } = trouble;
    if (!endsWithItsFailures(room.info(release))) return;
    // A shadow harms nobody, and what stands by is passed over by the next rollback.
    const [place] = placesOf(room.table, release);
    if (place === "live" || place === "canary" || place === "ab") await this.#parts.rollbacks.takeOut(room, findingOf(trouble, room));
  }
}

/**
 * A model that runs here fails by itself, and goes on failing until another is put in its place. A server that is called elsewhere has a
 * breaker before it and is somebody's to restart: the chain answers meanwhile, and whoever watches `fallback_rate` is told.
 */
const endsWithItsFailures = ({ bundle }: ReleaseInfo): boolean => bundle.scorer.kind === "onnx";

function findingOf({ release, trouble, message, atMs, events, failures, answered }: ReleaseTrouble, room: EndpointRoom): Finding {
  const count = (n: number) => n.toLocaleString("en");
  const reason = `${trouble}: ${message}; ${count(events)} failures apart within 10 seconds, ${count(failures)} of ${count(failures + answered)} requests without its answer`;
  return {
    kind: "failure",
    release,
    actor,
    reason,
    title: `${room.nameOf(release)} failed to answer applicants`,
    guardrail: null,
    group: null,
    breach: null,
    event: { kind: "failed", actor, atMs, text: reason },
    onlyFallback: false,
    asksPerson: null,
    // Those whom it failed were answered by others: they are to be answered as well.
    askAbout: null,
    judge: (recorded, answers, target) => judge(room, recorded, { answers, target }),
  };
}

/**
 * A target must answer every recent application and breach no guardrail on ratios among them. Of the fallback only the first is asked:
 * it answers those people already, and nothing stands behind it.
 */
function judge(
  { definition, table }: EndpointRoom,
  recorded: readonly ReplayableDecision[],
  { answers, target }: { readonly answers: readonly ReplayedAnswer[]; readonly target: ReleaseInfo },
): PreflightVerdict {
  const compared = recorded.map(({ favourable }, i) => {
    const answer = answers[i];
    return { side: "other" as const, before: favourable, after: answer?.kind === "answered" ? answer.favourable : null };
  });
  const verdict = judgeTarget(compared, { ratioLimit: null, compare: false });
  if (!verdict.passes || target.id === table.fallback) return verdict;
  const breaches = replayedGuardrails(definition, answers).some(({ wouldBreach }) => wouldBreach);
  return breaches ? { passes: false, why: "ratio-below-limit", figures: verdict.figures } : verdict;
}
