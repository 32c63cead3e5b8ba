/** What runs say they took and made: data by name and digest, and logged models. */
import type { Transaction } from "kysely";
import { checked } from "../checked.ts";
import { canonicalJson, type Schema, type Store } from "../store/index.ts";
import { assert, ok, type Result } from "../std.ts";
import type { Audit } from "../access/index.ts";
import type { Lineage } from "./lineage.ts";
import { parseReference } from "./names.ts";
import { RunTags } from "./run-log.ts";
import { IDS_AT_ONCE } from "./runs.ts";
import { writableRun, type RunRows } from "./tracked-runs.ts";
import type { TrackingRefusal } from "./tracking-refusal.ts";

export interface TrackedDataset {
  readonly name: string;
  readonly digest: string;
  readonly sourceType: string;
  readonly source: string;
  readonly schema: string | null;
  readonly profile: string | null;
}
export interface DatasetInput {
  readonly dataset: TrackedDataset;
  readonly tags: RunTags;
}
export interface RunLinks {
  readonly datasets: readonly DatasetInput[];
  readonly modelsIn: readonly string[];
  readonly modelsOut: readonly { readonly model: string; readonly step: number }[];
}

export const NO_LINKS: RunLinks = { datasets: [], modelsIn: [], modelsOut: [] };
/** With it a client names one of our own dataset versions: `credit/3`, `credit@clean` or `tbl:…`. */
export const DATASET_TAG = "evenkeel.dataset";
const parseTags = checked(RunTags);

export class RunLinkage {
  readonly #store: Store;
  readonly #audit: Audit;
  readonly #lineage: Lineage;

  constructor(store: Store, audit: Audit, lineage: Lineage) {
    this.#store = store;
    this.#audit = audit;
    this.#lineage = lineage;
  }

  /** Said twice, it is said once: the tags of the first time stay. */
  async add(run: string, links: Partial<RunLinks>, actor: string): Promise<Result<void, TrackingRefusal>> {
    const { datasets = [], modelsIn = [], modelsOut = [] } = links;
    return this.#store.transaction(async (tx): Promise<Result<void, TrackingRefusal>> => {
      await this.#audit.lock(tx);
      const found = await writableRun(tx, run);
      if (!found.ok) return found;
      for (const input of datasets) await this.#addDataset(tx, found.value, input);
      const models = [
        ...modelsIn.map((model) => ({ run, direction: "in", model, step: 0 })),
        ...modelsOut.map(({ model, step }) => ({ run, direction: "out", model, step })),
      ];
      for (const row of models)
        await tx
          .insertInto("run_model")
          .values(row)
          .onConflict((on) => on.doNothing())
          .execute();
      const payload = {
        datasets: datasets.map(({ dataset }) => `${dataset.name} ${dataset.digest}`),
        models: models.map(({ direction, model }) => `${direction} ${model}`),
      };
      await this.#audit.append(tx, { actor, action: "run.linked", object: `run/${run}`, payload });
      return ok(undefined);
    });
  }

  /** Of each of these runs. */
  async of(runs: readonly string[]): Promise<ReadonlyMap<string, RunLinks>> {
    const links = new Map<string, { datasets: DatasetInput[]; modelsIn: string[]; modelsOut: { model: string; step: number }[] }>();
    const at = (run: string) => {
      const known = links.get(run) ?? { datasets: [], modelsIn: [], modelsOut: [] };
      links.set(run, known);
      return known;
    };
    for (let from = 0; from < runs.length; from += IDS_AT_ONCE) {
      const some = runs.slice(from, from + IDS_AT_ONCE);
      const datasets = await this.#store.db
        .selectFrom("run_dataset")
        .innerJoin("run", "run.id", "run_dataset.run")
        .innerJoin("experiment", "experiment.name", "run.experiment")
        .innerJoin("tracked_dataset", (join) =>
          join
            .onRef("tracked_dataset.experiment", "=", "experiment.id")
            .onRef("tracked_dataset.name", "=", "run_dataset.name")
            .onRef("tracked_dataset.digest", "=", "run_dataset.digest"),
        )
        .selectAll("tracked_dataset")
        .select(["run_dataset.run", "run_dataset.tags_json"])
        .where("run_dataset.run", "in", some)
        .orderBy("run_dataset.seq")
        .execute();
      for (const row of datasets) {
        const { name, digest, source, profile } = row;
        const tags = parseTags(JSON.parse(row.tags_json));
        assert(tags.ok, "tags of a run's input fit their schema");
        const dataset = { name, digest, source, profile, sourceType: row.source_type, schema: row.schema_text };
        at(row.run).datasets.push({ dataset, tags: tags.value });
      }
      const models = await this.#store.db.selectFrom("run_model").selectAll().where("run", "in", some).orderBy("step").execute();
      for (const { run, direction, model, step } of models) {
        if (direction === "in") at(run).modelsIn.push(model);
        else at(run).modelsOut.push({ model, step });
      }
    }
    return links;
  }

  async #addDataset(tx: Transaction<Schema>, { run, experiment }: RunRows, { dataset, tags }: DatasetInput): Promise<void> {
    const { name, digest, source, profile } = dataset;
    await tx
      .insertInto("tracked_dataset")
      .values({ experiment: experiment.id, name, digest, source, profile, source_type: dataset.sourceType, schema_text: dataset.schema })
      .onConflict((on) => on.doNothing())
      .execute();
    const { count } = await tx
      .selectFrom("run_dataset")
      .select((eb) => eb.fn.countAll<number>().as("count"))
      .where("run", "=", run.id)
      .executeTakeFirstOrThrow();
    await tx
      .insertInto("run_dataset")
      .values({ run: run.id, name, digest, tags_json: canonicalJson(tags), seq: count })
      .onConflict((on) => on.doNothing())
      .execute();
    const version = await ourVersion(tx, { dataset, tags });
    if (version !== undefined)
      await this.#lineage.add(tx, [
        { from: { kind: "dataset_version", id: version }, to: { kind: "run", id: run.id }, relation: "used_by" },
      ]);
  }
}

/** The dataset version here that an input is: named by a tag, by its source, or by its own name with our id as the digest. */
async function ourVersion(tx: Transaction<Schema>, { dataset, tags }: DatasetInput): Promise<string | undefined> {
  const named = tags[DATASET_TAG] ?? /datasets:\/[^"\s]+/.exec(dataset.source)?.[0] ?? "";
  const reference = parseReference(named);
  const query = tx.selectFrom("dataset_version").select("id").limit(1);
  if (reference?.kind === "id") return (await query.where("id", "=", reference.id).executeTakeFirst())?.id;
  if (reference?.kind === "number")
    return (await query.where("dataset", "=", reference.name).where("number", "=", reference.number).executeTakeFirst())?.id;
  if (reference?.kind === "label") {
    const tag = await tx
      .selectFrom("dataset_tag")
      .select("number")
      .where("dataset", "=", reference.name)
      .where("tag", "=", reference.label)
      .orderBy("seq", "desc")
      .limit(1)
      .executeTakeFirst();
    if (typeof tag?.number !== "number") return undefined;
    return (await query.where("dataset", "=", reference.name).where("number", "=", tag.number).executeTakeFirst())?.id;
  }
  // MLflow takes digests of 36 characters at most: ours begin so.
  const digest = /^tbl:([0-9a-f]{12,32})$/.exec(dataset.digest)?.[0];
  if (digest === undefined) return undefined;
  const all = await tx.selectFrom("dataset_version").select("id").where("dataset", "=", dataset.name).execute();
  return all.find(({ id }) => id.startsWith(digest))?.id;
}
