import { expect, test } from "vitest";
import type { DecisionId } from "../std.ts";
import { simulatedRuntime } from "../store/index.ts";
import { explanationFor } from "./reason-views.ts";

const decision = { endpoint: "loans", id: "019ab3c4" as DecisionId, startedUs: 0 };

test("an answer waits for its reasons as long as it may take by itself, and then goes without them", async () => {
  const runtime = simulatedRuntime(1, 0);
  const never = { of: () => new Promise<never>(() => undefined) };
  const explained = explanationFor({ store: { runtime }, reasons: never, onError: () => undefined }, decision);
  await runtime.advance(499);
  let isDone = false;
  void explained.then(() => (isDone = true));
  await Promise.resolve();
  expect(isDone).toBe(false);
  await runtime.advance(1);
  expect(await explained).toEqual({
    reasons: null,
    why: expect.stringContaining("no time left"),
    address: "/v1/endpoints/loans/decisions/019ab3c4/reasons",
  });
});

test("an answer that took all the time itself doesn't wait for its reasons, which are found all the same", async () => {
  const runtime = simulatedRuntime(1, 0);
  let asked = 0;
  const reasons = { of: () => (asked++, new Promise<never>(() => undefined)) };
  await runtime.advance(600);
  expect((await explanationFor({ store: { runtime }, reasons, onError: () => undefined }, decision)).reasons).toBe(null);
  expect(asked).toBe(1);
});

test("reasons that fail don't fail the answer; an operator is told", async () => {
  const told: string[] = [];
  const reasons = { of: () => Promise.reject(new Error("the disk is gone")) };
  const explained = await explanationFor(
    { store: { runtime: simulatedRuntime(1, 0) }, reasons, onError: (error, reference) => told.push(`${reference}: ${error.message}`) },
    decision,
  );
  expect(explained.reasons).toBe(null);
  expect(told).toEqual(["reasons of decision 019ab3c4: the disk is gone"]);
});
