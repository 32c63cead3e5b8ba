import { afterEach, beforeEach, expect, test } from "vitest";
import { Lender, ada, fairRelease, harmfulRelease } from "../../test/lender.ts";
import { START_MS } from "../../test/sqlite.ts";
import { simulatedRuntime, type SimulatedRuntime } from "../store/index.ts";
import type { By } from "./release-writer.ts";
import type { ReleaseInfo } from "./release-rows.ts";
import { RolloutControl } from "./rollout-control.ts";
import { judgeStep, type StepEvidence } from "./rollout-judge.ts";
import { parsePlan } from "./rollout-plan.ts";
import type { Rollout } from "./route-table.ts";

const MINUTE_MS = 60_000;
const bob: By = { actor: { kind: "person", name: "bob" }, reason: "looked at it" };

let runtime: SimulatedRuntime;
let lender: Lender;
let rollouts: RolloutControl;
const rolloutsOf = ({ store, releases, control }: Lender) => new RolloutControl({ store, releases, control });
beforeEach(async () => {
  runtime = simulatedRuntime(1, START_MS);
  lender = await Lender.open(runtime);
  rollouts = rolloutsOf(lender);
});
afterEach(() => lender.drop());

async function start(info: ReleaseInfo, rollout: unknown): Promise<void> {
  const started = await lender.releases.startRollout("loans", info.id, rollout, ada);
  if (!started.ok) throw new Error(JSON.stringify(started.error));
}
async function look(): Promise<void> {
  await lender.control.tick();
  await rollouts.tick();
}
const waits = async () => {
  const verdict = await rollouts.verdict(lender.room);
  return verdict?.kind === "wait" ? verdict.for.map(({ kind }) => kind) : verdict?.kind;
};
const steps = {
  steps: [
    { place: "shadow", min_decisions: 50 },
    { place: "canary", share: 0.2, min_decisions: 30, bake: "10m" },
    { place: "canary", share: 0.5, min_decisions: 30, approval: true },
  ],
};

test("a rollout goes from shadow to canary to live, each step once enough people were counted and time has passed", async () => {
  const [good, better] = await lender.define(fairRelease(40), fairRelease(30));
  if (!good || !better) throw new Error("no releases");
  await lender.promote(good);
  await start(better, steps);
  await look();
  expect(lender.table).toMatchObject({ shadows: [{ release: better.id, share: 1 }], canary: null });
  expect(await waits()).toEqual(["decisions"]); // silence is no proof
  await lender.applications(30, "a");
  await lender.gateway.idle();
  await lender.log.flush();
  await look();
  expect(lender.table).toMatchObject({ shadows: [], canary: { release: better.id, share: 0.2 } });
  expect(await waits()).toEqual(["decisions", "bake"]);
  await lender.applications(150, "b");
  await look();
  expect(await waits()).toEqual(["bake"]);
  await runtime.advance(10 * MINUTE_MS);
  await look();
  expect(lender.table.canary).toEqual({ release: better.id, share: 0.5, when: null });
  await lender.applications(100, "c");
  await look();
  expect(await waits()).toEqual(["approval"]);
  const step = lender.table.rollout?.step ?? 0;
  expect(await lender.releases.command("loans", { kind: "approve-rollout", release: better.id, step }, ada)).toMatchObject({ ok: false });
  await lender.command({ kind: "approve-rollout", release: better.id, step }, bob);
  await look();
  expect(lender.table).toMatchObject({ live: better.id, canary: null, rollout: null, history: [good.id] });
  const kinds = (await lender.releases.history(lender.room.name)).map(({ change }) => change.kind).toReversed();
  expect(kinds.slice(-5)).toEqual(["rollout-started", "rollout-advanced", "rollout-advanced", "rollout-approved", "promoted"]);
});

test("a release that harms in the shadow never gets to people: its rollout is aborted, and says why", async () => {
  const [good, worse] = await lender.define(fairRelease(40), harmfulRelease(40, 80));
  if (!good || !worse) throw new Error("no releases");
  await lender.promote(good);
  await start(worse, {
    steps: [
      { place: "shadow", min_decisions: 5000 },
      { place: "canary", share: 0.5 },
    ],
  });
  for (let round = 0; round < 10 && lender.table.rollout; round++) {
    await lender.applications(100, `round-${round}`);
    await lender.gateway.idle();
    await lender.log.flush();
    await look();
  }
  expect(lender.table).toMatchObject({ live: good.id, rollout: null, canary: null });
  const aborted = (await lender.releases.history(lender.room.name)).find(({ change }) => change.kind === "rollout-aborted");
  expect(aborted).toMatchObject({ actor: { kind: "system", name: "rollout" }, reason: "parity is breached" });
});

test("a rollout that stands beside the old release first answers recent applications, and ends when a guardrail would be breached there", async () => {
  const [good, worse, better] = await lender.define(fairRelease(40), harmfulRelease(40, 95), fairRelease(30));
  if (!good || !worse || !better) throw new Error("no releases");
  await lender.promote(good);
  await start(worse, "blue_green");
  await look();
  expect(await waits()).toEqual(["replay"]);
  await lender.applications(150, "a");
  await look();
  expect(lender.table).toMatchObject({ live: good.id, rollout: null });
  expect((await lender.releases.history(lender.room.name))[0]).toMatchObject({
    change: { kind: "rollout-aborted" },
    reason: "parity would be breached on 300 recent applications",
  });
  await start(better, "blue_green");
  await look();
  expect(lender.table).toMatchObject({ live: better.id, rollout: null, history: [good.id] });
});

test("paused, it waits whatever is counted; continued, it goes on; after a crash it is where it was", async () => {
  const [good, better] = await lender.define(fairRelease(40), fairRelease(30));
  if (!good || !better) throw new Error("no releases");
  await lender.promote(good);
  await start(better, { steps: [{ place: "canary", share: 0.5, min_decisions: 20 }] });
  await lender.command({ kind: "pause-rollout" });
  await lender.applications(60, "a");
  await look();
  expect(await waits()).toEqual(["paused"]);
  await lender.stop();
  lender = await Lender.open(runtime, lender.folder);
  rollouts = rolloutsOf(lender);
  expect(lender.table).toMatchObject({ canary: { release: better.id, share: 0.5 }, rollout: { isPaused: true } });
  await lender.command({ kind: "continue-rollout" });
  await look();
  expect(lender.table).toMatchObject({ live: better.id, rollout: null });
});

// ---------------------------------------------------------------- plans

const stepsOf = (value: unknown, guardrails: readonly string[] = [], needsApproval = false) => {
  const plan = parsePlan(value, guardrails, needsApproval);
  if (!plan.ok) throw new Error(JSON.stringify(plan.error));
  return plan.value;
};
const issuesOf = (value: unknown, guardrails: readonly string[] = []) => {
  const plan = parsePlan(value, guardrails, false);
  return plan.ok ? [] : plan.error.map(({ path }) => path);
};

test("the named strategies are what they say", () => {
  expect(stepsOf("all_at_once")).toEqual([]);
  expect(stepsOf("canary").map(({ place, share }) => [place, share])).toEqual([
    ["canary", 0.05],
    ["canary", 0.25],
    ["canary", 0.5],
  ]);
  expect(stepsOf("shadow_first").map(({ place }) => place)).toEqual(["shadow", "canary", "canary", "canary"]);
  expect(stepsOf("blue_green")).toMatchObject([{ place: "none", replay: 300 }]);
});

test("where a second person is asked for, every strategy waits for one before anybody is answered", () => {
  for (const name of ["all_at_once", "canary", "shadow_first", "blue_green"]) {
    const plan = stepsOf(name, [], true);
    const approvalAt = plan.findIndex(({ approval }) => approval);
    const canaryAt = plan.findIndex(({ place }) => place === "canary");
    expect(approvalAt >= 0 && (canaryAt < 0 || approvalAt < canaryAt)).toBe(true);
  }
});

test("a plan that can't be meant is refused where it is wrong", () => {
  expect(issuesOf({ steps: [{ place: "canary" }] })).toEqual(["/steps/0/share"]);
  expect(issuesOf({ steps: [{ place: "shadow", share: 0.1 }] })).toEqual([]);
  expect(issuesOf({ steps: [{ place: "none", share: 0.1 }] })).toEqual(["/steps/0/share"]);
  expect(issuesOf({ steps: [{ place: "canary", share: 1 }] })).toEqual(["/steps/0/share"]);
  expect(issuesOf({ steps: [{ place: "shadow", when: "a < 1" }] })).toEqual(["/steps/0/when"]);
  const canary = (share: number, when?: string) => ({ place: "canary", share, ...(when === undefined ? {} : { when }) });
  expect(issuesOf({ steps: [canary(0.1, "a < 1"), canary(0.2, "a < 1"), canary(0.3)] })).toEqual([]);
  expect(issuesOf({ steps: [canary(0.1, "a < 1"), canary(0.2, "a < 2")] })).toEqual(["/steps/1/when"]);
  expect(issuesOf({ steps: [canary(0.1), canary(0.2, "a < 2")] })).toEqual(["/steps/1/when"]);
  expect(issuesOf({ steps: [{ place: "canary", share: 0.5 }, { place: "shadow" }] })).toEqual(["/steps/1/place"]);
  expect(
    issuesOf({
      steps: [
        { place: "canary", share: 0.5 },
        { place: "canary", share: 0.2 },
      ],
    }),
  ).toEqual(["/steps/1/share"]);
  expect(issuesOf({ steps: [{ place: "shadow", guardrails: ["paritty"] }] }, ["parity"])).toEqual(["/steps/0/guardrails/0"]);
  expect(issuesOf({ steps: [{ place: "shadow", bake: "soon" }] })).toEqual(["/steps/0/bake"]);
  expect(issuesOf({ steps: [] })).not.toEqual([]);
  expect(issuesOf("bluegreen")).not.toEqual([]);
});

// ---------------------------------------------------------------- the verdict

test("a rollout is aborted on a breach even where everything else would let it wait, and a guardrail it names must have data", () => {
  const [step] = stepsOf({ steps: [{ place: "shadow", min_decisions: 10, guardrails: ["parity"] }] }, ["parity"]);
  if (!step) throw new Error("no step");
  const rollout: Rollout = {
    release: "rel:a" as Rollout["release"],
    plan: [step],
    step: 0,
    stepSinceMs: 0,
    counted: 0,
    startedBy: "ada",
    approvedBy: null,
    isPaused: true,
  };
  const word = (is: StepEvidence["guardrails"][number]["word"]): StepEvidence => ({
    people: 100,
    guardrails: [{ guardrail: "parity", word: is }],
    replay: null,
    hold: null,
    frozen: null,
    nowMs: 1,
  });
  expect(judgeStep(rollout, word("breached"))).toEqual({ kind: "abort", because: "parity is breached" });
  const going: Rollout = { ...rollout, isPaused: false };
  expect(judgeStep(going, word("ok"))).toEqual({ kind: "go" });
  for (const is of ["no-data", "watched", "paused", "not-comparable"] as const) expect(judgeStep(going, word(is)).kind).toBe("wait");
  expect(judgeStep(going, { ...word("ok"), guardrails: [] })).toMatchObject({
    kind: "wait",
    for: [{ kind: "guardrail", word: "no-data" }],
  });
});
