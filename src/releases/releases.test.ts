import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Lender, ada, endpoint, fairRelease } from "../../test/lender.ts";
import { systemRuntime } from "../store/index.ts";
import { rollbackCandidates } from "./route-table.ts";
import { asCommandId } from "./transition.ts";

let lender: Lender;
beforeEach(async () => {
  lender = await Lender.open(systemRuntime());
});
afterEach(() => lender.drop());

const person = { income: 50, education: "high_school" } as const;

describe("declaring endpoints and releases", () => {
  test("an endpoint answers by its fallback from its definition on", async () => {
    expect(await lender.releases.applyEndpoint(endpoint, ada, true)).toMatchObject({ ok: true, value: { change: "created" } });
    expect(lender.releases.rooms()).toEqual([]);
    expect(await lender.releases.applyEndpoint(endpoint, ada)).toMatchObject({ ok: true, value: { change: "created", release: 1 } });
    expect(await lender.decide(person)).toMatchObject({ release: "r1", route: "live", action: "refer", generation: 2 });
  });

  test("applied twice changes nothing, also when two apply it at once", async () => {
    const both = await Promise.all([
      lender.releases.applyEndpoint(endpoint, ada),
      lender.releases.applyEndpoint(structuredClone(endpoint), ada),
    ]);
    expect(both).toMatchObject([{ value: { change: "created" } }, { value: { change: "unchanged" } }]);
    expect(lender.table.generation).toBe(2);
    expect((await lender.audit.list()).entries.filter(({ action }) => action === "endpoint.defined")).toHaveLength(1);
  });

  test("the same bundle is the same release, whatever it is called; a new one gets the next number", async () => {
    const [r2] = await lender.define(fairRelease(40));
    expect(r2?.number).toBe(2);
    const again = await lender.releases.createRelease({ ...fairRelease(40), name: "another name" }, ada);
    expect(again).toMatchObject({ ok: true, value: { isNew: false, info: { id: r2?.id, number: 2 } } });
    const [a, b] = await Promise.all([lender.release(fairRelease(50)), lender.release(fairRelease(55))]);
    expect(new Set([a.number, b.number])).toEqual(new Set([3, 4]));
  });

  test("what can't answer is refused with the place in it, and nothing is stored", async () => {
    await lender.define();
    const broken = { ...fairRelease(40), scorer: { kind: "rules", rules: [{ when: "incme > 3", score: 1 }], otherwise: { score: 0 } } };
    expect(await lender.releases.createRelease(broken, ada)).toMatchObject({
      ok: false,
      error: { kind: "cannot-load", issues: [{ path: "/scorer/rules/0/when", hint: "did you mean income?" }] },
    });
    const gap = { ...fairRelease(40), policy: { bands: [{ action: "deny", from: 0.2 }] } };
    expect(await lender.releases.createRelease(gap, ada)).toMatchObject({ ok: false, error: { kind: "cannot-load" } });
    expect(lender.room.releases.size).toBe(1);
    expect(lender.table.generation).toBe(2);
  });

  test("another definition takes effect at once, and keeps what serves", async () => {
    const [r2] = await lender.define(fairRelease(40));
    if (r2) await lender.promote(r2);
    const other = { ...endpoint, inputs: { ...endpoint.inputs, debt: { type: "number", optional: true } } };
    expect(await lender.releases.applyEndpoint(other, ada)).toMatchObject({ ok: true, value: { change: "changed" } });
    const body = { inputs: { ...person, debt: 3 }, groups: { education: "high_school" } };
    const meta = { payload: JSON.stringify(body), source: "web", idempotencyKey: null, bodyHash: null };
    expect(await lender.gateway.decide("loans", body, meta)).toMatchObject({
      ok: true,
      value: { reply: { release: "r2", action: "approve" } },
    });
    const without = { ...endpoint, inputs: { education: endpoint.inputs.education, wage: { type: "number" } } };
    const refused = await lender.releases.applyEndpoint(
      { ...without, fallback: { ...endpoint.fallback, scorer: { kind: "rules", rules: [], otherwise: { score: 0 } } } },
      ada,
    );
    expect(refused).toMatchObject({ ok: false, error: { kind: "cannot-load", release: r2?.id } });
    expect(await lender.decide(person)).toMatchObject({ release: "r2" });
  });

  test("another fallback rule is another release, and stands behind live from then on", async () => {
    const [r2] = await lender.define(fairRelease(40));
    if (r2) await lender.promote(r2);
    const scorer = { kind: "rules", rules: [{ when: "income >= 70", score: 1 }], otherwise: { score: 0.5 } };
    await lender.releases.applyEndpoint({ ...endpoint, fallback: { ...endpoint.fallback, scorer } }, ada);
    const fallback = lender.room.info(lender.table.fallback);
    expect([fallback.number, rollbackCandidates(lender.table).length]).toEqual([3, 1]);
    await lender.rollback();
    expect(await lender.decide({ income: 65, education: "university" })).toMatchObject({ release: "r3", action: "refer" });
  });
});

describe("changing what answers", () => {
  test("a rollback is in force when it is acknowledged, and undone by promoting again", async () => {
    const [r2, r3] = await lender.define(fairRelease(40), fairRelease(45));
    if (!r2 || !r3) throw new Error("no releases");
    await lender.promote(r2);
    await lender.promote(r3);
    const { transition, switchedUs, drainedUs } = await lender.command({ kind: "rollback", from: r3.id, to: null, condemn: false });
    expect(transition.change).toMatchObject({ kind: "rolled-back", from: r3.id, live: r2.id });
    expect(drainedUs).toBeGreaterThanOrEqual(switchedUs);
    expect(await lender.decide(person)).toMatchObject({ release: "r2", generation: transition.generation });
    await lender.promote(r3);
    expect(await lender.decide(person)).toMatchObject({ release: "r3" });
  });

  test("a command that is sent again changes nothing and tells the same", async () => {
    const [r2, r3] = await lender.define(fairRelease(40), fairRelease(45));
    if (!r2 || !r3) throw new Error("no releases");
    await lender.promote(r2);
    await lender.promote(r3);
    const by = { ...ada, commandId: asCommandId("click-1") };
    const first = await lender.rollback(by);
    const second = await lender.rollback(by);
    expect([first.isNew, second.isNew]).toEqual([true, false]);
    expect(second.transition).toEqual(first.transition);
    expect(lender.table).toMatchObject({ live: r2.id, generation: first.transition.generation });
  });

  test("two people who roll back at once roll back once", async () => {
    const [r2, r3] = await lender.define(fairRelease(40), fairRelease(45));
    if (!r2 || !r3) throw new Error("no releases");
    await lender.promote(r2);
    await lender.promote(r3);
    const wish = { kind: "rollback", from: null, to: null, condemn: true } as const;
    const both = await Promise.all([lender.releases.command("loans", wish, ada), lender.releases.command("loans", wish, ada)]);
    expect(both.map(({ ok }) => ok)).toEqual([true, false]);
    expect(both[1]).toMatchObject({ error: { kind: "already-live", release: r2.id } });
    expect(lender.table.live).toBe(r2.id);
  });

  test("only what the table points at stays loaded", async () => {
    const [r2, r3, r4] = await lender.define(fairRelease(40), fairRelease(45), fairRelease(50));
    if (!r2 || !r3 || !r4) throw new Error("no releases");
    for (const release of [r2, r3, r4]) await lender.promote(release);
    await lender.room.settle();
    expect([r2, r3, r4].map(({ id }) => lender.room.warm.isWarm(id))).toEqual([false, true, true]);
    await lender.rollback();
    await lender.room.settle();
    expect([r2, r3, r4].map(({ id }) => lender.room.warm.isWarm(id))).toEqual([true, true, false]);
    expect(lender.gateway.view("loans")?.standby?.id).toBe(r2.id);
  });

  test("a canary answers its share, and the same person always on the same side", async () => {
    const [r2] = await lender.define(fairRelease(40));
    if (!r2) throw new Error("no release");
    await lender.command({ kind: "canary", release: r2.id, share: 0.3 });
    const first = await lender.applications(200, "p");
    const second = await lender.applications(200, "p");
    expect(second.map(({ release }) => release)).toEqual(first.map(({ release }) => release));
    const share = first.filter(({ release }) => release === "r2").length / first.length;
    expect(share).toBeGreaterThan(0.2);
    expect(share).toBeLessThan(0.4);
  });
});

test("a server that starts again serves by the same table, with the same releases warm", async () => {
  const [r2, r3, r4] = await lender.define(fairRelease(40), fairRelease(45), fairRelease(50));
  if (!r2 || !r3 || !r4) throw new Error("no releases");
  await lender.promote(r2);
  await lender.promote(r3);
  await lender.command({ kind: "shadow", release: r2.id });
  await lender.command({ kind: "canary", release: r4.id, share: 0.1 });
  await lender.command({ kind: "condemn", release: r4.id });
  await lender.command({ kind: "reinstate", release: r4.id });
  await lender.command({ kind: "canary", release: r4.id, share: 0.2 });
  const { table, liveSinceMs } = lender.room;
  const view = () => {
    const now = lender.gateway.view("loans");
    return [
      now?.generation,
      now?.live.number,
      now?.canary?.release.number,
      now?.standby?.number,
      now?.fallback.number,
      now?.shadows.map((shadow) => shadow.release.number),
    ];
  };
  const before = view();
  await lender.stop();
  lender = await Lender.open(systemRuntime(), lender.folder);
  expect(lender.table).toEqual(table);
  expect(view()).toEqual(before);
  expect(lender.room.liveSinceMs).toBe(liveSinceMs);
  expect(lender.releases.lives(r4.id)).toBe(1);
  expect(lender.troubles).toEqual([]);
});

test("200 rollbacks while decisions run: none fails, and none is answered by a release after its rollback was acknowledged", async () => {
  const [r2, r3] = await lender.define(fairRelease(40), fairRelease(45));
  if (!r2 || !r3) throw new Error("no releases");
  await lender.promote(r2);
  let isDone = false;
  let answered = 0;
  /** Which release must not answer requests that begin now. */
  let gone: string | null = null;
  const wrong: string[] = [];
  const asking = Array.from({ length: 16 }, async (_, i) => {
    while (!isDone) {
      const goneBefore = gone;
      const reply = await lender.decide({ income: (i * 13) % 100, education: "university" });
      answered++;
      if (reply.release === goneBefore && gone === goneBefore) wrong.push(`${reply.release} in generation ${reply.generation}`);
    }
  });
  const switchedUs: number[] = [];
  for (let i = 0; i < 200; i++) {
    gone = null;
    await lender.promote(r3);
    const back = await lender.command({ kind: "rollback", from: r3.id, to: r2.id, condemn: false });
    gone = "r3";
    switchedUs.push(back.switchedUs);
    if (i % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
  }
  isDone = true;
  await Promise.all(asking);
  switchedUs.sort((a, b) => a - b);
  console.log(`200 rollbacks under ${answered} decisions: median ${switchedUs[100]} µs, worst ${switchedUs.at(-1)} µs to the effect`);
  expect(wrong).toEqual([]);
  expect(lender.gateway.stats().fellBack).toBe(0);
  expect(answered).toBeGreaterThan(200);
  const after = await lender.store.db
    .selectFrom("decision")
    .innerJoin("transition", (join) =>
      join.onRef("transition.generation", "=", "decision.generation").onRef("transition.endpoint", "=", "decision.endpoint"),
    )
    .select(({ fn }) => fn.countAll<number>().as("n"))
    .where("transition.kind", "=", "rolled-back")
    .where("decision.release", "=", r3.id)
    .executeTakeFirstOrThrow();
  expect(after.n).toBe(0);
});
