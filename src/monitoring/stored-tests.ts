/** The table of tests: read when a release is first looked at, written when a look has changed something. */
import { canonicalJson, type Schema, type Store } from "../store/index.ts";
import type { EndpointName } from "../std.ts";
import { testOf, type RunningTest, type TestOwner } from "./test-record.ts";

/** Every test that a life of a release ever had. @throws Error when one was written by another version */
export async function readTests(store: Store, { endpoint, release, armClass, epoch }: TestOwner): Promise<readonly RunningTest[]> {
  const rows = await store.db
    .selectFrom("guardrail_test")
    .selectAll()
    .where("endpoint", "=", endpoint)
    .where("release", "=", release)
    .where("arm_class", "=", armClass)
    .where("epoch", "=", epoch)
    .orderBy("id")
    .execute();
  return rows.map((row) => testOf(row));
}

/** SQLite takes 32,766 parameters in a statement. */
const ROWS_AT_ONCE = 500;

/** Stores tests with what they have consumed, all or none. */
export async function saveTests(store: Store, endpoint: EndpointName, tests: readonly RunningTest[]): Promise<void> {
  const nowMs = store.runtime.clock.nowMs();
  const rows = tests.map((test) => rowOf(endpoint, test, nowMs));
  await store.transaction(async (tx) => {
    for (let at = 0; at < rows.length; at += ROWS_AT_ONCE) {
      await tx
        .insertInto("guardrail_test")
        .values(rows.slice(at, at + ROWS_AT_ONCE))
        .onConflict((conflict) =>
          conflict.column("id").doUpdateSet((eb) => ({
            state_json: eb.ref("excluded.state_json"),
            consumed_json: eb.ref("excluded.consumed_json"),
            breach_json: eb.ref("excluded.breach_json"),
            paused: eb.ref("excluded.paused"),
            updated_at_ms: eb.ref("excluded.updated_at_ms"),
          })),
        )
        .execute();
    }
  });
}

function rowOf(endpoint: EndpointName, test: RunningTest, nowMs: number): Schema["guardrail_test"] {
  const { id, release, armClass, epoch, plan, state, consumed, breach, paused } = test;
  const { alpha, ...claim } = plan;
  return {
    id,
    endpoint,
    release,
    arm_class: armClass,
    epoch,
    guardrail: plan.guardrail,
    group_label: plan.groupLabel,
    alpha,
    state_json: canonicalJson({ plan: claim, state }),
    consumed_json: canonicalJson(consumed),
    breach_json: breach && canonicalJson(breach),
    paused,
    updated_at_ms: nowMs,
  };
}
