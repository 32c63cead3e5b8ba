import { expect, test } from "vitest";
import { personNumber } from "./bootstrap.ts";
import { mostHarmed, type SlicePerson } from "./slices.ts";

/** 12,000 people, harmed at a rate that depends on their groups. */
const population = (rate: (groups: Readonly<Record<string, string>>) => number): SlicePerson[] =>
  Array.from({ length: 12_000 }, (_, i) => {
    const groups = {
      sex: i % 2 === 0 ? "female" : "male",
      education: ["graduate", "university", "high_school"][Math.floor(i / 2) % 3] ?? "",
      age: Math.floor(i / 6) % 2 === 0 ? "young" : "old",
    };
    return { groups, isHarmed: personNumber(`harm ${i}`) / 2 ** 32 < rate(groups), person: personNumber(`person ${i}`) };
  });

test("the slice that was planted is found, and what it is made of is not repeated with needless conditions", () => {
  const found = mostHarmed(population(({ education, age }) => (education === "high_school" && age === "young" ? 0.6 : 0.02)));
  expect(found[0]?.conditions).toEqual({ age: "young", education: "high_school" });
  expect(found[0]?.people).toBe(2000);
  expect(found[0]?.rate).toBeGreaterThan(0.55);
  expect(found[0]?.rateOutside).toBeLessThan(0.03);
  expect(found.every(({ conditions }) => !("sex" in conditions))).toBe(true);
});

test("where everybody is harmed alike no slice is shown", () => {
  expect(mostHarmed(population(() => 0.1))).toEqual([]);
  expect(mostHarmed(population(() => 0))).toEqual([]);
  expect(mostHarmed([])).toEqual([]);
});

test("too few people are never a slice", () => {
  const few = population(() => 0.01).map((person, i) =>
    i < 30 ? { ...person, groups: { ...person.groups, education: "none" }, isHarmed: true } : person,
  );
  expect(mostHarmed(few).some(({ conditions }) => conditions["education"] === "none")).toBe(false);
});
