/** What a guardrail demands is done, also where it can't be done at once. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { Lender, ada, endpoint, fairRelease, harmfulRelease } from "../../test/lender.ts";
import { GuardrailEvaluator, type WatchedEndpoint } from "../monitoring/index.ts";
import type { EndpointName } from "../std.ts";
import { StorageError, systemRuntime } from "../store/index.ts";
import { GuardrailControl } from "./guardrail-control.ts";
import { Rollbacks } from "./rollbacks.ts";

let lender: Lender;
beforeEach(async () => {
  lender = await Lender.open(systemRuntime());
});
afterEach(() => lender.drop());

class FailingRollbacks extends Rollbacks {
  fails = true;
  override takeOut(...found: Parameters<Rollbacks["takeOut"]>): Promise<void> {
    return this.fails ? Promise.reject(new StorageError("storage-full", "the disk is full")) : super.takeOut(...found);
  }
}

/** Looks at nothing of one endpoint. */
class HalfBlind extends GuardrailEvaluator {
  override look(watched: WatchedEndpoint, how = {}) {
    return watched.endpoint === blind ? Promise.reject(new Error("its tests can't be read")) : super.look(watched, how);
  }
}
const blind = "cards" as EndpointName;

test("a rollback that can't be stored is tried again with the next tick", async () => {
  const rollbacks = new FailingRollbacks(lender);
  const control = new GuardrailControl({ ...parts(), evaluator: new GuardrailEvaluator(lender.store), rollbacks });
  const [good, bad] = await lender.define(fairRelease(40), harmfulRelease(20, 95));
  if (!good || !bad) throw new Error("no releases");
  await lender.promote(good);
  await lender.promote(bad);
  const lookUntil = async (isOver: () => boolean | Promise<boolean>) => {
    for (let round = 0; round < 20; round++) {
      await lender.applications(50, `${Math.random()}`);
      await control.lookBetween("loans").catch((error: unknown) => expect(error).toMatchObject({ message: "the disk is full" }));
      if (await isOver()) return;
    }
    throw new Error("not found");
  };
  await lookUntil(async () => (await control.tests(lender.room)).some(({ breach }) => breach !== null));
  expect(lender.table.live).toBe(bad.id);
  await expect(control.tick()).rejects.toThrow("the disk is full");
  rollbacks.fails = false;
  await control.tick();
  expect(lender.table.live).toBe(good.id);
  expect(await lender.incidentNumbers()).toEqual([1]);
  await control.tick();
  expect(await lender.incidentNumbers()).toEqual([1]);
});

test("an endpoint that can't be looked at keeps nobody from watching the others", async () => {
  for (const name of [blind, "loans"]) {
    const applied = await lender.releases.applyEndpoint({ ...endpoint, name }, ada);
    if (!applied.ok) throw new Error("refused");
  }
  const evaluator = new HalfBlind(lender.store);
  const control = new GuardrailControl({ ...parts(), evaluator });
  await expect(control.tick()).rejects.toThrow("can't be read");
  expect(await evaluator.tests(control.watched(lender.room))).not.toEqual([]);
});

const parts = () => {
  const { store, releases, incidents, rollbacks } = lender;
  return { store, releases, incidents, rollbacks };
};
