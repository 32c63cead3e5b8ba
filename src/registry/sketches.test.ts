/** Sketches: what they promise of merging, order, memory and error. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { ColumnSketch } from "./column-sketch.ts";
import type { DatasetSpec } from "./dataset-spec.ts";
import { DistinctSketch, ValueHash } from "./distinct-sketch.ts";
import { Moments } from "./moments.ts";
import { viewOf } from "./raw-row.ts";
import { RowSample } from "./row-sample.ts";
import { readTable, type TableFacts } from "./table-facts.ts";
import { bytesInMemory } from "./table-file.ts";

/** Tables of tests are small: nothing is ever written there. */
const NO_SPILL = "/nowhere";

async function factsOf(lines: readonly string[], spec: DatasetSpec = {}): Promise<TableFacts> {
  const read = await readTable({ format: "csv", files: [bytesInMemory(Buffer.from(lines.join("\n")))] }, spec, NO_SPILL);
  if (!read.ok) throw new Error(JSON.stringify(read.error));
  return read.value.facts;
}

function distinctOf(values: Iterable<string>): DistinctSketch {
  const [sketch, hash] = [new DistinctSketch(), new ValueHash()];
  for (const value of values) {
    const bytes = Buffer.from(value);
    hash.of(viewOf(bytes), 0, bytes.length);
    sketch.add(hash.high, hash.low);
  }
  return sketch;
}
const merged = (...sketches: readonly DistinctSketch[]) => {
  const all = new DistinctSketch();
  for (const sketch of sketches) all.merge(sketch);
  return all;
};

test("sketches of parts, merged in any order and grouping, are the sketch of the whole", () => {
  const part = fc.array(fc.integer({ min: 0, max: 5000 }).map(String), { maxLength: 400 });
  fc.assert(
    fc.property(part, part, part, (a, b, c) => {
      const [x, y, z] = [a, b, c].map(distinctOf);
      if (!x || !y || !z) throw new Error("there are three");
      const whole = distinctOf([...c, ...a, ...b]);
      expect(merged(merged(x, y), z)).toEqual(whole);
      expect(merged(x, merged(z, y))).toEqual(whole);
    }),
  );
});

test("the number of values is near, whether they are few or many and however they look", () => {
  const kinds: readonly ((i: number) => string)[] = [String, (i) => `customer-${i}`, (i) => String(i * 0.37), (i) => String(i * 1024)];
  for (const kind of kinds) {
    for (const count of [1, 10, 1000, 5000, 20_000, 200_000]) {
      const values = Array.from({ length: count }, (_, i) => kind(i));
      const estimate = distinctOf([...values, ...values.slice(0, 100)]).estimate();
      // Four standard errors.
      expect(Math.abs(estimate - count) / count).toBeLessThan(0.1);
    }
  }
});

test("moments of parts add up to those of the whole", () => {
  const numbers = fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { maxLength: 50 });
  fc.assert(
    fc.property(numbers, numbers, (a, b) => {
      const of = (values: readonly number[]) => {
        const moments = new Moments();
        for (const value of values) moments.add(value);
        return moments;
      };
      const [sum, whole] = [of(a), of([...a, ...b])];
      sum.merge(of(b));
      expect(sum).toMatchObject({ count: whole.count, min: whole.min, max: whole.max });
      expect(sum.mean).toBeCloseTo(whole.mean, 3);
      expect(Math.abs(sum.variance - whole.variance)).toBeLessThan(1e-6 * (1 + whole.variance));
    }),
  );
});

test("a sample holds no more than it may, and is the same in whatever order rows come", () => {
  const row = fc.record({ hash: fc.nat(2 ** 31 - 1).map((bits) => bits / 2 ** 31), group: fc.nat(3) });
  fc.assert(
    fc.property(
      fc.array(row, { maxLength: 300 }),
      fc.integer({ min: 2, max: 40 }),
      fc.integer({ min: 2, max: 10 }),
      (rows, limit, groupLimit) => {
        const sampleOf = (list: typeof rows) => {
          const sample = new RowSample({ numbers: 1, texts: 0, attributes: 1, limit, groupLimit });
          for (const { hash, group } of list) {
            const slots = Int32Array.of(group);
            if (sample.takes(hash, slots)) sample.add(hash, slots, Float64Array.of(hash), []);
          }
          return [undefined, 0, 1, 2, 3].map((slot) => sample.numbers(0, slot));
        };
        const found = sampleOf(rows);
        for (const [i, { values, isWhole }] of found.entries()) {
          const most = i === 0 ? limit : groupLimit;
          const own = i === 0 ? rows : rows.filter(({ group }) => group === i - 1);
          // Rows of one hash are in it or not together.
          const distinct = new Set(own.map(({ hash }) => hash)).size === own.length;
          if (distinct) expect(values.length).toBeLessThanOrEqual(most);
          if (own.length <= most) expect({ isWhole, rows: values.length }).toEqual({ isWhole: true, rows: own.length });
        }
        const sorted = (list: typeof found) => list.map((one) => ({ ...one, values: one.values.toSorted((a, b) => a - b) }));
        expect(sorted(sampleOf(rows.toReversed()))).toEqual(sorted(found));
      },
    ),
  );
});

const people = (count: number) =>
  Array.from(
    { length: count },
    (_, i) =>
      `${i},${i % 3 === 0 ? "f" : "m"},${["a", "b", "c", "d"][(i >> 1) % 4]},${i % 5 === 0 ? "" : (i * 7919) % 100_003},x${i % 1500}`,
  );
const spec: DatasetSpec = { key: ["id"], protected: [{ column: "sex" }, { column: "edu" }] };
const header = "id,sex,edu,amount,code";

test("sketches of groups are those of a table of the group's rows", async () => {
  const rows = people(6000);
  const { sketches } = await factsOf([header, ...rows], spec);
  const women = await factsOf([header, ...rows.filter((row) => row.split(",")[1] === "f")], spec);
  expect(sketches.isByGroup).toBe(true);
  for (const [i, { groups }] of sketches.columns.entries()) {
    expect(groups.map(({ attribute, group }) => `${attribute} ${group}`).toSorted()).toEqual([
      "edu a",
      "edu b",
      "edu c",
      "edu d",
      "sex f",
      "sex m",
    ]);
    const ofWomen = groups.find(({ group }) => group === "f")?.sketch;
    const { numbers, ...alone }: ColumnSketch = women.sketches.columns[i]?.all ?? { ...missing };
    // What a table has few values of is counted in it, and not in a larger one.
    expect(ofWomen).toMatchObject({ rows: alone.rows, empty: alone.empty });
    expect(Math.abs((ofWomen?.distinct ?? 0) - alone.distinct)).toBeLessThanOrEqual(alone.distinct * 0.1);
    if (!numbers) continue;
    expect(ofWomen?.numbers?.mean).toBeCloseTo(numbers.mean, 6);
    expect(ofWomen?.numbers?.quantiles).toEqual(numbers.quantiles.filter((_, share) => share % 5 === 0));
  }
});
const missing: ColumnSketch = { rows: 0, empty: 0, distinct: 0, isCounted: true, isWhole: true, numbers: null, frequent: [] };

test("the same rows in another order have the same sketches, but for the last digits of means", async () => {
  const rows = people(3000);
  const rounded = (facts: TableFacts) =>
    JSON.parse(JSON.stringify(facts.sketches), (_key, value: unknown) =>
      typeof value === "number" ? Number(value.toPrecision(9)) : value,
    ) as unknown;
  const byName = (value: ReturnType<typeof rounded>) => JSON.stringify(value).length;
  const [one, other] = [await factsOf([header, ...rows], spec), await factsOf([header, ...rows.toReversed()], spec)];
  expect(byName(rounded(one))).toBe(byName(rounded(other)));
  expect(await factsOf([header, ...rows], spec)).toEqual(one);
});

test("where combinations of groups are too many, groups are still told apart; where groups are, the table is still counted", async () => {
  const columns = Array.from({ length: 150 }, (_, i) => `c${i}`);
  const wide = (groups: number, i: number) => [i % groups, (i * 7) % (groups - 1), ...columns.map((_, at) => (i + at) % 11)].join(",");
  const of = async (groups: number) => {
    const lines = Array.from({ length: 400 }, (_, i) => wide(groups, i));
    return factsOf([["a", "b", ...columns].join(","), ...lines], { protected: [{ column: "a" }, { column: "b" }] });
  };
  const some = await of(12);
  expect(some.sketches.isByGroup).toBe(true);
  expect(some.sketches.columns[5]?.groups).toHaveLength(23);
  expect(
    some.sketches.columns[5]?.groups.filter(({ attribute }) => attribute === "a").reduce((sum, { sketch }) => sum + sketch.rows, 0),
  ).toBe(400);
  const many = await of(40);
  expect(many.sketches).toMatchObject({ isByGroup: false });
  expect(many.sketches.columns[5]?.all).toMatchObject({ rows: 400, distinct: 11, isCounted: true });
  expect(many.columns[5]).toMatchObject({ distinct: 11, empty: 0 });
});

test("frequent values of a column with many values are found with about how often they come", async () => {
  const rows = Array.from({ length: 120_000 }, (_, i) => (i % 4 === 0 ? "Springfield" : `town ${(i * 31) % 90_001}`));
  const { sketches } = await factsOf(["town", ...rows]);
  const [first, ...rest] = sketches.columns[0]?.all.frequent ?? [];
  expect(first?.value).toBe("Springfield");
  expect(Math.abs((first?.count ?? 0) - 30_000)).toBeLessThan(1500);
  expect(rest).toEqual([]);
});
