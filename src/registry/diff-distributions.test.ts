/** Distributions and groups of two tables whose rows have nothing to do with each other. */
import { expect, test } from "vitest";
import { diffTexts } from "../../test/diffs.ts";
import { seeded } from "../../examples/loans/random.ts";
import type { DatasetSpec } from "./dataset-spec.ts";

const spec: DatasetSpec = {
  label: { column: "y", words: { "0": "repaid", "1": "defaulted" } },
  protected: [{ column: "sex" }, { column: "edu" }],
};

interface Applicant {
  readonly sex: string;
  readonly edu: string;
  readonly income: number;
  readonly job: string;
  readonly y: number;
}

/** Another sample of one population for every seed; `change` says how it differs. */
function sample(seed: number, size: number, change: (one: Applicant, random: () => number) => object = (one) => one): string {
  const random = seeded(seed);
  const lines = Array.from({ length: size }, () => {
    const one: Applicant = {
      sex: random() < 0.5 ? "f" : "m",
      edu: ["high_school", "university", "graduate"][Math.floor(random() * 3)] ?? "",
      income: Math.round(1000 + 4000 * random() * random()),
      job: ["clerk", "nurse", "cook", "driver"][Math.floor(random() * 4)] ?? "",
      y: random() < 0.22 ? 1 : 0,
    };
    return Object.values({ ...one, ...change(one, random) }).join(",");
  });
  return ["sex,edu,income,job,y", ...lines].join("\n");
}

test("two samples of one population, small or large, are not said to differ", async () => {
  for (const [seed, size] of [
    [1, 200],
    [2, 200],
    [3, 2000],
    [4, 20_000],
  ] as const) {
    const { diff, findings, verdict } = await diffTexts(sample(seed, size), sample(seed + 100, size), { spec });
    expect(diff.distributions.map(({ isShifted }) => isShifted)).not.toContain(true);
    expect(findings.map(({ group }) => group).filter((group) => group !== null)).toEqual([]);
    expect(verdict).toContain("No group moved otherwise than all others.");
  }
});

test("of many rows a trifle is beyond chance and yet no shift", async () => {
  const { diff } = await diffTexts(
    sample(1, 40_000),
    sample(2, 40_000, ({ income }, random) => (random() < 0.05 ? { income: income + 1500 } : {})),
    { spec },
  );
  const income = diff.distributions.find(({ column }) => column === "income");
  expect(income?.chance).toBeLessThan(1e-6);
  expect(income?.isShifted).toBe(false);
});

test("values that moved for everybody are told with both medians, and laid on no group", async () => {
  const { diff, findings, verdict } = await diffTexts(
    sample(1, 3000),
    sample(2, 3000, ({ income }) => ({ income: income * 2 })),
    { spec },
  );
  expect(diff.distributions[0]).toMatchObject({ column: "income", isShifted: true, distance: { kind: "ks" } });
  expect(verdict).toMatch(/income is distributed otherwise: PSI [\d.]+, median 1,[\d]+ before and 3,[\d]+ now/);
  expect(findings.map(({ group }) => group).filter((group) => group !== null)).toEqual([]);
});

test("values that come and go, and cells that became empty, are told", async () => {
  const change = ({ job }: Applicant, random: () => number) => ({ job: random() < 0.2 ? "" : job === "cook" ? "chef" : job });
  const { diff, verdict } = await diffTexts(sample(1, 3000), sample(2, 3000, change), { spec });
  expect(diff.distributions[0]).toMatchObject({ column: "job", isShifted: true, newValues: ["chef"], goneValues: ["cook"] });
  expect(verdict).toContain("job has values that it never had: chef.");
  expect(verdict).toContain("job no longer has the values cook.");
  expect(verdict).toMatch(/empty in 0 % before and (19|20|21) % now/);
});

test("what moved in one group alone is named, by label, empty cells and values", async () => {
  const inGroup = ({ sex, edu }: Applicant) => sex === "f" && edu === "high_school";
  const label = await diffTexts(
    sample(1, 6000),
    sample(2, 6000, (one, random) => (inGroup(one) && random() < 0.4 ? { y: 1 } : {})),
    { spec },
  );
  expect(label.findings.at(-1)).toMatchObject({ kind: "groups", group: { sex: "f", edu: "high_school" } });
  expect(label.verdict).toMatch(
    /Of the rows with sex f and edu high_school, 7\d % were repaid and 4\d % are now \(-\d\d\.\d points; all others [+-]?\d\.\d points\)/,
  );
  const empty = await diffTexts(
    sample(1, 6000),
    sample(2, 6000, (one, random) => (inGroup(one) && random() < 0.1 ? { job: "" } : {})),
    { spec },
  );
  expect(empty.findings.at(-1)).toMatchObject({ kind: "groups", group: { sex: "f", edu: "high_school" }, columns: ["job"] });
  const values = await diffTexts(
    sample(1, 6000),
    sample(2, 6000, (one) => (inGroup(one) ? { income: one.income * 1.5 } : {})),
    { spec },
  );
  expect(values.findings.at(-1)).toMatchObject({ kind: "groups", group: { sex: "f", edu: "high_school" }, columns: ["income"] });
  expect(values.diff.differentials[0]).toMatchObject({ measure: "values", column: "income" });
});
