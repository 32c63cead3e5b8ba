import type { Store } from "../store/index.ts";

const CHUNK = 500;

/** Which of these decisions are in the log, with their numbers. */
export async function recordedIds(store: Store, ids: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const found = new Map<string, number>();
  for (let at = 0; at < ids.length; at += CHUNK) {
    const rows = await store.db
      .selectFrom("decision")
      .select(["id", "seq"])
      .where("id", "in", ids.slice(at, at + CHUNK))
      .execute();
    for (const { id, seq } of rows) found.set(id, seq);
  }
  return found;
}
