import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cellKey, flipsUp, groupsOf, minuteOf, overMinutes, tallyUp, type CountedAnswer, type TallyIncrement } from "./tally.ts";

const answer = fc.record<CountedAnswer>({
  endpoint: fc.constantFrom("loans", "cards"),
  release: fc.constantFrom("rel:a", "rel:b"),
  arm: fc.constantFrom("live", "canary", "shadow", "fallback"),
  cell: fc.constantFrom("sex=female", "sex=male"),
  source: fc.constantFrom("t1", "t2"),
  action: fc.constantFrom("approve", "deny"),
  atMs: fc.integer({ min: 0, max: 200_000 }),
  counted: fc.boolean(),
  isFallback: fc.boolean(),
  score: fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
  latencyUs: fc.nat(10_000),
  inputBins: fc.constant(null),
});

const keyOf = ({ endpoint, release, arm, cell, source, action, minute }: TallyIncrement) =>
  [endpoint, release, arm, cell, source, action, minute].join(" ");
function merged(rows: readonly TallyIncrement[], key = keyOf): ReadonlyMap<string, readonly number[]> {
  const sums = new Map<string, number[]>();
  for (const row of rows) {
    const counts = [row.decisions, row.counted, row.fallback, row.scored, row.scoreSumU6, row.latencySumUs];
    const before = sums.get(key(row)) ?? counts.map(() => 0);
    sums.set(
      key(row),
      counts.map((count, i) => count + (before[i] ?? 0)),
    );
  }
  return sums;
}

describe("tallies", () => {
  test("add up: the tally of two lots is the sum of their tallies, in any order", () => {
    fc.assert(
      fc.property(fc.array(answer), fc.array(answer), (a, b) => {
        expect(merged(tallyUp([...b, ...a].toReversed()))).toEqual(merged([...tallyUp(a), ...tallyUp(b)]));
      }),
    );
  });

  test("every answer is in one row, and every row is of one key", () => {
    fc.assert(
      fc.property(fc.array(answer), (answers) => {
        const rows = tallyUp(answers);
        expect(new Set(rows.map(keyOf)).size).toBe(rows.length);
        expect(rows.reduce((sum, { decisions }) => sum + decisions, 0)).toBe(answers.length);
        expect(rows.reduce((sum, { counted }) => sum + counted, 0)).toBe(answers.filter(({ counted }) => counted).length);
        for (const row of rows) for (const count of [row.scoreSumU6, row.latencySumUs]) expect(Number.isSafeInteger(count)).toBe(true);
      }),
    );
  });

  test("over all minutes nothing is gained or lost", () => {
    const withoutMinute = ({ endpoint, release, arm, cell, source, action }: TallyIncrement) =>
      [endpoint, release, arm, cell, source, action].join(" ");
    fc.assert(
      fc.property(fc.array(answer), (answers) => {
        const rows = tallyUp(answers);
        const totals = overMinutes(rows);
        expect(merged(totals, withoutMinute)).toEqual(merged(rows, withoutMinute));
        expect(new Set(totals.map(withoutMinute)).size).toBe(totals.length);
      }),
    );
  });

  test("a minute is half-open", () => {
    expect([0, 59_999, 60_000].map(minuteOf)).toEqual([0, 0, 1]);
  });

  test("pairs of equal answers are counted like others", () => {
    const pair = { endpoint: "loans", liveRelease: "a", shadowRelease: "b", cell: "c", liveAction: "deny", shadowAction: "deny" };
    expect(flipsUp([pair, pair, { ...pair, shadowAction: "approve" }]).map(({ shadowAction, counted }) => [shadowAction, counted])).toEqual(
      [
        ["deny", 2],
        ["approve", 1],
      ],
    );
  });
});

describe("cells", () => {
  test("every attribute is there, sorted by name, unknown where it isn't told", () => {
    expect(cellKey({ sex: "female", region: "north" }, ["sex", "education"])).toBe("education=unknown,sex=female");
    expect(cellKey({}, [])).toBe("");
    expect(cellKey({}, ["toString", "constructor"])).toBe("constructor=unknown,toString=unknown");
  });

  test("read back, a cell gives the groups it was made of, whatever they are called", () => {
    const word = fc.string({ minLength: 1, unit: fc.constantFrom("a", "=", ",", "%", "é", " ", "2", "C") });
    fc.assert(
      fc.property(fc.dictionary(word, word), (groups) => {
        expect({ ...groupsOf(cellKey(groups, Object.keys(groups))) }).toEqual({ ...groups });
      }),
    );
  });
});
