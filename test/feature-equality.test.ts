/**
 * Training and serving see the same numbers: whatever the feature set, the inputs and the format of the file, the rows that
 * `evenkeel features apply` writes are, bit for bit, those that a scorer hands to its model for the same people.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { deriveFile } from "../src/cli/feature-rows-file.ts";
import { CsvParser, type FeatureSetSpec } from "../src/registry/index.ts";
import { compileEndpoint, compileFeatures, featureRows, type CompiledEndpoint, type InputsSpec } from "../src/serving/index.ts";
import { OnnxScorer } from "../src/serving/onnx-scorer.ts";
import type { EndpointName } from "../src/std.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "evenkeel-features-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const INPUTS: InputsSpec = {
  amount: { type: "number" },
  income: { type: "number", optional: true },
  months: { type: "integer" },
  dependants: { type: "integer", optional: true },
  owner: { type: "boolean" },
  guarantor: { type: "boolean", optional: true },
  school: { type: "string", values: ["graduate", "university", "other"] },
  town: { type: "string", optional: true },
};
const numeric = ["amount", "income", "months", "dependants", "owner", "guarantor"];
/** Expressions that hold for whatever people there are, and some that can't be computed for all of them. */
const EXPRESSIONS = [
  "amount / 3.0",
  "months / 12",
  "amount * 1e300",
  "max(-1, min(3, amount / (1.0 + months)))",
  'school == "graduate" ? 1 : school == "university" ? 2 : 3',
  "owner ? amount : -amount",
  "has_income",
  "amount > 1000.5 && owner",
  "amount + 0.1 + 0.2",
].filter((cel) => cel !== "has_income");

const extreme = fc.constantFrom(
  0,
  -0,
  1e-45,
  -1e-45,
  1.401298464324817e-45,
  5e-324,
  3.4028234663852886e38,
  3.4028235677973366e38,
  1e39,
  Number.MAX_VALUE,
  -Number.MAX_VALUE,
  16_777_217,
  0.1,
  1 / 3,
);
const aNumber = fc.oneof(extreme, fc.double({ noNaN: true, noDefaultInfinity: true }), fc.float({ noNaN: true, noDefaultInfinity: true }));
const anInteger = fc.oneof(
  fc.constantFrom(0, 1, -1, 2 ** 24, 2 ** 24 + 1, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER),
  fc.maxSafeInteger(),
);
const aText = fc
  .oneof(
    fc.constantFrom("a", "a,b", 'say "hi"', "line\nbreak", " padded ", "0", "true", "ä𝒳"),
    fc.string({ minLength: 1, maxLength: 20, unit: "grapheme" }),
  )
  .filter((text) => text.isWellFormed() && !text.includes("\0"));
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: null, freq: 3 });
const aPerson = fc.record({
  amount: aNumber,
  income: maybe(aNumber),
  months: anInteger,
  dependants: maybe(anInteger),
  owner: fc.boolean(),
  guarantor: maybe(fc.boolean()),
  school: fc.constantFrom("graduate", "university", "other"),
  town: maybe(aText),
});
type Person = typeof aPerson extends fc.Arbitrary<infer T> ? T : never;
const aFeatureSet = fc
  .uniqueArray(fc.oneof(fc.constantFrom(...numeric, "school", "town"), fc.constantFrom(...EXPRESSIONS.map((_, i) => i))), {
    minLength: 1,
    maxLength: 12,
  })
  .map((chosen): FeatureSetSpec => ({
    name: "f",
    features: chosen.map((one) =>
      typeof one === "string" ? { name: `f_${one}`, from: one } : { name: `e_${one}`, cel: EXPRESSIONS[one] ?? "0" },
    ),
  }));

/** With the sign of a zero, which JSON has and `JSON.stringify` drops. */
const json = (value: unknown) => (Object.is(value, -0) ? "-0" : JSON.stringify(value));
const bodyOf = (person: Person) =>
  `{${Object.entries(person)
    .map(([name, value]) => `${JSON.stringify(name)}:${json(value)}`)
    .join(",")}}`;
const csvCell = (value: unknown) => (value === null ? "" : typeof value === "string" ? `"${value.replaceAll('"', '""')}"` : json(value));
const FORMATS = {
  csv: (people: readonly Person[]) =>
    [Object.keys(INPUTS), ...people.map((person) => Object.values(person).map(csvCell))].map((cells) => cells.join(",")).join("\n"),
  ndjson: (people: readonly Person[]) => people.map(bodyOf).join("\n"),
};

function endpointOf(): CompiledEndpoint {
  const compiled = compileEndpoint({ name: asName("loans"), inputs: INPUTS, groups: {}, actions: { approve: { favourable: true } } });
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.error));
  return compiled.value;
}
const asName = (name: string): EndpointName => name as EndpointName;

/** What the model is given for people who ask one by one, and what the texts' codes in it mean. */
async function served(spec: FeatureSetSpec, people: readonly Person[]) {
  const endpoint = endpointOf();
  const features = compileFeatures(spec, endpoint.variables);
  if (!features.ok) throw new Error(JSON.stringify(features.error));
  const seen: Float32Array[] = [];
  const call = { feeds: [], output: "score", fetch: "score", column: null, columns: null };
  const scorer = new OnnxScorer(features.value, {
    loaded: { call },
    maxRows: 1024,
    async run(rows) {
      seen.push(rows.slice());
      return new Float64Array(rows.length / features.value.width).fill(0.5);
    },
    async close() {},
  });
  for (const person of people) {
    const request = endpoint.parse(JSON.parse(`{"inputs":${bodyOf(person)}}`));
    if (!request.ok) throw new Error(JSON.stringify(request.error));
    await scorer.score(request.value.inputs, 1000);
  }
  return seen.map((row) => ({
    bits: bitsOf(row, features.value.texts),
    texts: [...features.value.texts].map(([at, codes]) => codes.textOf(row[at] ?? 0)),
  }));
}

/** Of all features that are numbers. What is no number is one thing, whatever its bits: 0 / 0 has others than a missing value. */
function bitsOf(row: Float32Array, texts: { has(at: number): boolean }): number[] {
  const bits = new Uint32Array(Float32Array.from(row, (value) => (Number.isNaN(value) ? Number.NaN : value)).buffer);
  return [...bits].filter((_, at) => !texts.has(at));
}

function readBack(file: string, spec: FeatureSetSpec, textNames: ReadonlySet<string>) {
  const rows: (string | number | null)[][] = [];
  const text = readFileSync(file, "utf8");
  if (file.endsWith(".ndjson"))
    for (const line of text.trimEnd().split("\n")) {
      const row = new Map<string, string | number | null>(Object.entries(JSON.parse(line)));
      rows.push(spec.features.map(({ name }) => row.get(name) ?? null));
    }
  else {
    const parser = new CsvParser({
      header: (names) => expect(names).toEqual(spec.features.map(({ name }) => name)),
      row: (cells) =>
        void rows.push(
          spec.features.map(({ name }, at) => (textNames.has(name) ? (cells[at] ?? null) : cells[at] ? Number(cells[at]) : null)),
        ),
    });
    parser.push(text);
    parser.end();
  }
  return rows.map((values) => {
    const row = Float32Array.from(values, (value) => (typeof value === "number" ? value : Number.NaN));
    const texts = new Set(spec.features.flatMap(({ name }, at) => (textNames.has(name) ? [at] : [])));
    return { bits: bitsOf(row, texts), texts: values.filter((_, at) => texts.has(at)).map((value) => value ?? "") };
  });
}

async function applied(spec: FeatureSetSpec, people: readonly Person[], format: keyof typeof FORMATS, out: "csv" | "ndjson") {
  const rows = featureRows(spec, INPUTS);
  if (!rows.ok) throw new Error(JSON.stringify(rows.error));
  const [data, to] = [join(folder, `people.${format}`), join(folder, `rows.${out}`)];
  writeFileSync(data, FORMATS[format](people));
  await deriveFile({ rows: rows.value, inputs: INPUTS, data, dataName: "people", out: to, keep: [], onProgress: () => undefined });
  return readBack(to, spec, rows.value.texts);
}

test("rows for training are, bit for bit, the rows that the scorer's model sees", { timeout: 60_000 }, async () => {
  const settings = fc.tuple(fc.constantFrom("csv" as const, "ndjson" as const), fc.constantFrom("csv" as const, "ndjson" as const));
  await fc.assert(
    fc.asyncProperty(aFeatureSet, fc.array(aPerson, { minLength: 1, maxLength: 8 }), settings, async (spec, people, [format, out]) => {
      expect(await applied(spec, people, format, out)).toEqual(await served(spec, people));
    }),
    { numRuns: 300 },
  );
});

test("also when people are scored in one batch", async () => {
  const spec: FeatureSetSpec = {
    name: "f",
    features: [
      { name: "a", from: "amount" },
      { name: "b", cel: "amount / 3.0" },
    ],
  };
  const features = compileFeatures(spec, endpointOf().variables);
  if (!features.ok) throw new Error("it compiles");
  const people = fc.sample(aPerson, 50);
  let seen = new Float32Array();
  const scorer = new OnnxScorer(features.value, {
    loaded: { call: { feeds: [], output: "score", fetch: "score", column: null, columns: null } },
    maxRows: 1024,
    async run(rows) {
      seen = rows.slice();
      return new Float64Array(rows.length / 2).fill(0.5);
    },
    async close() {},
  });
  await scorer.scoreMany(people);
  const rows = await applied(
    spec,
    people.map((person) => ({ ...person })),
    "ndjson",
    "csv",
  );
  expect(rows.flatMap(({ bits }) => bits)).toEqual(bitsOf(seen, new Set()));
});

test("a row that the endpoint would refuse ends it with its line, and no file is left", async () => {
  const rows = featureRows(
    {
      name: "f",
      features: [
        { name: "a", from: "amount" },
        { name: "half", cel: "income / 2.0" },
      ],
    },
    INPUTS,
  );
  if (!rows.ok) throw new Error(JSON.stringify(rows.error));
  const run = (text: string) => {
    writeFileSync(join(folder, "bad.csv"), text);
    return deriveFile({
      rows: rows.value,
      inputs: INPUTS,
      data: join(folder, "bad.csv"),
      dataName: "bad.csv",
      out: join(folder, "none.csv"),
      keep: [],
      onProgress: () => undefined,
    });
  };
  const header = "amount,income,months,owner,school\n";
  await expect(run(`${header}1,2,3,true,graduate\n1,2,3,true,college\n`)).rejects.toThrow(
    /^bad\.csv:3: an endpoint would refuse this row:\n {2}\/inputs\/school: expected one of "graduate", "university", "other", got "college"$/,
  );
  await expect(run(`${header}1e999,2,3,true,graduate\n`)).rejects.toThrow("bad.csv:2");
  await expect(run(`${header}1,,3,true,graduate\n`)).rejects.toThrow("expected features that can be computed");
  await expect(run("amount,months,owner\n1,2,true\n")).rejects.toThrow('expected a column "school"');
  expect(() => readFileSync(join(folder, "none.csv"))).toThrow("ENOENT");
  expect(() => readFileSync(join(folder, "none.csv.partial"))).toThrow("ENOENT");
});
