import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encodeForest, encodeLinear, type TestTree } from "../../test/fixtures/explained-models.ts";
import { logisticModel } from "../../test/fixtures/onnx-models.ts";
import { shapley } from "../shapley.ts";
import { attributed, scoreOf, type Rows } from "./attribution.ts";
import { modelStructure, type ModelStructure } from "./model-structure.ts";
import { OnnxSession } from "./onnx-session.ts";
import { sampledAttribution } from "./sampled-attribution.ts";

const f32 = (value: number) => Math.fround(value);
const value = fc.double({ min: -2, max: 2, noNaN: true }).map((each) => f32(Math.round(each * 4) / 4));

/** A random tree of at most `depth`; thresholds are values that rows have, so that ties are met. */
const tree = (width: number, depth: number): fc.Arbitrary<TestTree> =>
  depth === 0
    ? fc.record({ leaf: fc.double({ min: 0, max: 1, noNaN: true }).map(f32) })
    : fc.oneof(
        { weight: 1, arbitrary: fc.record({ leaf: fc.double({ min: 0, max: 1, noNaN: true }).map(f32) }) },
        {
          weight: 4,
          arbitrary: fc.record({
            feature: fc.integer({ min: 0, max: width - 1 }),
            mode: fc.constantFrom("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"),
            threshold: value,
            missingYes: fc.boolean(),
            yes: tree(width, depth - 1),
            no: tree(width, depth - 1),
          }),
        },
      );

const cell = fc.oneof({ weight: 9, arbitrary: value }, { weight: 1, arbitrary: fc.constant(Number.NaN) });
const situation = (inner: fc.Arbitrary<number>) =>
  fc.integer({ min: 1, max: 6 }).chain((width) =>
    fc.record({
      width: fc.constant(width),
      trees: fc.array(tree(width, 4), { minLength: 1, maxLength: 4 }),
      person: fc.array(inner, { minLength: width, maxLength: width }),
      references: fc.array(fc.array(inner, { minLength: width, maxLength: width }), { minLength: 1, maxLength: 8 }),
    }),
  );

const rowsOf = (references: readonly (readonly number[])[]): Rows => ({
  width: references[0]?.length ?? 0,
  values: Float64Array.from(references.flat()),
});

/** The definition: every coalition's value, averaged over the reference rows, shared out by Shapley's formula. */
function byEnumeration(sumOf: (row: readonly number[]) => number, person: readonly number[], references: readonly (readonly number[])[]) {
  const values = Array.from({ length: 2 ** person.length }, (_, mask) => {
    const sums = references.map((reference) => sumOf(reference.map((other, i) => ((mask >> i) & 1 ? (person[i] ?? 0) : other))));
    return sums.reduce((sum, each) => sum + each, 0) / references.length;
  });
  return shapley(values);
}

function sumIn(each: TestTree, row: readonly number[]): number {
  if ("leaf" in each) return each.leaf;
  const x = row[each.feature] ?? Number.NaN;
  const compare = {
    BRANCH_LEQ: x <= each.threshold,
    BRANCH_LT: x < each.threshold,
    BRANCH_GTE: x >= each.threshold,
    BRANCH_GT: x > each.threshold,
    BRANCH_EQ: x === each.threshold,
    BRANCH_NEQ: x !== each.threshold,
  };
  return sumIn((each.missingYes && Number.isNaN(x)) || compare[each.mode] ? each.yes : each.no, row);
}

function structureOf(bytes: Uint8Array, width: number, output = "score", column: number | null = null): ModelStructure {
  const structure = modelStructure(bytes, width, { output, column });
  if (!structure) throw new Error("the model was not understood");
  return structure;
}

/** The greatest difference; infinite where something isn't there at all. */
const apart = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  a.length === b.length ? Math.max(0, ...Array.from(a, (each, i) => Math.abs(each - (b[i] ?? Number.POSITIVE_INFINITY)))) : Infinity;
const EXACT = 1e-9;
/** Models count in 32-bit numbers. */
const FLOAT = 1e-6;

describe("trees", () => {
  test("values of random forests are those of the definition, also where values are missing", () => {
    fc.assert(
      fc.property(situation(cell), ({ width, trees, person, references }) => {
        const model = structureOf(encodeForest({ width, trees }), width);
        const found = attributed(model, Float64Array.from(person), rowsOf(references));
        const sumOf = (row: readonly number[]) => trees.reduce((sum, each) => sum + sumIn(each, row), 0);
        expect(apart(found.contributions, byEnumeration(sumOf, person, references))).toBeLessThanOrEqual(EXACT);
        expect(apart([found.sum, ...found.references], [person, ...references].map(sumOf))).toBeLessThanOrEqual(EXACT);
        // Efficiency.
        expect(apart([found.contributions.reduce((sum, each) => sum + each, 0)], [found.sum - found.referenceMean])).toBeLessThanOrEqual(
          EXACT,
        );
      }),
      { numRuns: 300 },
    );
  });

  test("a feature that no tree asks about, or in which nobody differs, is worth exactly nothing", () => {
    fc.assert(
      fc.property(situation(value), ({ width, trees, person, references }) => {
        const model = structureOf(encodeForest({ width: width + 1, trees }), width + 1);
        const same = references.map((row) => [...row.with(0, person[0] ?? 0), 5]);
        const { contributions } = attributed(model, Float64Array.from([...person, -5]), rowsOf(same));
        expect([contributions[0], contributions[width]]).toEqual([0, 0]);
      }),
    );
  });

  test("two features that do the same are worth the same", () => {
    const both: TestTree = {
      feature: 0, mode: "BRANCH_LEQ", threshold: 0, missingYes: false,
      yes: { feature: 1, mode: "BRANCH_LEQ", threshold: 0, missingYes: false, yes: { leaf: 0.25 }, no: { leaf: 0.5 } },
      no: { feature: 1, mode: "BRANCH_LEQ", threshold: 0, missingYes: false, yes: { leaf: 0.5 }, no: { leaf: 1 } },
    }; // prettier-ignore
    const model = structureOf(encodeForest({ width: 2, trees: [both] }), 2);
    const { contributions } = attributed(model, Float64Array.from([1, 1]), rowsOf([[-1, -1]]));
    expect(apart(contributions, [0.375, 0.375])).toBeLessThanOrEqual(EXACT);
  });

  test("a model's own scores come out of what was read of it", async () => {
    await fc.assert(
      fc.asyncProperty(
        situation(value),
        fc.constantFrom("classifier", "regressor", "average", "logistic"),
        async ({ width, trees, person }, form) => {
          const bytes = encodeForest({ width, trees, form });
          const output = form === "classifier" || form === "logistic" ? "probabilities" : "score";
          const session = await OnnxSession.load({ model: bytes, beside: new Map() }, { form: { width }, wanted: { output }, threads: 1 });
          if (!session.ok) throw new Error(JSON.stringify(session.error));
          const [own] = await session.value.run(Float32Array.from(person), () => "");
          const model = structureOf(bytes, width, output);
          expect(
            apart([scoreOf(model, attributed(model, Float64Array.from(person), rowsOf([person])).sum)], [own ?? Number.NaN]),
          ).toBeLessThanOrEqual(FLOAT);
          await session.value.release();
        },
      ),
      { numRuns: 40 },
    );
  });
});

describe("weighted sums", () => {
  const weights = fc.array(value, { minLength: 1, maxLength: 6 });
  test("values are those of the definition on the log-odds, and the score is the model's own, whatever operators it is made of", async () => {
    await fc.assert(
      fc.asyncProperty(
        weights,
        fc.constantFrom("matmul", "gemm", "classifier", "two-classes", "standardised", "scaler", "softmax"),
        fc.array(fc.array(value, { minLength: 6, maxLength: 6 }), { minLength: 2, maxLength: 8 }),
        async (w, form, rows) => {
          const width = w.length;
          const [person = [], ...references] = rows.map((row) => row.slice(0, width));
          const bytes = form === "matmul" ? logisticModel(w, 0.5) : encodeLinear({ weights: w, bias: 0.5, form });
          const session = await OnnxSession.load({ model: bytes, beside: new Map() }, { form: { width }, wanted: {}, threads: 1 });
          if (!session.ok) throw new Error(JSON.stringify(session.error));
          const model = structureOf(bytes, width, session.value.call.output, session.value.call.column);
          expect([model.kind, model.link]).toEqual(["linear", "logit"]);
          const found = attributed(model, Float64Array.from(person), rowsOf(references));
          const own = await session.value.run(Float32Array.from([person, ...references].flat()), () => "");
          expect(
            apart(
              [found.sum, ...found.references].map((sum) => scoreOf(model, sum)),
              own,
            ),
          ).toBeLessThanOrEqual(FLOAT);
          const sumOf = (row: readonly number[]) => attributed(model, Float64Array.from(row), rowsOf([row])).sum;
          expect(apart(found.contributions, byEnumeration(sumOf, person, references))).toBeLessThanOrEqual(EXACT);
          expect(apart([found.contributions.reduce((sum, each) => sum + each, 0)], [found.sum - found.referenceMean])).toBeLessThanOrEqual(
            EXACT,
          );
          await session.value.release();
        },
      ),
      { numRuns: 60 },
    );
  });

  test("a missing value is filled in as the model does it", () => {
    const model = structureOf(encodeLinear({ weights: [2, 1], bias: 0, form: "imputed" }), 2);
    const { contributions } = attributed(model, Float64Array.from([Number.NaN, 1]), rowsOf([[1, 1]]));
    expect(apart(contributions, [2 * (7 - 1), 0])).toBeLessThanOrEqual(EXACT);
  });
});

describe("sampling", () => {
  test("two features are exact; more are within the standard error that is told, and always sum exactly", async () => {
    let beyond = 0;
    let all = 0;
    await fc.assert(
      fc.asyncProperty(situation(value), fc.integer(), async ({ width, trees, person, references }, seed) => {
        fc.pre(references.length > 1);
        const sumOf = (row: readonly number[]) => trees.reduce((sum, each) => sum * 0.5 + sumIn(each, row) * (1 + sum), 0);
        const found = await sampledAttribution({
          person,
          references,
          seed,
          score: async (rows) => Float64Array.from(rows, sumOf),
        });
        const exact = byEnumeration(sumOf, person, references);
        expect(apart([found.contributions.reduce((sum, each) => sum + each, 0)], [found.score - found.referenceMean])).toBeLessThanOrEqual(
          EXACT,
        );
        if (width <= 2) expect(apart(found.contributions, exact)).toBeLessThanOrEqual(EXACT);
        for (const [i, own] of found.contributions.entries()) {
          all++;
          if (Math.abs(own - (exact[i] ?? 0)) > 3 * (found.standardErrors[i] ?? 0) + 1e-9) beyond++;
        }
        const again = await sampledAttribution({ person, references, seed, score: async (rows) => Float64Array.from(rows, sumOf) });
        expect(again).toEqual(found);
      }),
      { numRuns: 300, seed: 5 },
    );
    // Of few rows the error is itself estimated from few: more than the 0.3 % of a normal distribution lie beyond three of it.
    expect(beyond / all).toBeLessThan(0.1);
  });

  test("the error that is told is the error that is made", async () => {
    const width = 6;
    const references = Array.from({ length: 30 }, (_, row) => Array.from({ length: width }, (__, i) => Math.sin(row * 7 + i * 3)));
    const person = [0.9, -0.4, 0.7, 0.2, -0.8, 0.5];
    const sumOf = (row: readonly number[]) => Math.tanh(row.reduce((product, each, i) => product * (1 + each * (i % 2 ? 1 : -1)), 1));
    const exact = byEnumeration(sumOf, person, references);
    const ratios: number[] = [];
    for (let seed = 0; seed < 60; seed++) {
      const found = await sampledAttribution({ person, references, seed, score: async (rows) => Float64Array.from(rows, sumOf) });
      for (const [i, own] of found.contributions.entries()) ratios.push((own - (exact[i] ?? 0)) / (found.standardErrors[i] ?? 0));
    }
    const spread = Math.sqrt(ratios.reduce((sum, each) => sum + each * each, 0) / ratios.length);
    expect(spread).toBeGreaterThan(0.8);
    expect(spread).toBeLessThan(1.3);
  });

  test("more features than the budget allows use fewer reference rows, and say so", async () => {
    const person = Array.from({ length: 50 }, () => 1);
    const references = Array.from({ length: 20 }, (_, row) => person.map((_one, i) => ((row + i) % 3) - 1));
    const found = await sampledAttribution({
      person,
      references,
      seed: 1,
      maxRows: 1000,
      score: async (rows) => Float64Array.from(rows, (row) => row.reduce((sum, each) => sum + each, 0)),
    });
    expect(found.referencesUsed).toBe(5);
    expect(found.rows).toBeLessThanOrEqual(1000 + 6);
  });
});

test("what isn't understood whole is not read", () => {
  const one: TestTree = { leaf: 0.5 };
  expect(modelStructure(encodeForest({ width: 2, trees: [one], form: "softmax" }), 2, { output: "probabilities", column: 1 })).toBe(
    undefined,
  );
  expect(modelStructure(encodeLinear({ weights: [1, 2], bias: 0, form: "deep" }), 2, { output: "score", column: null })).toBe(undefined);
});
