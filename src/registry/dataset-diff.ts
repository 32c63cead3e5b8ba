/** What differs between two versions of a table, and whom it concerns. Pure: two indexes in, one report out. */
import { attributeSets, groupText, groupWithin, type GroupCell } from "./group-counts.ts";
import { HASH_BYTES } from "./row-hash.ts";
import type { TableIndex } from "./table-scan.ts";

export interface RowChanges {
  /** By content where no key is declared: then a changed row is one that is missing and one that is new. */
  readonly by: "key" | "content";
  readonly before: number;
  readonly after: number;
  readonly missing: number;
  readonly added: number;
  readonly changed: number;
  readonly unchanged: number;
}

/** What happened to the rows of a group, or of a group that have one label. */
export interface GroupChange {
  /** Empty for everybody. */
  readonly group: Readonly<Record<string, string>>;
  /** null for rows of any label, and without. */
  readonly label: string | null;
  readonly before: number;
  readonly after: number;
  readonly missing: number;
  readonly added: number;
  /** Rows with the same key whose label is another one now. */
  readonly relabelled: number;
  /** Share of the label in the group; null for `label: null` and for nobody. */
  readonly shareBefore: number | null;
  readonly shareAfter: number | null;
  /** Of `before`, against all other rows of the version before: `z` in standard errors, null where there are no others. */
  readonly missingAgainstRest: Contrast | null;
  readonly relabelledAgainstRest: Contrast | null;
}
export interface Contrast {
  readonly rate: number;
  readonly rateOfRest: number;
  readonly countOfRest: number;
  readonly ofRest: number;
  readonly z: number;
}

export interface IndexDiff {
  /** Whether the same rows come in the same order. Says something only where no row is missing, new or changed. */
  readonly sameOrder: boolean;
  readonly rows: RowChanges;
  /** Most telling first. */
  readonly groups: readonly GroupChange[];
}

type Fate = "unchanged" | "changed" | "missing";
/** One row of the version before with what became of it, or one that is new. */
interface Matched {
  readonly before: number | null;
  readonly after: number | null;
}

/** @param by - the attributes to look at; all when left out @pre both were indexed with the same columns, key and label */
export function diffIndexes(a: TableIndex, b: TableIndex, by?: readonly string[]): IndexDiff {
  const tally = new Tally(a, b, by ?? Object.keys(a.cells[0]?.groups ?? {}));
  const counts = { unchanged: 0, changed: 0, missing: 0, added: 0 };
  for (const { before, after } of matched(a, b)) {
    if (before === null) {
      if (after !== null) tally.added(after);
      counts.added++;
    } else {
      const fate: Fate =
        after === null ? "missing" : hashAt(a.rowHashes, before).equals(hashAt(b.rowHashes, after)) ? "unchanged" : "changed";
      counts[fate]++;
      tally.before(before, fate, after);
      if (after !== null) tally.after(after);
    }
  }
  const sameOrder = a.rows === b.rows && a.rowHashes.subarray(0, a.rows * HASH_BYTES).equals(b.rowHashes.subarray(0, b.rows * HASH_BYTES));
  return {
    sameOrder,
    rows: { by: a.keyHashes && b.keyHashes ? "key" : "content", before: a.rows, after: b.rows, ...counts },
    groups: tally.changes(),
  };
}

const hashAt = (hashes: Buffer, row: number) => hashes.subarray(row * HASH_BYTES, (row + 1) * HASH_BYTES);

/** Walks both tables in the order of their identity; rows of the same key, or of the same content, meet one to one. */
function* matched(a: TableIndex, b: TableIndex): Generator<Matched> {
  const [keysA, keysB] = a.keyHashes && b.keyHashes ? [a.keyHashes, b.keyHashes] : [a.rowHashes, b.rowHashes];
  let [i, j] = [0, 0];
  for (;;) {
    const [before, after] = [a.order[i], b.order[j]];
    if (before === undefined && after === undefined) return;
    const side = before === undefined ? 1 : after === undefined ? -1 : hashAt(keysA, before).compare(hashAt(keysB, after));
    yield { before: side <= 0 ? (before ?? null) : null, after: side >= 0 ? (after ?? null) : null };
    if (side <= 0) i++;
    if (side >= 0) j++;
  }
}

interface Counts {
  readonly group: Readonly<Record<string, string>>;
  readonly label: string | null;
  before: number;
  after: number;
  missing: number;
  added: number;
  relabelled: number;
}
type Count = "before" | "after" | "missing" | "added" | "relabelled";

/** Counts by (cell, label) first, since there are few of those, and by group at the end. */
class Tally {
  readonly #a: TableIndex;
  readonly #b: TableIndex;
  readonly #by: readonly string[];
  /** By cell and label: groups as JSON, and the label's code. */
  readonly #fine = new Map<string, Counts>();
  readonly #fineOfA: Counts[] = [];
  readonly #fineOfB: Counts[] = [];

  constructor(a: TableIndex, b: TableIndex, by: readonly string[]) {
    this.#a = a;
    this.#b = b;
    this.#by = by;
  }

  before(row: number, fate: Fate, after: number | null): void {
    const counts = this.#at(this.#a, this.#fineOfA, row);
    counts.before++;
    if (fate === "missing") counts.missing++;
    if (fate === "changed" && after !== null && labelOf(this.#a, row) !== labelOf(this.#b, after)) counts.relabelled++;
  }

  after(row: number): void {
    this.#at(this.#b, this.#fineOfB, row).after++;
  }

  added(row: number): void {
    const counts = this.#at(this.#b, this.#fineOfB, row);
    counts.after++;
    counts.added++;
  }

  changes(): GroupChange[] {
    const coarse = new Map<string, Counts>();
    for (const fine of this.#fine.values()) {
      for (const attributes of [[], ...attributeSets(this.#by)]) {
        const group = groupWithin(fine.group, attributes);
        for (const label of new Set([null, fine.label])) {
          const key = JSON.stringify([group, label]);
          const counts = coarse.get(key) ?? emptyCounts(group, label);
          coarse.set(key, counts);
          for (const count of ["before", "after", "missing", "added", "relabelled"] as const satisfies readonly Count[])
            counts[count] += fine[count];
        }
      }
    }
    const all = coarse.get(JSON.stringify([{}, null])) ?? emptyCounts({}, null);
    const changes = coarse.values().map((counts): GroupChange => {
      const whole = counts.label === null ? undefined : coarse.get(JSON.stringify([counts.group, null]));
      return {
        ...counts,
        shareBefore: whole && whole.before > 0 ? counts.before / whole.before : null,
        shareAfter: whole && whole.after > 0 ? counts.after / whole.after : null,
        missingAgainstRest: contrast(counts, all, "missing"),
        relabelledAgainstRest: contrast(counts, all, "relabelled"),
      };
    });
    return [...changes].toSorted((x, y) => weight(y) - weight(x) || (groupText(x.group) < groupText(y.group) ? -1 : 1));
  }

  #at(index: TableIndex, memo: Counts[], row: number): Counts {
    const [cellAt = 0, labelAt = -1] = [index.cellOfRow[row], index.labelOfRow[row]];
    const at = cellAt * (index.labels.length + 1) + labelAt + 1;
    const known = memo[at];
    if (known) return known;
    const cell: GroupCell | undefined = index.cells[cellAt];
    const group = cell?.groups ?? {};
    const label = labelOf(index, row);
    const key = JSON.stringify([groupWithin(group, this.#by), label]);
    const counts = this.#fine.get(key) ?? emptyCounts(groupWithin(group, this.#by), label);
    this.#fine.set(key, counts);
    memo[at] = counts;
    return counts;
  }
}

const labelOf = (index: TableIndex, row: number): string | null => index.labels[index.labelOfRow[row] ?? -1] ?? null;
const emptyCounts = (group: Counts["group"], label: string | null): Counts => ({
  group,
  label,
  before: 0,
  after: 0,
  missing: 0,
  added: 0,
  relabelled: 0,
});
const weight = (change: GroupChange) => Math.max(change.missingAgainstRest?.z ?? 0, change.relabelledAgainstRest?.z ?? 0);

/** Two rates against each other, with the pooled standard error. */
function contrast(part: Counts, all: Counts, count: "missing" | "relabelled"): Contrast | null {
  const ofRest = all.before - part.before;
  if (part.before === 0 || ofRest === 0) return null;
  const countOfRest = all[count] - part[count];
  const [rate, rateOfRest] = [part[count] / part.before, countOfRest / ofRest];
  const pooled = all[count] / all.before;
  const error = Math.sqrt(pooled * (1 - pooled) * (1 / part.before + 1 / ofRest));
  return { rate, rateOfRest, countOfRest, ofRest, z: error > 0 ? (rate - rateOfRest) / error : 0 };
}
