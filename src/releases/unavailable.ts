/** What stands in the route table for a release that can't be loaded: every request is answered by the next in line, and says why. */
import { ScorerError, type CompiledEndpoint, type LoadedRelease } from "../serving/index.ts";
import type { ReleaseInfo } from "./release-rows.ts";

/**
 * So the table stays what its transitions say, also when a model's file is damaged at a restart: decisions name the release that was
 * planned, the one that answered, and the reason, and the guardrail on failures sees them.
 */
export function unavailable({ id, number, bundle }: ReleaseInfo, endpoint: CompiledEndpoint, why: string): LoadedRelease {
  const failure = () => new ScorerError("down", `it can't be loaded: ${why}`);
  return {
    id,
    number,
    bundle,
    endpoint,
    features: { width: 0, names: [], texts: new Map(), derive: () => undefined },
    policy: {
      decide: () => {
        throw failure();
      },
    },
    scorer: {
      score: () => {
        throw failure();
      },
      scoreMany: async (all) => all.map(failure),
      close: async () => undefined,
    },
    selfTest: { samples: 0, digest: "" },
    pid: undefined,
    health: () => ({ isUp: false, breaks: 0 }),
    close: async () => undefined,
  };
}
