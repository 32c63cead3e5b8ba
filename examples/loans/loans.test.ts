/** The endpoint as the lender declares it, against everybody in the data. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { parseEndpoint } from "../../src/releases/index.ts";
import { GROUPS } from "./clients.ts";
import { applicationOf, loadClients } from "./data.ts";
import { celVariables, compileFeatures, parseFeatureSet } from "./evenkeel.ts";
import { INPUTS, parseTrainingTable, toTrainingTable } from "./training-table.ts";

const read = (name: string): unknown => parse(readFileSync(fileURLToPath(new URL(name, import.meta.url)), "utf8"));
const endpoint = parseEndpoint(read("./loans.yaml"));
if (!endpoint.ok) throw new Error(JSON.stringify(endpoint.error));
const { spec, compiled, fallback, guardrails } = endpoint.value;
const clients = loadClients();

describe("the endpoint loans", () => {
  test("takes the application of every client in the data, and puts each into a cell by sex and education", () => {
    const cells = new Set<string>();
    for (const client of clients) {
      const { subject, inputs, groups } = applicationOf(client);
      const parsed = compiled.parse({ subject, inputs, groups });
      if (!parsed.ok) throw new Error(`${subject}: ${JSON.stringify(parsed.error)}`);
      cells.add(parsed.value.cell);
    }
    expect(cells.size).toBe(8);
  });

  test("knows the inputs and groups that the training table has, and no others", () => {
    expect(Object.keys(spec.inputs).toSorted()).toEqual(Object.keys(INPUTS).toSorted());
    for (const [name, { type }] of Object.entries(INPUTS)) expect(spec.inputs[name]?.type).toBe(type);
    expect(spec.inputs["education"]?.values).toEqual(GROUPS.education);
    expect(spec.groups).toEqual(GROUPS);
  });

  test("watches every group and sex by education, and rolls back", () => {
    expect(guardrails).toEqual([
      expect.objectContaining({ metric: "adverse_impact_ratio", groups: "all", reference: "rest", limit: 0.8, action: "roll_back" }),
    ]);
    expect(endpoint.value.budget).toBe(0.01);
  });

  test("has a rule to fall back on that needs no model", () => {
    expect(fallback.scorer.kind).toBe("rules");
  });
});

describe.each(["logistic", "forest"])("the features of the %s pipeline", (kind) => {
  test("are the same in training as for the endpoint, to the last bit", () => {
    const params: unknown = read(`./params.${kind}.yaml`);
    const set = parseFeatureSet(typeof params === "object" && params !== null && "features" in params ? params.features : undefined);
    if (!set.ok) throw new Error(JSON.stringify(set.error));
    const serving = compileFeatures(set.value, compiled.variables);
    const training = compileFeatures(set.value, celVariables(INPUTS));
    if (!serving.ok || !training.ok) throw new Error(JSON.stringify([serving, training]));
    const { width } = serving.value;
    const some = clients.filter((_, i) => i % 10 === 0);
    const rows = parseTrainingTable(toTrainingTable(some));
    const served = new Float32Array(some.length * width);
    const trained = new Float32Array(some.length * width);
    for (const [i, client] of some.entries()) serving.value.derive(applicationOf(client).inputs, served, i * width);
    for (const [i, { inputs }] of rows.entries()) training.value.derive(inputs, trained, i * width);
    expect(Buffer.from(trained.buffer).equals(Buffer.from(served.buffer))).toBe(true);
    expect(served.every(Number.isFinite)).toBe(true);
    expect(rows.map(({ id }) => id)).toEqual(some.map(({ id }) => id));
  });
});
