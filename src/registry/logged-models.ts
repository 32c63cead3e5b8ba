/** Logged models: what a run made, with a folder of files, before anybody registers it. Its files may still change; a registered version's don't. */
import { sql, type RawBuilder } from "kysely";
import type { Selectable, Transaction } from "kysely";
import type { Audit } from "../access/index.ts";
import { checked } from "../checked.ts";
import { canonicalJson, type Schema, type Store } from "../store/index.ts";
import { assert, ok, unreachable, type Result } from "../std.ts";
import { experimentOf, inactiveExperiment, noExperiment, type Experiment, type ExperimentRow } from "./experiments.ts";
import { valueOf } from "./metric-points.ts";
import { runName } from "./run-name.ts";
import { IDS_AT_ONCE } from "./runs.ts";
import { LIST_OPERATORS, NUMBER_OPERATORS, TEXT_OPERATORS, type Comparison, type FilterGrammar, type Order } from "./search-filter.ts";
import { searchPage, type Page, type Search } from "./search-page.ts";
import { memberText, nullsLast, numberTest, textTest, type SortTerm } from "./search-sql.ts";
import type { LoggedPoint } from "./tracked-runs.ts";
import { bad, missing, type TrackingRefusal } from "./tracking-refusal.ts";
import { Texts } from "./texts.ts";

export type LoggedModelStatus = "PENDING" | "READY" | "UPLOAD_FAILED";

export interface LoggedModel {
  readonly id: string;
  readonly experiment: Experiment;
  readonly name: string;
  readonly type: string;
  /** Our own id of the run. */
  readonly run: string | null;
  readonly status: LoggedModelStatus;
  readonly params: Texts;
  readonly tags: Texts;
  readonly metrics: readonly (LoggedPoint & { readonly run: string })[];
  readonly registrations: readonly { readonly name: string; readonly number: number }[];
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

export interface LoggedModelBeginning {
  readonly experiment: number;
  readonly name: string | undefined;
  readonly type: string;
  readonly run: string | null;
  readonly params: Texts;
  readonly tags: Texts;
}
export interface DatasetName {
  readonly name: string;
  readonly digest: string | undefined;
}

const text = { kind: "text", operators: [...TEXT_OPERATORS, ...LIST_OPERATORS] } as const;
const number = { kind: "number", operators: NUMBER_OPERATORS } as const;
const GRAMMAR: FilterGrammar = {
  entities: { attributes: "attribute", metrics: "metric", params: "param", tags: "tag" },
  attributes: {
    name: text,
    model_id: text,
    model_type: text,
    status: text,
    source_run_id: text,
    creation_timestamp: number,
    last_updated_timestamp: number,
  },
  aliases: { creation_time: "creation_timestamp", last_updated_time: "last_updated_timestamp" },
};
const ORDER_GRAMMAR: FilterGrammar = { ...GRAMMAR, entities: { attributes: "attribute", metrics: "metric" } };
const columns: Readonly<Record<string, RawBuilder<unknown>>> = {
  name: sql`logged_model.name`,
  model_id: sql`logged_model.id`,
  model_type: sql`logged_model.model_type`,
  status: sql`'LOGGED_MODEL_' || logged_model.status`,
  source_run_id: sql`replace(coalesce(logged_model.source_run, ''), '-', '')`,
  creation_timestamp: sql`logged_model.created_at_ms`,
  last_updated_timestamp: sql`logged_model.updated_at_ms`,
};

type Row = Selectable<Schema["logged_model"]>;
type Done<T> = Result<T, TrackingRefusal>;
const parseTexts = checked(Texts);
const noModel = (id: string) => `Logged model with ID '${id}' not found.`;

export class LoggedModels {
  readonly #store: Store;
  readonly #audit: Audit;

  constructor(store: Store, audit: Audit) {
    this.#store = store;
    this.#audit = audit;
  }

  async begin(beginning: LoggedModelBeginning, actor: string): Promise<Done<LoggedModel>> {
    const { random, clock } = this.#store.runtime;
    const id = `m-${random.bytes(16).toString("hex")}`;
    const made = await this.#store.transaction(async (tx): Promise<Done<string>> => {
      await this.#audit.lock(tx);
      const experiment = await tx.selectFrom("experiment").selectAll().where("id", "=", beginning.experiment).executeTakeFirst();
      if (!experiment) return missing(noExperiment(beginning.experiment));
      if (experiment.deleted_at_ms !== null) return bad(inactiveExperiment(experiment));
      const nowMs = clock.nowMs();
      const name = beginning.name || runName(random);
      const row: Row = {
        id,
        experiment: experiment.id,
        name,
        model_type: beginning.type,
        source_run: beginning.run,
        status: "PENDING",
        status_message: null,
        params_json: canonicalJson(beginning.params),
        tags_json: canonicalJson(beginning.tags),
        created_at_ms: nowMs,
        updated_at_ms: nowMs,
        deleted_at_ms: null,
        created_by: actor,
      };
      await tx.insertInto("logged_model").values(row).execute();
      const payload = { name, experiment: experiment.name, run: beginning.run };
      await this.#audit.append(tx, { actor, action: "logged-model.begun", object: `logged-model/${id}`, payload });
      return ok(id);
    });
    return made.ok ? this.get(id) : made;
  }

  async get(id: string, { evenDeleted = false }: { readonly evenDeleted?: boolean } = {}): Promise<Done<LoggedModel>> {
    const row = await this.#store.db.selectFrom("logged_model").selectAll().where("id", "=", id).executeTakeFirst();
    if (!row || (row.deleted_at_ms !== null && !evenDeleted)) return missing(noModel(id));
    const [model] = await this.#whole([row]);
    return model ? ok(model) : missing(noModel(id));
  }

  async setStatus(id: string, status: LoggedModelStatus, actor: string): Promise<Done<LoggedModel>> {
    return this.#change(id, actor, (row) => ok({ set: { status }, action: "finished", payload: { from: row.status, to: status } }));
  }

  async setTags(id: string, tags: Texts, actor: string): Promise<Done<LoggedModel>> {
    return this.#change(id, actor, (row) =>
      ok({
        set: { tags_json: canonicalJson({ ...textsIn(row.tags_json), ...tags }) },
        action: "tagged",
        payload: { tags: Object.keys(tags) },
      }),
    );
  }

  async deleteTag(id: string, key: string, actor: string): Promise<Done<LoggedModel>> {
    return this.#change(id, actor, (row) => {
      const tags = textsIn(row.tags_json);
      if (!Object.hasOwn(tags, key)) return missing(`No tag with key '${key}' found for model with ID '${id}'.`);
      const { [key]: from = null, ...others } = tags;
      return ok({ set: { tags_json: canonicalJson(others) }, action: "untagged", payload: { key, from } });
    });
  }

  /** A parameter that is there already keeps its value. */
  async addParams(id: string, params: Texts, actor: string): Promise<Done<LoggedModel>> {
    return this.#change(id, actor, (row) => {
      const old = textsIn(row.params_json);
      const changed = Object.keys(params).find((key) => Object.hasOwn(old, key) && old[key] !== params[key]);
      if (changed !== undefined)
        return bad(
          `Changing param values is not allowed. Param with key='${changed}' was already logged with value='${old[changed]}' for model ID='${id}'. Attempted logging new value '${params[changed]}'.`,
        );
      return ok({ set: { params_json: canonicalJson({ ...old, ...params }) }, action: "logged", payload: { params: Object.keys(params) } });
    });
  }

  async delete(id: string, actor: string): Promise<Done<LoggedModel>> {
    const deleted_at_ms = this.#store.runtime.clock.nowMs();
    return this.#change(id, actor, () => ok({ set: { deleted_at_ms }, action: "deleted", payload: {} }));
  }

  async search(
    search: Search & { readonly experiments: readonly number[]; readonly datasets: readonly DatasetName[] },
  ): Promise<Done<Page<LoggedModel>>> {
    const { datasets } = search;
    const page = await searchPage(
      this.#store,
      {
        grammar: GRAMMAR,
        orderGrammar: ORDER_GRAMMAR,
        columns: sql`logged_model.*`,
        from: sql`logged_model`,
        where: [
          sql`logged_model.deleted_at_ms is null`,
          sql`logged_model.experiment in (${sql.join(search.experiments.length > 0 ? search.experiments : [-1])})`,
          ...(datasets.length > 0 && !/metrics\s*\./.test(search.filter)
            ? [sql`exists (select 1 from logged_model_metric as m where m.model = logged_model.id and ${ofDatasets(datasets)})`]
            : []),
        ],
        test: (comparison) => this.#test(comparison, datasets),
        terms: (order) => this.#terms(order, datasets),
        tieBreaks: [
          { by: sql`logged_model.created_at_ms`, isDescending: true },
          { by: sql`logged_model.id`, isDescending: false },
        ],
        scope: ["logged-models", search.experiments, datasets],
      },
      search,
    );
    return page.ok ? ok({ found: await this.#whole(page.value.found.map(asRow)), next: page.value.next }) : page;
  }

  #test(comparison: Comparison, datasets: readonly DatasetName[]): RawBuilder<boolean> {
    const { kind } = this.#store;
    const { entity, key } = comparison;
    switch (entity) {
      case "metric":
        return sql`exists (select 1 from logged_model_metric as m where m.model = logged_model.id and m.key = ${key} and m.is_nan = 0
          and ${ofDatasets(datasets)} and ${numberTest(sql`m.value`, comparison)})`;
      case "param":
        return textTest(kind, memberText(kind, sql`logged_model.params_json`, key), comparison);
      case "tag":
        return textTest(kind, memberText(kind, sql`logged_model.tags_json`, key), comparison);
      case "attribute": {
        const column = columns[key] ?? sql`null`;
        return GRAMMAR.attributes[key]?.kind === "number" ? numberTest(column, comparison) : textTest(kind, column, comparison);
      }
      case "dataset":
        return sql`1 = 0`; // the grammar knows none
      default:
        return unreachable(entity);
    }
  }

  #terms({ entity, key, isDescending }: Order, datasets: readonly DatasetName[]): readonly SortTerm[] {
    if (entity !== "metric") return [{ by: columns[key] ?? sql`''`, isDescending }];
    return nullsLast(
      sql`(select m.value from logged_model_metric as m where m.model = logged_model.id and m.key = ${key} and m.is_nan = 0
        and ${ofDatasets(datasets)} order by m.step desc, m.at_ms desc, m.value desc limit 1)`,
      { kind: "number", isDescending },
    );
  }

  async #change(
    id: string,
    actor: string,
    work: (row: Row) => Done<{
      readonly set: Partial<Pick<Row, "status" | "tags_json" | "params_json" | "deleted_at_ms">>;
      readonly action: string;
      readonly payload: Readonly<Record<string, string | null | readonly string[]>>;
    }>,
  ): Promise<Done<LoggedModel>> {
    const done = await this.#store.transaction(async (tx): Promise<Done<void>> => {
      await this.#audit.lock(tx);
      const row = await loggedModelRow(tx, id);
      if (!row) return missing(noModel(id));
      const change = work(row);
      if (!change.ok) return change;
      const { set, action, payload } = change.value;
      const updated_at_ms = this.#store.runtime.clock.nowMs();
      await tx
        .updateTable("logged_model")
        .set({ ...set, updated_at_ms })
        .where("id", "=", id)
        .execute();
      await this.#audit.append(tx, { actor, action: `logged-model.${action}`, object: `logged-model/${id}`, payload });
      return ok(undefined);
    });
    return done.ok ? this.get(id, { evenDeleted: true }) : done;
  }

  async #whole(rows: readonly Row[]): Promise<readonly LoggedModel[]> {
    if (rows.length === 0) return [];
    const { db } = this.#store;
    const experiments = await db
      .selectFrom("experiment")
      .selectAll()
      .where(
        "id",
        "in",
        rows.map(({ experiment }) => experiment),
      )
      .execute();
    const models: LoggedModel[] = [];
    for (let at = 0; at < rows.length; at += IDS_AT_ONCE) {
      const some = rows.slice(at, at + IDS_AT_ONCE);
      const ids = some.map(({ id }) => id);
      const metrics = await db
        .selectFrom("logged_model_metric")
        .selectAll()
        .where("model", "in", ids)
        .orderBy("step")
        .orderBy("at_ms")
        .execute();
      const versions = await db
        .selectFrom("model_version")
        .select(["model", "number", "logged_model"])
        .where("logged_model", "in", ids)
        .where("deleted_at_ms", "is", null)
        .orderBy("number")
        .execute();
      for (const row of some) {
        const experiment = experiments.find(({ id }) => id === row.experiment);
        assert(experiment, `experiment ${row.experiment} of logged model ${row.id} is there`);
        models.push(loggedModelOf(row, experiment, { metrics, versions }));
      }
    }
    return models;
  }
}

/** One that was not deleted. */
export const loggedModelRow = (tx: Transaction<Schema>, id: string): Promise<Row | undefined> =>
  tx.selectFrom("logged_model").selectAll().where("id", "=", id).where("deleted_at_ms", "is", null).executeTakeFirst();

function ofDatasets(datasets: readonly DatasetName[]): RawBuilder<boolean> {
  if (datasets.length === 0) return sql`1 = 1`;
  const each = datasets.map(({ name, digest }) =>
    digest === undefined ? sql`m.dataset_name = ${name}` : sql`(m.dataset_name = ${name} and m.dataset_digest = ${digest})`,
  );
  return sql`(${sql.join(each, sql` or `)})`;
}

function loggedModelOf(
  row: Row,
  experiment: ExperimentRow,
  parts: {
    readonly metrics: readonly Selectable<Schema["logged_model_metric"]>[];
    readonly versions: readonly { readonly model: string; readonly number: number; readonly logged_model: string | null }[];
  },
): LoggedModel {
  return {
    id: row.id,
    experiment: experimentOf(experiment),
    name: row.name,
    type: row.model_type,
    run: row.source_run,
    status: row.status === "READY" || row.status === "UPLOAD_FAILED" ? row.status : "PENDING",
    params: textsIn(row.params_json),
    tags: textsIn(row.tags_json),
    metrics: parts.metrics
      .filter(({ model }) => model === row.id)
      .map((metric) => ({
        key: metric.key,
        step: metric.step,
        atMs: metric.at_ms,
        value: valueOf(metric),
        run: metric.run,
        model: row.id,
        dataset: metric.dataset_name === "" ? undefined : { name: metric.dataset_name, digest: metric.dataset_digest },
      })),
    registrations: parts.versions
      .filter((version) => version.logged_model === row.id)
      .map((each) => ({ name: each.model, number: each.number })),
    createdAtMs: row.created_at_ms,
    updatedAtMs: row.updated_at_ms,
  };
}

export function textsIn(json: string | null): Texts {
  const texts = parseTexts(json === null ? {} : JSON.parse(json));
  assert(texts.ok, "tags and parameters are texts");
  return texts.value;
}

/** These were asked for with `logged_model.*`. */
const asRow = (row: unknown): Row => row as Row;
