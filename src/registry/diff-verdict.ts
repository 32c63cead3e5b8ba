/** The difference of two versions in sentences. */
import type { Column } from "./cell-types.ts";
import type { Contrast, GroupChange, IndexDiff } from "./dataset-diff.ts";
import { labelWord, type DatasetSpec } from "./dataset-spec.ts";
import { groupText } from "./group-counts.ts";

/** Order and notation matter to trainers that read rows one by one; content is what `tbl:` ids are about. */
export type DiffIdentity = "identical" | "same rows, other order" | "same rows, other notation" | "different";

export interface SchemaChanges {
  readonly added: readonly Column[];
  readonly removed: readonly Column[];
  readonly retyped: readonly { readonly name: string; readonly from: Column["type"]; readonly to: Column["type"] }[];
}

/** Below so many rows, so many standard errors, and so much difference, a finding may be chance or doesn't matter. */
const ROWS_MIN = 30;
const Z_MIN = 4.5;
const DIFFERENCE_MIN = 0.02;

export function verdictOf(identity: DiffIdentity, schema: SchemaChanges, diff: IndexDiff, spec: DatasetSpec): string {
  if (identity === "identical") return "The same file, byte for byte.";
  if (identity === "same rows, other order") return "The same rows in another order.";
  if (identity === "same rows, other notation") return "The same rows in the same order, written in another notation.";
  const sentences = [...schemaSentences(schema), rowSentence(diff)];
  const missing = finding(diff.groups, (change) => change.missingAgainstRest);
  if (missing) sentences.push(findingSentence(missing, spec, missing.change.missing, "are missing"));
  else if (diff.rows.missing > 0 && diff.groups.length > 1) sentences.push("No group stands out among the missing rows.");
  const relabelled = finding(diff.groups, (change) => change.relabelledAgainstRest);
  if (relabelled) sentences.push(findingSentence(relabelled, spec, relabelled.change.relabelled, "have another label"));
  return sentences.join(" ");
}

function schemaSentences({ added, removed, retyped }: SchemaChanges): string[] {
  const names = (columns: readonly Column[]) => columns.map(({ name }) => name).join(", ");
  return [
    ...(added.length > 0 ? [`New columns: ${names(added)}.`] : []),
    ...(removed.length > 0 ? [`Columns gone: ${names(removed)}.`] : []),
    ...retyped.map(({ name, from, to }) => `Column ${name} was ${from} and is ${to}.`),
  ];
}

function rowSentence({ rows }: IndexDiff): string {
  const parts = [
    `${count(rows.missing)} of ${count(rows.before)} rows are missing`,
    ...(rows.by === "key" ? [`${count(rows.changed)} changed`] : []),
    `${count(rows.added)} are new`,
  ];
  return `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}${rows.by === "content" ? " (compared by content, since no key is declared)" : ""}.`;
}

interface Finding {
  readonly change: GroupChange;
  readonly contrast: Contrast;
}

/** The group that stands out most, if any does; of two that do so equally, the one that is named with fewer words. */
function finding(groups: readonly GroupChange[], contrastOf: (change: GroupChange) => Contrast | null): Finding | undefined {
  let best: Finding | undefined;
  for (const change of groups) {
    const contrast = contrastOf(change);
    if (!contrast || change.before < ROWS_MIN || contrast.z < Z_MIN || contrast.rate - contrast.rateOfRest < DIFFERENCE_MIN) continue;
    const isBetter =
      !best ||
      contrast.z > best.contrast.z + 1e-9 ||
      (contrast.z > best.contrast.z - 1e-9 && Object.keys(change.group).length < Object.keys(best.change.group).length);
    if (isBetter) best = { change, contrast };
  }
  return best;
}

function findingSentence({ change, contrast }: Finding, spec: DatasetSpec, affected: number, what: string): string {
  const who = change.label === null ? "rows" : labelWord(spec, change.label);
  const group = groupText(change.group);
  const whose = group === "" ? who : `${who} ${who.startsWith("rows with ") ? "and" : "with"} ${group}`;
  const rest = `of all others ${percent(contrast.rateOfRest)} (${count(contrast.countOfRest)} of ${count(contrast.ofRest)})`;
  return `Of the ${whose}, ${percent(contrast.rate)} (${count(affected)} of ${count(change.before)}) ${what}; ${rest}.`;
}

const count = (value: number) => value.toLocaleString("en-US");

/** Whole percent, and one digit more below ten: a share that isn't 0 is never shown as 0. */
function percent(rate: number): string {
  const value = rate * 100;
  if (value > 0 && value < 0.1) return "less than 0.1 %";
  return `${value < 10 && !Number.isInteger(value) ? value.toFixed(1) : Math.round(value)} %`;
}
