import { readTotals } from "../decisions/index.ts";
import type { EndpointName, ReleaseId } from "../std.ts";
import type { Store } from "../store/index.ts";
import type { RolloutStep } from "./rollout-plan.ts";

/** People whom a release has answered in a rollout's place, each counted once in 24 hours. */
export async function peopleIn(store: Store, endpoint: EndpointName, release: ReleaseId, place: RolloutStep["place"]): Promise<number> {
  if (place === "none") return 0;
  const rows = await readTotals(store.db, { endpoint, release, arm: place });
  return rows.reduce((sum, { counted }) => sum + counted, 0);
}
