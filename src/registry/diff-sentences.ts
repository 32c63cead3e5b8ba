/** Parts of the sentences in which differences are told. */
import { labelWord, type DatasetSpec } from "./dataset-spec.ts";
import type { Differential } from "./diff-differentials.ts";
import type { Distribution } from "./diff-distributions.ts";
import type { Contrast, GroupChange, LabelFlip } from "./diff-groups.ts";
import type { CellPattern } from "./diff-patterns.ts";
import { groupText } from "./group-counts.ts";
import { unreachable } from "../std.ts";

/** A change of the share of empty cells that is worth a word. */
const EMPTY_TOLD_MIN = 0.02;

/** @param column - in front of it; none within a sentence */
export function patternText(column: string, pattern: CellPattern): string {
  const of = column === "" ? "" : `${column} is `;
  switch (pattern.kind) {
    case "factor":
      return `${of}x ${pattern.factor}`;
    case "offset":
      return `${of}${column === "" ? "" : "shifted by "}${pattern.offset > 0 ? "+" : ""}${pattern.offset}`;
    case "swapped":
      return `${of}swapped with ${pattern.with}`;
    case "constant":
      return `${of}now always ${JSON.stringify(pattern.value)}`;
    case "was-constant":
      return `${of}no longer ${JSON.stringify(pattern.value)}`;
    case "replaced":
      return `${of}${JSON.stringify(pattern.to)} instead of ${JSON.stringify(pattern.from)}`;
    case "zeros-trimmed":
      return `${of}without its zeros`;
    case "zeros-added":
      return `${of}with more zeros`;
    case "case":
      return `${of}in other letter case`;
    case "whitespace":
      return `${of}with other white space`;
    case "fewer-decimals":
      return `${of}rounded`;
    case "more-decimals":
      return `${of}with more decimals`;
    default:
      return unreachable(pattern);
  }
}

export function shiftText({ column, before, after, psi, chance }: Distribution): string {
  const [x, y] = [before.quantiles["0.5"], after.quantiles["0.5"]];
  const [emptyBefore, emptyAfter] = [before.empty / Math.max(1, before.rows), after.empty / Math.max(1, after.rows)];
  const parts = [
    `PSI ${psi.toFixed(2)}`,
    ...(x !== undefined && y !== undefined ? [`median ${short(x)} before and ${short(y)} now`] : []),
    ...(Math.abs(emptyBefore - emptyAfter) >= EMPTY_TOLD_MIN
      ? [`empty in ${percent(emptyBefore)} before and ${percent(emptyAfter)} now`]
      : []),
    chance < 0.001 ? "by chance in less than 1 of 1,000 such comparisons" : `by chance in ${percent(chance)} of such comparisons`,
  ];
  return `${column} is distributed otherwise: ${parts.join(", ")}.`;
}

export function differentialText(
  { group, measure, column, label, before, after, change, changeOfRest }: Differential,
  spec: DatasetSpec,
): string {
  const whom = groupText(group);
  const points = (value: number) => `${value > 0 ? "+" : ""}${(value * 100).toFixed(1)} points`;
  switch (measure) {
    case "share":
      return `${percent(before)} of the rows were of ${whom}, ${percent(after)} are now.`;
    case "label":
      return `Of the rows with ${whom}, ${percent(before)} were ${labelText(spec, label ?? "")} and ${percent(after)} are now (${points(change)}; all others ${points(changeOfRest)}).`;
    case "empty":
      return `${column} was empty in ${percent(before)} of the rows with ${whom} and is in ${percent(after)} now (${points(change)}; all others ${points(changeOfRest)}).`;
    case "values":
      return `${column} is distributed otherwise among ${whom}: PSI ${change.toFixed(2)}, among all others ${changeOfRest.toFixed(2)}.`;
    default:
      return unreachable(measure);
  }
}

export function whose({ group, label }: Pick<GroupChange, "group" | "label">, spec: DatasetSpec): string {
  const who = label === null ? "rows" : labelWord(spec, label);
  const of = groupText(group);
  return of === "" ? who : `${who} ${who.startsWith("rows with ") ? "and" : "with"} ${of}`;
}

/** `defaulters` where there is a word, else the code. */
export function labelText(spec: DatasetSpec, code: LabelFlip["to"]): string {
  const word = labelWord(spec, code);
  return word.startsWith("rows with ") ? code : word;
}

export function rateText(
  who: string,
  { contrast, ...part }: { readonly contrast: Contrast; readonly count: number; readonly total: number },
  what: string,
): string {
  const rest = `of all others ${percent(contrast.rateOfRest)} (${count(contrast.countOfRest)} of ${count(contrast.ofRest)})`;
  return `Of the ${who}, ${percent(contrast.rate)} (${count(part.count)} of ${count(part.total)}) ${what}; ${rest}.`;
}

export const count = (value: number) => value.toLocaleString("en-US");
const short = (value: number) => Number(value.toPrecision(4)).toLocaleString("en-US", { maximumSignificantDigits: 4 });
export const rowsText = (rows: number) => `${count(rows)} ${rows === 1 ? "row" : "rows"}`;

/** Whole percent, and one digit more below ten: a share that isn't 0 is never shown as 0. */
export function percent(rate: number): string {
  const value = rate * 100;
  if (value > 0 && value < 0.1) return "less than 0.1 %";
  return `${value < 10 && !Number.isInteger(value) ? value.toFixed(1) : Math.round(value)} %`;
}
