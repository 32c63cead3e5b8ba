/** The report as tables of text. */
import type { Bar, DelayRow, FairRow, Report } from "./report.ts";

type Cell = string | number | null;

/** Columns of text; the first one to the left. */
export function table(columns: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const text = rows.map((row) => row.map((cell) => (cell === null ? "–" : typeof cell === "number" ? cell.toLocaleString("en") : cell)));
  const widths = columns.map((column, i) => Math.max(column.length, ...text.map((row) => row[i]?.length ?? 0)));
  const line = (cells: readonly string[]) =>
    cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join("  ");
  return [line(columns), ...text.map(line)].join("\n");
}

const percent = (value: number | null): string => (value === null ? "–" : `${(100 * value).toFixed(value > 0 && value < 0.1 ? 2 : 1)} %`);
const times = (value: number): string => (Number.isFinite(value) ? value.toFixed(2) : "–");
const whole = (value: number): Cell => (Number.isFinite(value) ? Math.round(value) : null);

const fairCells = ({ what, lives, decisions, everRolledBack, rivals, expected }: FairRow): Cell[] => [
  what + (expected === "broken" ? " (breaks the rules)" : ""),
  lives,
  decisions,
  ...everRolledBack.map(({ share }) => percent(share)),
  ...rivals.map(percent),
];
const delayCells = ({ what, budget, lives, bound, median, p90, medianOverBound, p90OverBound, unproven }: DelayRow): Cell[] => [
  what,
  budget,
  lives,
  whole(bound),
  whole(median),
  whole(p90),
  times(medianOverBound),
  times(p90OverBound),
  unproven,
];
const delayColumns = ["harm", "budget or rival", "lives", "bound", "median", "90 %", "median/bound", "90 %/bound", "unproven"];

export function reportText({ seed, seconds, rivals, fair, harm, late, attacks, costs, bars }: Report): string {
  const missed = bars.filter(({ isReached }) => !isReached);
  return [
    `FAIR RELEASES: ever rolled back (seed ${seed})`,
    table(["scenario", "lives", "decisions", "budget 0.05", "0.01", ...rivals.map((_, i) => `rival ${i + 1}`)], fair.map(fairCells)),
    rivals.map((rival, i) => `rival ${i + 1}: ${rival}`).join("\n"),
    "",
    "HARM FROM THE START: decisions to proof (rivals that are quick here roll fair releases back as well, see above)",
    table(delayColumns, harm.map(delayCells)),
    "",
    "HARM THAT BEGINS LATE: decisions from there to proof",
    table(delayColumns, late.map(delayCells)),
    "",
    "ATTACKERS",
    table(["attack", "value", "bar", ""], attacks.map(barCells)),
    "",
    "COSTS (user and system time)",
    table(
      ["what", "value", "at most"],
      costs.map(({ what, value, unit, most }) => [what, `${value.toFixed(2)} ${unit}`, `${most} ${unit}`]),
    ),
    "",
    missed.length === 0
      ? `all ${bars.length} bars reached, ${seconds.toFixed(0)} s`
      : `${missed.length} of ${bars.length} bars missed, ${seconds.toFixed(0)} s:\n${table(["bar", "value", "must be", ""], missed.map(barCells))}`,
  ].join("\n");
}

const barCells = ({ what, value, bar, isReached }: Bar): Cell[] => [what, value.toPrecision(3), bar, isReached ? "ok" : "MISSED"];
