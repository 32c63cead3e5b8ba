/** What a guardrail demands is done, also where it can't be done at once. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { Lender, ada, endpoint, fairRelease, harmfulRelease } from "../../test/lender.ts";
import { GuardrailEvaluator, type WatchedEndpoint } from "../monitoring/index.ts";
import type { EndpointName } from "../std.ts";
import { StorageError, systemRuntime } from "../store/index.ts";
import { GuardrailControl } from "./guardrail-control.ts";
import { explain } from "./refusals.ts";
import { Rollbacks } from "./rollbacks.ts";
import type { Wish } from "./route-commands.ts";

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

/** A live release whose harm is proven, and that can't be rolled back for now. */
async function provenInVain() {
  const rollbacks = new FailingRollbacks(lender);
  const control = new GuardrailControl({ ...parts(), evaluator: new GuardrailEvaluator(lender.store), rollbacks });
  const [good, bad] = await lender.define(fairRelease(40), harmfulRelease(20, 95));
  if (!good || !bad) throw new Error("no releases");
  await lender.promote(good);
  await lender.promote(bad);
  for (let round = 0; round < 20; round++) {
    await lender.applications(50, `round-${round}`);
    await control.lookBetween("loans").catch((error: unknown) => expect(error).toMatchObject({ message: "the disk is full" }));
    if ((await control.tests(lender.room)).some(({ breach }) => breach !== null)) return { rollbacks, control, good, bad };
  }
  throw new Error("not found");
}

test("a rollback that can't be stored is tried again with the next tick", async () => {
  const { rollbacks, control, good, bad } = await provenInVain();
  expect(lender.table.live).toBe(bad.id);
  await expect(control.tick()).rejects.toThrow("the disk is full");
  rollbacks.fails = false;
  await control.tick();
  expect(lender.table.live).toBe(good.id);
  expect(await lender.incidentNumbers()).toEqual([1]);
  await control.tick();
  expect(await lender.incidentNumbers()).toEqual([1]);
});

test("a release whose harm is proven is given to nobody again in this life: its error budget is spent", async () => {
  const { good, bad } = await provenInVain();
  await lender.promote(good);
  const wishes: readonly Wish[] = [
    { kind: "promote", release: bad.id },
    { kind: "canary", release: bad.id, share: 0.1 },
  ];
  for (const wish of wishes) {
    const refused = await lender.releases.command("loans", wish, ada);
    expect(refused).toMatchObject({ ok: false, error: { kind: "error-budget-spent", release: bad.id, guardrail: "parity" } });
    if (!refused.ok) expect(explain(refused.error, (id) => lender.room.nameOf(id))).toContain("error budget of r3 is already spent");
  }
  // Going back is never made harder, and a new life has a new budget.
  await lender.command({ kind: "condemn", release: bad.id });
  await lender.command({ kind: "reinstate", release: bad.id });
  await lender.promote(bad);
});

test("guardrails that are changed again and again while a release answers are refused once the reserve is spent", async () => {
  const evaluator = new GuardrailEvaluator(lender.store);
  const control = new GuardrailControl({ ...parts(), evaluator });
  await lender.define();
  const changed = (i: number) => ({ ...endpoint, guardrails: endpoint.guardrails.map((one) => ({ ...one, limit: 0.8 - i / 100 })) });
  // Before anybody has been answered nothing is spent.
  for (let i = 1; i <= 12; i++) {
    expect(await lender.releases.applyEndpoint(changed(i), ada)).toMatchObject({ ok: true });
    await control.tick();
  }
  expect((await control.tests(lender.room)).map(({ plan }) => plan.alpha)).toEqual([
    expect.closeTo(0.0045, 12),
    expect.closeTo(0.0045, 12),
  ]);
  await lender.applications(30, "first");
  await control.tick();
  for (let i = 0; i < 9; i++) {
    expect(await lender.releases.applyEndpoint(changed(20 + i), ada)).toMatchObject({ ok: true });
    await control.tick();
    await lender.applications(8, `after change ${i}`);
    await control.tick();
  }
  const refused = await lender.releases.applyEndpoint(changed(30), ada);
  expect(refused).toMatchObject({
    ok: false,
    error: { kind: "invalid", issues: [{ path: "/guardrails", got: expect.stringContaining("change 10") }] },
  });
  // What promises nothing new is no change.
  const warned = { ...changed(28), guardrails: changed(28).guardrails.map((one) => ({ ...one, action: "warn" })) };
  expect(await lender.releases.applyEndpoint(warned, ada)).toMatchObject({ ok: true });
  await lender.promote(await lender.release(fairRelease(40)));
  expect(await lender.releases.applyEndpoint(changed(30), ada)).toMatchObject({ ok: true });
});

test("after two automatic rollbacks within a day the third proof is left to a person, who is told", async () => {
  const made = await lender.define(fairRelease(40), harmfulRelease(20, 95), harmfulRelease(21, 95), harmfulRelease(22, 95));
  const [good, ...bad] = made;
  if (!good) throw new Error("no releases");
  await lender.promote(good);
  await lender.applications(100, "before");
  for (const [i, release] of bad.entries()) {
    await lender.promote(release);
    for (let round = 0; round < 20 && (await lender.incidentNumbers()).length === i; round++) {
      await lender.applications(50, `of-${i}-${round}`);
      await lender.control.tick();
    }
  }
  const incidents = await Promise.all([1, 2, 3].map((n) => lender.incidents.get(n)));
  expect(incidents.map((incident) => incident?.body.rollback?.automatic)).toEqual([true, true, undefined]);
  expect(incidents[2]?.body.notRolledBack).toContain("2 automatic rollbacks within a day");
  expect(lender.table.live).toBe(bad[2]?.id);
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
