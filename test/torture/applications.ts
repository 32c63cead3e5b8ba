/** The lender that the faults happen to, and its applicants: each with an income of their own that says what every release must answer. */

export const ENDPOINT = "loans";

/** Approves above an income; whoever is below is denied, and by the rule of last resort referred to a person. */
export const LOANS_YAML = `kind: endpoint
name: loans
inputs:
  income: { type: number, min: 0, max: 100 }
  education: { type: string, values: [university, high_school] }
groups: { education: [university, high_school] }
actions:
  approve: { favourable: true }
  refer: { favourable: false }
  deny: { favourable: false }
fallback:
  name: income rule
  scorer: { kind: rules, rules: [{ when: "income >= 60", score: 1 }], otherwise: { score: 0.5 } }
  policy: { bands: [{ action: deny, from: 0 }, { action: refer, from: 0.3 }, { action: approve, from: 0.7 }] }
guardrails:
  - { name: parity, metric: adverse_impact_ratio, groups: all, limit: 0.8, action: warn }
`;

/** Lowest income that each release approves; r1 is the fallback. */
const LIMITS = { r1: 60, r2: 50, r3: 40 } as const;
export type ReleaseName = keyof typeof LIMITS;
const isRelease = (name: string): name is ReleaseName => name in LIMITS;
/** The lowest income that a release approves. */
export const limitOf = (release: ReleaseName): number => LIMITS[release];

/** What makes r2 and r3, in this order. */
export const RELEASES = [LIMITS.r2, LIMITS.r3].map((income) => ({
  endpoint: ENDPOINT,
  name: `income above ${income}`,
  scorer: { kind: "rules", rules: [{ when: `income >= ${income}`, score: 0.9 }], otherwise: { score: 0.1, reason: "income" } },
  policy: {
    bands: [
      { action: "deny", from: 0 },
      { action: "approve", from: 0.5 },
    ],
  },
}));

export interface Application {
  readonly body: string;
  /** Three in four carry one. */
  readonly key: string | null;
}

const incomeOf = (n: number) => (n * 37) % 100;

/** The `n`th applicant of a run. Nobody comes twice; both groups have the same incomes. */
export function application(run: string, n: number): Application {
  const education = n % 200 < 100 ? "university" : "high_school";
  const body = JSON.stringify({ subject: `${run}-${n}`, inputs: { income: incomeOf(n), education }, groups: { education } });
  return { body, key: n % 4 === 3 ? null : `${run}-${n}` };
}

/** What the release must say to the `n`th applicant, by a second way than the product's: undefined for a release that isn't ours. */
export function rightAction(release: string, n: number): string | undefined {
  if (!isRelease(release)) return undefined;
  if (incomeOf(n) >= LIMITS[release]) return "approve";
  return release === "r1" ? "refer" : "deny";
}
