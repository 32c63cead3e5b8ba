import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checked } from "../checked.ts";
import type { InputsSpec } from "./endpoint-spec.ts";
import { celVariables, type Inputs } from "./inputs.ts";
import { compileRules } from "./rules-scorer.ts";
import { RulesScorerSpec, ScorerError, type HitPolicy, type Scored } from "./scorer.ts";

const inputs: InputsSpec = {
  late: { type: "integer", min: 0, max: 4 },
  use: { type: "number", min: 0, max: 2, optional: true },
  job: { type: "string", values: ["none", "clerk", "boss"] },
};
const parse = checked(RulesScorerSpec);
function compile(table: unknown) {
  const spec = parse({ kind: "rules", table });
  return spec.ok ? compileRules(spec.value, { inputs, variables: celVariables(inputs) }) : spec;
}
const issues = (table: unknown) => {
  const compiled = compile(table);
  return compiled.ok ? [] : compiled.error;
};
function scorerOf(table: unknown): (given: Inputs) => Scored {
  const compiled = compile(table);
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.error));
  return (given) => {
    const scored = compiled.value.score(given, 1);
    if (scored instanceof Promise) throw new Error("rules answer at once");
    return scored;
  };
}
const paid = { late: 0, use: 0.5, job: "boss" };
const row = (when: object, score: number, rest: object = {}) => ({ when, score, ...rest });

describe("each hit policy does what its name in DMN says", () => {
  const all = [
    row({ late: { from: 1 } }, 0.4, { reason: "late" }),
    row({ late: { from: 3 } }, 0.1, { reason: "very late" }),
    row({ job: "none" }, 0.2, { reason: "no job" }),
  ];
  const otherwise = { score: 0.9, reason: "fine" };
  const answers = (hit: string, rows: readonly object[] = all) => {
    const score = scorerOf({ hit, rows, otherwise });
    return [paid, { ...paid, late: 3 }, { ...paid, late: 3, job: "none" }].map((each) => score(each));
  };
  const fine = { score: 0.9, reasons: ["fine"] };
  test("first", () => {
    const [most, ...rest] = [all[1], all[0], all[2]].filter((each) => each !== undefined);
    expect(answers("first", [most ?? {}, ...rest])).toEqual([
      fine,
      { score: 0.1, reasons: ["very late"] },
      { score: 0.1, reasons: ["very late"] },
    ]);
  });
  test("priority", () => {
    const rows = all.map((each, i) => ({ ...each, priority: [1, 2, 3][i] }));
    expect(answers("priority", rows)).toEqual([fine, { score: 0.1, reasons: ["very late"] }, { score: 0.2, reasons: ["no job"] }]);
  });
  test("collect", () => {
    const [, two, three] = answers("collect_sum");
    expect([two?.score, three?.score].map((score) => score?.toFixed(12))).toEqual(["0.500000000000", "0.700000000000"]);
    expect(three?.reasons).toEqual(["late", "no job", "very late"]);
    expect(answers("collect_min")).toEqual([fine, { score: 0.1, reasons: ["very late"] }, { score: 0.1, reasons: ["very late"] }]);
    const most = all.map((each, i) => ({ ...each, score: [0.2, 0.4, 0.3][i] ?? 0 }));
    expect(answers("collect_max", most)).toEqual([fine, { score: 0.4, reasons: ["very late"] }, { score: 0.4, reasons: ["very late"] }]);
  });
  test("any and unique", () => {
    const same = [row({ late: { from: 1 } }, 0.4), row({ job: "none" }, 0.4)];
    expect(answers("any", same).map(({ score }) => score)).toEqual([0.9, 0.4, 0.4]);
    const apart = [row({ late: { from: 1 }, job: ["clerk", "boss"] }, 0.4), row({ job: "none" }, 0.2)];
    expect(answers("unique", apart).map(({ score }) => score)).toEqual([0.9, 0.4, 0.2]);
  });
});

test("columns may be computed, and what is missing is tested for", () => {
  const score = scorerOf({
    hit: "unique",
    columns: { worst: "use == null ? 9.0 : max(double(use), late)", is_boss: 'job == "boss"' },
    rows: [
      row({ worst: { below: 2 }, is_boss: true }, 1),
      row({ worst: { below: 2 }, is_boss: false }, 0.5),
      row({ worst: { from: 2 } }, 0),
    ],
  });
  expect([paid, { ...paid, job: "none" }, { ...paid, late: 2 }, { ...paid, use: null }].map((each) => score(each).score)).toEqual([
    1, 0.5, 0, 0,
  ]);
  const missing = scorerOf({ hit: "first", rows: [row({ use: { missing: true } }, 0.3), row({ use: { below: 1 } }, 0.8), row({}, 0.1)] });
  expect([null, 0.5, 1].map((use) => missing({ ...paid, use }).score)).toEqual([0.3, 0.8, 0.1]);
});

test("a computed column that is no number is in no interval: it isn't computable, and nobody is given a score for it", () => {
  const score = scorerOf({ hit: "unique", columns: { x: "0.0 / late" }, rows: [row({ x: { below: 1 } }, 1), row({ x: { from: 1 } }, 0)] });
  expect(score({ ...paid, late: 2 }).score).toBe(1);
  expect(() => score(paid)).toThrow(ScorerError);
});

describe("a table that doesn't say one thing for everybody is refused when it is applied", () => {
  const otherwise = { score: 0 };
  test.each<[string, unknown, object]>([
    [
      "a gap",
      { hit: "first", rows: [row({ late: { below: 3 } }, 1), row({ job: "boss" }, 0)] },
      { path: "/table/rows", got: 'none for late 3, job "none"' },
    ],
    [
      "a gap where something is missing",
      { hit: "unique", rows: [row({ use: { below: 1 } }, 1), row({ use: { from: 1 } }, 0)] },
      { path: "/table/rows", got: "none for use missing" },
    ],
    [
      "an overlap, hit unique",
      { hit: "unique", rows: [row({ late: { below: 3 } }, 1), row({ job: "boss" }, 1)], otherwise },
      { path: "/table/rows/1", got: 'row 0 holds too for late 0, job "boss"' },
    ],
    [
      "different scores, hit any",
      { hit: "any", rows: [row({ late: { below: 3 } }, 1), row({ job: "boss" }, 0.5)], otherwise },
      { path: "/table/rows/1" },
    ],
    [
      "the same priority",
      { hit: "priority", rows: [row({ late: { below: 3 } }, 1), row({ job: "boss" }, 0.5)], otherwise },
      { path: "/table/rows/1/priority" },
    ],
    ["a priority that nobody asks for", { hit: "first", rows: [row({}, 1, { priority: 1 })] }, { path: "/table/rows/0/priority" }],
    [
      "sums beyond 1",
      { hit: "collect_sum", rows: [row({ late: { below: 3 } }, 0.6), row({ job: "boss" }, 0.6)], otherwise },
      { path: "/table/rows/1/score", got: '1.2 for late 0, job "boss"' },
    ],
    [
      "a row that others stand before",
      { hit: "first", rows: [row({}, 1), row({ job: "boss" }, 0)] },
      { path: "/table/rows/1", got: "one that never does" },
    ],
    [
      "an unknown input",
      { hit: "first", rows: [row({ lat: 3 }, 1)], otherwise },
      { path: "/table/rows/0/when/lat", hint: "did you mean late?" },
    ],
    [
      "an unknown column",
      { hit: "first", columns: { worst: "late * 2" }, rows: [row({ wurst: 3, worst: 1 }, 1)], otherwise },
      { path: "/table/rows/0/when/wurst", hint: "did you mean worst?" },
    ],
    ["a column with an input's name", { hit: "first", columns: { late: "late * 2" }, rows: [row({}, 1)] }, { path: "/table/columns/late" }],
    ["a column that nothing tests", { hit: "first", columns: { worst: "late * 2" }, rows: [row({}, 1)] }, { path: "/table/columns/worst" }],
    ["another hit policy", { hit: "unqiue", rows: [row({}, 1)] }, { path: "/table/hit" }],
  ])("%s", (_what, table, issue) => expect(issues(table)).toContainEqual(expect.objectContaining(issue)));
});

describe("whatever a table says", () => {
  const bound = fc.integer({ min: 0, max: 4 });
  const lateTest = fc.oneof(
    bound.map((from) => ({ from })),
    fc.integer({ min: 1, max: 5 }).map((below) => ({ below })),
    fc.array(bound, { minLength: 1, maxLength: 2 }),
    bound,
  );
  const jobTest = fc.subarray(["none", "clerk", "boss"], { minLength: 1 });
  const useTest = fc.constantFrom({ missing: true }, { below: 1 }, { from: 1 }, { from: 0.5, below: 1.5 });
  const when = fc.record({ late: lateTest, job: jobTest, use: useTest }, { requiredKeys: [] });
  const score = fc.integer({ min: 0, max: 10 }).map((tenths) => tenths / 10);
  const rows = fc.array(fc.record({ when, score, priority: fc.integer({ min: 0, max: 3 }) }), { minLength: 1, maxLength: 4 });
  const people = [0, 1, 2, 3, 4].flatMap((each) =>
    ["none", "clerk", "boss"].flatMap((job) => [null, 0, 0.5, 0.99, 1, 1.49, 1.5, 2].map((use) => ({ late: each, job, use }))),
  );
  type Test = number | readonly (number | string)[] | { readonly from?: number; readonly below?: number; readonly missing?: boolean };
  const holds = (given: Inputs, tests: Readonly<Record<string, Test | undefined>>) =>
    Object.entries(tests).every(([name, each]) => {
      const value = given[name];
      if (each === undefined) return true;
      if (typeof each === "number") return value === each;
      if (Array.isArray(each)) return each.some((one: unknown) => one === value);
      if (!("from" in each || "below" in each)) return value === null;
      return typeof value === "number" && value >= (each.from ?? -1) && value < (each.below ?? 99);
    });
  interface Hit {
    readonly score: number;
    readonly priority: number;
  }
  /** What the policy says, written down once more; "wrong" where the table must not be. */
  const expected: Record<HitPolicy, (hits: readonly Hit[]) => number | "wrong"> = {
    unique: (hits) => (hits.length === 1 ? (hits[0]?.score ?? 0) : "wrong"),
    first: (hits) => hits[0]?.score ?? 0,
    any: (hits) => (new Set(hits.map((hit) => hit.score)).size === 1 ? (hits[0]?.score ?? 0) : "wrong"),
    priority(hits) {
      const top = hits.filter((hit) => hits.every((other) => other.priority <= hit.priority));
      return new Set(top.map((hit) => hit.score)).size === 1 ? (top[0]?.score ?? 0) : "wrong";
    },
    collect_sum(hits) {
      const sum = hits.reduce((total, hit) => total + Math.round(hit.score * 10), 0);
      return sum <= 10 ? sum / 10 : "wrong";
    },
    collect_min: (hits) => Math.min(...hits.map((hit) => hit.score)),
    collect_max: (hits) => Math.max(...hits.map((hit) => hit.score)),
  };
  const policies: readonly HitPolicy[] = ["unique", "first", "any", "priority", "collect_sum", "collect_min", "collect_max"];
  test.each(policies)("with hit %s every person gets what it says, or the table is refused", (hit) => {
    const policy = expected[hit];
    let [accepted, refused] = [0, 0];
    fc.assert(
      fc.property(rows, fc.boolean(), (all, hasOtherwise) => {
        const specs = all.map(({ priority, ...each }) => (hit === "priority" ? { ...each, priority } : each));
        const table = { hit, rows: specs, ...(hasOtherwise ? { otherwise: { score: 0.05 } } : {}) };
        const answers = people.map((each) => {
          const hits = all.filter((one) => holds(each, one.when));
          return hits.length > 0 ? policy(hits) : hasOtherwise ? 0.05 : "wrong";
        });
        const wrong = issues(table).filter(({ got }) => got !== "one that never does");
        expect(wrong.length > 0).toBe(answers.includes("wrong"));
        if (issues(table).length > 0) return void refused++;
        accepted++;
        const scores = scorerOf(table);
        for (const [i, each] of people.entries()) expect(scores(each).score).toBeCloseTo(Number(answers[i]), 12);
      }),
      { numRuns: 400 },
    );
    expect(Math.min(accepted, refused)).toBeGreaterThan(10);
  });
});
