/** How columns are spread by group, as a terminal shows it. */
import type { SketchesView } from "../api/index.ts";
import { percent } from "./format.ts";
import { styled, table, type Io } from "./io.ts";

type Sketch = SketchesView["columns"][number]["all"];

/** Quantiles are at equal shares from 0 to 1. */
const at = (quantiles: readonly number[], share: number): string => shortNumber(quantiles[Math.round((quantiles.length - 1) * share)] ?? 0);
const shortNumber = (value: number): string => String(Number(value.toPrecision(6)));
/** Values that are rarer than this say nothing of a column. */
const SHARE_SHOWN = 0.01;

function lineOf(name: string, group: string, sketch: Sketch): (string | number)[] {
  const { rows, empty, distinct, isCounted, numbers, frequent } = sketch;
  const shown = frequent.filter(({ count }) => count >= rows * SHARE_SHOWN).slice(0, 3);
  return [
    name,
    group,
    rows,
    rows === 0 ? "–" : percent(empty / rows),
    `${isCounted ? "" : "≈ "}${distinct.toLocaleString("en")}`,
    ...(numbers
      ? [at(numbers.quantiles, 0.1), at(numbers.quantiles, 0.5), at(numbers.quantiles, 0.9), shortNumber(numbers.mean)]
      : ["", "", "", ""]),
    shown.map(({ value, count }) => `${value} ${percent(count / rows)}`).join(", "),
  ];
}

/** Each column in all rows, and then in each group of some attributes. */
export function sketchesText(io: Io, { dataset, number, isByGroup, columns }: SketchesView, by: readonly string[]): string {
  const lines = columns.flatMap(({ name, all, groups }) => [
    lineOf(name, "all", all),
    ...groups
      .filter(({ attribute }) => by.includes(attribute))
      .map(({ attribute, group, sketch }) => lineOf("", `${attribute} ${group}`, sketch)),
  ]);
  const head = ["column", "group", "rows", "empty", "distinct", "10 %", "median", "90 %", "mean", "frequent"];
  const known = new Set(columns.flatMap(({ groups }) => groups.map(({ attribute }) => attribute)));
  const strange = isByGroup ? by.filter((attribute) => !known.has(attribute)) : [];
  const notes = [
    ...(isByGroup ? [] : ["no groups: none are declared, they are too many for the columns, or shown to readers with protected:read only"]),
    ...strange.map((attribute) => `no attribute "${attribute}" is declared; there are ${[...known].join(", ")}`),
  ];
  return [styled(io, "bold", `${dataset}/${number}`), table(io, head, lines), ...notes.map((note) => styled(io, "dim", note))].join("\n");
}
