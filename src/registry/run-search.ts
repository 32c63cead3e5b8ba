/** Searching runs and experiments as MLflow's clients ask. */
import { sql, type RawBuilder } from "kysely";
import type { Store } from "../store/index.ts";
import { ok, unreachable, type Result } from "../std.ts";
import { experimentOf, type Experiment, type ExperimentRow } from "./experiments.ts";
import { valueOf, type MetricValue } from "./metric-points.ts";
import { latestOf } from "./runs.ts";
import { NO_LINKS, type RunLinkage, type RunLinks } from "./run-links.ts";
import { LIST_OPERATORS, NUMBER_OPERATORS, TEXT_OPERATORS, type Comparison, type FilterGrammar, type Order } from "./search-filter.ts";
import { searchPage, type Page, type Search } from "./search-page.ts";
import { memberText, nullsLast, numberTest, tagTest, textTest, type SortTerm } from "./search-sql.ts";
import { trackedRun, type TrackedRun } from "./tracked-runs.ts";
import type { MetricRow, RunRow } from "./runs.ts";
import type { TrackingRefusal } from "./tracking-refusal.ts";

export type LifecycleView = "active" | "deleted" | "all";

export interface FoundRun {
  readonly run: TrackedRun;
  readonly metrics: readonly MetricValue[];
  readonly links: RunLinks;
}

export interface DatasetSummary {
  readonly experiment: number;
  readonly name: string;
  readonly digest: string;
  readonly context: string | null;
}
const MOST_DATASETS = 1000;

const text = { kind: "text", operators: TEXT_OPERATORS } as const;
const number = { kind: "number", operators: NUMBER_OPERATORS } as const;
const TAG = { tag: "tag", tags: "tag" } as const;
const ATTRIBUTE = { attribute: "attribute", attributes: "attribute", attr: "attribute", run: "attribute" } as const;

export const RUN_GRAMMAR: FilterGrammar = {
  entities: {
    metric: "metric",
    metrics: "metric",
    param: "param",
    params: "param",
    parameter: "param",
    parameters: "param",
    ...TAG,
    ...ATTRIBUTE,
    dataset: "dataset",
    datasets: "dataset",
  },
  attributes: {
    run_id: { kind: "text", operators: [...TEXT_OPERATORS, ...LIST_OPERATORS] },
    run_name: text,
    status: text,
    artifact_uri: text,
    user_id: text,
    start_time: number,
    end_time: number,
  },
  aliases: { created: "start_time", "run name": "run_name", "Run name": "run_name", "Run Name": "run_name" },
  datasetKeys: ["name", "digest", "context"],
};

export const EXPERIMENT_GRAMMAR: FilterGrammar = {
  entities: { ...TAG, attribute: "attribute", attributes: "attribute", attr: "attribute" },
  attributes: { name: text, creation_time: number, last_update_time: number },
};
const EXPERIMENT_ORDER: FilterGrammar = {
  ...EXPERIMENT_GRAMMAR,
  attributes: { ...EXPERIMENT_GRAMMAR.attributes, experiment_id: number },
};

const attributeSql: Readonly<Record<string, RawBuilder<unknown>>> = {
  run_id: sql`replace(run.id, '-', '')`,
  run_name: sql`run.name`,
  status: sql`upper(run.status)`,
  artifact_uri: sql`experiment.artifact_location || '/' || replace(run.id, '-', '') || '/artifacts'`,
  user_id: sql`coalesce(run.user_name, '')`,
  start_time: sql`run.started_at_ms`,
  end_time: sql`run.ended_at_ms`,
};
const experimentSql: Readonly<Record<string, RawBuilder<unknown>>> = {
  name: sql`experiment.name`,
  experiment_id: sql`experiment.id`,
  creation_time: sql`experiment.created_at_ms`,
  last_update_time: sql`experiment.updated_at_ms`,
};
const columnOf = (columns: Readonly<Record<string, RawBuilder<unknown>>>, key: string): RawBuilder<unknown> => columns[key] ?? sql`null`;

export class RunSearch {
  readonly #store: Store;
  readonly #links: RunLinkage;

  constructor(store: Store, links: RunLinkage) {
    this.#store = store;
    this.#links = links;
  }

  async runs(
    search: Search & { readonly experiments: readonly number[]; readonly view: LifecycleView },
  ): Promise<Result<Page<FoundRun>, TrackingRefusal>> {
    if (search.experiments.length === 0) return ok({ found: [], next: null });
    const { db } = this.#store;
    const groups = await db.selectFrom("experiment").selectAll().where("id", "in", search.experiments).execute();
    const byName = new Map(groups.map((group) => [group.name, group]));
    const names = groups.length > 0 ? groups.map(({ name }) => name) : [null];
    const page = await searchPage(
      this.#store,
      {
        grammar: RUN_GRAMMAR,
        columns: sql`run.*`,
        from: sql`run inner join experiment on experiment.name = run.experiment`,
        where: [sql`run.experiment in (${sql.join(names)})`, ...lifecycle(sql`run.deleted_at_ms`, search.view)],
        test: (comparison) => this.#test(comparison),
        terms: (order) => this.#terms(order),
        tieBreaks: [
          { by: sql`run.started_at_ms`, isDescending: true },
          { by: sql`run.id`, isDescending: false },
        ],
        scope: ["runs", search.experiments, search.view],
      },
      search,
    );
    if (!page.ok) return page;
    const rows = page.value.found.map(asRunRow);
    return ok({ found: await this.#found(rows, byName), next: page.value.next });
  }

  /** A run with all that is shown with it. */
  async details(runs: readonly TrackedRun[]): Promise<readonly FoundRun[]> {
    const ids = runs.map(({ id }) => id);
    const metrics = Map.groupBy(await latestOf(this.#store.db, ids), ({ run }) => run);
    const links = await this.#links.of(ids);
    return runs.map((run) => ({
      run,
      metrics: (metrics.get(run.id) ?? []).map((row) => ({ key: row.key, step: row.step, atMs: row.at_ms, value: valueOf(row) })),
      links: links.get(run.id) ?? NO_LINKS,
    }));
  }

  /** All points of a metric by time, step and value. None for a run that isn't there. @param of.maxResults - all of them when left out */
  async history(of: {
    readonly run: string;
    readonly key: string;
    readonly maxResults: number | undefined;
    readonly pageToken: string | undefined;
  }): Promise<Result<Page<MetricValue>, TrackingRefusal>> {
    const page = await searchPage(
      this.#store,
      {
        grammar: { entities: {}, attributes: {} },
        columns: sql`p.key, p.step, p.at_ms, p.value, p.is_nan`,
        from: sql`run_metric as p`,
        where: [sql`p.run = ${of.run}`, sql`p.key = ${of.key}`],
        test: () => sql`1 = 0`,
        terms: () => [],
        tieBreaks: [sql`p.at_ms`, sql`p.step`, sql`p.value`, sql`p.is_nan`].map((by) => ({ by, isDescending: false })),
        scope: ["history", of.run, of.key],
      },
      { filter: "", orderBy: [], maxResults: of.maxResults || ALL_POINTS, pageToken: of.pageToken },
    );
    if (!page.ok) return page;
    const found = page.value.found.map(asPoint).map((row) => ({ key: row.key, step: row.step, atMs: row.at_ms, value: valueOf(row) }));
    return ok({ found, next: page.value.next });
  }

  /** All points of a metric of some runs, run by run. */
  async points(runs: readonly string[], key: string): Promise<readonly (MetricValue & { readonly run: string })[]> {
    const query = this.#store.db.selectFrom("run_metric").selectAll().where("run", "in", runs).where("key", "=", key);
    const rows = await query.orderBy("run").orderBy("at_ms").orderBy("step").orderBy("value").execute();
    return rows.map((row) => ({ run: row.run, key: row.key, step: row.step, atMs: row.at_ms, value: valueOf(row) }));
  }

  /** What data the runs of some experiments took. */
  async datasets(experiments: readonly number[]): Promise<readonly DatasetSummary[]> {
    const { db, kind } = this.#store;
    const rows = await db
      .selectFrom("run_dataset as d")
      .innerJoin("run", "run.id", "d.run")
      .innerJoin("experiment", "experiment.name", "run.experiment")
      .where("experiment.id", "in", experiments)
      .where("run.deleted_at_ms", "is", null)
      .select(["experiment.id as experiment", "d.name", "d.digest", sql<string | null>`${datasetKey(kind, "context")}`.as("context")])
      .distinct()
      .orderBy("d.name")
      .orderBy("d.digest")
      .limit(MOST_DATASETS)
      .execute();
    return rows;
  }

  async experiments(search: Search & { readonly view: LifecycleView }): Promise<Result<Page<Experiment>, TrackingRefusal>> {
    const { kind } = this.#store;
    const page = await searchPage(
      this.#store,
      {
        grammar: EXPERIMENT_GRAMMAR,
        orderGrammar: EXPERIMENT_ORDER,
        columns: sql`experiment.*`,
        from: sql`experiment`,
        where: lifecycle(sql`experiment.deleted_at_ms`, search.view),
        test: (comparison) =>
          comparison.entity === "tag"
            ? textTest(kind, memberText(kind, sql`experiment.tags_json`, comparison.key), comparison)
            : comparison.key === "name"
              ? textTest(kind, sql`experiment.name`, comparison)
              : numberTest(columnOf(experimentSql, comparison.key), comparison),
        terms: ({ entity, key, isDescending }) =>
          entity === "tag"
            ? nullsLast(memberText(kind, sql`experiment.tags_json`, key), { kind: "text", isDescending })
            : [{ by: columnOf(experimentSql, key), isDescending }],
        tieBreaks: [
          { by: sql`experiment.created_at_ms`, isDescending: true },
          { by: sql`experiment.id`, isDescending: false },
        ],
        scope: ["experiments", search.view],
      },
      search,
    );
    return page.ok ? ok({ found: page.value.found.map(asExperimentRow).map(experimentOf), next: page.value.next }) : page;
  }

  async #found(rows: readonly RunRow[], byName: ReadonlyMap<string, ExperimentRow>): Promise<readonly FoundRun[]> {
    return this.details(
      rows.flatMap((row) => {
        const experiment = byName.get(row.experiment);
        return experiment ? [trackedRun(row, experiment)] : []; // renamed between two reads
      }),
    );
  }

  #test(comparison: Comparison): RawBuilder<boolean> {
    const { kind } = this.#store;
    const { entity, key } = comparison;
    switch (entity) {
      case "metric":
        return sql`exists (select 1 from run_metric_latest as m where m.run = run.id and m.key = ${key} and m.is_nan = 0
          and ${numberTest(sql`m.value`, comparison)})`;
      case "param":
        return textTest(kind, memberText(kind, sql`run.params_json`, key), comparison);
      case "tag":
        return tagTest(kind, sql`run.tags_json`, comparison);
      case "dataset":
        return sql`exists (select 1 from run_dataset as d where d.run = run.id and ${textTest(kind, datasetKey(kind, key), comparison)})`;
      case "attribute":
        return RUN_GRAMMAR.attributes[key]?.kind === "number"
          ? numberTest(columnOf(attributeSql, key), comparison)
          : textTest(kind, columnOf(attributeSql, key), comparison);
      default:
        return unreachable(entity);
    }
  }

  #terms({ entity, key, isDescending }: Order): readonly SortTerm[] {
    const { kind } = this.#store;
    switch (entity) {
      case "metric": {
        const of = (what: RawBuilder<unknown>) => sql`(select ${what} from run_metric_latest as m where m.run = run.id and m.key = ${key})`;
        return [
          { by: sql`coalesce(${of(sql`m.is_nan`)}, 2)`, isDescending: false },
          { by: sql`coalesce(${of(sql`m.value`)}, 0)`, isDescending },
        ];
      }
      case "param":
      case "tag":
        return nullsLast(memberText(kind, entity === "param" ? sql`run.params_json` : sql`run.tags_json`, key), {
          kind: "text",
          isDescending,
        });
      case "attribute":
        return nullsLast(columnOf(attributeSql, key), { kind: RUN_GRAMMAR.attributes[key]?.kind ?? "text", isDescending });
      case "dataset":
        return []; // the parser refuses it
      default:
        return unreachable(entity);
    }
  }
}

const datasetKey = (kind: Store["kind"], key: string): RawBuilder<unknown> =>
  key === "context" ? memberText(kind, sql`d.tags_json`, "mlflow.data.context") : key === "digest" ? sql`d.digest` : sql`d.name`;

export const lifecycle = (deletedAt: RawBuilder<unknown>, view: LifecycleView): RawBuilder<unknown>[] =>
  view === "all" ? [] : [view === "active" ? sql`${deletedAt} is null` : sql`${deletedAt} is not null`];

/** More than one answer can hold. */
const ALL_POINTS = 1_000_000;

/** These columns were asked for. */
const asPoint = (row: unknown): Pick<MetricRow, "key" | "step" | "at_ms" | "value" | "is_nan"> => row as MetricRow;
/** These were asked for with `run.*` and `experiment.*`. */
const asRunRow = (row: unknown): RunRow => row as RunRow;
const asExperimentRow = (row: unknown): ExperimentRow => row as ExperimentRow;
