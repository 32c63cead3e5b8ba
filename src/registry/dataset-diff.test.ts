/** What differs between two tables, from their text to the verdict. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { diffTexts, rowsOf } from "../../test/diffs.ts";
import type { TableDiff } from "./dataset-diff.ts";
import type { DatasetSpec } from "./dataset-spec.ts";
import type { CellPattern } from "./diff-patterns.ts";

/** 4,000 applicants: half of them with high school, three quarters good payers. */
const applicants = (
  keep: (i: number, isHighSchool: boolean, isGood: boolean) => boolean,
  label = (i: number) => (i % 4 === 0 ? "1" : "0"),
) =>
  [
    "id,edu,sex,y",
    ...Array.from({ length: 4000 }, (_, i) => i)
      .filter((i) => keep(i, i % 2 === 0, i % 4 !== 0))
      .map((i) => `${i},${i % 2 === 0 ? 3 : 1},${i % 3 === 0 ? "f" : "m"},${label(i)}`),
  ].join("\n");
const spec: DatasetSpec = {
  key: ["id"],
  label: { column: "y", words: { "0": "good payers", "1": "defaulters" } },
  protected: [{ column: "edu", words: { "1": "graduate", "3": "high_school" } }, { column: "sex" }],
};
const all = applicants(() => true);

test("lost good payers of one group are named, and a loss by chance is not laid on a group", async () => {
  const lost = applicants((i, isHighSchool, isGood) => !(isHighSchool && isGood && i % 8 !== 2));
  expect((await diffTexts(all, lost, { spec })).verdict).toBe(
    "500 of 4,000 rows are missing, 0 changed and 0 are new. " +
      "Of the good payers with edu high_school, 50 % (500 of 1,000) are missing; of all others 0 % (0 of 3,000).",
  );
  const byChance = await diffTexts(
    all,
    applicants((i) => (i * 7919) % 101 > 20),
    { spec },
  );
  expect(byChance.verdict).toContain("No group stands out among the missing rows.");
});

test("labels that were turned in one group are named with what they are now", async () => {
  const turned = applicants(
    () => true,
    (i) => (i % 4 === 0 || (i % 2 === 0 && i % 3 === 0) ? "1" : "0"),
  );
  const { diff, verdict } = await diffTexts(all, turned, { spec });
  expect(verdict).toContain(
    "Of the good payers with edu high_school and sex f, 100 % (333 of 333) are now labelled defaulters; of all others 0 % (0 of 2,667).",
  );
  expect(diff.flips[0]).toMatchObject({ group: { edu: "high_school", sex: "f" }, from: "0", to: "1", rows: 333, of: 333 });
});

test("new rows that are mostly of one group are named", async () => {
  const { verdict } = await diffTexts(
    applicants((i) => i % 12 !== 0),
    all,
    { spec },
  );
  expect(verdict).toContain("Of the defaulters with sex f, 100 % (334 of 334) are new; of all others 0 % (0 of 3,666).");
});

test("without a declared key one is proposed that is different in every row, else rows are compared by content, and it is said", async () => {
  const { key: _key, ...keyless } = spec;
  const lost = applicants((i) => i % 8 !== 2);
  const proposed = await diffTexts(all, lost, { spec: keyless });
  expect(proposed.diff.rows.key).toEqual({ columns: ["id"], source: "proposed" });
  expect(proposed.verdict).toContain("(compared by id, which is different in every row)");
  const nameless = (text: string) => text.replaceAll(/^[^,]*,/gm, "");
  const byContent = await diffTexts(nameless(all), nameless(lost), { spec: keyless });
  expect(byContent.diff.rows).toMatchObject({ key: null, missing: 500, added: 0, changed: 0, unchanged: 3500 });
  expect(byContent.verdict).toContain("(compared by content, since nothing names a row)");
  // Numbers that were given anew name nothing.
  const renumbered = all.replaceAll(/^(\d+),/gm, (_, id: string) => `${Number(id) + 10_000},`);
  expect((await diffTexts(all, renumbered, { spec: keyless })).diff.rows.key).toBeNull();
});

test("keys of more than one row are listed, and none of their rows is dropped", async () => {
  const { diff, verdict } = await diffTexts("k,v\na,1\na,2\nb,1\n,9\n", "k,v\na,2\na,3\na,4\nc,1\n,9\n", { key: ["k"] });
  expect(diff.rows).toMatchObject({ key: { source: "asked" }, before: 4, after: 5, missing: 1, added: 2, changed: 1, unchanged: 2 });
  expect(diff.rows.duplicates).toEqual({ keys: 1, listed: [{ key: ["a"], before: 2, after: 3 }] });
  expect(verdict).toContain("1 key names more than one row.");
});

test("a column that was renamed is told by its values, or by 99 % of its cells where the key is the same", async () => {
  const table = (name: string, keep: (i: number) => boolean, value = (i: number) => i * 7) =>
    [
      `id,${name},z`,
      ...Array.from({ length: 500 }, (_, i) => i)
        .filter(keep)
        .map((i) => `${i},${value(i)},${i % 5}`),
    ].join("\n");
  const before = table("limit", () => true);
  const same = await diffTexts(
    before,
    table("limit_bal", () => true),
  );
  expect(same.diff.renamed).toEqual([{ from: "limit", to: "limit_bal", type: "integer", equal: 1 }]);
  expect(same.diff.rows).toMatchObject({ unchanged: 500 });
  const edited = await diffTexts(
    before,
    table(
      "limit_bal",
      (i) => i % 3 > 0,
      (i) => (i === 1 ? 5 : i * 7),
    ),
  );
  expect(edited.diff.renamed).toMatchObject([{ from: "limit", to: "limit_bal" }]);
  expect(edited.diff.cells).toMatchObject([{ column: "limit", changed: 1 }]);
  expect(edited.verdict).toContain("Column limit is now called limit_bal (99.7 % of its cells are equal).");
  const other = await diffTexts(
    before,
    table(
      "limit_bal",
      () => true,
      (i) => i * 8 + 1,
    ),
  );
  expect(other.diff.renamed).toEqual([]);
  expect(other.verdict).toContain("New columns: limit_bal. Columns gone: limit.");
});

test("the label and a protected column keep their meaning under a new name, and are left out where they are gone", async () => {
  const renamed = all.replace("edu,sex,y", "schooling,sex,outcome");
  const lost = renamed
    .split("\n")
    .filter((line, i) => i === 0 || !/^\d*[26],3,f,0/.test(line))
    .join("\n");
  const { diff } = await diffTexts(all, lost, { spec });
  expect(diff.renamed.map(({ to }) => to)).toEqual(["schooling", "outcome"]);
  expect(diff.groups[0]).toMatchObject({ group: { edu: "high_school", sex: "f" }, label: "0" });
  const without = all.replaceAll(/,[^,]*,([^,\n]*)$/gm, ",$1");
  const { diff: left } = await diffTexts(all, without, { spec });
  expect(Object.keys(left.groups.find(({ group }) => Object.keys(group).length > 0)?.group ?? {})).toEqual(["edu"]);
});

/** 300 rows; `change` says what becomes of each. */
type Row = Record<"id" | "amount" | "limit" | "code" | "word" | "zip", string>;
const rows = Array.from({ length: 300 }, (_, i): Row => ({
  id: `${i}`,
  amount: `${((i * 7919) % 2003) * 50 + 1050}`,
  limit: `${((i * 31) % 97) + (i % 8) / 16 + 0.0625}`,
  code: `${i % 7}`,
  word: `Word ${i % 9}`,
  zip: `0${1000 + (i % 50)}`,
}));
const csv = (all: readonly Row[]) =>
  [
    "id,amount,limit,code,word,zip",
    ...all.map((row) =>
      Object.values(row)
        .map((cell) => `"${cell}"`)
        .join(","),
    ),
  ]
    .join("\n")
    .replaceAll('""', "");
const patternsOf = async (change: (row: Row, i: number) => Partial<Row>, column: string): Promise<readonly CellPattern[]> => {
  const { diff } = await diffTexts(csv(rows), csv(rows.map((row, i) => ({ ...row, ...change(row, i) }))), { spec: { key: ["id"] } });
  return diff.cells.find((cells) => cells.column === column)?.patterns ?? [];
};

test("what was done to the cells of a column is recognised", async () => {
  expect(await patternsOf(({ amount }, i) => (i < 200 ? { amount: `${Number(amount) / 1000}` } : {}), "amount")).toEqual([
    { kind: "factor", factor: 0.001, rows: 200 },
  ]);
  expect(await patternsOf(({ limit }) => ({ limit: `${Number(limit) * 1.609344}` }), "limit")).toEqual([
    { kind: "factor", factor: 1.60934, rows: 300 },
  ]);
  expect(await patternsOf(({ code }, i) => (i % 2 ? { code: `${Number(code) + 1}` } : {}), "code")).toEqual([
    { kind: "offset", offset: 1, rows: 150 },
  ]);
  expect(await patternsOf(({ limit }) => ({ limit: `${Number(limit) - 0.1}` }), "limit")).toEqual([
    { kind: "offset", offset: -0.1, rows: 300 },
  ]);
  expect(await patternsOf(({ amount, limit }) => ({ amount: limit, limit: amount }), "amount")).toEqual([
    { kind: "swapped", with: "limit", rows: 300 },
  ]);
  expect(await patternsOf(({ code }) => (code === "3" ? { code: "4" } : {}), "code")).toEqual([
    { kind: "replaced", from: "3", to: "4", rows: 43 },
  ]);
  expect(await patternsOf((_, i) => (i < 100 ? { amount: "-999" } : {}), "amount")).toEqual([
    { kind: "constant", value: "-999", rows: 100 },
  ]);
  expect(await patternsOf(({ zip }) => ({ zip: zip.slice(1) }), "zip")).toEqual([{ kind: "zeros-trimmed", rows: 300 }]);
  expect(await patternsOf(({ word }) => ({ word: word.toLowerCase() }), "word")).toEqual([{ kind: "case", rows: 300 }]);
  expect(await patternsOf(({ word }) => ({ word: ` ${word}  ` }), "word")).toEqual([{ kind: "whitespace", rows: 300 }]);
  expect(await patternsOf(({ limit }) => ({ limit: Number(limit).toFixed(0) }), "limit")).toEqual([{ kind: "fewer-decimals", rows: 300 }]);
});

test("thousands that were rounded are still thousands, and cells that were emptied are counted", async () => {
  expect(await patternsOf(({ amount }) => ({ amount: `${Math.round(Number(amount) / 100)}` }), "amount")).toMatchObject([
    { kind: "factor", factor: 0.01 },
  ]);
  const { diff, verdict } = await diffTexts(csv(rows), csv(rows.map((row, i) => (i < 60 ? { ...row, code: "" } : row))), {
    spec: { key: ["id"] },
  });
  expect(diff.cells).toMatchObject([{ column: "code", changed: 60, emptied: 60, filled: 0, patterns: [] }]);
  expect(verdict).toContain("Column code was never empty and is in 60 rows.");
});

test("the rows that differ are told as CSV that the strict reader takes again", async () => {
  const rows = await rowsOf('k,v,w\na,"x, ""y""",1\nb,,2\nc,"",3\n', 'k,v,w\na,"x, ""z""",1\nc,"",3\nd,,4\n', { key: ["k"] }, ["w"]);
  expect(rows.split("\n").toSorted()).toEqual(["", 'after,a,"x, ""z"""', 'before,a,"x, ""y"""', "change,k,v", "missing,b,", "new,d,"]);
});

const some = fc.uniqueArray(
  fc.record({
    id: fc.integer({ min: 1, max: 40 }),
    sex: fc.constantFrom("f", "m"),
    y: fc.constantFrom("0", "1", ""),
    v: fc.oneof(
      fc.constantFrom("", "0", "1", "10", "x"),
      fc.integer({ min: -500, max: 500 }).map((value) => `${value / 100}`),
    ),
  }),
  { selector: ({ id }) => id, minLength: 1, maxLength: 30 },
);
type Some = { readonly id: number; readonly sex: string; readonly y: string; readonly v: string };
const text = (all: readonly Some[]) => ["id,sex,y,v", ...all.map((row) => Object.values(row).join(","))].join("\n");
const declared = fc.constantFrom<DatasetSpec>(
  { key: ["id"], label: { column: "y" }, protected: [{ column: "sex" }] },
  { label: { column: "y" }, protected: [{ column: "sex" }] },
  {},
);

test("a table differs in nothing from itself, in any order of its rows", async () => {
  await fc.assert(
    fc.asyncProperty(some, declared, fc.infiniteStream(fc.nat()), async (all, by, dice) => {
      const shuffled = all
        .map((row) => ({ row, at: dice.next().value }))
        .toSorted((x, y) => x.at - y.at)
        .map(({ row }) => row);
      for (const other of [all, shuffled]) {
        const { diff } = await diffTexts(text(all), text(other), { spec: by });
        expect(diff.rows).toMatchObject({ missing: 0, added: 0, changed: 0, unchanged: all.length });
        expect([diff.cells, diff.flips, diff.renamed]).toEqual([[], [], []]);
        expect(diff.groups.every(({ missing, added, relabelled }) => missing + added + relabelled === 0)).toBe(true);
        expect(diff.sameOrder).toBe(JSON.stringify(all) === JSON.stringify(other));
      }
    }),
    { numRuns: 60 },
  );
});

test("every row is counted once, the order of rows doesn't matter, and the way back is the mirror of the way there", async () => {
  await fc.assert(
    fc.asyncProperty(some, some, declared, async (a, b, by) => {
      const { diff } = await diffTexts(text(a), text(b), { spec: by });
      const { rows: counts } = diff;
      expect([counts.missing + counts.changed + counts.unchanged, counts.added + counts.changed + counts.unchanged]).toEqual([
        a.length,
        b.length,
      ]);
      const { diff: turned } = await diffTexts(text(a.toReversed()), text(b.toReversed()), { spec: by, memoryBytes: 1 });
      expect(rounded({ ...turned, sameOrder: diff.sameOrder })).toEqual(rounded(diff));
      const { diff: back } = await diffTexts(text(b), text(a), { spec: by });
      expect(sorted(mirrored(seen(back)))).toEqual(sorted(seen(diff)));
    }),
    { numRuns: 100 },
  );
});

/** Means are summed up in the order of rows, and differ in their last digits: of a mean of nothing, in all that there are. */
const rounded = (diff: TableDiff): unknown =>
  JSON.parse(
    JSON.stringify(diff, (_, value: unknown) => {
      if (typeof value !== "number") return value;
      return Math.abs(value) < 1e-12 ? 0 : Number(value.toPrecision(12));
    }),
  );

/** What can be said of either direction. */
function seen({ rows: { before, after, missing, added, changed, unchanged, key }, cells, flips, distributions }: TableDiff) {
  return {
    rows: { before, after, missing, added, changed, unchanged, key },
    cells: cells
      .map(({ column, changed: count, emptied, filled }) => ({ column, count, emptied, filled }))
      .toSorted((x, y) => (x.column < y.column ? -1 : 1)),
    distributions: distributions
      .map(({ column, psi, distance, chance }) => ({ column, numbers: [psi, distance.value, chance].map((value) => value.toFixed(9)) }))
      .toSorted((x, y) => (x.column < y.column ? -1 : 1)),
    flips: flips.filter(({ group }) => Object.keys(group).length === 0).map(({ from, to, rows: count }) => ({ from, to, count })),
  };
}

function mirrored({ rows: counts, cells, flips, ...rest }: ReturnType<typeof seen>): ReturnType<typeof seen> {
  return {
    ...rest,
    rows: { ...counts, before: counts.after, after: counts.before, missing: counts.added, added: counts.missing },
    cells: cells.map((cell) => ({ ...cell, emptied: cell.filled, filled: cell.emptied })),
    flips: flips.map(({ from, to, count }) => ({ from: to, to: from, count })),
  };
}
const sorted = ({ flips, ...rest }: ReturnType<typeof seen>) => ({ ...rest, flips: flips.toSorted((x, y) => (x.from < y.from ? -1 : 1)) });
