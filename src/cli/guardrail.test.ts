/** `evenkeel guardrail`, as people call it. */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { endpoint } from "../../test/lender.ts";
import { said } from "../../test/said.ts";
import { freshServer, type FreshServer } from "../../test/server.ts";

const folder = mkdtempSync(join(tmpdir(), "evenkeel-guardrail-"));
let server: FreshServer;
let operator: string;
beforeAll(async () => {
  server = await freshServer();
  operator = await server.token("operator");
  await server.admin.post("/v1/apply", { yaml: JSON.stringify(endpoint) });
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await server.drop();
});

/** In a process of its own, since cases come on standard input. */
async function piped(input: string, ...words: string[]) {
  const main = fileURLToPath(new URL("./main.ts", import.meta.url));
  const child = spawn(process.execPath, [main, "guardrail", ...words], { cwd: folder, stdio: ["pipe", "pipe", "pipe"] });
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  child.stdin.end(input);
  const [out, err, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { out, err, code };
}

test("cases in the form of the vectors go in, evidence comes out", async () => {
  const vectors: { id: string; fn: string; expect: { logE: number[] } }[] = JSON.parse(
    readFileSync(new URL("../monitoring/vectors.json", import.meta.url), "utf8"),
  );
  const cases = vectors.filter(({ fn }) => fn === "v1" || fn === "buckets");
  const { out, code } = await piped(JSON.stringify(cases.map(({ expect: _expected, ...one }) => one)), "evaluate");
  const results: { id: string; logE: number[] }[] = JSON.parse(out);
  expect(code).toBe(0);
  expect(results.map(({ id }) => id)).toEqual(cases.map(({ id }) => id));
  for (const [i, { logE }] of results.entries())
    for (const [j, value] of logE.entries()) expect(value).toBeCloseTo(cases[i]?.expect.logE[j] ?? Number.NaN, 8);
});

test.each([
  ["[{]", /no JSON/],
  ["{}", /expected array/],
  ['[{"id":"a","fn":"v1","kind":"ratio_min","limit":0.8,"blocks":[{"n":[4,4],"k":[5,1]}]}]', /\/0\/blocks\/0\/k\/0: expected 0 to 4/],
])("what is no case is refused with its path: %s", async (input, says) => {
  const { out, err, code } = await piped(input, "evaluate");
  expect([out, code]).toEqual(["", 1]);
  expect(err).toMatch(says);
});

const call = (words: string, token = operator) => said(words.split(" "), { EVENKEEL_URL: server.url, EVENKEEL_TOKEN: token }, folder);

test("a plan says the bound, what simulation comes to, and how small a group can be guarded", async () => {
  const words = "guardrail plan --limit 0.8 --rate 0.7 --harm 0.5 --runs 100";
  const { code, out } = await call(`${words} --json`);
  const plan: { bound: number; simulated: { median: number; p90: number; givenUp: number }; smallestShare: { share: number } } =
    JSON.parse(out);
  expect(code).toBe(0);
  expect(plan.simulated.median / plan.bound).toBeGreaterThan(1);
  expect(plan.simulated.median / plan.bound).toBeLessThan(2);
  expect([plan.simulated.givenUp, plan.smallestShare.share < 0.01]).toEqual([0, true]);
  expect((await call(words)).out).toMatch(/at least \(bound\)/);
});

test.each([
  ["plan --limit 0.8 --rate 0.7 --harm 0.9", 2, /nothing to prove/],
  ["plan --limit 0 --rate 0.7 --harm 0.5", 2, /--limit takes a ratio above 0/],
  ["plan --limit 0.8 --harm 0.5", 2, /--rate is needed/],
  ["plan --kind ratio_mn --limit 0.8 --rate 0.7 --harm 0.5", 2, /did you mean ratio_min/],
  ["plan --limit 0.8 --rate 0.7 --harm 0.5 --share 2", 2, /--share takes a number/],
  ["evaluate --file nowhere.json", 1, /no such file/],
  ["", 2, /show, evaluate, plan or simulate\?/],
  ["shwo", 2, /not "shwo"/],
  ["show lones", 1, /no endpoint lones/],
  ["simulate loans --from never", 1, /\/from: expected a time/],
  ["simulate loans --file other.yaml", 1, /declares no endpoint loans, but flats/],
])("guardrail %s", async (words, code, says) => {
  writeFileSync(join(folder, "other.yaml"), "kind: endpoint\nname: flats\ninputs: {}\n");
  const told = await call(`guardrail ${words}`.trim());
  expect(told.err).toMatch(says);
  expect(told.code).toBe(code);
});

test("recorded decisions are run through declared guardrails, through stricter ones, and through ones that can't be declared", async () => {
  const application = await server.as("application");
  for (let person = 0; person < 80; person++) {
    const isWell = person % 2 === 0;
    await application.post("/v1/endpoints/loans/decisions", {
      subject: `p${person}`,
      inputs: { income: isWell ? 80 : person % 8 === 1 ? 70 : 20, education: isWell ? "university" : "high_school" },
      groups: { education: isWell ? "university" : "high_school" },
    });
  }
  const shown = await call("guardrail show loans");
  expect(shown.out).toMatch(/like for like/);
  // Without the right to see groups there are no counts: see endpoint-metrics.test.ts.
  const { code, out } = await call("guardrail simulate loans --json", await server.token("analyst", { grants: ["protected:read"] }));
  const simulation: { tests: { guardrail: string; group: string; groupDecisions: number | null; proven: unknown }[] } = JSON.parse(out);
  expect(simulation.tests.map(({ guardrail, groupDecisions }) => [guardrail, groupDecisions])).toEqual([
    ["parity", 40],
    ["parity", 40],
  ]);
  const proven = simulation.tests.some((one) => one.proven !== null);
  expect(code).toBe(proven ? 3 : 0);
  const declare = (guardrails: unknown) => writeFileSync(join(folder, "loans.yaml"), JSON.stringify({ ...endpoint, guardrails }));
  declare([{ name: "any", metric: "adverse_impact_ratio", limit: 0.99, action: "warn" }]);
  expect((await call("guardrail simulate loans --file loans.yaml")).out).toMatch(/any/);
  declare([{ name: "any", metric: "adverse_impact_ratio", limit: 7, action: "warn" }]);
  expect((await call("guardrail simulate loans --file loans.yaml")).err).toMatch(/\/guardrails\/0\/limit: expected a ratio of at most 1/);
});
