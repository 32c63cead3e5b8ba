/** The short form of `npm run bench:guardrails`: the same code on few and short lives, so that it can't rot; its bars have room for luck. */
import { expect, test } from "vitest";
import { fairScenarios } from "./guardrails/fair.ts";
import { runJob } from "./guardrails/jobs.ts";
import { simulate } from "./guardrails/simulate.ts";
import { reportText } from "./guardrails/text.ts";

test("in a short simulation every bar but those of time is reached, and the same seed says the same", { timeout: 120_000 }, async () => {
  const report = await simulate({ lives: 40, decisions: 20_000, seed: 7, width: 1, onProgress: () => undefined });
  const timed = new Set(report.costs.map(({ what, unit }) => `${what}, ${unit}`));
  expect(report.bars.filter(({ what, isReached }) => !isReached && !timed.has(what))).toEqual([]);
  expect(report.fair).toHaveLength(fairScenarios.length + 2);
  const text = reportText(report);
  for (const heading of ["FAIR RELEASES", "HARM FROM THE START", "HARM THAT BEGINS LATE", "ATTACKERS", "COSTS"])
    expect(text).toContain(heading);
  const job = { part: "fair", index: 0, from: 3, to: 5, decisions: 5000, seed: 7 } as const;
  expect(runJob(job)).toEqual(runJob(job));
  // Rivals that look all the time accuse the fair: that is what the comparison is for.
  const naive = report.fair[0]?.rivals[0] ?? 0;
  expect(naive).toBeGreaterThan(report.fair[0]?.everRolledBack[0]?.share ?? 1);
});
