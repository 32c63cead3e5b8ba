import { expect, test } from "vitest";
import type { LoadedRelease } from "../serving/index.ts";
import { MemoryBudget } from "./memory-budget.ts";

/** What the budget looks at. */
const loaded = (number: number, pid = number) => ({ id: `rel:${number}`, number, pid, endpoint: { name: "loans" } }) as LoadedRelease;
const tens = (pid: number | undefined) => ({ ownBytes: pid === undefined ? 0 : 10e6, residentBytes: 50e6 });

test("what rests goes when there is no room for it, the longest at rest first", () => {
  const budget = new MemoryBudget(30e6, tens);
  const [a, b, c, d] = [loaded(1), loaded(2), loaded(3), loaded(4)];
  const evicted: number[] = [];
  const rest = (release: LoadedRelease) => budget.rest(release, () => evicted.push(release.number));
  for (const release of [a, b, c]) budget.add(release);
  rest(b);
  rest(a);
  expect([evicted, budget.usedBytes()]).toEqual([[], 10e6]);
  budget.add(d);
  expect(evicted).toEqual([2]);
  budget.use(a);
  expect(budget.usedBytes()).toBe(30e6);
  expect(budget.holdings().map(({ number, isAtRest }) => [number, isAtRest])).toEqual([
    [3, false],
    [1, false],
    [4, false],
  ]);
});

test("also where there is room only a few rest, and what takes no memory never does", () => {
  const budget = new MemoryBudget(Number.POSITIVE_INFINITY, tens);
  const evicted: number[] = [];
  for (let number = 1; number <= 10; number++) {
    const release = loaded(number);
    budget.add(release);
    budget.rest(release, () => evicted.push(number));
  }
  expect(evicted).toEqual([1, 2, 3, 4, 5, 6]);
  const rule = { ...loaded(11), pid: undefined };
  budget.add(rule);
  budget.rest(rule, () => evicted.push(11));
  expect(evicted.at(-1)).toBe(11);
});

test("what would not fit is refused with what it needs and what is in use, naming no other endpoint's releases", () => {
  const budget = new MemoryBudget(25e6, tens);
  budget.add(loaded(1));
  budget.add({ ...loaded(2), endpoint: { name: "cards" } } as LoadedRelease);
  const third = loaded(3);
  budget.add(third);
  const issue = budget.refusalOf(third);
  expect(issue).toMatchObject({
    expected: "a release that fits into the memory budget of 25 MB",
    got: "one that needs 10 MB, and in use are 10 MB by r1, 10 MB by other endpoints",
  });
  budget.remove(third);
  expect(budget.refusal(third)).toEqual(issue);
  expect(budget.refusal(loaded(9))).toBeUndefined();
});
