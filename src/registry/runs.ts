/** Runs: one training each, with what went in (parameters, data, features), what came out (metrics, artifacts, models). */
import type { Selectable, Transaction } from "kysely";
import type { Audit } from "../access/index.ts";
import { checked } from "../checked.ts";
import { canonicalJson, parseBlobId, type Schema, type Store } from "../store/index.ts";
import { assert, err, ok, type BlobId, type Issue, type Result } from "../std.ts";
import type { Experiments } from "./experiments.ts";
import type { Lineage, LineageEdge, LineageNode } from "./lineage.ts";
import { valueOf, writePoints, type MetricValue } from "./metric-points.ts";
import { artifactPathIssue, nameIssue } from "./names.ts";
import { conflict, invalid, unknown, type Refusal } from "./refusal.ts";
import { RunLog, RunParams, RunTags } from "./run-log.ts";

/** `scheduled` and `killed` are told by clients of MLflow only. */
export const runStatuses = ["running", "scheduled", "finished", "failed", "killed"] as const;
export type RunStatus = (typeof runStatuses)[number];

export interface Run {
  readonly id: string;
  readonly experiment: string;
  readonly name: string;
  readonly status: RunStatus;
  readonly params: RunParams;
  readonly tags: RunTags;
  /** The newest value of every metric. */
  readonly metrics: Readonly<Record<string, number>>;
  readonly startedAtMs: number;
  readonly endedAtMs: number | null;
  readonly createdBy: string;
}

export interface RunDetail extends Run {
  /** Every value that was logged, in order of step and time. */
  readonly history: readonly { readonly key: string; readonly step: number; readonly value: number; readonly atMs: number }[];
  readonly artifacts: readonly { readonly path: string; readonly blob: BlobId; readonly bytes: number }[];
  readonly inputs: readonly LineageNode[];
  readonly outputs: readonly LineageNode[];
}

export interface RunStart {
  readonly experiment: string;
  readonly name: string;
  readonly params?: RunParams;
  readonly tags?: RunTags;
  /** What it is made from; more can be added while it runs. */
  readonly inputs?: readonly LineageNode[];
}

/** Runs side by side: every parameter and metric that any of them has. */
export interface RunComparison {
  readonly runs: readonly Run[];
  readonly params: readonly ComparedRow<string | number | boolean>[];
  readonly metrics: readonly ComparedRow<number>[];
}
export interface ComparedRow<T> {
  readonly key: string;
  /** In the order of `runs`; null where a run doesn't have it. */
  readonly values: readonly (T | null)[];
  readonly differs: boolean;
}

export interface RunPage {
  /** Newest first. */
  readonly runs: readonly Run[];
  /** Pass as `before` for what is older; null at the end. */
  readonly next: string | null;
}

const parseLog = checked(RunLog);
const parseParams = checked(RunParams);
const parseTags = checked(RunTags);
export type RunRow = Selectable<Schema["run"]>;
export type MetricRow = Selectable<Schema["run_metric"]>;

export class Runs {
  readonly #store: Store;
  readonly #audit: Audit;
  readonly #lineage: Lineage;
  readonly #experiments: Experiments;

  constructor(store: Store, audit: Audit, parts: { readonly lineage: Lineage; readonly experiments: Experiments }) {
    this.#store = store;
    this.#audit = audit;
    this.#lineage = parts.lineage;
    this.#experiments = parts.experiments;
  }

  async start(start: RunStart, actor: string): Promise<Result<Run, Refusal>> {
    const { experiment, name, params = {}, tags = {}, inputs = [] } = start;
    const issues = [nameIssue("/experiment", experiment), nameIssue("/name", name)].filter((issue) => issue !== undefined);
    const log = parseLog({ params, tags });
    if (!log.ok) issues.push(...log.error);
    if (issues.length > 0) return err(invalid(issues));
    const row: RunRow = {
      id: this.#store.runtime.ids.next(),
      experiment,
      name,
      status: "running",
      params_json: canonicalJson(params),
      tags_json: canonicalJson(tags),
      started_at_ms: this.#store.runtime.clock.nowMs(),
      ended_at_ms: null,
      created_by: actor,
      user_name: null,
      deleted_at_ms: null,
    };
    const done = await this.#store.transaction(async (tx): Promise<Result<void, Refusal>> => {
      await this.#audit.lock(tx);
      const group = await this.#experiments.ensure(tx, experiment, actor);
      if (group.deleted_at_ms !== null) return err(conflict(`the experiment ${experiment} was deleted: restore it, or name another`));
      await tx.insertInto("run").values(row).execute();
      await this.#lineage.add(tx, inputEdges(row.id, inputs));
      await this.#audit.append(tx, { actor, action: "run.started", object: `run/${row.id}`, payload: { experiment, name } });
      return ok(undefined);
    });
    return done.ok ? ok(runOf(row, [])) : done;
  }

  /** Adds to a run that has not ended. A parameter never changes its value and an artifact never its bytes; a point logged twice is one. */
  async log(run: string, value: unknown, actor: string): Promise<Result<Run, Refusal>> {
    const parsed = parseLog(value);
    if (!parsed.ok) return err(invalid(parsed.error));
    const log = parsed.value;
    const issues = await this.#issuesOf(log);
    if (issues.length > 0) return err(invalid(issues));
    const sizes = new Map<string, number>();
    for (const { blob } of log.artifacts ?? []) sizes.set(blob, await this.#store.blobs.size(asBlobId(blob)));
    const done = await this.#store.transaction(async (tx): Promise<Result<void, Refusal>> => {
      await this.#audit.lock(tx);
      const row = await openRun(tx, run);
      if (!row.ok) return row;
      const old = { params: paramsOf(row.value), tags: tagsOf(row.value) };
      const changed = Object.entries(log.params ?? {}).find(([key, param]) => Object.hasOwn(old.params, key) && old.params[key] !== param);
      if (changed)
        return err(conflict(`parameter ${changed[0]} of this run is ${String(old.params[changed[0]])}; a run's parameters don't change`));
      const paths = (log.artifacts ?? []).map(({ path }) => path);
      if (paths.length > 0) {
        const there = await tx
          .selectFrom("run_artifact")
          .select(["path", "blob"])
          .where("run", "=", run)
          .where("path", "in", paths)
          .execute();
        const other = there.find(({ path, blob }) => log.artifacts?.some((artifact) => artifact.path === path && artifact.blob !== blob));
        if (other) return err(conflict(`artifact ${other.path} of this run has other bytes; an artifact doesn't change`));
      }
      await this.#write(tx, { run, log, sizes });
      const merged = {
        params_json: canonicalJson({ ...old.params, ...log.params }),
        tags_json: canonicalJson({ ...old.tags, ...log.tags }),
      };
      await tx.updateTable("run").set(merged).where("id", "=", run).execute();
      const payload = {
        params: Object.keys(log.params ?? {}).length,
        tags: Object.keys(log.tags ?? {}).length,
        metrics: log.metrics?.length ?? 0,
        artifacts: paths,
      };
      await this.#audit.append(tx, { actor, action: "run.logged", object: `run/${run}`, payload });
      return ok(undefined);
    });
    return done.ok ? this.get(run) : done;
  }

  /** Says what a run was made from, or what it made: dataset versions, feature sets, models. */
  async link(
    run: string,
    links: { readonly inputs?: readonly LineageNode[]; readonly outputs?: readonly LineageNode[] },
    actor: string,
  ): Promise<Result<void, Refusal>> {
    const { inputs = [], outputs = [] } = links;
    return this.#store.transaction(async (tx): Promise<Result<void, Refusal>> => {
      await this.#audit.lock(tx);
      const row = await openRun(tx, run);
      if (!row.ok) return row;
      const made = outputs.map((to): LineageEdge => ({ from: { kind: "run", id: run }, to, relation: "made" }));
      await this.#lineage.add(tx, [...inputEdges(run, inputs), ...made]);
      const payload = { inputs: inputs.map(nodeText), outputs: outputs.map(nodeText) };
      await this.#audit.append(tx, { actor, action: "run.linked", object: `run/${run}`, payload });
      return ok(undefined);
    });
  }

  async finish(run: string, status: "finished" | "failed", actor: string): Promise<Result<Run, Refusal>> {
    const done = await this.#store.transaction(async (tx): Promise<Result<void, Refusal>> => {
      await this.#audit.lock(tx);
      const row = await openRun(tx, run);
      if (!row.ok) return row;
      await tx.updateTable("run").set({ status, ended_at_ms: this.#store.runtime.clock.nowMs() }).where("id", "=", run).execute();
      await this.#audit.append(tx, { actor, action: `run.${status}`, object: `run/${run}`, payload: {} });
      return ok(undefined);
    });
    return done.ok ? this.get(run) : done;
  }

  async get(run: string): Promise<Result<RunDetail, Refusal>> {
    const { db } = this.#store;
    const row = await db.selectFrom("run").selectAll().where("id", "=", run).executeTakeFirst();
    if (!row) return err(unknown("run", run));
    const history = await db
      .selectFrom("run_metric")
      .selectAll()
      .where("run", "=", run)
      .orderBy("step")
      .orderBy("at_ms")
      .orderBy("key")
      .execute();
    const artifacts = await db.selectFrom("run_artifact").selectAll().where("run", "=", run).orderBy("path").execute();
    const [upstream, downstream] = [
      await this.#lineage.upstream({ kind: "run", id: run }, { depth: 1 }),
      await this.#lineage.downstream({ kind: "run", id: run }, { depth: 1 }),
    ];
    return ok({
      ...runOf(row, await latestOf(db, [run])),
      history: history.filter(isNumber).map(({ key, step, value, at_ms: atMs }) => ({ key, step, value, atMs })),
      artifacts: artifacts.map(({ path, blob, bytes }) => ({ path, blob: asBlobId(blob), bytes })),
      inputs: upstream.edges.map(({ from }) => from),
      outputs: downstream.edges.map(({ to }) => to),
    });
  }

  /** @param limit - at most 1,000; 100 when not given */
  async list(filter: { readonly experiment?: string; readonly before?: string; readonly limit?: number } = {}): Promise<RunPage> {
    const limit = Math.max(1, Math.min(filter.limit ?? 100, 1000));
    // Ids are sorted by time, also when the wall clock goes back.
    let query = this.#store.db.selectFrom("run").selectAll().where("deleted_at_ms", "is", null).orderBy("id", "desc").limit(limit);
    if (filter.experiment !== undefined) query = query.where("experiment", "=", filter.experiment);
    if (filter.before !== undefined) query = query.where("id", "<", filter.before);
    const rows = await query.execute();
    const last = rows.at(-1);
    return { runs: await this.#withMetrics(rows), next: last && rows.length === limit ? last.id : null };
  }

  /** Puts runs side by side, in the order given. */
  async compare(ids: readonly string[]): Promise<Result<RunComparison, Refusal>> {
    const wanted = ids.slice(0, 100);
    const rows = wanted.length > 0 ? await this.#store.db.selectFrom("run").selectAll().where("id", "in", wanted).execute() : [];
    const found = await this.#withMetrics(rows);
    const runs = wanted.flatMap((id) => found.find((run) => run.id === id) ?? []);
    const missing = wanted.find((id) => !runs.some((run) => run.id === id));
    if (missing !== undefined) return err(unknown("run", missing));
    return ok({ runs, params: sideBySide(runs.map(({ params }) => params)), metrics: sideBySide(runs.map(({ metrics }) => metrics)) });
  }

  async #issuesOf(log: RunLog): Promise<Issue[]> {
    const issues: Issue[] = [];
    for (const [i, { value }] of (log.metrics ?? []).entries()) {
      if (!Number.isFinite(value)) issues.push({ path: `/metrics/${i}/value`, expected: "a finite number", got: String(value) });
    }
    for (const [i, { path, blob }] of (log.artifacts ?? []).entries()) {
      const issue = artifactPathIssue(`/artifacts/${i}/path`, path);
      if (issue) issues.push(issue);
      if (!(await this.#store.blobs.has(asBlobId(blob)))) {
        issues.push({ path: `/artifacts/${i}/blob`, expected: "a blob that was uploaded before", got: blob });
      }
    }
    return issues;
  }

  async #write(
    tx: Transaction<Schema>,
    { run, log, sizes }: { readonly run: string; readonly log: RunLog; readonly sizes: ReadonlyMap<string, number> },
  ): Promise<void> {
    const nowMs = this.#store.runtime.clock.nowMs();
    const points = (log.metrics ?? []).map(({ key, value, step = 0, atMs = nowMs }): MetricValue => ({ key, value, step, atMs }));
    await writePoints(tx, this.#store.kind, { run, points });
    const artifacts = new Map((log.artifacts ?? []).map(({ path, blob }) => [path, { run, path, blob, bytes: sizes.get(blob) ?? 0 }]));
    if (artifacts.size > 0) {
      await tx
        .insertInto("run_artifact")
        .values([...artifacts.values()])
        .onConflict((on) => on.doNothing())
        .execute();
    }
  }

  async #withMetrics(rows: readonly RunRow[]): Promise<Run[]> {
    const latest = await latestOf(
      this.#store.db,
      rows.map(({ id }) => id),
    );
    const byRun = Map.groupBy(latest, ({ run }) => run);
    return rows.map((row) => runOf(row, byRun.get(row.id) ?? []));
  }
}

async function openRun(tx: Transaction<Schema>, run: string): Promise<Result<RunRow, Refusal>> {
  const row = await tx.selectFrom("run").selectAll().where("id", "=", run).executeTakeFirst();
  if (!row) return err(unknown("run", run));
  if (row.deleted_at_ms !== null) return err(conflict(`run ${run} was deleted; nothing is added to it any more`));
  return row.ended_at_ms === null ? ok(row) : err(conflict(`run ${run} has ended (${row.status}); nothing is added to it any more`));
}

const nodeText = ({ kind, id }: LineageNode) => `${kind}/${id}`;
const inputEdges = (run: string, inputs: readonly LineageNode[]) =>
  inputs.map((from): LineageEdge => ({ from, to: { kind: "run", id: run }, relation: "used_by" }));

function sideBySide<T>(columns: readonly Readonly<Record<string, T>>[]): ComparedRow<T>[] {
  const keys = [...new Set(columns.flatMap((column) => Object.keys(column)))].toSorted();
  return keys.map((key) => {
    const values = columns.map((column) => (Object.hasOwn(column, key) ? (column[key] ?? null) : null));
    return { key, values, differs: new Set(values).size > 1 };
  });
}

/** A statement takes some ten thousand values at most. */
export const IDS_AT_ONCE = 1000;

/** The newest point of every metric of these runs. */
export async function latestOf(db: Store["db"], runs: readonly string[]): Promise<readonly MetricRow[]> {
  const found: MetricRow[] = [];
  for (let at = 0; at < runs.length; at += IDS_AT_ONCE) {
    const some = runs.slice(at, at + IDS_AT_ONCE);
    found.push(...(await db.selectFrom("run_metric_latest").selectAll().where("run", "in", some).execute()));
  }
  return found;
}

/** Our own API and pages show numbers; a metric that isn't one is shown by none of them. */
const isNumber = (row: MetricRow): boolean => !Number.isNaN(valueOf(row));

export function paramsOf(row: Pick<RunRow, "id" | "params_json">): RunParams {
  const params = parseParams(JSON.parse(row.params_json));
  assert(params.ok, `the parameters of run ${row.id} fit their schema`);
  return params.value;
}
export function tagsOf(row: Pick<RunRow, "id" | "tags_json">): RunTags {
  const tags = parseTags(JSON.parse(row.tags_json));
  assert(tags.ok, `the tags of run ${row.id} fit their schema`);
  return tags.value;
}

/** @param latest - the newest point of each key */
function runOf(row: RunRow, latest: readonly MetricRow[]): Run {
  return {
    id: row.id,
    experiment: row.experiment,
    name: row.name,
    status: statusOf(row),
    params: paramsOf(row),
    tags: tagsOf(row),
    metrics: Object.fromEntries(latest.filter(isNumber).map(({ key, value }) => [key, value])),
    startedAtMs: row.started_at_ms,
    endedAtMs: row.ended_at_ms,
    createdBy: row.created_by,
  };
}

export const statusOf = ({ status }: Pick<RunRow, "status">): RunStatus => runStatuses.find((each) => each === status) ?? "failed";

/** Checked by the schema of a log, or written after that. */
function asBlobId(text: string): BlobId {
  const id = parseBlobId(text);
  assert(id, `${text} is a blob id`);
  return id;
}
