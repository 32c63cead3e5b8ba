/** Whom a difference concerns: what happened to the rows of every group, and of those of one label, against all others. */
import { attributeSets, groupText, groupWithin } from "./group-counts.ts";
import type { TableGroups } from "./group-index.ts";

export type Group = Readonly<Record<string, string>>;

/** What happened to the rows of a group, or of a group that have one label. */
export interface GroupChange {
  /** Empty for everybody. */
  readonly group: Group;
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
  /** Of `before`, against all other rows of the version before; null where there are no others. */
  readonly missingAgainstRest: Contrast | null;
  readonly relabelledAgainstRest: Contrast | null;
  /** Of `after`, against all other rows of the version after. */
  readonly addedAgainstRest: Contrast | null;
}

/** Two rates; `z` is their difference in standard errors. */
export interface Contrast {
  readonly rate: number;
  readonly rateOfRest: number;
  readonly countOfRest: number;
  readonly ofRest: number;
  readonly z: number;
}

/** Rows of a group with the same key and another label. */
export interface LabelFlip {
  readonly group: Group;
  readonly from: string;
  readonly to: string;
  readonly rows: number;
  /** Rows of the group with the label `from` that both versions have. */
  readonly of: number;
  readonly againstRest: Contrast | null;
}

/** Rows of one combination of groups and one label. */
interface Counts {
  readonly group: Group;
  readonly label: string | null;
  before: number;
  after: number;
  missing: number;
  added: number;
  relabelled: number;
}
const counted = ["before", "after", "missing", "added", "relabelled"] as const satisfies readonly (keyof Counts)[];

/** Counts by combination and label first, since there are few of those, and by group at the end. */
export class GroupTally {
  readonly #by: readonly string[];
  readonly #fine = new Map<string, Counts>();
  readonly #flips = new Map<string, { readonly from: Counts; readonly to: string; rows: number }>();
  readonly #a: Side;
  readonly #b: Side;

  /** @param by - the attributes to look at */
  constructor(a: TableGroups, b: TableGroups, by: readonly string[]) {
    this.#by = by;
    [this.#a, this.#b] = [new Side(a, by, this.#fine), new Side(b, by, this.#fine)];
  }

  missing(cell: number, label: number): void {
    const counts = this.#a.at(cell, label);
    counts.before++;
    counts.missing++;
  }

  added(cell: number, label: number): void {
    const counts = this.#b.at(cell, label);
    counts.after++;
    counts.added++;
  }

  pair(a: { readonly cell: number; readonly label: number }, b: { readonly cell: number; readonly label: number }): void {
    const [before, after] = [this.#a.at(a.cell, a.label), this.#b.at(b.cell, b.label)];
    before.before++;
    after.after++;
    if (before.label === after.label) return;
    before.relabelled++;
    if (before.label === null || after.label === null) return;
    const key = JSON.stringify([before.group, before.label, after.label]);
    const flip = this.#flips.get(key) ?? { from: before, to: after.label, rows: 0 };
    flip.rows++;
    this.#flips.set(key, flip);
  }

  /** Most telling first. */
  changes(): GroupChange[] {
    const coarse = this.#coarse();
    const all = coarse.get(JSON.stringify([{}, null])) ?? emptyCounts({}, null);
    const changes = coarse.values().map((counts): GroupChange => {
      const whole = counts.label === null ? undefined : coarse.get(JSON.stringify([counts.group, null]));
      return {
        ...counts,
        shareBefore: whole && whole.before > 0 ? counts.before / whole.before : null,
        shareAfter: whole && whole.after > 0 ? counts.after / whole.after : null,
        missingAgainstRest: contrast({ count: counts.missing, of: counts.before }, { count: all.missing, of: all.before }),
        relabelledAgainstRest: contrast({ count: counts.relabelled, of: counts.before }, { count: all.relabelled, of: all.before }),
        addedAgainstRest: contrast({ count: counts.added, of: counts.after }, { count: all.added, of: all.after }),
      };
    });
    return [...changes].toSorted((x, y) => weight(y) - weight(x) || byText(x.group, y.group) || byLabel(x.label, y.label));
  }

  /** Most telling first; only those that there are. */
  flips(): LabelFlip[] {
    const coarse = this.#coarse();
    const sums = new Map<string, { readonly group: Group; readonly from: string; readonly to: string; rows: number }>();
    for (const { from, to, rows } of this.#flips.values()) {
      for (const group of this.#groupsOf(from.group)) {
        const key = JSON.stringify([group, from.label, to]);
        const sum = sums.get(key) ?? { group, from: from.label ?? "", to, rows: 0 };
        sum.rows += rows;
        sums.set(key, sum);
      }
    }
    const kept = (group: Group, label: string) => {
      const counts = coarse.get(JSON.stringify([group, label]));
      return counts ? counts.before - counts.missing : 0;
    };
    const flips = Array.from(sums.values(), (sum): LabelFlip => {
      const all = sums.get(JSON.stringify([{}, sum.from, sum.to]));
      const of = kept(sum.group, sum.from);
      return { ...sum, of, againstRest: contrast({ count: sum.rows, of }, { count: all?.rows ?? 0, of: kept({}, sum.from) }) };
    });
    const z = ({ againstRest }: LabelFlip) => againstRest?.z ?? 0;
    return flips.toSorted((x, y) => z(y) - z(x) || y.rows - x.rows || byText(x.group, y.group));
  }

  /** Sums something that was counted by combination of the version before to groups; `of` are the rows that both versions have. */
  ofKept(
    countOf: ReadonlyMap<number, number>,
  ): { readonly group: Group; readonly count: number; readonly of: number; readonly againstRest: Contrast | null }[] {
    const sums = new Map<string, { readonly group: Group; count: number; of: number }>();
    const add = (from: Group, count: number, of: number) => {
      for (const group of this.#groupsOf(from)) {
        const key = JSON.stringify(group);
        const sum = sums.get(key) ?? { group, count: 0, of: 0 };
        sum.count += count;
        sum.of += of;
        sums.set(key, sum);
      }
    };
    for (const { group, before, missing } of this.#fine.values()) add(group, 0, before - missing);
    for (const [cell, count] of countOf) add(this.#a.groupOf(cell), count, 0);
    const all = sums.get("{}") ?? { count: 0, of: 0 };
    return Array.from(sums.values(), (sum) => ({ ...sum, againstRest: contrast(sum, all) }));
  }

  #coarse(): Map<string, Counts> {
    const coarse = new Map<string, Counts>();
    for (const fine of this.#fine.values()) {
      for (const group of this.#groupsOf(fine.group)) {
        for (const label of new Set([null, fine.label])) {
          const key = JSON.stringify([group, label]);
          const counts = coarse.get(key) ?? emptyCounts(group, label);
          coarse.set(key, counts);
          for (const count of counted) counts[count] += fine[count];
        }
      }
    }
    return coarse;
  }

  #groupsOf(group: Group): Group[] {
    return [[], ...attributeSets(this.#by)].map((attributes) => groupWithin(group, attributes));
  }
}

/** Finds the counts of a row by the numbers that its own table gave to its combination and label. */
class Side {
  readonly #groups: readonly Group[];
  readonly #labels: readonly string[];
  readonly #fine: Map<string, Counts>;
  readonly #memo: Counts[] = [];

  constructor({ cells, labels }: TableGroups, by: readonly string[], fine: Map<string, Counts>) {
    this.#groups = cells.map(({ groups }) => groupWithin(groups, by));
    this.#labels = labels;
    this.#fine = fine;
  }

  groupOf(cell: number): Group {
    return this.#groups[cell] ?? {};
  }

  at(cell: number, label: number): Counts {
    const place = cell * (this.#labels.length + 1) + Math.min(label, this.#labels.length);
    const known = this.#memo[place];
    if (known) return known;
    const group = this.groupOf(cell);
    const text = this.#labels[label - 1] ?? null;
    const key = JSON.stringify([group, text]);
    const counts = this.#fine.get(key) ?? emptyCounts(group, text);
    this.#fine.set(key, counts);
    this.#memo[place] = counts;
    return counts;
  }
}

const emptyCounts = (group: Group, label: string | null): Counts => ({
  group,
  label,
  before: 0,
  after: 0,
  missing: 0,
  added: 0,
  relabelled: 0,
});
const weight = ({ missingAgainstRest, relabelledAgainstRest, addedAgainstRest }: GroupChange) =>
  Math.max(missingAgainstRest?.z ?? 0, relabelledAgainstRest?.z ?? 0, addedAgainstRest?.z ?? 0);
const byText = (a: Group, b: Group) => (groupText(a) < groupText(b) ? -1 : groupText(a) > groupText(b) ? 1 : 0);
const byLabel = (a: string | null, b: string | null) => ((a ?? "") < (b ?? "") ? -1 : (a ?? "") > (b ?? "") ? 1 : 0);

/** Two rates against each other, with the pooled standard error. @param all - the part is in it */
export function contrast(
  part: { readonly count: number; readonly of: number },
  all: { readonly count: number; readonly of: number },
): Contrast | null {
  const ofRest = all.of - part.of;
  if (part.of === 0 || ofRest === 0) return null;
  const countOfRest = all.count - part.count;
  const [rate, rateOfRest] = [part.count / part.of, countOfRest / ofRest];
  const pooled = all.count / all.of;
  const error = Math.sqrt(pooled * (1 - pooled) * (1 / part.of + 1 / ofRest));
  return { rate, rateOfRest, countOfRest, ofRest, z: error > 0 ? (rate - rateOfRest) / error : 0 };
}
