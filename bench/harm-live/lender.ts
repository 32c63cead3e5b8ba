/** The lender whose release harms a group by a known amount, and its applicants: whoever comes is drawn from a seed, and comes once. */
import { writeFileSync } from "node:fs";
import { type Chance } from "../../test/torture/chance.ts";
import type { ServerProcess } from "../../test/torture/server-process.ts";
import type { NewTokenView } from "../../src/api/index.ts";

export const LOANS = "/v1/endpoints/loans";
/** Of all applicants, those of the group that is harmed; and the chance of everybody else to be approved. */
export const GROUP_SHARE = 0.2;
export const RATE = 0.7;
const ATTRIBUTES = 3;
const VALUES = 5;
/** Metrics that are watched for every group: as many guardrails on one endpoint. */
const WATCHED = [
  { name: "parity", metric: "adverse_impact_ratio", limit: 0.8 },
  { name: "gap", metric: "selection_rate_difference", limit: 0.1 },
  { name: "chance", metric: "selection_rate", limit: 0.2 },
  { name: "denials", metric: "action_rate", actions: ["deny"], limit: 0.6 },
  { name: "failing", metric: "fallback_rate", limit: 0.05 },
] as const;
export const GUARDRAILS = WATCHED.length;
/** Single values, and every two values of different attributes. */
export const GROUPS = ATTRIBUTES * VALUES + (ATTRIBUTES * (ATTRIBUTES - 1) * VALUES * VALUES) / 2;

const policy = {
  bands: [
    { action: "deny", from: 0 },
    { action: "approve", from: 0.5 },
  ],
};
const base = {
  kind: "endpoint",
  name: "loans",
  actions: { approve: { favourable: true }, deny: { favourable: false } },
  fallback: {
    name: "everybody alike",
    scorer: { kind: "rules", rules: [{ when: `income >= ${100 * (1 - RATE)}`, score: 0.9 }], otherwise: { score: 0.1 } },
    policy,
  },
};
const income = { type: "number", min: 0, max: 100 } as const;

/** An endpoint with one guardrail that rolls back, a release that treats all alike, live, and one that doesn't. */
export async function openHarmed(server: ServerProcess, ratio: number): Promise<{ readonly token: string; readonly harmful: string }> {
  const { control } = server;
  const values = ["university", "high_school"];
  await control.post("/v1/apply", {
    yaml: JSON.stringify({
      ...base,
      inputs: { income, education: { type: "string", values } },
      groups: { education: values },
      guardrails: [{ name: "parity", metric: "adverse_impact_ratio", groups: "all", limit: 0.8, action: "roll_back" }],
    }),
  });
  const release = async (highSchoolFrom: number, name: string) =>
    (
      await control.post<{ readonly release: string }>(`${LOANS}/releases`, {
        name,
        scorer: {
          kind: "rules",
          rules: [
            { when: `education == "high_school" && income < ${highSchoolFrom}`, score: 0.2 },
            { when: `income >= ${100 * (1 - RATE)}`, score: 0.9 },
          ],
          otherwise: { score: 0.1 },
        },
        policy,
      })
    ).release;
  const good = await release(100 * (1 - RATE), "good");
  const harmful = await release(100 * (1 - RATE * ratio), "harmful");
  await control.post(`${LOANS}/promote`, { release: good, reason: "bench" });
  return { token: await tokenOf(server), harmful };
}

/** An endpoint with many groups that are treated alike, watched by guardrails or by none. */
export async function openGuarded(server: ServerProcess, isGuarded: boolean): Promise<string> {
  const groups = Object.fromEntries(attributes().map((attribute) => [attribute, attributeValues()]));
  const guardrails = isGuarded ? WATCHED.map((one) => ({ ...one, groups: "all", intersections: true, action: "warn" })) : [];
  await server.control.post("/v1/apply", { yaml: JSON.stringify({ ...base, inputs: { income }, groups, guardrails }) });
  return tokenOf(server);
}

const attributes = () => Array.from({ length: ATTRIBUTES }, (_, i) => `attribute${i + 1}`);
const attributeValues = () => Array.from({ length: VALUES }, (_, i) => `v${i + 1}`);

async function tokenOf({ control }: ServerProcess): Promise<string> {
  return (await control.post<NewTokenView>("/v1/tokens", { name: "applicants", role: "application" })).token;
}

/** Applications to the harmed endpoint, one a line. */
export function writeHarmed(file: string, count: number, random: Chance): void {
  write(file, count, (subject) => {
    const education = random.next() < GROUP_SHARE ? "high_school" : "university";
    return { subject, inputs: { income: 100 * random.next(), education }, groups: { education } };
  });
}

/** Applications to the endpoint with many groups, one a line. */
export function writeGuarded(file: string, count: number, random: Chance): void {
  const values = attributeValues();
  write(file, count, (subject) => ({
    subject,
    inputs: { income: 100 * random.next() },
    groups: Object.fromEntries(attributes().map((attribute) => [attribute, values[random.between(0, VALUES - 1)]])),
  }));
}

function write(file: string, count: number, application: (subject: string) => object): void {
  writeFileSync(file, Array.from({ length: count }, (_, i) => JSON.stringify(application(`applicant-${i}`))).join("\n"));
}
