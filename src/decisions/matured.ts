/** What had become of decisions when they reached a declared age: counts that only grow, fed in the order of the log (sequential-tests §8). */
import type { Transaction } from "kysely";
import type { EndpointName, ReleaseId } from "../std.ts";
import type { Schema, Store } from "../store/index.ts";
import type { Arm } from "./decision-record.ts";
import { ERASED_CELL } from "./digest.ts";
import type { Reader } from "./read-tallies.ts";

/** `missing`: nobody had told by then. Told later, it is shown and not tested. */
export type MaturedState = "good" | "bad" | "missing";

export interface MaturedRow {
  readonly release: ReleaseId;
  readonly arm: Arm;
  readonly cell: string;
  readonly action: string;
  readonly state: MaturedState;
  /** People, each counted once in 24 hours for the release. */
  readonly count: number;
}

interface Age {
  readonly endpoint: EndpointName;
  readonly maturesAfterMs: number;
}

/** Decisions that one turn takes on. */
const AT_ONCE = 2000;
const CHUNK = 500;

/**
 * Counts what has become of the decisions that have reached the age since the last call, oldest first, a few thousand at most.
 * @returns whether all that have reached it are counted
 */
export async function matureOutcomes(store: Store, age: Age): Promise<boolean> {
  const { endpoint, maturesAfterMs } = age;
  await store.db
    .insertInto("matured_cursor")
    .values({ endpoint, matures_after_ms: maturesAfterMs, position: 0, has_caught_up: 0 })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  const cursor = await store.db
    .selectFrom("matured_cursor")
    .select(["position", "has_caught_up"])
    .where("endpoint", "=", endpoint)
    .where("matures_after_ms", "=", maturesAfterMs)
    .executeTakeFirstOrThrow();
  const rows = await store.db
    .selectFrom("decision")
    .select(["seq", "id", "release", "arm", "cell", "action", "decided_at_ms", "counted"])
    .where("seq", ">", cursor.position)
    .where("endpoint", "=", endpoint)
    .orderBy("seq")
    .limit(AT_ONCE)
    .execute();
  const youngestMs = store.runtime.clock.nowMs() - maturesAfterMs;
  // Up to the first one that is too young, so that the log is passed through once and in its order.
  const young = rows.findIndex(({ decided_at_ms }) => decided_at_ms > youngestMs);
  const ripe = young < 0 ? rows : rows.slice(0, young);
  const hasCaughtUp = young >= 0 || rows.length < AT_ONCE;
  const position = ripe.at(-1)?.seq ?? cursor.position;
  if (position === cursor.position && (cursor.has_caught_up === 1 || !hasCaughtUp)) return hasCaughtUp;
  return store.transaction(async (tx) => {
    const moved = await tx
      .updateTable("matured_cursor")
      .set({ position, has_caught_up: hasCaughtUp || cursor.has_caught_up === 1 ? 1 : 0 })
      .where("endpoint", "=", endpoint)
      .where("matures_after_ms", "=", maturesAfterMs)
      .where("position", "=", cursor.position)
      .executeTakeFirst();
    // Another process was quicker; it has counted them.
    if (moved.numUpdatedRows === 0n) return false;
    const counted = ripe.filter((row) => row.counted === 1 && row.cell !== ERASED_CELL && row.arm !== "pinned");
    const known = await outcomesAtAge(tx, new Map(counted.map(({ id, decided_at_ms }) => [id, decided_at_ms + maturesAfterMs])));
    const sums = new Map<string, Schema["matured_outcome"]>();
    for (const { id, release, arm, cell, action } of counted) {
      const state: MaturedState = known.get(id) ?? "missing";
      const key = [release, arm, cell, action, state].join("\0");
      const sum = sums.get(key) ?? { endpoint, matures_after_ms: maturesAfterMs, release, arm, cell, action, state, count: 0 };
      sums.set(key, { ...sum, count: sum.count + 1 });
    }
    await addMatured(tx, [...sums.values()]);
    return hasCaughtUp;
  });
}

/** The latest outcome of each decision that was recorded by its age. */
async function outcomesAtAge(tx: Transaction<Schema>, ages: ReadonlyMap<string, number>): Promise<ReadonlyMap<string, MaturedState>> {
  const known = new Map<string, MaturedState>();
  const ids = [...ages.keys()];
  for (let at = 0; at < ids.length; at += CHUNK) {
    const rows = await tx
      .selectFrom("outcome")
      .select(["decision", "good", "recorded_at_ms"])
      .where("decision", "in", ids.slice(at, at + CHUNK))
      .orderBy("seq")
      .execute();
    for (const { decision, good, recorded_at_ms } of rows)
      if (recorded_at_ms <= (ages.get(decision) ?? 0)) known.set(decision, good === 1 ? "good" : "bad");
  }
  return known;
}

async function addMatured(tx: Transaction<Schema>, rows: readonly Schema["matured_outcome"][]): Promise<void> {
  for (let at = 0; at < rows.length; at += CHUNK) {
    await tx
      .insertInto("matured_outcome")
      .values(rows.slice(at, at + CHUNK))
      .onConflict((conflict) =>
        conflict
          .columns(["endpoint", "matures_after_ms", "release", "arm", "cell", "action", "state"])
          .doUpdateSet((eb) => ({ count: eb("matured_outcome.count", "+", eb.ref("excluded.count")) })),
      )
      .execute();
  }
}

/**
 * What had become of a release's decisions at the age.
 * @returns null until the log has once been counted to its end: until then its past comes in all at once, which nobody may bet on
 */
export async function readMatured(
  db: Reader,
  { endpoint, maturesAfterMs }: Age,
  release: ReleaseId,
): Promise<readonly MaturedRow[] | null> {
  const cursor = await db
    .selectFrom("matured_cursor")
    .select("has_caught_up")
    .where("endpoint", "=", endpoint)
    .where("matures_after_ms", "=", maturesAfterMs)
    .executeTakeFirst();
  if (cursor?.has_caught_up !== 1) return null;
  const rows = await db
    .selectFrom("matured_outcome")
    .select(["arm", "cell", "action", "state", "count"])
    .where("endpoint", "=", endpoint)
    .where("matures_after_ms", "=", maturesAfterMs)
    .where("release", "=", release)
    .orderBy("cell")
    .orderBy("action")
    .execute();
  return rows.map(({ arm, cell, action, state, count }) => ({ release, arm: asArm(arm), cell, action, state: asState(state), count }));
}

/** The table holds nothing but what decisions had, and what is written above. */
const asArm = (text: string): Arm => text as Arm;
const asState = (text: string): MaturedState => text as MaturedState;
