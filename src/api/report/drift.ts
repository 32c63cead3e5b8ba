/** How inputs moved against what a release was trained on, release by release. */
import type { TotalRow } from "../../decisions/index.ts";
import { readInputAnswers, type InputMetricName, type MetricAnswer } from "../../monitoring/index.ts";
import { readInputProfile, type EndpointRoom } from "../../releases/index.ts";
import type { Store } from "../../store/index.ts";
import { tellsOfGroups } from "../protected-inputs.ts";
import type { DriftRowView, DriftTableView } from "./report-view.ts";

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
  /** Otherwise inputs that tell of a protected attribute are left out. */
  readonly seesGroups: boolean;
}

export async function driftTables(
  { db }: Pick<Store, "db">,
  room: EndpointRoom,
  { period, serving, nowMs, seesGroups }: DriftQuestion,
): Promise<DriftTableView[]> {
  const isShown = (name: string) => seesGroups || !tellsOfGroups(room, name);
  const window = { fromMinute: period.fromDay * MINUTES_A_DAY, toMinute: period.toDay * MINUTES_A_DAY };
  const tables: DriftTableView[] = [];
  for (const { release, arm } of mostOften(serving).slice(0, RELEASES)) {
    const profile = await readInputProfile(db, release);
    if (!profile || !room.releases.has(release)) continue;
    const against = profile.dataset === null ? "launch" : "training";
    const answers = await readInputAnswers(db, { endpoint: room.name, release, arm, window, profile, against, names: NAMES, nowMs });
    const of = (name: InputMetricName, input: string) =>
      answers.find(({ answer }) => answer.metric === name && answer.feature === input)?.answer;
    tables.push({
      release: room.nameOf(release),
      arm,
      against,
      trainedOn: profile.dataset,
      hidden: profile.inputs.filter(({ name }) => !isShown(name)).length,
      rows: profile.inputs.filter(({ name }) => isShown(name)).map(({ name }) => rowOf(name, (metric) => of(metric, name))),
    });
  }
  return tables;
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
