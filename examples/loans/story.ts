/** The story of Evenkeel on real data: a lender's model starts to turn people down, and what becomes of that. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import {
  makingsOf,
  retrain,
  type AffectedView,
  type AuditVerdictView,
  type BlameReportView,
  type DecisionPageView,
  type EndpointView,
  type GuardrailStateView,
  type IncidentDetailView,
  type IncidentHeadView,
  type Kitchen,
  type ReleaseView,
  type TransitionRecordView,
} from "../../src/index.ts";
import { tellStory } from "./data.ts";
import { FOLDER, make, registerData, type Made } from "./making.ts";
import type { Teller } from "./teller.ts";
import type { World } from "./world.ts";

export interface StoryPart {
  readonly step: string;
  readonly share: number;
  readonly low: number;
  readonly high: number;
}
export interface StoryBlame {
  readonly parts: readonly StoryPart[];
  readonly verdict: string;
}
/** What the demo tells with `--json`. */
export interface StoryResult {
  readonly decisions: number;
  readonly failedRequests: number;
  readonly proof: { readonly group: string; readonly decisions: number; readonly evidence: number; readonly threshold: number };
  readonly shadowProof: { readonly group: string; readonly decisions: number } | null;
  readonly rollback: { readonly from: string; readonly to: string; readonly automatic: boolean; readonly milliseconds: number };
  readonly blame: { readonly tier0: readonly StoryPart[]; readonly tier1: readonly StoryPart[]; readonly verdict: string };
  readonly affected: { readonly better: number; readonly worse: number; readonly total: number };
  readonly auditVerified: boolean;
  readonly digest: string;
  readonly seconds: number;
}

const LOANS = "/v1/endpoints/loans";
const n = (value: number) => value.toLocaleString("en");
const points = (value: number) => `${(value * 100).toFixed(1)} points`;

export async function playStory(world: World, tell: Teller, seed: number): Promise<StoryResult> {
  const startedMs = performance.now();
  const { admin, trainer, analyst } = world.people;
  const kitchen: Kitchen = { client: trainer, folder: FOLDER, execute: world.execute, clock: world.clock };

  tell.chapter("Data, pipelines, models");
  const { version1, version2 } = tellStory(seed);
  const v1 = await registerData(trainer, version1, "v1", "extract of the training half");
  const v2 = await registerData(trainer, version2, "v2", "extract of the week after");
  tell.fact(
    `loans@v1 has ${n(v1.rows)} clients; loans@v2 lost ${n(v1.rows - v2.rows)} of them, and nobody has noticed: good payers with a high-school education`,
  );
  const logistic = await make(kitchen, tell, "logistic", seed);
  const forest = await make(kitchen, tell, "forest", seed);
  tell.fact(`logistic regression on v1 is ${logistic.model}${figures(logistic)}; random forest on v2 is ${forest.model}${figures(forest)}`);

  tell.chapter("The endpoint opens, answered by a rule");
  await admin.post("/v1/apply", { yaml: await readFile(new URL("./loans.yaml", import.meta.url), "utf8") });
  await world.openDoors();
  const rule = await liveRelease(world);
  await answered(world, tell, rule, 500);
  tell.fact(
    `${rule}, a threshold rule that leaves doubtful cases to a credit analyst, has answered ${n(world.counts().answered)} applications`,
  );

  tell.chapter("The logistic regression goes live");
  const good = await release(world, logistic, "logistic regression");
  await admin.post(`${LOANS}/promote`, { release: good, reason: "better than the rule on held-out clients" });
  await answered(world, tell, good, 1500);
  tell.fact(`${good} is live; ${worstRatio(await guardrails(world, good, "serving"))}`);

  tell.chapter("The random forest answers in the shadow");
  const bad = await release(world, forest, "random forest");
  await admin.post(`${LOANS}/shadow`, { release: bad, reason: "first look: nobody gets its answers" });
  const shadowed = await world.until(async () => {
    tell.progress(`${n(world.counts().answered)} applications answered`);
    return (await guardrails(world, bad, "shadow")).find(({ state }) => state === "breached");
  }, 4000);
  const shadowDecisions = (shadowed.groupDecisions ?? 0) + (shadowed.referenceDecisions ?? 0);
  tell.alarm(`the guardrail has its proof from the shadow alone: ${shadowed.group}, ${n(shadowDecisions)} answers that nobody received`);
  tell.alarm("a rollout that obeys it would end here, and nobody would be harmed. This lender goes on.");

  tell.chapter("Canary at 10 %, then live");
  await admin.post(`${LOANS}/canary`, { release: bad, share: 0.1, reason: "figures look better than ever" });
  await answered(world, tell, bad, 25);
  tell.fact(`${bad} has answered ${n(world.counts().byRelease[bad] ?? 0)} applicants as a canary`);
  await admin.post(`${LOANS}/promote`, { release: bad, reason: "no complaints yet" });
  const head = await world.until(async () => {
    tell.progress(`${bad} is live, ${n(world.counts().byRelease[bad] ?? 0)} answers`);
    const { incidents } = await admin.get<{ readonly incidents: readonly IncidentHeadView[] }>("/v1/incidents", { endpoint: "loans" });
    const found = incidents.find(({ release: of }) => of === bad);
    if (found?.restored === null)
      throw new Error(`incident ${found.n} was opened, but nothing was put back: evenkeel incidents ${found.n}`);
    return found;
  }, 6000);

  tell.chapter("Caught and rolled back, by itself");
  // How long it took is added once the last answer of the old table has been given.
  const incident = await world.until(async () => {
    const one = await analyst.get<IncidentDetailView>(`/v1/incidents/${head.n}`);
    return (one.rollback?.drainedMs ?? null) === null ? undefined : one;
  }, 400);
  const { proof, rollback } = incident;
  if (!proof || !rollback) throw new Error(`incident ${head.n} has no proof or no rollback`);
  tell.alarm(incident.title);
  tell.fact(
    `proof after ${n(proof.decisions)} decisions by ${bad}: ${proof.group} ${proof.groupFavourable} of ${proof.groupDecisions} approved, others ${proof.referenceFavourable} of ${proof.referenceDecisions}; evidence ${n(Math.round(proof.evidence))}, needed ${n(Math.round(proof.threshold))}`,
  );
  for (const { release: candidate, passes, why, asked } of incident.candidates)
    tell.fact(
      `${candidate} was asked about ${n(asked ?? 0)} recent applications: ${passes ? "it would not have done the same" : (why ?? "refused")}`,
    );
  const milliseconds = rollback.drainedMs ?? rollback.switchedMs;
  tell.fact(`${rollback.to} is back ${milliseconds.toFixed(1)} ms after the proof, the last answer of the old table included`);
  await answered(world, tell, rollback.to, (world.counts().byRelease[rollback.to] ?? 0) + 400);
  const counts = await world.closeDoors();
  tell.fact(
    `${n(counts.sent)} applications, ${counts.failed} failed${counts.p99Ms > 0 ? `; p50 ${counts.p50Ms} ms, p99 ${counts.p99Ms} ms` : ""}; ${n(counts.outcomes)} outcomes told`,
  );
  for (const failure of counts.failures) tell.alarm(failure);

  tell.chapter("Why");
  const tier0 = await world.until(async () => reportOf(await reports(world, head.n), 0), 100);
  for (const part of tier0.parts)
    tell.fact(`${part.step.padEnd(14)} ${points(part.share)} (95 %: ${points(part.low)} to ${points(part.high)})`);
  tell.fact("so much from the recorded answers alone; now the steps of the model, by training every mixture of the two again");
  const makings = await makingsOf(admin, head.n);
  if (!makings.ok) throw new Error(makings.error);
  const { groups } = await retrain(kitchen, {
    incident: head.n,
    makings: makings.value,
    judge: admin,
    onProgress: (done, total) => tell.progress(`${done} of ${total} mixtures trained`),
  });
  for (const { members, mergedBecause } of groups)
    if (mergedBecause) tell.fact(`${members.join(" and ")} can only change together (${mergedBecause})`);
  // Read again by somebody who may see groups: the sentence names them.
  const tier1 = reportOf(await reports(world, head.n), 1);
  if (!tier1) throw new Error("the server has kept no report");
  for (const part of tier1.parts)
    tell.fact(`${part.step.padEnd(34)} ${points(part.share)} (95 %: ${points(part.low)} to ${points(part.high)})`);
  tell.alarm(tier1.verdict);

  tell.chapter("Who");
  const affected = await analyst.get<AffectedView>(`/v1/incidents/${head.n}/affected`, { limit: 1000 });
  tell.fact(
    `${n(affected.total)} people were decided about by ${bad}; ${rollback.to} would have given ${n(affected.better)} of them a better answer and ${n(affected.worse)} a worse one (nothing is taken from those)`,
  );
  tell.fact(`review them at ${world.url}/incidents/${head.n}`);
  const audit = await admin.get<AuditVerdictView>("/v1/audit/verdict");
  tell.fact(`audit log: ${n(audit.entries)} entries, ${audit.isValid ? "the chain is whole" : "NOT AS IT WAS WRITTEN"}`);

  return {
    decisions: counts.answered,
    failedRequests: counts.failed,
    proof: { group: proof.group, decisions: proof.decisions, evidence: proof.evidence, threshold: proof.threshold },
    shadowProof: { group: shadowed.group, decisions: shadowDecisions },
    rollback: { from: rollback.from, to: rollback.to, automatic: rollback.automatic, milliseconds },
    blame: { tier0: partsOf(tier0), tier1: partsOf(tier1), verdict: tier1.verdict },
    affected: { better: affected.better, worse: affected.worse, total: affected.total },
    auditVerified: audit.isValid,
    digest: await digestOf(world, { incident, tier0, tier1, affected }),
    seconds: Math.round((performance.now() - startedMs) / 100) / 10,
  };
}

const figures = ({ metrics }: Made) => (metrics["auc"] === undefined ? "" : ` (AUC ${metrics["auc"].toFixed(3)})`);
const partsOf = ({ parts }: BlameReportView): StoryPart[] => parts.map(({ step, share, low, high }) => ({ step, share, low, high }));
const reportOf = (all: readonly BlameReportView[], tier: 0 | 1) => all.find((report) => report.tier === tier);

export async function reports(world: World, incident: number): Promise<readonly BlameReportView[]> {
  return (await world.people.analyst.get<{ readonly reports: readonly BlameReportView[] }>(`/v1/incidents/${incident}/blame`)).reports;
}

const liveRelease = async (world: World) => (await world.people.admin.get<EndpointView>(LOANS)).route.live;

async function release(world: World, made: Made, name: string): Promise<string> {
  const view = await world.people.admin.post<ReleaseView>(`${LOANS}/releases`, { model: made.model, policy: made.policy, name });
  return view.release;
}

async function answered(world: World, tell: Teller, by: string, count: number): Promise<void> {
  await world.until(
    async () => {
      const now = world.counts().byRelease[by] ?? 0;
      tell.progress(`${by}: ${n(now)} of ${n(count)} answers`);
      return now >= count ? true : undefined;
    },
    count * 12 + 3000,
  );
}

async function guardrails(world: World, of: string, arm: GuardrailStateView["arm"]): Promise<readonly GuardrailStateView[]> {
  const { guardrails: all } = await world.people.analyst.get<EndpointView>(LOANS);
  return all.filter((one) => one.release === of && one.arm === arm);
}

function worstRatio(states: readonly GuardrailStateView[]): string {
  const worst = states
    .filter(({ estimate, groupDecisions }) => estimate !== null && (groupDecisions ?? 0) >= 30)
    .toSorted((a, b) => (a.estimate ?? 0) - (b.estimate ?? 0))[0];
  return worst
    ? `its lowest adverse impact ratio is ${worst.estimate?.toFixed(2)} (${worst.group}), limit ${worst.limit}`
    : "too early to say anything about its groups";
}

/** SHA-256 over what happened: decisions, transitions, evidence, blame and affected people, in the order in which they happened. */
async function digestOf(
  world: World,
  found: {
    readonly incident: IncidentDetailView;
    readonly tier0: BlameReportView;
    readonly tier1: BlameReportView;
    readonly affected: AffectedView;
  },
): Promise<string> {
  const hash = createHash("sha256");
  const add = (value: unknown) => hash.update(`${JSON.stringify(value)}\n`);
  let after: number | undefined;
  for (;;) {
    const page = await world.people.analyst.get<DecisionPageView>(`${LOANS}/decisions`, { limit: 1000, after });
    for (const decision of page.decisions) add(decision);
    if (page.next === null) break;
    after = page.next;
  }
  add((await world.people.admin.get<{ readonly transitions: readonly TransitionRecordView[] }>(`${LOANS}/transitions`)).transitions);
  add(found.incident.proof);
  add([found.tier0, found.tier1]);
  add(found.affected);
  return hash.digest("hex");
}
