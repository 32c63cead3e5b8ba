import { expect, test } from "vitest";
import { judge, verdictSentence, type Evidence, type Share } from "./verdict.ts";

const share = (step: string, value: number, half: number): Share => ({ step, share: value, low: value - half, high: value + half });
const evidence = (changes: Partial<Evidence>): Evidence => ({
  parts: [share("data", 0.47, 0.03), share("algorithm", 0.01, 0.02)],
  harm: share("", 0.48, 0.04),
  restoring: [["data"]],
  inducing: [["data"]],
  together: () => 0,
  notReproduced: null,
  unexplained: null,
  people: 5000,
  ...changes,
});

test("one change did it only when it alone restores, it alone induces, and its interval is clear of every other", () => {
  const verdict = judge(evidence({}));
  expect(verdict).toMatchObject({ word: "did it", steps: ["data"] });
  expect(verdictSentence(verdict, evidence({}).parts, 0.48)).toBe(
    "The training data did it: 47.0 of 48.0 points (95 %: 44.0 to 50.0); taking it back alone restores the limit; making it alone breaks it.",
  );
  expect(judge(evidence({ inducing: [["data", "algorithm"]], restoring: [["data", "algorithm"]] })).word).not.toBe("did it");
  expect(judge(evidence({ parts: [share("data", 0.27, 0.1), share("algorithm", 0.21, 0.05)] })).word).toBe("most likely");
  expect(judge(evidence({ restoring: [["data"], ["algorithm"]] })).word).not.toBe("did it");
});

test("a share that isn't clear of 0 names nobody and says how many people would be needed", () => {
  const verdict = judge(evidence({ parts: [share("data", 0.1, 0.2), share("algorithm", 0.05, 0.2)], harm: share("", 0.15, 0.1) }));
  expect(verdict).toMatchObject({ word: "we cannot tell", steps: [], peopleNeeded: 20_000 });
  expect(judge(evidence({ harm: share("", 0.02, 0.03) }))).toMatchObject({ word: "we cannot tell", steps: [] });
  expect(judge(evidence({ harm: share("", -0.2, 0.03) }))).toMatchObject({ word: "we cannot tell", steps: [] });
  expect(judge(evidence({ parts: [] }))).toMatchObject({ word: "we cannot tell", steps: [] });
});

test("an interval or harm that can't be computed names nobody", () => {
  expect(judge(evidence({ harm: { share: 0.4, low: Number.NaN, high: Number.NaN } })).word).toBe("we cannot tell");
  expect(judge(evidence({ parts: [{ step: "data", share: 0.4, low: Number.NaN, high: Number.NaN }] })).word).toBe("we cannot tell");
});

test("two changes that make the breach only together, or each alone, are named together", () => {
  const both = { parts: [share("data", 0.07, 0.01), share("algorithm", 0.07, 0.01)], harm: share("", 0.14, 0.02), together: () => 0.12 };
  const and = judge(evidence({ ...both, restoring: [["data"], ["algorithm"]], inducing: [["data", "algorithm"]] }));
  expect(and).toMatchObject({ word: "these two together", steps: ["algorithm", "data"] });
  expect(and.because).toBe("neither alone breaks the limit; together 12.0 points beyond the sum of each alone");
  const or = judge(evidence({ ...both, restoring: [["data", "algorithm"]], inducing: [["data"], ["algorithm"]], together: () => -0.14 }));
  expect(or).toMatchObject({ word: "these two together", because: expect.stringContaining("each alone is enough") });
});

test("what can't be reproduced names nobody, whatever its shares", () => {
  const verdict = judge(evidence({ notReproduced: "none of 5 seeds gives what served" }));
  expect(verdict).toMatchObject({ word: "could not be reproduced", steps: [] });
});

test("when more is unexplained than any step accounts for, no step is named", () => {
  const verdict = judge(evidence({ parts: [share("data", 0.1, 0.02)], unexplained: share("", 0.38, 0.05) }));
  expect(verdict).toMatchObject({ word: "we cannot tell", steps: [] });
});
