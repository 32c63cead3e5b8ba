import fc from "fast-check";
import { expect, test } from "vitest";
import { judgeTarget, type ComparedAnswer, type PreflightDemand } from "./preflight.ts";

/** `n` people of a side of whom the first `before` were answered favourably, and `after` are by the target, the most of them the same. */
const side = (name: ComparedAnswer["side"], n: number, before: number, after: number): ComparedAnswer[] =>
  Array.from({ length: n }, (_, i) => ({ side: name, before: i < before, after: i < after }));
const demand: PreflightDemand = { ratioLimit: 0.8, compare: true };

test("a target that treats the harmed group better than the harmful release passes", () => {
  const verdict = judgeTarget([...side("harmed", 60, 25, 40), ...side("reference", 100, 70, 70)], demand);
  expect(verdict).toMatchObject({ passes: true, figures: { harmed: { better: 15, worse: 0 }, ratioAfter: (40 * 100) / (60 * 70) } });
});

test("a target that can't answer one of them is refused", () => {
  const answers = [...side("harmed", 60, 25, 40), { side: "other", before: true, after: null } as const];
  expect(judgeTarget(answers, demand)).toMatchObject({ passes: false, why: "does-not-answer-all" });
  expect(judgeTarget(answers, { ratioLimit: null, compare: false })).toMatchObject({ passes: false, why: "does-not-answer-all" });
});

test("a target that flips more of the harmed to the worse than to the better is refused, whatever its ratio", () => {
  const answers = [...side("harmed", 60, 25, 20), ...side("reference", 100, 70, 20)];
  expect(judgeTarget(answers, demand)).toMatchObject({ passes: false, why: "worse-for-the-harmed" });
});

test("a target that does the same to the same applicants is refused", () => {
  expect(judgeTarget([...side("harmed", 60, 25, 25), ...side("reference", 100, 70, 70)], demand)).toMatchObject({
    passes: false,
    why: "ratio-not-better",
  });
});

test("a target that is better but below the limit is refused, unless it needn't keep it or there are too few to say", () => {
  const answers = [...side("harmed", 150, 20, 30), ...side("reference", 150, 105, 105)];
  expect(judgeTarget(answers, demand)).toMatchObject({ passes: false, why: "ratio-below-limit" });
  expect(judgeTarget(answers, { ...demand, ratioLimit: null })).toMatchObject({ passes: true });
  expect(judgeTarget([...side("harmed", 29, 5, 12), ...side("reference", 100, 70, 70)], demand)).toMatchObject({ passes: true });
});

test("a ratio a little below the limit over few people is luck, not proof", () => {
  expect(judgeTarget([...side("harmed", 54, 7, 38), ...side("reference", 245, 187, 222)], demand)).toMatchObject({ passes: true });
  expect(judgeTarget([...side("harmed", 100, 40, 59), ...side("reference", 100, 75, 75)], demand)).toMatchObject({ passes: true });
});

test("nothing recorded is nothing proven", () => {
  expect(judgeTarget([], demand)).toMatchObject({ passes: false, why: "nothing-to-replay", figures: { ratioBefore: null } });
  expect(judgeTarget(side("reference", 50, 20, 20), demand)).toMatchObject({ passes: false, why: "nothing-to-replay" });
});

test("a target that favours nobody of the reference has no ratio, and isn't proven good", () => {
  expect(judgeTarget([...side("harmed", 40, 0, 0), ...side("reference", 40, 10, 0)], demand)).toMatchObject({
    passes: false,
    why: "ratio-unknown",
    figures: { ratioAfter: null },
  });
});

const anyAnswers = fc.array(
  fc.record({
    side: fc.constantFrom("harmed", "reference", "other"),
    before: fc.boolean(),
    after: fc.oneof({ weight: 30, arbitrary: fc.boolean() }, { weight: 1, arbitrary: fc.constant(null) }),
  }),
  { maxLength: 200 },
);

test("no order of the answers changes the verdict, and a passing target never lowers the harmed group's rate", () => {
  fc.assert(
    fc.property(anyAnswers, (answers) => {
      const verdict = judgeTarget(answers, demand);
      expect(judgeTarget(answers.toReversed(), demand)).toEqual(verdict);
      const { harmed } = verdict.figures;
      expect(!verdict.passes || harmed.favourableAfter >= harmed.favourableBefore).toBe(true);
      expect(harmed.favourableAfter - harmed.favourableBefore).toBe(harmed.better - harmed.worse);
    }),
  );
});

test("what passes one way would be refused the other way: two releases can't be swapped to and fro", () => {
  fc.assert(
    fc.property(anyAnswers, (answers) => {
      const back = answers.map(({ before, after, ...rest }) => ({ ...rest, before: after ?? false, after: before }));
      const [forth, reverse] = [judgeTarget(answers, demand), judgeTarget(back, demand)];
      const bothRatios = forth.figures.ratioBefore !== null && forth.figures.ratioAfter !== null;
      expect(forth.passes && reverse.passes && bothRatios).toBe(false);
    }),
  );
});
