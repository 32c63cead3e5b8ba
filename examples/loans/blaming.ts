/** Tier 1 of blame: trains every mixture of the good and the bad release's making where the pipelines' files are, and has the server judge them. */
import { trainHybrids, type BlameReportView } from "../../src/index.ts";
import { cookOptions, type Kitchen, type Made } from "./making.ts";
import type { Teller } from "./teller.ts";
import type { World } from "./world.ts";

/** Same seeds for every mixture: what differs between two of them is then what was swapped, not luck. */
const SEEDS = [1, 2, 3, 4, 5];

export interface BlameWork {
  readonly world: World;
  readonly kitchen: Kitchen;
  readonly incident: number;
  readonly good: Made;
  readonly bad: Made;
  readonly tell: Teller;
}

export async function trainForBlame({ world, kitchen, incident, good, bad, tell }: BlameWork): Promise<BlameReportView> {
  const options = await cookOptions(kitchen);
  const plan = await trainHybrids(good.recipe, bad.recipe, {
    ...options,
    seeds: SEEDS,
    parallel: 2,
    onProgress: (done, total) => tell.progress(`${done} of ${total} mixtures trained`),
  });
  for (const { members, mergedBecause } of plan.groups)
    if (mergedBecause) tell.fact(`${members.join(" and ")} can only change together (${mergedBecause})`);
  const hybrids = plan.hybrids.map(({ mask, seed, cooked }) => {
    const outs = Object.fromEntries(cooked.outcomes.flatMap((outcome) => Object.entries(outcome.outs)));
    return { mask, seed, model: outs["model"], featureSet: outs["feature-set"] };
  });
  await world.people.admin.post(`/v1/incidents/${incident}/blame`, { groups: plan.groups, hybrids });
  // Read back by somebody who may see groups: the sentence names them.
  const { reports } = await world.people.analyst.get<{ readonly reports: readonly BlameReportView[] }>(`/v1/incidents/${incident}/blame`);
  const report = reports.find(({ tier }) => tier === 1);
  if (!report) throw new Error("the server has kept no report");
  return report;
}
