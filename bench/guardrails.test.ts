/** The short form of `npm run bench:guardrails`: the same code on few and short lives, so that it can't rot; its bars have room for luck. */
import { expect, test } from "vitest";
import { fairScenarios } from "./guardrails/fair.ts";
import { runJob } from "./guardrails/jobs.ts";
import { Estimate, progressText } from "./guardrails/progress.ts";
import { simulate } from "./guardrails/simulate.ts";
import { reportText } from "./guardrails/text.ts";

test("in a short simulation every bar but those of time is reached, and the same seed says the same", { timeout: 120_000 }, async () => {
  let shown = "";
  const report = await simulate({ lives: 20, decisions: 10_000, seed: 7, width: 1, onProgress: (now) => (shown = progressText(now)) });
  expect(shown).toMatch(/^(\d+) of \1 pieces; attackers and costs$/);
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

test("how long it takes is guessed from the pieces that are done, kind by kind and thread by thread", () => {
  const estimate = new Estimate(["long", "long", "long", "short", "short"], 2);
  expect(progressText(estimate.finished("long", 60_000))).toBe("1 of 5 pieces");
  expect(progressText(estimate.finished("short", 2000))).toBe("2 of 5 pieces, some 61 s left");
  expect(progressText(estimate.finished("long", 600_000))).toBe("3 of 5 pieces, some 3 min left");
});
