/** Whether anybody paid for a rollback: requests that got no answer while it was under way are told with it. */
import { expect, test } from "vitest";
import { Lender, fairRelease, harmfulRelease } from "../../test/lender.ts";
import { systemRuntime } from "../store/index.ts";

const body = { inputs: { income: 50, education: "university" }, groups: { education: "university" } };

async function rolledBack(during: (lender: Lender, isDone: () => boolean) => Promise<number>) {
  const lender = await Lender.open(systemRuntime());
  try {
    const [fair, harmful] = await lender.define(fairRelease(40), harmfulRelease(40, 85));
    if (!fair || !harmful) throw new Error("no releases");
    await lender.promote(fair);
    await lender.promote(harmful);
    // A guardrail closes a block with every look, and has its proof after some of them.
    let failed = 0;
    for (let look = 0; look < 60 && !(await lender.incidents.get(1)); look++) {
      await lender.applications(10, `look ${look}`);
      let isDone = false;
      const looking = lender.control.tick().finally(() => (isDone = true));
      failed = await during(lender, () => isDone);
      await looking;
    }
    const incident = await lender.incidents.get(1);
    return { failed, told: incident?.body.rollback?.failedRequests };
  } finally {
    await lender.drop();
  }
}

test("a rollback during which everybody is answered tells that no request failed", async () => {
  const { told } = await rolledBack(async (lender, isDone) => {
    while (!isDone()) await lender.decide({ income: 50, education: "university" });
    return 0;
  });
  expect(told).toBe(0);
});

test("a rollback during which requests get no answer tells how many, and leaves out those that were wrong", async () => {
  const { failed, told } = await rolledBack(async (lender, isDone) => {
    const meta = { payload: JSON.stringify(body), source: "web", idempotencyKey: null, bodyHash: null };
    let late = 0;
    while (!isDone()) {
      // It has waited longer on its way in than anybody waits for an answer.
      const receivedAtUs = lender.runtime.clock.monotonicUs() - 60_000_000;
      const answer = await lender.gateway.decide("loans", body, { ...meta, receivedAtUs });
      expect(answer).toMatchObject({ ok: false, error: { kind: "too-late" } });
      late++;
      await lender.gateway.decide("loans", { inputs: {} }, meta);
      await lender.runtime.timers.sleep(0);
    }
    return late;
  });
  expect(told).toBeGreaterThan(0);
  expect(told).toBeLessThanOrEqual(failed);
});
