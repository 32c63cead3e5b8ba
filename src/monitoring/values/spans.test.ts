/** Trap 14 of fairness-metrics §15: nobody works out a small cell from any number of windows. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { groupTable, noCounts, type CellCounts } from "./groups.ts";
import { edgeBefore, fewOutcomesIn, hiddenInSpans, isEdge, monthsIn, spansIn, spansOf, type DayCells, type DaySpan } from "./spans.ts";

const K = 10;
const declared = { sex: ["female", "male"], education: ["graduate", "university", "high_school"] };
const sets = [["sex"], ["education"], ["sex", "education"]];
const terms = { declared, sets, k: K };
const dayOf = (text: string) => Date.parse(`${text}T00:00:00Z`) / 86_400_000;
/** A Monday, and a first of the month. */
const START = dayOf("2026-06-01");

const cellOf = (sex: string, education: string, n: number): CellCounts => ({
  cell: `education=${education},sex=${sex}`,
  groups: { sex, education },
  counts: { ...noCounts(), n },
});
const kinds = [...declared.sex, "unknown"].flatMap((sex) =>
  [...declared.education, "unknown"].map((education) => [sex, education] as const),
);

/** Three weeks of a lender: some groups come by hundreds, some by ones and twos, many days are quiet. */
const size = fc.oneof(
  { weight: 3, arbitrary: fc.constant(0) },
  { weight: 3, arbitrary: fc.nat(4) },
  { weight: 4, arbitrary: fc.integer({ min: 5, max: 60 }) },
);
const history = fc
  .array(fc.array(size, { minLength: kinds.length, maxLength: kinds.length }), { minLength: 21, maxLength: 21 })
  .map((days) =>
    days.map((counts, i): DayCells => ({
      day: START + i,
      cells: kinds.flatMap(([sex, education], at) => (counts[at] ? [cellOf(sex, education, counts[at])] : [])),
    })),
  );
const ALL: DaySpan = { fromDay: START, toDay: START + 21 };
const cellsIn = (days: readonly DayCells[], { fromDay, toDay }: DaySpan) =>
  days.filter(({ day }) => day >= fromDay && day < toDay).flatMap(({ cells }) => cells);

test("no sum or difference of whatever was shown, of any windows and tables, is a group of fewer than ten", () => {
  fc.assert(
    fc.property(history, (days) => {
      const spans = spansOf(days, ALL, terms);
      const variable = (span: number, cell: string) =>
        span * kinds.length + kinds.findIndex(([sex, education]) => `education=${education},sex=${sex}` === cell);
      const vectorOf = (from: number, to: number, isIn: (cell: CellCounts) => boolean) => {
        const vector = new Float64Array(spans.length * kinds.length);
        for (let span = from; span < to; span++)
          for (const [sex, education] of kinds) {
            const cell = cellOf(sex, education, 0);
            if (isIn(cell)) vector[variable(span, cell.cell)] = 1;
          }
        return vector;
      };
      const known = new RowSpace();
      const secrets: Float64Array[] = [];
      for (const [from, first] of spans.entries())
        for (const [to, last] of spans.entries()) {
          if (to < from) continue;
          // As a reader asks: by days, of which what lies in no whole stretch is left out.
          const window = { fromDay: first.fromDay, toDay: last.toDay };
          const hidden = hiddenInSpans(days, spansIn(spans, window), terms);
          const cells = cellsIn(days, window);
          for (const set of [[], ...sets])
            for (const { group, isKnown, counts } of groupTable(cells, declared, set).rows) {
              const isIn = ({ groups }: CellCounts) =>
                isKnown ? set.every((name) => groups[name] === group[name]) : set.some((name) => groups[name] === "unknown");
              const vector = vectorOf(from, to + 1, isIn);
              const isHidden = set.length === 0 ? hidden.total : hidden.groups(group);
              if (!isHidden) known.add(vector);
              if (counts.n > 0 && counts.n < K) {
                expect(isHidden).toBe(true);
                secrets.push(vector);
              }
            }
        }
      for (const secret of secrets) expect(known.has(secret)).toBe(false);
    }),
    { numRuns: 12 },
  );
});

test("stretches don't depend on which window is asked for, follow each other, and end with every week", () => {
  fc.assert(
    fc.property(history, fc.nat(20), fc.nat(20), (days, a, b) => {
      const spans = spansOf(days, ALL, terms);
      expect(spans[0]?.fromDay).toBe(START);
      for (const [i, { fromDay, toDay }] of spans.entries()) {
        if (i > 0) expect(fromDay).toBe(spans[i - 1]?.toDay);
        const cells = cellsIn(days, { fromDay, toDay });
        const isSmall = Object.keys(declared).some((name) =>
          groupTable(cells, declared, [name]).rows.some(({ counts: { n } }) => n > 0 && n < K),
        );
        if (isSmall) expect(isEdge(toDay)).toBe(true);
      }
      const asked = { fromDay: START + Math.min(a, b), toDay: START + Math.max(a, b) };
      const again = spansOf(days, { fromDay: edgeBefore(asked.fromDay), toDay: asked.toDay }, terms);
      expect(spansIn(again, asked)).toEqual(spansIn(spans, asked));
    }),
    { numRuns: 100 },
  );
});

test("a day with three people joins the days after it, and is told with them or not at all", () => {
  const day = (at: number, women: number, men: number): DayCells => ({
    day: START + at,
    cells: [cellOf("female", "graduate", women), cellOf("male", "graduate", men)],
  });
  const quiet = [day(0, 50, 60), day(1, 3, 40), day(2, 4, 30), day(3, 20, 30), day(4, 2, 30)];
  const shape = (days: readonly DayCells[], toDay: number) =>
    spansOf(days, { fromDay: START, toDay: START + toDay }, terms).map((span) => [span.fromDay - START, span.toDay - START]);
  expect(shape(quiet, 5)).toEqual([
    [0, 1],
    [1, 4],
  ]);
  // Two women until the week is over: then they are hidden, with whoever would give them away.
  expect(shape(quiet, 8)).toEqual([
    [0, 1],
    [1, 4],
    [4, 7],
    [7, 8],
  ]);
  const hidden = hiddenInSpans(quiet, spansOf(quiet, { fromDay: START, toDay: START + 7 }, terms), terms);
  expect([hidden.groups({ sex: "female" }), hidden.groups({ sex: "male" }), hidden.total]).toEqual([true, true, false]);
});

test("weeks and months both end stretches, so that reports on either are sums of them", () => {
  expect([dayOf("2026-11-30"), dayOf("2026-12-01"), dayOf("2026-12-07")].every(isEdge)).toBe(true);
  expect(isEdge(dayOf("2026-12-02"))).toBe(false);
  expect(edgeBefore(dayOf("2026-12-06"))).toBe(dayOf("2026-12-01"));
  const span = (from: string, to: string) => ({ fromDay: dayOf(from), toDay: dayOf(to) });
  expect(monthsIn([span("2026-10-26", "2026-11-01"), span("2026-11-01", "2026-11-30"), span("2026-11-30", "2026-12-01")])).toEqual([
    span("2026-11-01", "2026-12-01"),
  ]);
  expect(monthsIn([])).toEqual([]);
});

test("outcomes that are few in one month are hidden of all months together", () => {
  const lent = (at: string, tp: number): DayCells => ({
    day: dayOf(at),
    cells: [{ ...cellOf("female", "graduate", 100), counts: { ...noCounts(), n: 100, x: 80, tp, fp: 20 } }],
  });
  const months = [
    { fromDay: dayOf("2026-06-01"), toDay: dayOf("2026-07-01") },
    { fromDay: dayOf("2026-07-01"), toDay: dayOf("2026-08-01") },
  ];
  expect(fewOutcomesIn([lent("2026-06-03", 50), lent("2026-07-03", 50)], months, terms).size).toBe(0);
  expect(fewOutcomesIn([lent("2026-06-03", 50), lent("2026-07-03", 4)], months, terms).size).toBeGreaterThan(0);
});

/** What can be worked out by adding and subtracting. */
class RowSpace {
  readonly #rows = new Map<number, Float64Array>();

  add(vector: Float64Array): void {
    const left = this.#reduced(vector);
    const pivot = left.findIndex((x) => Math.abs(x) > 1e-9);
    if (pivot < 0) return;
    const by = left[pivot] ?? 1;
    this.#rows.set(
      pivot,
      left.map((x) => x / by),
    );
  }
  has(vector: Float64Array): boolean {
    return this.#reduced(vector).every((x) => Math.abs(x) < 1e-9);
  }
  #reduced(vector: Float64Array): Float64Array {
    const left = vector.slice();
    for (let at = 0; at < left.length; at++) {
      const [x, row] = [left[at] ?? 0, this.#rows.get(at)];
      if (Math.abs(x) < 1e-9 || !row) continue;
      for (let i = at; i < left.length; i++) left[i] = (left[i] ?? 0) - x * (row[i] ?? 0);
    }
    return left;
  }
}
