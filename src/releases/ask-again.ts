import { recentForReplay, type ReplayableDecision } from "../decisions/index.ts";
import { replay, type ReplayedAnswer } from "../serving/index.ts";
import { ok, type ReleaseId, type Result } from "../std.ts";
import type { Store } from "../store/index.ts";
import type { EndpointRoom } from "./endpoint-room.ts";
import type { ReleaseRefusal } from "./refusals.ts";
import type { ReleaseInfo } from "./release-rows.ts";
import type { Releases } from "./releases.ts";

export interface AskedAgain {
  /** Newest first. */
  readonly recorded: readonly ReplayableDecision[];
  /** In the order of `recorded`. */
  readonly answers: readonly ReplayedAnswer[];
}

/** Has a release answer the latest applications that another one answered, or anybody; nothing is recorded, nobody is answered. */
export async function askAgain(
  { store, releases }: { readonly store: Store; readonly releases: Releases },
  room: EndpointRoom,
  info: ReleaseInfo,
  answeredBy: { readonly release: ReleaseId | null; readonly limit: number },
): Promise<Result<AskedAgain, ReleaseRefusal>> {
  const lent = await releases.lend(room, info);
  if (!lent.ok) return lent;
  try {
    const { release, limit } = answeredBy;
    const recorded = await recentForReplay(store.db, room.name, { limit, ...(release === null ? {} : { release }) });
    return ok({ recorded, answers: await replay(lent.value.release, recorded) });
  } finally {
    lent.value.giveBack();
  }
}
