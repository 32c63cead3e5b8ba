import fc from "fast-check";
import { expect, test } from "vitest";
import { affectedClasses, casesOf, classify, type Answer, type ClassifiedDecision } from "./classes.ts";

const actions = ["approve", "refer", "deny"];
const answer = (action: string, ...reasons: string[]): Answer => ({ action, favourable: action === "approve", reasons });

test.each([
  [answer("deny"), answer("approve"), "harmed"],
  [answer("refer"), answer("approve"), "harmed"],
  [answer("deny"), answer("refer"), "worse_terms"],
  [answer("refer"), answer("deny"), "benefited"],
  [answer("approve"), answer("deny"), "benefited"],
  [answer("deny", "late", "income"), answer("deny", "income", "late"), "unchanged"],
  [answer("deny", "late"), answer("deny", "income"), "reason_changed"],
  [answer("deny", "late"), answer("deny", "late", "income"), "reason_changed"],
  [answer("approve", "late"), answer("approve", "income"), "unchanged"],
  [answer("deny"), null, "not_replayable"],
] as const)("%j under the bad release and %j under the restored one is %s", (before, after, expected) => {
  expect(classify(before, after, actions)).toBe(expected);
});

test("swapping the two releases swaps who was harmed and who was lucky", () => {
  const any = fc.constantFrom(...actions).map((action) => answer(action));
  fc.assert(
    fc.property(any, any, (a, b) => {
      const [forth, back] = [classify(a, b, actions), classify(b, a, actions)];
      expect(forth === "benefited").toBe(back === "harmed" || back === "worse_terms");
      expect(forth === "unchanged").toBe(back === "unchanged");
    }),
  );
});

const anyDecision = fc.record({
  subject: fc.option(fc.constantFrom("s1", "s2", "s3")),
  class: fc.constantFrom(...affectedClasses),
  decidedAtMs: fc.nat(5),
});
const anyDecisions = fc
  .array(anyDecision, { maxLength: 30 })
  .map((all) => all.map((one, i): ClassifiedDecision => ({ ...one, decision: `d${String(i).padStart(2, "0")}` })));

test("every person is one case: their worst, and of these the earliest; whoever is nameless is one case each time", () => {
  fc.assert(
    fc.property(anyDecisions, (all) => {
      const cases = casesOf(all);
      const subjects = new Set(all.flatMap(({ subject }) => subject ?? []));
      const nameless = all.filter(({ subject }) => subject === null);
      expect(cases.size).toBe(subjects.size + nameless.length);
      for (const subject of subjects) {
        const mine = all.filter((one) => one.subject === subject);
        const [first] = mine.toSorted(
          (a, b) =>
            affectedClasses.indexOf(a.class) - affectedClasses.indexOf(b.class) ||
            a.decidedAtMs - b.decidedAtMs ||
            (a.decision < b.decision ? -1 : 1),
        );
        expect(mine.filter(({ decision }) => cases.has(decision))).toEqual([first]);
      }
      expect(casesOf(all.toReversed())).toEqual(cases);
    }),
  );
});
