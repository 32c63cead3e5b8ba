/** Experiments: what runs are grouped by. A name stands for one number for ever, also while it is deleted. */
import type { Selectable, Transaction } from "kysely";
import type { Audit } from "../access/index.ts";
import { checked } from "../checked.ts";
import { canonicalJson, type Schema, type Store } from "../store/index.ts";
import { assert, ok, type Result } from "../std.ts";
import { RunTags } from "./run-log.ts";
import { bad, exists, missing, type TrackingRefusal } from "./tracking-refusal.ts";

export interface Experiment {
  readonly id: number;
  readonly name: string;
  /** Below it lie the files of its runs and logged models. */
  readonly artifactLocation: string;
  readonly tags: RunTags;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  readonly isDeleted: boolean;
}

export type ExperimentRow = Selectable<Schema["experiment"]>;
type Changed<T = void> = Result<T, TrackingRefusal>;
/** Where files go of experiments that name no place of their own. */
const ROOT = "mlflow-artifacts:/";

export class Experiments {
  readonly #store: Store;
  readonly #audit: Audit;

  constructor(store: Store, audit: Audit) {
    this.#store = store;
    this.#audit = audit;
  }

  async create(
    made: { readonly name: string; readonly artifactLocation?: string | undefined; readonly tags?: RunTags },
    actor: string,
  ): Promise<Changed<Experiment>> {
    return this.#store.transaction(async (tx): Promise<Changed<Experiment>> => {
      await this.#audit.lock(tx);
      if (await named(tx, made.name)) return exists(`Experiment(name=${made.name}) already exists.`);
      return ok(experimentOf(await this.#insert(tx, made, actor)));
    });
  }

  /** Part of the transaction that makes a run: the experiment of that name, made where there is none. The audit log is locked already. */
  async ensure(tx: Transaction<Schema>, name: string, actor: string): Promise<ExperimentRow> {
    return (await named(tx, name)) ?? (await this.#insert(tx, { name }, actor));
  }

  async get(id: number): Promise<Changed<Experiment>> {
    const row = await this.#store.db.selectFrom("experiment").selectAll().where("id", "=", id).executeTakeFirst();
    return row ? ok(experimentOf(row)) : missing(noExperiment(id));
  }

  async byName(name: string): Promise<Changed<Experiment>> {
    const row = await named(this.#store.db, name);
    return row ? ok(experimentOf(row)) : missing(`Could not find experiment with name '${name}'`);
  }

  /** Its runs go and come with it. */
  async setDeleted(id: number, isDeleted: boolean, actor: string): Promise<Changed> {
    return this.#change(id, { isDeleted: !isDeleted, because: noExperiment(id), kind: "missing" }, async (tx, row, nowMs) => {
      await tx
        .updateTable("experiment")
        .set({ deleted_at_ms: isDeleted ? nowMs : null, updated_at_ms: nowMs })
        .where("id", "=", id)
        .execute();
      const runs = tx
        .updateTable("run")
        .set({ deleted_at_ms: isDeleted ? nowMs : null })
        .where("experiment", "=", row.name);
      await (isDeleted ? runs.where("deleted_at_ms", "is", null) : runs).execute();
      await this.#audit.append(tx, {
        actor,
        action: isDeleted ? "experiment.deleted" : "experiment.restored",
        object: `experiment/${row.id}`,
        payload: { name: row.name },
      });
      return ok(undefined);
    });
  }

  async rename(id: number, name: string, actor: string): Promise<Changed> {
    return this.#change(
      id,
      { isDeleted: false, because: "Cannot rename a non-active experiment.", kind: "invalid" },
      async (tx, row, nowMs) => {
        const other = await named(tx, name);
        if (other && other.id !== id) return exists(`Experiment(name=${name}) already exists.`);
        await tx.updateTable("experiment").set({ name, updated_at_ms: nowMs }).where("id", "=", id).execute();
        await tx.updateTable("run").set({ experiment: name }).where("experiment", "=", row.name).execute();
        const payload = { from: row.name, to: name };
        await this.#audit.append(tx, { actor, action: "experiment.renamed", object: `experiment/${id}`, payload });
        return ok(undefined);
      },
    );
  }

  /** @param value - undefined takes the tag away, and refuses where there is none */
  async setTag(id: number, { key, value }: { readonly key: string; readonly value: string | undefined }, actor: string): Promise<Changed> {
    return this.#change(id, undefined, async (tx, row, nowMs) => {
      if (row.deleted_at_ms !== null) return bad(inactiveExperiment(row));
      const tags = tagsOf(row);
      const from = Object.hasOwn(tags, key) ? (tags[key] ?? null) : null;
      if (value === undefined && from === null) return missing(`No tag with name: ${key} in experiment with id ${id}`);
      if (value === from) return ok(undefined);
      const { [key]: _, ...others } = tags;
      const changed = value === undefined ? others : { ...tags, [key]: value };
      await tx
        .updateTable("experiment")
        .set({ tags_json: canonicalJson(changed), updated_at_ms: nowMs })
        .where("id", "=", id)
        .execute();
      const payload = { key, from, to: value ?? null };
      await this.#audit.append(tx, { actor, action: "experiment.tagged", object: `experiment/${id}`, payload });
      return ok(undefined);
    });
  }

  /** @param needs - the state that it must be in, and what to say otherwise */
  async #change(
    id: number,
    needs: { readonly isDeleted: boolean; readonly because: string; readonly kind: "missing" | "invalid" } | undefined,
    work: (tx: Transaction<Schema>, row: ExperimentRow, nowMs: number) => Promise<Changed>,
  ): Promise<Changed> {
    return this.#store.transaction(async (tx): Promise<Changed> => {
      await this.#audit.lock(tx);
      const row = await tx.selectFrom("experiment").selectAll().where("id", "=", id).executeTakeFirst();
      if (!row) return missing(noExperiment(id));
      if (needs && (row.deleted_at_ms !== null) !== needs.isDeleted)
        return needs.kind === "missing" ? missing(needs.because) : bad(needs.because);
      return work(tx, row, this.#store.runtime.clock.nowMs());
    });
  }

  async #insert(
    tx: Transaction<Schema>,
    {
      name,
      artifactLocation,
      tags = {},
    }: { readonly name: string; readonly artifactLocation?: string | undefined; readonly tags?: RunTags },
    actor: string,
  ): Promise<ExperimentRow> {
    const { last } = await tx
      .selectFrom("experiment")
      .select((eb) => eb.fn.max("id").as("last"))
      .executeTakeFirstOrThrow();
    const id = (last ?? -1) + 1;
    const nowMs = this.#store.runtime.clock.nowMs();
    const row: ExperimentRow = {
      id,
      name,
      artifact_location: artifactLocation ?? `${ROOT}${id}`,
      tags_json: canonicalJson(tags),
      created_at_ms: nowMs,
      updated_at_ms: nowMs,
      deleted_at_ms: null,
      created_by: actor,
    };
    await tx.insertInto("experiment").values(row).execute();
    await this.#audit.append(tx, { actor, action: "experiment.created", object: `experiment/${id}`, payload: { name } });
    return row;
  }
}

export const noExperiment = (id: number) => `No Experiment with id=${id} exists`;
export const inactiveExperiment = ({ id }: { readonly id: number }) =>
  `The experiment ${id} must be in the 'active' state. Current state is deleted.`;

const named = (db: Store["db"] | Transaction<Schema>, name: string) =>
  db.selectFrom("experiment").selectAll().where("name", "=", name).executeTakeFirst();

const parseTags = checked(RunTags);
function tagsOf(row: ExperimentRow): RunTags {
  const tags = parseTags(JSON.parse(row.tags_json));
  assert(tags.ok, `the tags of experiment ${row.id} fit their schema`);
  return tags.value;
}

export function experimentOf(row: ExperimentRow): Experiment {
  return {
    id: row.id,
    name: row.name,
    artifactLocation: row.artifact_location,
    tags: tagsOf(row),
    createdAtMs: row.created_at_ms,
    updatedAtMs: row.updated_at_ms,
    isDeleted: row.deleted_at_ms !== null,
  };
}
