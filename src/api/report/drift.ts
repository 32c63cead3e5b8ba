/** How inputs, scores and the mix of groups moved against what a release was trained on, release by release. */
import { UNKNOWN_GROUP, type TotalRow } from "../../decisions/index.ts";
import {
  readDriftAnswers,
  readInputAnswers,
  withoutOdds,
  type Hidden,
  type InputMetricName,
  type MetricAnswer,
} from "../../monitoring/index.ts";
import type { Registry } from "../../registry/index.ts";
import { readInputProfile, type EndpointRoom } from "../../releases/index.ts";
import type { Store } from "../../store/index.ts";
import type { GroupNames } from "../group-names.ts";
import { tellsOfGroups } from "../protected-inputs.ts";
import { trainedOn } from "../trained-on.ts";
import type { DriftRowView, DriftTableView, MovedRowView, WriterRowView } from "./report-view.ts";

const NAMES = [
  "population_stability_index",
  "missing_rate",
  "invalid_type_rate",
  "out_of_range_rate",
  "new_category_rate",
  "unit_change_ratio",
] as const satisfies readonly InputMetricName[];
/** Those with the most decisions. */
const RELEASES = 3;
const MINUTES_A_DAY = 1440;

export interface DriftQuestion {
  readonly period: { readonly fromDay: number; readonly toDay: number };
  /** What people received in the period. */
  readonly serving: readonly TotalRow[];
  readonly nowMs: number;
  /** Attributes whose mix is looked at. */
  readonly sets: readonly (readonly string[])[];
  readonly favourable: ReadonlySet<string>;
  readonly names: GroupNames;
  /** Of a reader who may not see groups. Inputs that tell of a protected attribute are left out then, and tokens. */
  readonly hidden: Hidden | null;
}

const MOVED = ["population_stability_index", "jensen_shannon_distance"] as const;

export async function driftTables(
  { store, registry }: { readonly store: Pick<Store, "db">; readonly registry: Pick<Registry, "datasets"> },
  room: EndpointRoom,
  { period, serving, nowMs, sets, favourable, names, hidden }: DriftQuestion,
): Promise<DriftTableView[]> {
  const { db } = store;
  const isShown = (name: string) => hidden === null || !tellsOfGroups(room, name);
  const window = { fromMinute: period.fromDay * MINUTES_A_DAY, toMinute: period.toDay * MINUTES_A_DAY };
  const declared = room.definition.spec.groups ?? {};
  const tables: DriftTableView[] = [];
  for (const { release, arm } of mostOften(serving).slice(0, RELEASES)) {
    const profile = await readInputProfile(db, release);
    if (!room.releases.has(release)) continue;
    const against = (profile?.dataset ?? null) === null ? "launch" : "training";
    const asked = { endpoint: room.name, release, arm, window, against, nowMs } as const;
    const answers = await readInputAnswers(db, { ...asked, profile, names: NAMES });
    const of = (name: InputMetricName, input: string) => {
      const found = answers.find(({ answer }) => answer.metric === name && answer.feature === input)?.answer;
      return found && withoutOdds(found, hidden);
    };
    const trained = await trainedOn({ store, registry }, { release, profile, declared });
    const moved = (await readDriftAnswers(db, { ...asked, names: MOVED, declared, sets, favourable, trained, hidden })).map(
      ({ answer }) => answer,
    );
    const inputs = profile?.inputs ?? [];
    tables.push({
      release: room.nameOf(release),
      arm,
      against,
      trainedOn: profile?.dataset ?? null,
      moved: movedRows(moved, names),
      writers: writerRows(moved),
      hidden: inputs.filter(({ name }) => !isShown(name)).length,
      rows: inputs.filter(({ name }) => isShown(name)).map(({ name }) => rowOf(name, (metric) => of(metric, name))),
    });
  }
  return tables;
}

const whatOf = ({ drift_of: of, attributes }: MetricAnswer): string => (of === "scores" ? "scores" : (attributes ?? []).join("/"));

function movedRows(answers: readonly MetricAnswer[], names: GroupNames): MovedRowView[] {
  const [indexes, distances] = MOVED.map((name) => answers.filter(({ metric, writer }) => metric === name && writer === undefined));
  return (indexes ?? []).map((index) => ({
    what: whatOf(index),
    against: index.against ?? "training",
    psi: index.value,
    distance: distances?.find((one) => whatOf(one) === whatOf(index))?.value ?? null,
    why: index.reason,
    status: index.status ?? null,
    qValue: index.parts?.["q_value"]?.value ?? null,
    bars: (index.bins ?? []).map(({ label, ...counts }) => ({
      ...counts,
      label: index.drift_of === "scores" ? label : wordsOf(index, label, names),
    })),
  }));
}

/** A bar of a mix is a group. */
function wordsOf({ attributes }: MetricAnswer, label: string, names: GroupNames): string {
  const words = label.split("/").map((value, i) => (value === UNKNOWN_GROUP ? "not told" : names.word(attributes?.[i] ?? "", value)));
  return words.join(", ");
}

function writerRows(answers: readonly MetricAnswer[]): WriterRowView[] {
  return answers.flatMap((index): WriterRowView[] => {
    const { writer, parts, value: psi, reason: why, status = null } = index;
    if (writer === undefined) return [];
    const part = (name: string) => parts?.[name]?.value ?? null;
    return [
      { writer, what: whatOf(index), share: part("share"), rate: part("selection_rate"), meanScore: part("mean_score"), psi, why, status },
    ];
  });
}

function rowOf(input: string, of: (metric: InputMetricName) => MetricAnswer | undefined): DriftRowView {
  const psi = of("population_stability_index");
  const share = (metric: InputMetricName) => of(metric)?.value ?? null;
  const alerts = NAMES.filter((metric) => of(metric)?.status === "alert");
  return {
    input,
    psi: psi?.value ?? null,
    why: psi?.reason ?? null,
    status: psi?.status ?? null,
    qValue: psi?.parts?.["q_value"]?.value ?? null,
    missing: share("missing_rate"),
    invalidType: share("invalid_type_rate"),
    outOfRange: share("out_of_range_rate"),
    newCategory: share("new_category_rate"),
    unitChange: share("unit_change_ratio"),
    alerts,
  };
}

/** Releases by the place where they answered most, the one with the most decisions first. */
function mostOften(rows: readonly TotalRow[]): readonly Pick<TotalRow, "release" | "arm">[] {
  const decisions = new Map<string, Pick<TotalRow, "release" | "arm"> & { count: number }>();
  for (const { release, arm, decisions: n } of rows) {
    const key = `${release}\0${arm}`;
    const known = decisions.get(key);
    if (known) known.count += n;
    else decisions.set(key, { release, arm, count: n });
  }
  const seen = new Set<string>();
  return [...decisions.values()]
    .toSorted((a, b) => b.count - a.count)
    .filter(({ release }) => !seen.has(release) && seen.add(release).size > 0);
}
