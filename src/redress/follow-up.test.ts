import { afterEach, beforeEach, expect, test } from "vitest";
import { Lender, fairRelease, harmfulRelease } from "../../test/lender.ts";
import { START_MS } from "../../test/sqlite.ts";
import { Blame } from "../diagnosis/index.ts";
import { simulatedRuntime } from "../store/index.ts";
import { Redress } from "./affected.ts";
import { FollowUp } from "./follow-up.ts";

let lender: Lender;
beforeEach(async () => {
  lender = await Lender.open(simulatedRuntime(1, START_MS));
});
afterEach(() => lender.drop());

function followUpOf({ store, releases, incidents, runtime, troubles }: Lender) {
  const redress = new Redress({ store, releases, incidents });
  const blame = new Blame({ store, releases, incidents, load: { blobs: store.blobs, clock: runtime.clock, inline: true } });
  const followUp = new FollowUp({ store, incidents, redress, blame, onTrouble: (error) => void troubles.push(error) });
  return { redress, blame, followUp };
}

async function untilIncident(): Promise<number> {
  const [good, worse] = await lender.define(fairRelease(40), harmfulRelease(40, 80));
  if (!good || !worse) throw new Error("no releases");
  return lender.untilIncident(good, worse);
}
const lookedInto = async (n: number) => (await lender.incidents.get(n))?.events.filter(({ kind }) => kind === "looked-into") ?? [];

test("an incident is looked into once: its people are listed and its cause is told, and the timeline says so", async () => {
  const n = await untilIncident();
  const { followUp, redress, blame } = followUpOf(lender);
  await followUp.tick();
  await followUp.tick();
  const { total, byClass } = await redress.summary(n);
  expect(byClass.harmed).toBeGreaterThan(20);
  expect((await blame.reports(n))[0]).toMatchObject({ tier: 0, verdict: { steps: ["model"] } });
  expect((await lookedInto(n)).map(({ text }) => text)).toEqual([
    `${total} people were decided about; ${byClass.harmed} would get a better answer from the restored release`,
  ]);
  expect(lender.troubles).toEqual([]);
});

test("an incident that a crash left behind is looked into after the next start", async () => {
  const n = await untilIncident();
  await lender.stop();
  lender = await Lender.open(lender.runtime, lender.folder);
  await followUpOf(lender).followUp.tick();
  expect(await lookedInto(n)).toHaveLength(1);
});

test("where nothing was put back, the timeline says why there is nobody to list and no cause to tell", async () => {
  const [worse] = await lender.define(harmfulRelease(40, 80));
  if (!worse) throw new Error("no release");
  const actor = { kind: "person", name: "ada" } as const;
  const body = {
    title: "seen in the branch",
    openedBy: actor,
    reason: "complaints",
    place: "live",
    guardrail: null,
    group: null,
    breach: null,
    notRolledBack: null,
    candidates: [],
    rollback: null,
    served: { fromGeneration: 1, fromMs: START_MS, toMs: null },
  } as const;
  const n = await lender.store.transaction((tx) =>
    lender.incidents.open(
      tx,
      { endpoint: lender.room.name, release: worse.id, restored: null, state: "open", kind: "by-hand", body: { ...body, candidates: [] } },
      [],
    ),
  );
  await followUpOf(lender).followUp.tick();
  expect((await lookedInto(n)).map(({ text }) => text)).toEqual([
    "the people it touched can't be listed: no release was put back to compare with; the cause can't be told: no release was put back to compare with",
  ]);
});
