/** The difference of two versions in sentences, each with what it is about. */
import type { Column } from "./cell-types.ts";
import type { ColumnChange, RowChanges, TableDiff } from "./dataset-diff.ts";
import type { DatasetSpec } from "./dataset-spec.ts";
import { PSI_MIN } from "./diff-distributions.ts";
import type { Contrast, Group } from "./diff-groups.ts";
import type { SchemaChanges } from "./diff-schema.ts";
import { groupText } from "./group-counts.ts";
import { count, differentialText, labelText, patternText, percent, rateText, rowsText, shiftText, whose } from "./diff-sentences.ts";

/** Order and notation matter to trainers that read rows one by one; content is what `tbl:` ids are about. */
export type DiffIdentity = "identical" | "same rows, other order" | "same rows, other notation" | "different";

export interface DiffFinding {
  readonly kind: "identity" | "schema" | "rows" | "missing" | "added" | "labels" | "cells" | "distribution" | "groups";
  /** Whom it concerns more than others; null where that can't be said of anybody. */
  readonly group: Group | null;
  readonly columns: readonly string[];
  readonly text: string;
}

/** Below so many rows, so many standard errors, and so much difference, a finding may be chance or doesn't matter. */
const ROWS_MIN = 30;
const Z_MIN = 4.5;
const DIFFERENCE_MIN = 0.02;
/** Of columns with changed cells, so many are told one by one. */
const COLUMNS_TOLD = 6;

export interface Told {
  readonly identity: DiffIdentity;
  readonly schema: SchemaChanges;
  readonly diff: Omit<TableDiff, "sameOrder" | "renamed">;
  readonly spec: DatasetSpec;
}

export const verdictOf = (findings: readonly DiffFinding[]): string => findings.map(({ text }) => text).join(" ");

export function findingsOf(told: Told): DiffFinding[] {
  const { identity, schema, diff } = told;
  if (identity !== "different") return [{ kind: "identity", group: null, columns: [], text: sameText[identity] }];
  return [
    ...schemaFindings(schema),
    rowFinding(diff.rows),
    ...missingFindings(told),
    ...labelFindings(told),
    ...cellFindings(told),
    ...shiftFindings(told),
    ...differentialFindings(told),
  ];
}

const sameText = {
  identical: "The same file, byte for byte.",
  "same rows, other order": "The same rows in another order.",
  "same rows, other notation": "The same rows in the same order, written in another notation.",
} as const satisfies Record<Exclude<DiffIdentity, "different">, string>;

function schemaFindings({ added, removed, renamed, retyped, emptied }: SchemaChanges): DiffFinding[] {
  const names = (columns: readonly Column[]) => columns.map(({ name }) => name);
  const said = (columns: readonly string[], text: string): DiffFinding => ({ kind: "schema", group: null, columns, text });
  return [
    ...(added.length > 0 ? [said(names(added), `New columns: ${names(added).join(", ")}.`)] : []),
    ...(removed.length > 0 ? [said(names(removed), `Columns gone: ${names(removed).join(", ")}.`)] : []),
    ...renamed.map(({ from, to, equal }) =>
      said([from, to], `Column ${from} is now called ${to}${equal < 1 ? ` (${(equal * 100).toFixed(1)} % of its cells are equal)` : ""}.`),
    ),
    ...retyped.map(({ name, from, to }) => said([name], `Column ${name} was ${from} and is ${to}.`)),
    ...emptied.map(({ name, before, after }) =>
      said(
        [name],
        before === 0
          ? `Column ${name} was never empty and is in ${rowsText(after)}.`
          : `Column ${name} was empty in ${rowsText(before)} and never is now.`,
      ),
    ),
  ];
}

function rowFinding(rows: RowChanges): DiffFinding {
  const parts = [
    `${count(rows.missing)} of ${count(rows.before)} rows are missing`,
    ...(rows.key ? [`${count(rows.changed)} changed`] : []),
    `${count(rows.added)} are new`,
  ];
  const text = `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}${keyText(rows)}.`;
  const { keys } = rows.duplicates;
  const several = keys > 0 ? ` ${count(keys)} ${keys === 1 ? "key names" : "keys name"} more than one row.` : "";
  return { kind: "rows", group: null, columns: rows.key?.columns ?? [], text: text + several };
}

function keyText({ key }: RowChanges): string {
  if (!key) return " (compared by content, since nothing names a row)";
  return key.source === "proposed" ? ` (compared by ${key.columns.join(", ")}, which is different in every row)` : "";
}

function missingFindings({ diff, spec }: Pick<Told, "diff" | "spec">): DiffFinding[] {
  const { groups, rows } = diff;
  // Without a key, rows of different people meet where they happen to be alike. Where most don't, that says nothing of those who are gone.
  if (!rows.key && rows.unchanged * 2 < Math.max(rows.before, rows.after)) return [];
  const missing = standingOut(
    groups.filter(({ before }) => before >= ROWS_MIN),
    ({ missingAgainstRest }) => missingAgainstRest,
  );
  const added = standingOut(
    groups.filter(({ after }) => after >= ROWS_MIN),
    ({ addedAgainstRest }) => addedAgainstRest,
  );
  const found: DiffFinding[] = [];
  if (missing)
    found.push({
      kind: "missing",
      group: whomOf(missing.of.group),
      columns: [],
      text: rateText(whose(missing.of, spec), { ...missing, count: missing.of.missing, total: missing.of.before }, "are missing"),
    });
  else if (rows.missing > 0 && groups.length > 1)
    found.push({ kind: "missing", group: null, columns: [], text: "No group stands out among the missing rows." });
  if (added)
    found.push({
      kind: "added",
      group: whomOf(added.of.group),
      columns: [],
      text: rateText(whose(added.of, spec), { ...added, count: added.of.added, total: added.of.after }, "are new"),
    });
  else if (rows.added > 0 && rows.before > 0 && groups.length > 1)
    found.push({ kind: "added", group: null, columns: [], text: "No group stands out among the new rows." });
  return found;
}

function labelFindings({ diff, spec }: Pick<Told, "diff" | "spec">): DiffFinding[] {
  const flips = diff.flips.filter(({ of }) => of >= ROWS_MIN);
  const best = standingOut(flips, ({ againstRest }) => againstRest);
  const columns = spec.label ? [spec.label.column] : [];
  if (best) {
    const { of: flip } = best;
    const who = whose({ group: flip.group, label: flip.from }, spec);
    const text = rateText(who, { ...best, count: flip.rows, total: flip.of }, `are now labelled ${labelText(spec, flip.to)}`);
    return [{ kind: "labels", group: whomOf(flip.group), columns, text }];
  }
  const everybody = diff.flips.filter(({ group }) => Object.keys(group).length === 0);
  if (everybody.length === 0) return [];
  const turned = everybody.map(
    ({ from, to, rows, of }) => `${count(rows)} of ${count(of)} from ${labelText(spec, from)} to ${labelText(spec, to)}`,
  );
  const nobody = diff.groups.some(({ group }) => Object.keys(group).length > 0) ? "; no group stands out" : "";
  return [{ kind: "labels", group: null, columns, text: `Labels changed: ${turned.join(", ")}${nobody}.` }];
}

function cellFindings({ diff, spec }: Pick<Told, "diff" | "spec">): DiffFinding[] {
  const told = diff.cells.filter(
    ({ column, emptied, filled, changed }) => column !== spec.label?.column || diff.flips.length === 0 || emptied + filled > changed / 2,
  );
  const partners = new Set<string>();
  const found = told.flatMap((change): DiffFinding[] => {
    const swap = change.patterns.find((pattern) => pattern.kind === "swapped");
    if (swap?.kind === "swapped") {
      if (partners.has(change.column)) return [];
      partners.add(swap.with);
    }
    return [cellFinding(change)];
  });
  const rest = found.slice(COLUMNS_TOLD);
  if (rest.length === 0) return found;
  const text = `${rest.length === 1 ? "1 more column has" : `${rest.length} more columns have`} changed cells.`;
  return [...found.slice(0, COLUMNS_TOLD), { kind: "cells", group: null, columns: rest.flatMap(({ columns }) => columns), text }];
}

function cellFinding(change: ColumnChange): DiffFinding {
  const { column, changed, emptied, filled, patterns } = change;
  const only = patterns.length === 1 ? patterns[0] : undefined;
  const what =
    only && only.rows === changed
      ? `${patternText(column, only)} in ${rowsText(changed)}`
      : [
          `${column} changed in ${rowsText(changed)}`,
          ...(emptied > 0 ? [`${count(emptied)} now empty`] : []),
          ...(filled > 0 ? [`${count(filled)} no longer empty`] : []),
          ...patterns.slice(0, 3).map((pattern) => `${patternText("", pattern)} for ${count(pattern.rows)}`),
        ].join(", ");
  const best = standingOut(
    change.groups.filter(({ of }) => of >= ROWS_MIN),
    ({ againstRest }) => againstRest,
  );
  const columns = [column, ...patterns.flatMap((pattern) => (pattern.kind === "swapped" ? [pattern.with] : []))];
  if (!best) return { kind: "cells", group: null, columns, text: `${what}.` };
  const { count: some, of, group } = best.of;
  const whom = `${percent(best.contrast.rate)} of those with ${groupText(group)} (${count(some)} of ${count(of)}), of all others ${percent(best.contrast.rateOfRest)}`;
  return { kind: "cells", group, columns, text: `${what}: ${whom}.` };
}

/** Columns whose values moved, unless changed cells have said so. */
function shiftFindings({ diff, spec }: Told): DiffFinding[] {
  // What names rows is different in each; new rows have new names.
  const unsaid = [...(spec.label ? [spec.label.column] : []), ...(diff.rows.key?.columns ?? [])];
  const isTold = new Set([...diff.cells.map(({ column }) => column), ...unsaid]);
  const shifted = diff.distributions.filter(({ column, isShifted }) => isShifted && !isTold.has(column));
  const said = (columns: readonly string[], text: string): DiffFinding => ({ kind: "distribution", group: null, columns, text });
  const codes = diff.distributions.flatMap(({ column, newValues, goneValues }) => [
    ...(newValues?.length ? [said([column], `${column} has values that it never had: ${newValues.slice(0, 5).join(", ")}.`)] : []),
    ...(goneValues?.length ? [said([column], `${column} no longer has the values ${goneValues.slice(0, 5).join(", ")}.`)] : []),
  ]);
  const rest = shifted.slice(COLUMNS_TOLD).map(({ column }) => column);
  return [
    ...shifted.slice(0, COLUMNS_TOLD).map((one) => said([one.column], shiftText(one))),
    ...(rest.length > 0 ? [said(rest, `${rest.length} more columns moved: ${rest.slice(0, 5).join(", ")}.`)] : []),
    ...codes.filter(({ columns }) => !isTold.has(columns[0] ?? "")).slice(0, COLUMNS_TOLD),
  ];
}

/** What moved in one group alone, where rows, labels and cells haven't named anybody. */
function differentialFindings({ diff, spec }: Told): DiffFinding[] {
  const { missing, added, changed, duplicates } = diff.rows;
  if (missing + added + changed === 0 && duplicates.keys === 0) return [];
  const ofRows = [...missingFindings({ diff, spec }), ...labelFindings({ diff, spec })];
  const named = [...ofRows, ...cellFindings({ diff, spec })];
  if (named.some(({ group }) => group !== null)) return [];
  const best = diff.differentials.find(
    ({ z, differential, change, changeOfRest, measure, column }) =>
      !diff.rows.key?.columns.includes(column ?? "") &&
      Math.abs(z) >= Z_MIN &&
      (measure === "values" ? change >= 2 * changeOfRest && differential >= PSI_MIN : Math.abs(differential) >= DIFFERENCE_MIN),
  );
  // That nobody stands out is said once.
  const isSilent = ofRows.length > 0 || diff.groups.length < 2;
  if (!best) return isSilent ? [] : [{ kind: "groups", group: null, columns: [], text: "No group moved otherwise than all others." }];
  return [{ kind: "groups", group: best.group, columns: best.column === null ? [] : [best.column], text: differentialText(best, spec) }];
}

interface StandingOut<T> {
  readonly of: T;
  readonly contrast: Contrast;
}

/** The group that stands out most, if any does; of two that do so equally, the one that is named with fewer words. */
function standingOut<T extends { readonly group: Group }>(
  all: readonly T[],
  contrastOf: (one: T) => Contrast | null,
): StandingOut<T> | undefined {
  let best: StandingOut<T> | undefined;
  for (const one of all) {
    const contrast = contrastOf(one);
    if (!contrast || contrast.z < Z_MIN || contrast.rate - contrast.rateOfRest < DIFFERENCE_MIN) continue;
    const isBetter =
      !best ||
      contrast.z > best.contrast.z + 1e-9 ||
      (contrast.z > best.contrast.z - 1e-9 && Object.keys(one.group).length < Object.keys(best.of.group).length);
    if (isBetter) best = { of: one, contrast };
  }
  return best;
}

/** Everybody of one label is no group. */
const whomOf = (group: Group): Group | null => (Object.keys(group).length > 0 ? group : null);
