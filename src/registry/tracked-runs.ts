/**
 * Runs as MLflow's clients write them: the same runs, by MLflow's rules. Such a run may be written to after it has ended, its tags move, and
 * deleting it only hides it. Points of metrics are a history of their own; every other change is in the audit log.
 */
import type { Transaction } from "kysely";
import type { Audit } from "../access/index.ts";
import { canonicalJson, type Schema, type Store } from "../store/index.ts";
import { ok, type Result } from "../std.ts";
import { experimentOf, inactiveExperiment, noExperiment, type Experiment, type ExperimentRow } from "./experiments.ts";
import { heldBy } from "./held-by.ts";
import type { Lineage } from "./lineage.ts";
import { storedValue, writePoints, type MetricValue } from "./metric-points.ts";
import { PointGroup } from "./point-group.ts";
import { paramsOf, statusOf, tagsOf, type RunRow, type RunStatus } from "./runs.ts";
import type { RunParams, RunTags } from "./run-log.ts";
import { runName } from "./run-name.ts";
import { bad, missing, type TrackingRefusal } from "./tracking-refusal.ts";

export interface TrackedRun {
  readonly id: string;
  readonly name: string;
  readonly experiment: Experiment;
  readonly status: RunStatus;
  readonly user: string | null;
  readonly startedAtMs: number;
  readonly endedAtMs: number | null;
  readonly isDeleted: boolean;
  readonly params: RunParams;
  readonly tags: RunTags;
}

export interface RunBeginning {
  readonly experiment: number;
  readonly name: string | undefined;
  readonly user: string | undefined;
  readonly startedAtMs: number | undefined;
  readonly tags: RunTags;
}

/** A point that may also be about a logged model and a dataset. */
export interface LoggedPoint extends MetricValue {
  readonly model?: string | undefined;
  readonly dataset?: { readonly name: string; readonly digest: string } | undefined;
}

export interface Logged {
  readonly points?: readonly LoggedPoint[];
  readonly params?: readonly (readonly [key: string, value: string])[];
  readonly tags?: readonly (readonly [key: string, value: string])[];
  /** Whether it came as a batch: the refusal of a changed parameter is worded by it. */
  readonly isBatch?: boolean;
}

export const RUN_NAME_TAG = "mlflow.runName";
type Done<T = void> = Result<T, TrackingRefusal>;
type Db = Store["db"] | Transaction<Schema>;

export class TrackedRuns {
  readonly #store: Store;
  readonly #audit: Audit;
  readonly #lineage: Lineage;
  readonly #points: PointGroup<LoggedPoint, Done<TrackedRun>>;

  constructor(store: Store, audit: Audit, lineage: Lineage) {
    this.#store = store;
    this.#audit = audit;
    this.#lineage = lineage;
    this.#points = new PointGroup(store, (tx) => this.#pointWriter(tx));
  }

  async begin(beginning: RunBeginning, actor: string): Promise<Done<TrackedRun>> {
    const { clock, ids, random } = this.#store.runtime;
    const { experiment: number, user, tags } = beginning;
    const tagged = Object.hasOwn(tags, RUN_NAME_TAG) ? tags[RUN_NAME_TAG] : undefined;
    if (beginning.name && tagged && beginning.name !== tagged)
      return bad(
        `Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values (run_name='${beginning.name}', mlflow.runName='${tagged}').`,
      );
    const name = beginning.name || tagged || runName(random);
    return this.#store.transaction(async (tx): Promise<Done<TrackedRun>> => {
      await this.#audit.lock(tx);
      const experiment = await tx.selectFrom("experiment").selectAll().where("id", "=", number).executeTakeFirst();
      if (!experiment) return missing(noExperiment(number));
      if (experiment.deleted_at_ms !== null) return bad(inactiveExperiment(experiment));
      const row: RunRow = {
        id: ids.next(),
        experiment: experiment.name,
        name,
        status: "running",
        params_json: "{}",
        tags_json: canonicalJson({ ...tags, [RUN_NAME_TAG]: name }),
        started_at_ms: beginning.startedAtMs ?? clock.nowMs(),
        ended_at_ms: null,
        created_by: actor,
        user_name: user ?? null,
        deleted_at_ms: null,
      };
      await tx.insertInto("run").values(row).execute();
      const payload = { experiment: experiment.name, name };
      await this.#audit.append(tx, { actor, action: "run.started", object: `run/${row.id}`, payload });
      return ok(trackedRun(row, experiment));
    });
  }

  async get(run: string): Promise<Done<TrackedRun>> {
    return getRun(this.#store.db, run);
  }

  async update(
    run: string,
    change: { readonly status?: RunStatus | undefined; readonly endedAtMs?: number | undefined; readonly name?: string | undefined },
    actor: string,
  ): Promise<Done<TrackedRun>> {
    return this.#write(run, async (tx, row) => {
      const { status = row.status, name = row.name } = change;
      const endedAtMs = change.endedAtMs === undefined ? row.ended_at_ms : change.endedAtMs || null;
      const tags = name === row.name ? row.tags_json : canonicalJson({ ...tagsOf(row), [RUN_NAME_TAG]: name });
      await tx.updateTable("run").set({ status, name, ended_at_ms: endedAtMs, tags_json: tags }).where("id", "=", run).execute();
      const payload = { from: { status: row.status, name: row.name }, to: { status, name } };
      await this.#audit.append(tx, { actor, action: `run.${status}`, object: `run/${run}`, payload });
      return ok({ ...row, status, name, ended_at_ms: endedAtMs, tags_json: tags });
    });
  }

  /** Points, parameters and tags at once, or none of them. A parameter never changes its value. */
  async log(run: string, logged: Logged, actor: string): Promise<Done<TrackedRun>> {
    if (logged.points && !logged.params?.length && !logged.tags?.length) return this.#points.write(run, logged.points);
    return this.#write(run, async (tx, row) => {
      const { points = [], params = [], tags = [] } = logged;
      const old = params.length > 0 ? paramsOf(row) : {};
      const changed = params.filter(([key, value]) => Object.hasOwn(old, key) && String(old[key]) !== value);
      if (changed.length > 0) return bad(changedParams(row.id, old, changed, logged.isBatch === true));
      await writePoints(tx, this.#store.kind, { run, points });
      await writeModelPoints(tx, { run, points });
      const added = params.filter(([key]) => !Object.hasOwn(old, key));
      const name = tags.findLast(([key]) => key === RUN_NAME_TAG)?.[1] || row.name;
      const merged = {
        name,
        params_json: added.length > 0 ? canonicalJson({ ...old, ...Object.fromEntries(added) }) : row.params_json,
        tags_json: tags.length > 0 ? canonicalJson({ ...tagsOf(row), ...Object.fromEntries(tags) }) : row.tags_json,
      };
      await tx.updateTable("run").set(merged).where("id", "=", run).execute();
      const payload = { params: added.map(([key]) => key), tags: tags.map(([key]) => key), metrics: points.length };
      await this.#audit.append(tx, { actor, action: "run.logged", object: `run/${run}`, payload });
      return ok({ ...row, ...merged });
    });
  }

  async #pointWriter(tx: Transaction<Schema>) {
    await this.#audit.lock(tx);
    const known = new Map<string, Done<RunRows>>();
    return async (run: string, points: readonly LoggedPoint[]): Promise<Done<TrackedRun>> => {
      const found = known.get(run) ?? (await writableRun(tx, run));
      known.set(run, found);
      if (!found.ok) return found;
      await writePoints(tx, this.#store.kind, { run, points });
      await writeModelPoints(tx, { run, points });
      return ok(trackedRun(found.value.run, found.value.experiment));
    };
  }

  async deleteTag(run: string, key: string, actor: string): Promise<Done<TrackedRun>> {
    return this.#write(run, async (tx, row) => {
      const tags = tagsOf(row);
      if (!Object.hasOwn(tags, key)) return missing(`No tag with name: ${key} in run with id ${hexOf(run)}`);
      const { [key]: from = null, ...others } = tags;
      const tagsJson = canonicalJson(others);
      await tx.updateTable("run").set({ tags_json: tagsJson }).where("id", "=", run).execute();
      await this.#audit.append(tx, { actor, action: "run.untagged", object: `run/${run}`, payload: { key, from } });
      return ok({ ...row, tags_json: tagsJson });
    });
  }

  /** Hides a run, or shows it again; one that is so already stays so. What a release is made of isn't hidden. */
  async setDeleted(run: string, isDeleted: boolean, actor: string): Promise<Done> {
    return this.#store.transaction(async (tx): Promise<Done> => {
      await this.#audit.lock(tx);
      const found = await rowsOf(tx, run);
      if (!found) return missing(noRun(run));
      if ((found.run.deleted_at_ms !== null) === isDeleted) return ok(undefined);
      const used = isDeleted ? await heldBy(tx, this.#lineage, { kind: "run", id: run }) : undefined;
      if (used !== undefined) return bad(`The run ${hexOf(run)} can't be deleted: ${used}`);
      if (!isDeleted && found.experiment.deleted_at_ms !== null) return bad(inactiveExperiment(found.experiment));
      await tx
        .updateTable("run")
        .set({ deleted_at_ms: isDeleted ? this.#store.runtime.clock.nowMs() : null })
        .where("id", "=", run)
        .execute();
      await this.#audit.append(tx, { actor, action: isDeleted ? "run.deleted" : "run.restored", object: `run/${run}`, payload: {} });
      return ok(undefined);
    });
  }

  /** In a transaction that alone writes; the run is there, and neither it nor its experiment was deleted. */
  async #write(run: string, work: (tx: Transaction<Schema>, row: RunRow) => Promise<Done<RunRow>>): Promise<Done<TrackedRun>> {
    return this.#store.transaction(async (tx): Promise<Done<TrackedRun>> => {
      await this.#audit.lock(tx);
      const found = await writableRun(tx, run);
      if (!found.ok) return found;
      const done = await work(tx, found.value.run);
      return done.ok ? ok(trackedRun(done.value, found.value.experiment)) : done;
    });
  }
}

export interface RunRows {
  readonly run: RunRow;
  readonly experiment: ExperimentRow;
}

async function rowsOf(db: Db, id: string): Promise<RunRows | undefined> {
  const run = await db.selectFrom("run").selectAll().where("id", "=", id).executeTakeFirst();
  if (!run) return undefined;
  const experiment = await db.selectFrom("experiment").selectAll().where("name", "=", run.experiment).executeTakeFirstOrThrow();
  return { run, experiment };
}

/** A run that may be written to. */
export async function writableRun(tx: Transaction<Schema>, id: string): Promise<Done<RunRows>> {
  const found = await rowsOf(tx, id);
  if (!found) return missing(noRun(id));
  if (found.experiment.deleted_at_ms !== null) return bad(inactiveExperiment(found.experiment));
  if (found.run.deleted_at_ms !== null) return bad(`The run ${hexOf(id)} must be in the 'active' state. Current state is deleted.`);
  return ok(found);
}

async function getRun(db: Db, id: string): Promise<Done<TrackedRun>> {
  const found = await rowsOf(db, id);
  return found ? ok(trackedRun(found.run, found.experiment)) : missing(noRun(id));
}

/** MLflow writes ids without what makes them readable. */
export const hexOf = (run: string): string => run.replaceAll("-", "");
/** The other way round: 32 hex digits, or undefined. */
export function runIdIn(hex: string): string | undefined {
  const [, a, b, c, d, e] = /^([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})$/.exec(hex) ?? [];
  return a === undefined ? undefined : `${a}-${b}-${c}-${d}-${e}`;
}
const noRun = (run: string) => `Run with id=${hexOf(run)} not found`;

function changedParams(run: string, old: RunParams, changed: readonly (readonly [string, string])[], isBatch: boolean): string {
  const [[key, value] = ["", ""]] = changed;
  if (!isBatch)
    return `Changing param values is not allowed. Param with key='${key}' was already logged with value='${String(old[key])}' for run ID='${hexOf(run)}'. Attempted logging new value '${value}'.`;
  const each = changed.map(([name, text]) => `{'key': '${name}', 'old_value': '${String(old[name])}', 'new_value': '${text}'}`);
  return `Changing param values is not allowed. Params were already logged='[${each.join(", ")}]' for run ID='${hexOf(run)}'.`;
}

async function writeModelPoints(
  tx: Transaction<Schema>,
  { run, points }: { readonly run: string; readonly points: readonly LoggedPoint[] },
): Promise<void> {
  for (const point of points) {
    if (!point.model) continue;
    const row = {
      model: point.model,
      key: point.key,
      dataset_name: point.dataset?.name ?? "",
      dataset_digest: point.dataset?.digest ?? "",
      run,
      step: point.step,
      at_ms: point.atMs,
      value: storedValue(point.value),
      is_nan: Number.isNaN(point.value) ? (1 as const) : (0 as const),
    };
    await tx
      .insertInto("logged_model_metric")
      .values(row)
      .onConflict((on) => on.doNothing())
      .execute();
  }
}

export const trackedRun = (row: RunRow, experiment: ExperimentRow): TrackedRun => ({
  id: row.id,
  name: row.name,
  experiment: experimentOf(experiment),
  status: statusOf(row),
  user: row.user_name,
  startedAtMs: row.started_at_ms,
  endedAtMs: row.ended_at_ms,
  isDeleted: row.deleted_at_ms !== null,
  params: paramsOf(row),
  tags: tagsOf(row),
});
