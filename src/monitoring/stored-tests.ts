/** The tables of tests: how they began, and what they have come to. Read when a release is first looked at, written when a look has changed something. */
import type { Transaction } from "kysely";
import { canonicalJson, type Schema, type Store } from "../store/index.ts";
import type { EndpointName } from "../std.ts";
import {
  begunDigestOf,
  begunJsonOf,
  begunTestOf,
  breachIn,
  digestOf,
  readTestId,
  testOf,
  type RunningTest,
  type TestOwner,
} from "./test-record.ts";

/** A test whose state is missing or can't be continued. */
export interface LostTest {
  /** As it began, with the proof that it had, where there is one. */
  readonly test: RunningTest;
  readonly why: string;
}
export interface StoredTests {
  readonly tests: readonly RunningTest[];
  readonly lost: readonly LostTest[];
  /** Tests of which neither state nor beginning can be read. */
  readonly unreadable: number;
  /** Ids of tests whose beginning is stored. */
  readonly begun: ReadonlySet<string>;
}

/** Every test that a life of a release ever had. */
export async function readTests(store: Store, owner: TestOwner): Promise<StoredTests> {
  const { endpoint, release, armClass, epoch } = owner;
  const states = await store.db
    .selectFrom("guardrail_test")
    .selectAll()
    .where("endpoint", "=", endpoint)
    .where("release", "=", release)
    .where("arm_class", "=", armClass)
    .where("epoch", "=", epoch)
    .orderBy("id")
    .execute();
  const beginnings = await store.db
    .selectFrom("guardrail_begun")
    .selectAll()
    .where("endpoint", "=", endpoint)
    .where("release", "=", release)
    .where("arm_class", "=", armClass)
    .where("epoch", "=", epoch)
    .orderBy("id")
    .execute();
  const begun = new Map<string, RunningTest>();
  for (const row of beginnings) {
    const test = begunTestOf(row);
    if (test) begun.set(row.id, test);
  }
  const tests: RunningTest[] = [];
  const lost: LostTest[] = [];
  const seen = new Set<string>();
  for (const row of states) {
    seen.add(row.id);
    const read = testOf(row);
    if (read.ok) tests.push(read.value);
    const asItBegan = begun.get(row.id);
    if (!read.ok && asItBegan) lost.push({ test: { ...asItBegan, breach: breachIn(row) }, why: read.error });
  }
  for (const [id, test] of begun) if (!seen.has(id)) lost.push({ test, why: "its stored state is missing" });
  const ids = new Set([...seen, ...beginnings.map(({ id }) => id)]);
  return { tests, lost, unreadable: ids.size - tests.length - lost.length, begun: new Set(begun.keys()) };
}

/** SQLite takes 32,766 parameters in a statement. */
const ROWS_AT_ONCE = 500;

/**
 * Stores tests with what they have consumed, all or none.
 * @param begun - of them, those whose beginning isn't stored yet
 * @param more - what is written with it
 */
export async function saveTests(
  store: Store,
  endpoint: EndpointName,
  tests: readonly RunningTest[],
  begun: readonly RunningTest[] = [],
  more: (tx: Transaction<Schema>) => Promise<unknown> = () => Promise.resolve(),
): Promise<void> {
  const nowMs = store.runtime.clock.nowMs();
  const rows = tests.map((test) => rowOf(endpoint, test, nowMs));
  const beginnings = begun.map((test) => begunRowOf(endpoint, test, nowMs));
  await store.transaction(async (tx) => {
    await more(tx);
    for (let at = 0; at < beginnings.length; at += ROWS_AT_ONCE) {
      await tx
        .insertInto("guardrail_begun")
        .values(beginnings.slice(at, at + ROWS_AT_ONCE))
        .onConflict((conflict) =>
          conflict.column("id").doUpdateSet((eb) => ({ begun_json: eb.ref("excluded.begun_json"), digest: eb.ref("excluded.digest") })),
        )
        .execute();
    }
    for (let at = 0; at < rows.length; at += ROWS_AT_ONCE) {
      await tx
        .insertInto("guardrail_test")
        .values(rows.slice(at, at + ROWS_AT_ONCE))
        .onConflict((conflict) =>
          conflict.column("id").doUpdateSet((eb) => ({
            alpha: eb.ref("excluded.alpha"),
            state_json: eb.ref("excluded.state_json"),
            consumed_json: eb.ref("excluded.consumed_json"),
            breach_json: eb.ref("excluded.breach_json"),
            paused: eb.ref("excluded.paused"),
            updated_at_ms: eb.ref("excluded.updated_at_ms"),
            digest: eb.ref("excluded.digest"),
          })),
        )
        .execute();
    }
  });
}

function begunRowOf(endpoint: EndpointName, test: RunningTest, nowMs: number): Schema["guardrail_begun"] {
  const { id, release, armClass, epoch } = test;
  const begun_json = begunJsonOf(test, nowMs);
  return { id, endpoint, release, arm_class: armClass, epoch, begun_json, digest: begunDigestOf({ id, begun_json }) };
}

function rowOf(endpoint: EndpointName, test: RunningTest, nowMs: number): Schema["guardrail_test"] {
  const { id, release, armClass, epoch, plan, state, consumed, breach, paused } = test;
  const { alpha, ...claim } = plan;
  const row = {
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
  };
  return { ...row, updated_at_ms: nowMs, digest: digestOf(row) };
}

/** Whether no later test makes the same claim: an earlier one had ended. */
export function isNewest({ id }: RunningTest, ever: readonly RunningTest[]): boolean {
  const { claim, restart } = readTestId(id);
  return ever.every((other) => readTestId(other.id).claim !== claim || readTestId(other.id).restart <= restart);
}
