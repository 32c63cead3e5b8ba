/** What a life of a release has spent of its error budget (sequential-tests §6). */
import type { Store } from "../store/index.ts";
import { widthOf } from "./any-test.ts";
import { planTests, type PlannedTest } from "./plan.ts";
import { reconcile, type Reading } from "./running-tests.ts";
import { readTests } from "./stored-tests.ts";
import type { TestOwner } from "./test-record.ts";
import type { WatchedEndpoint } from "./watched.ts";

/** What is declared, for which tests are planned. */
export type Declared = Pick<WatchedEndpoint, "guardrails" | "groups" | "budget" | "favourable">;

/**
 * Which one of the changes that add tests to a life of a release it would be, were this declared.
 * @returns 0 where it adds none, or nothing has been bet yet
 */
export async function additionBy(store: Store, owner: TestOwner, { guardrails, groups, budget, favourable }: Declared): Promise<number> {
  const { tests, lost: found, unreadable } = await readTests(store, owner);
  const lost = found.map(({ test }) => test);
  const ever = [...tests, ...lost];
  const plans = planTests(guardrails, groups, budget, owner.armClass);
  const { running } = reconcile(ever, { owner, plans, favourable, budget, isFirstSight: false, nowMs: 0, unreadable, lost }, nothingYet);
  const known = new Set(ever.map(({ id }) => id));
  return Math.max(0, ...running.filter(({ id }) => !known.has(id)).map(({ state }) => state.addition));
}

function nothingYet({ definition }: PlannedTest): Reading {
  const none = Array.from({ length: widthOf(definition) }, () => 0);
  return { counts: { n: none, k: none }, context: "" };
}

/** The guardrail that has proven, in this life of the release, that it must not answer people; undefined: none has. */
export async function provenGuardrail(store: Store, owner: TestOwner): Promise<string | undefined> {
  const { tests, lost } = await readTests(store, owner);
  return [...tests, ...lost.map(({ test }) => test)].find(
    ({ breach, state }) => breach !== null && !state.hasEnded && (breach.action === "roll_back" || breach.action === "fall_back"),
  )?.plan.guardrail;
}
