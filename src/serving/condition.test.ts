import { expect, test } from "vitest";
import type { EndpointName } from "../std.ts";
import { compileCondition } from "./condition.ts";
import { compileEndpoint } from "./endpoint.ts";

const compiled = compileEndpoint({
  name: "loans" as EndpointName,
  inputs: {
    amount: { type: "number", min: 0 },
    months: { type: "integer", optional: true },
    region: { type: "string", values: ["north", "south"] },
    education: { type: "string", values: ["low", "high"] },
    pension: { type: "boolean", twin_of: "age_band" },
  },
  groups: { education: ["low", "high"], sex: ["female", "male"], age_band: ["young", "old"] },
  actions: { approve: { favourable: true }, deny: { favourable: false } },
});
if (!compiled.ok) throw new Error(JSON.stringify(compiled.error));
const endpoint = compiled.value;
const inputs = { amount: 100, months: null, region: "north", education: "low", pension: true };
const refusal = (source: string) => {
  const condition = compileCondition(source, endpoint, "/when");
  if (condition.ok) throw new Error(`${source} was taken`);
  return condition.error[0];
};

test("a condition over inputs holds or doesn't; a missing input leaves somebody with live", () => {
  const holds = (source: string, values: Readonly<Record<string, number>> = {}) => {
    const condition = compileCondition(source, endpoint, "/when");
    if (!condition.ok) throw new Error(JSON.stringify(condition.error));
    return condition.value.holds({ ...inputs, ...values });
  };
  expect(holds('amount < 5000 && region == "north"')).toBe(true);
  expect(holds('amount < 5000 && region == "north"', { amount: 6000 })).toBe(false);
  expect(holds("months > 12")).toBe(false);
  expect(holds("months > 12", { months: 24 })).toBe(true);
  expect(holds("months == null")).toBe(true);
});

test("a condition that reads a protected attribute, or an input that is one's twin, is refused and says why", () => {
  expect(refusal('sex == "female"')).toMatchObject({ path: "/when", got: "sex, a protected attribute" });
  expect(refusal('amount < 5000 || education == "low"')).toMatchObject({ got: "education, a protected attribute" });
  expect(refusal("pension ? amount < 1 : amount > 1")).toMatchObject({ got: "pension, which is declared as a twin of age_band" });
  expect(refusal("pension")?.expected).toContain("nothing of groups");
});

test("a condition is typed against the inputs when it is applied", () => {
  expect(refusal("amount + 1")?.expected).toBe("a condition that is true or false");
  expect(refusal('amount == "much"')).toBeDefined();
  expect(refusal('region == "west"')).toBeDefined();
  expect(refusal("amont < 1")?.hint).toContain("amount");
  expect(refusal("amount <")?.expected).toBe("a CEL expression");
  expect(refusal("1 < 2")?.expected).toBe("a condition that reads an input");
});

test("an input can be the twin of a declared attribute only", () => {
  const wrong = compileEndpoint({ ...endpoint, inputs: { amount: { type: "number", twin_of: "race" } } });
  expect(wrong.ok ? [] : wrong.error).toEqual([
    { path: "/inputs/amount/twin_of", expected: "an attribute of groups: education, sex, age_band", got: "race" },
  ]);
});
