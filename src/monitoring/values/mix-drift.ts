/**
 * How far the mix of groups has moved, over all and by writer (fairness-metrics §9; reliability-security T20: whoever sends only easy
 * cases hides a harm). Pure.
 */
import { UNKNOWN_GROUP } from "../../decisions/index.ts";
import type { DatasetVersion } from "../../registry/index.ts";
import type { DeclaredGroups } from "../guardrail.ts";
import { noNumber, type DriftBin, type GroupValues, type MetricAnswer, type Reason } from "./answer.ts";
import { driftAnswer, psiChance, type Compared, type DriftMeasure } from "./drift.ts";
import { groupTable, noCounts, sumOf, type CellCounts, type GroupTable } from "./groups.ts";
import type { InputReference } from "./input-answers.ts";
import { falseDiscovery } from "./two-rates.ts";

/** Who was there before, and which attributes are known of them. */
export interface Mix {
  readonly cells: readonly CellCounts[];
  readonly attributes: ReadonlySet<string>;
}

export interface MixDrift {
  readonly declared: DeclaredGroups;
  /** Attributes of each table of groups. */
  readonly sets: readonly (readonly string[])[];
  readonly live: readonly CellCounts[];
  readonly reference: Mix | null;
  readonly against: InputReference;
  /** What each token sent; null where the reader may not see it. */
  readonly writers: ReadonlyMap<string, readonly CellCounts[]> | null;
  /** Groups that the reader may not see so few of: a table with one of them is left out. */
  readonly isHidden: (group: GroupValues) => boolean;
}

/** Beyond so many, the smallest are one. */
const WRITERS_MAX = 20;
export const OTHER_WRITERS = "others";

/** A table of groups now and before, and who sent it: null is everybody. */
interface Looked {
  readonly attributes: readonly string[];
  readonly writer: string | null;
  readonly table: GroupTable;
  readonly compared: Compared | Reason;
  readonly bins: readonly DriftBin[];
}

/** Every measure of every table; of each writer the index alone, with how it fares beside everybody. */
export function mixDrift(names: readonly DriftMeasure[], question: MixDrift): readonly MetricAnswer[] {
  const { sets, against, live } = question;
  const measures = names.filter((name) => name !== "ks_statistic" && name !== "wasserstein_distance_normed");
  const overall = withChances(sets.map((attributes) => looked(question, attributes, null, live)));
  const byWriter = names.includes("population_stability_index") ? withChances(writersOf(question)) : [];
  const all = sumOf(live);
  return [
    ...measures.flatMap((name) => overall.map((one) => ({ ...answerOf(name, one), ...aboutOf(one, against) }))),
    ...byWriter.map((one) => {
      const answer = answerOf("population_stability_index", one);
      return { ...answer, ...aboutOf(one, against), parts: { ...answer.parts, ...faring(one.table, all.n) } };
    }),
  ];
}

function writersOf(question: MixDrift): readonly Looked[] {
  const { writers, sets } = question;
  // One who sends everything is everybody.
  if (!writers || writers.size < 2) return [];
  const sorted = [...writers].toSorted(([a, mine], [b, theirs]) => sumOf(theirs).n - sumOf(mine).n || (a < b ? -1 : 1));
  const rest = sorted.slice(WRITERS_MAX).flatMap(([, cells]) => cells);
  const told = [...sorted.slice(0, WRITERS_MAX), ...(rest.length > 0 ? [[OTHER_WRITERS, rest] as const] : [])];
  return told.flatMap(([writer, cells]) => sets.map((attributes) => looked(question, attributes, writer, cells)));
}

function looked(
  { declared, reference, isHidden }: MixDrift,
  attributes: readonly string[],
  writer: string | null,
  cells: readonly CellCounts[],
): Looked {
  const table = groupTable(cells, declared, attributes);
  const before = reference && groupTable(reference.cells, declared, attributes);
  const counts = new Map<string, { label: string; n: number; reference: number }>();
  const add = (of: GroupTable, side: "n" | "reference") => {
    for (const { group, isKnown, counts: own } of of.rows) {
      const label = isKnown ? Object.values(group).join("/") : UNKNOWN_GROUP;
      const bin = counts.get(label) ?? { label, n: 0, reference: 0 };
      counts.set(label, bin);
      bin[side] += own.n;
    }
  };
  add(table, "n");
  if (before) add(before, "reference");
  const bins = [...counts.values()];
  return { attributes, writer, table, bins, compared: comparedOf() };

  function comparedOf(): Compared | Reason {
    if (table.all.n === 0) return "no_decisions";
    if (!reference || !before || before.all.n === 0 || attributes.some((name) => !reference.attributes.has(name))) return "no_profile";
    if (table.rows.some(({ group }) => isHidden(group))) return "suppressed";
    return { live: bins.map(({ n }) => n), reference: bins.map((bin) => bin.reference), numbers: null };
  }
}

/** Corrected over all tables that are looked at together. */
function withChances(all: readonly Looked[]): readonly (Looked & { readonly q: number })[] {
  const tested = all.flatMap((one) => (typeof one.compared === "string" ? [] : [{ one, p: psiChance(one.compared) }]));
  const corrected = falseDiscovery(tested.map(({ p }) => p));
  const chanceOf = new Map(tested.map(({ one }, i) => [one, corrected[i] ?? 1]));
  return all.map((one) => ({ ...one, q: chanceOf.get(one) ?? 1 }));
}

const answerOf = (name: DriftMeasure, { compared, q, bins }: Looked & { readonly q: number }): MetricAnswer =>
  typeof compared === "string" ? noNumber(name, compared) : driftAnswer(name, compared, { q, bins });

const aboutOf = ({ attributes, writer }: Looked, against: InputReference) => ({
  drift_of: "groups" as const,
  against,
  attributes: [...attributes],
  ...(writer === null ? {} : { writer }),
});

/** What a writer's cases come to: easy ones are approved more often, and score higher. */
function faring({ all }: GroupTable, decisions: number): NonNullable<MetricAnswer["parts"]> {
  const share = (x: number, n: number) => (n === 0 ? { value: null, reason: "no_denominator" as const } : { value: x / n, reason: null });
  return {
    share: share(all.n, decisions),
    selection_rate: share(all.x, all.n),
    mean_score: share(all.scoreSumU6 / 1e6, all.scored),
  };
}

/** The mix of a dataset version, as far as it has attributes of the endpoint's names. What isn't declared is unknown. */
export function trainedMix({ profile }: Pick<DatasetVersion, "profile">, declared: DeclaredGroups): Mix | null {
  const known = new Set(Object.keys(profile.cells[0]?.groups ?? {}));
  const attributes = new Set(Object.keys(declared).filter((name) => known.has(name)));
  if (attributes.size === 0) return null;
  const cells = profile.cells.map(({ groups, rows }) => ({
    cell: "",
    groups: Object.fromEntries(
      [...attributes].map((name) => {
        const value = groups[name] ?? UNKNOWN_GROUP;
        return [name, declared[name]?.includes(value) ? value : UNKNOWN_GROUP];
      }),
    ),
    counts: { ...noCounts(), n: rows },
  }));
  return { cells, attributes };
}
