import { afterEach, beforeEach, expect, test } from "vitest";
import { START_MS } from "../../test/sqlite.ts";
import { Lender, fairRelease, harmfulRelease } from "../../test/lender.ts";
import { simulatedRuntime } from "../store/index.ts";
import { Blame } from "./blame.ts";

let lender: Lender;
let blame: Blame;
beforeEach(async () => {
  lender = await Lender.open(simulatedRuntime(1, START_MS));
  const { store, releases, incidents, runtime } = lender;
  blame = new Blame({ store, releases, incidents, load: { blobs: store.blobs, clock: runtime.clock, inline: true } });
});
afterEach(() => lender.drop());

/** A fair release decides, then one that harms people with high school education, until the guardrail rolls it back. */
async function untilRolledBack(bad: object): Promise<number> {
  const [good, worse] = await lender.define(fairRelease(40), bad);
  if (!good || !worse) throw new Error("no releases");
  return lender.untilIncident(good, worse);
}
const madeOf = async (n: number) => {
  const made = await blame.tierZero(n);
  if (!made.ok) throw new Error(JSON.stringify(made.error));
  return made.value;
};

test("after a rollback the log alone says that the model did it, and by how much; the parts sum to the harm", async () => {
  const n = await untilRolledBack(harmfulRelease(40, 80));
  const report = await madeOf(n);
  expect(report).toMatchObject({ tier: 0, group: "education=high_school", reference: "rest", limit: { kind: "ratio", limit: 0.8 } });
  expect(report.verdict).toMatchObject({ word: "did it", steps: ["model"] });
  expect(report.parts.map(({ step }) => step)).toEqual(["model", "population"]);
  expect(report.parts.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(report.harm.share, 9);
  expect(report.gap.good).toBeCloseTo(0, 6);
  expect(report.gap.bad).toBeCloseTo(0.4, 1);
  expect(report.mostHarmed[0]?.conditions).toEqual({ education: "high_school" });
  expect(report.people.notReplayable).toBe(0);
  expect(report.sentence).toContain("The model did it: ");
});

test("a threshold that was moved is named, not the model", async () => {
  const fair = fairRelease(40);
  const rules = [
    { when: 'education == "high_school" && income < 80.0', score: 0.6 },
    { when: "income >= 40.0", score: 0.9 },
  ];
  const scorer = { kind: "rules", rules, otherwise: { score: 0.1 } };
  const strict = {
    bands: [
      { action: "deny", from: 0 },
      { action: "approve", from: 0.7 },
    ],
  };
  const [good, bad] = await lender.define({ ...fair, name: "lenient", scorer }, { ...fair, name: "strict", scorer, policy: strict });
  if (!good || !bad) throw new Error("no releases");
  const report = await madeOf(await lender.untilIncident(good, bad));
  expect(report.parts.map(({ step }) => step)).toEqual(["threshold", "population"]);
  expect(report.verdict).toMatchObject({ word: "did it", steps: ["threshold"] });
});

test("the same incident gives the same report, also when more people have applied since, and it is kept with the timeline", async () => {
  const n = await untilRolledBack(harmfulRelease(40, 80));
  const first = await madeOf(n);
  await (lender.runtime as ReturnType<typeof simulatedRuntime>).advance(1000);
  await lender.applications(200, "after");
  const again = await madeOf(n);
  expect({ ...again, madeAtMs: 0 }).toEqual({ ...first, madeAtMs: 0 });
  expect(await blame.reports(n)).toEqual([again]);
  const incident = await lender.incidents.get(n);
  expect(incident?.events.filter(({ kind }) => kind === "blamed").map(({ text }) => text)).toEqual([
    "Blame, tier 0: model, did it",
    "Blame, tier 0: model, did it",
  ]);
});

test("what the log records otherwise than the release answers now names nobody", async () => {
  const n = await untilRolledBack(harmfulRelease(40, 80));
  const { bad } = await madeOf(n);
  await lender.store.db
    .updateTable("decision")
    .set({ action: "deny" })
    .where("release", "=", bad)
    .where("action", "=", "approve")
    .where("seq", "<", 700)
    .execute();
  const report = await madeOf(n);
  expect(report.verdict).toMatchObject({ word: "could not be reproduced", steps: [] });
});

test("an incident that isn't there, and mixtures that are incomplete or name unknown models, are refused and nothing is kept", async () => {
  expect(await blame.tierZero(7)).toEqual({ ok: false, error: { kind: "unknown-incident" } });
  const n = await untilRolledBack(harmfulRelease(40, 80));
  const model = `sha256:${"0".repeat(64)}`;
  const groups = [{ members: ["data"], mergedBecause: null }];
  expect(
    await blame.tierOne(n, {
      groups,
      hybrids: [
        { mask: 0, seed: 1, model },
        { mask: 0, seed: 1, model },
      ],
    }),
  ).toMatchObject({
    ok: false,
    error: { kind: "invalid", issues: [{ path: "/hybrids", got: "none for mask 1" }] },
  });
  expect(
    await blame.tierOne(n, {
      groups,
      hybrids: [
        { mask: 0, seed: 1, model },
        { mask: 1, seed: 1, model },
      ],
    }),
  ).toMatchObject({
    ok: false,
    error: { kind: "invalid", issues: [{ path: "/hybrids/0/model", expected: "a blob that was uploaded before" }] },
  });
  expect(await blame.reports(n)).toEqual([]);
});
