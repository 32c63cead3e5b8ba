/** Versions of models as MLflow's registry has them: whatever kind of model they are, their files stay as they were when registered. */
import { sql } from "kysely";
import type { Transaction } from "kysely";
import type { Audit } from "../access/index.ts";
import { canonicalJson, contentId, type Json, type Schema, type Store } from "../store/index.ts";
import { ok, type BlobId, type Result } from "../std.ts";
import { aliasesOf } from "./aliases.ts";
import type { ArtifactFile } from "./artifacts.ts";
import { heldBy } from "./held-by.ts";
import type { Lineage } from "./lineage.ts";
import { textsIn } from "./logged-models.ts";
import { edgesOf, nextNumber, versionOf, type ModelVersion, type VersionRow } from "./models.ts";
import type { ModelSignature } from "./model-signature.ts";
import { modelRow, noModel } from "./registered-models.ts";
import { LIST_OPERATORS, NUMBER_OPERATORS, TEXT_OPERATORS, type FilterGrammar } from "./search-filter.ts";
import { searchPage, type Page, type Search } from "./search-page.ts";
import { memberText, numberTest, textTest } from "./search-sql.ts";
import type { Texts } from "./texts.ts";
import { bad, missing, type TrackingRefusal } from "./tracking-refusal.ts";

export const stages = ["None", "Staging", "Production", "Archived"] as const;
export type Stage = (typeof stages)[number];

export interface RegisteredVersion extends ModelVersion {
  /** As its registrar said it. */
  readonly source: string | null;
  readonly runLink: string | null;
  readonly description: string | null;
  readonly stage: Stage;
  readonly tags: Texts;
  readonly loggedModel: string | null;
  readonly updatedAtMs: number;
}

export interface VersionRegistration {
  readonly model: string;
  readonly source: string;
  readonly runLink: string;
  readonly description: string;
  readonly tags: Texts;
  /** Our own id. */
  readonly run: string | null;
  readonly loggedModel: string | null;
  /** All that lay where `source` says; none where that isn't here. */
  readonly files: readonly ArtifactFile[];
  /** What a release of it would be made of, or why there can't be one. */
  readonly serves: { readonly blob: BlobId; readonly signature: ModelSignature } | { readonly unservable: string };
}

type Done<T = void> = Result<T, TrackingRefusal>;
const text = { kind: "text", operators: TEXT_OPERATORS } as const;
const number = { kind: "number", operators: NUMBER_OPERATORS } as const;
const GRAMMAR: FilterGrammar = {
  entities: { tag: "tag", tags: "tag", attribute: "attribute", attributes: "attribute" },
  attributes: {
    name: text,
    run_id: { kind: "text", operators: [...TEXT_OPERATORS, ...LIST_OPERATORS] },
    source_path: text,
    version_number: { kind: "number", operators: NUMBER_OPERATORS, isQuotable: true },
  },
};
const ORDER_GRAMMAR: FilterGrammar = {
  entities: { attribute: "attribute", attributes: "attribute" },
  attributes: { name: text, version_number: number, creation_timestamp: number, last_updated_timestamp: number },
};
const updated = sql`coalesce(model_version.updated_at_ms, model_version.created_at_ms)`;
const columns = {
  name: sql`model_version.model`,
  run_id: sql`replace(coalesce(model_version.run, ''), '-', '')`,
  source_path: sql`coalesce(model_version.source, '')`,
  version_number: sql`model_version.number`,
  creation_timestamp: sql`model_version.created_at_ms`,
  last_updated_timestamp: updated,
} as const;
const columnOf = (key: string) => (isColumn(key) ? columns[key] : sql`null`);
const isColumn = (key: string): key is keyof typeof columns => Object.hasOwn(columns, key);

export class ModelVersions {
  readonly #store: Store;
  readonly #audit: Audit;
  readonly #lineage: Lineage;

  constructor(store: Store, audit: Audit, lineage: Lineage) {
    this.#store = store;
    this.#audit = audit;
    this.#lineage = lineage;
  }

  /** Each time a new number, also for the same files. */
  async register(made: VersionRegistration, actor: string): Promise<Done<RegisteredVersion>> {
    const { model, files, serves, run } = made;
    const blob = "blob" in serves ? serves.blob : await this.#listed(files);
    const signature = "blob" in serves ? serves.signature : null;
    const named = Object.fromEntries(files.map(({ path, blob: each }) => [path, each]));
    const id = contentId<"ModelVersionId">("mdl", files.length > 0 ? { files: named } : { source: made.source });
    return this.#store.transaction(async (tx): Promise<Done<RegisteredVersion>> => {
      await this.#audit.lock(tx);
      if (!(await modelRow(tx, model))) return missing(noModel(model));
      const nowMs = this.#store.runtime.clock.nowMs();
      const row: VersionRow = {
        id,
        model,
        number: await nextNumber(tx, model),
        blob,
        signature_json: canonicalJson(signature),
        feature_set: null,
        run,
        created_at_ms: nowMs,
        created_by: actor,
        source: made.source,
        run_link: made.runLink,
        description: made.description,
        stage: "None",
        tags_json: canonicalJson(made.tags),
        logged_model: made.loggedModel,
        unservable: "unservable" in serves ? serves.unservable : null,
        updated_at_ms: nowMs,
        deleted_at_ms: null,
      };
      await tx.insertInto("model_version").values(row).execute();
      for (const { path, blob: each, bytes } of files)
        await tx.insertInto("model_version_file").values({ model, number: row.number, path, blob: each, bytes }).execute();
      await tx.updateTable("model").set({ updated_at_ms: nowMs }).where("name", "=", model).execute();
      await this.#lineage.add(tx, edgesOf(id, { featureSet: null, run }));
      const payload = { id, number: row.number, source: made.source, run, files: files.length, unservable: row.unservable };
      await this.#audit.append(tx, { actor, action: "model-version.added", object: `model/${model}`, payload });
      return ok(registeredVersion(row, await aliasesOf(tx, model)));
    });
  }

  async get(model: string, at: number): Promise<Done<RegisteredVersion>> {
    const row = await versionRow(this.#store.db, model, at);
    return row ? ok(registeredVersion(row, await aliasesOf(this.#store.db, model))) : missing(noVersion(model, at));
  }

  /** The newest of each stage that has any. */
  async latest(model: string, asked: readonly Stage[] = stages): Promise<readonly RegisteredVersion[]> {
    const kept = this.#store.db.selectFrom("model_version").selectAll().where("deleted_at_ms", "is", null);
    const rows = await kept.where("model", "=", model).orderBy("number", "desc").execute();
    const aliases = await aliasesOf(this.#store.db, model);
    const all = rows.map((row) => registeredVersion(row, aliases));
    return asked.flatMap((stage) => all.find((version) => version.stage === stage) ?? []);
  }

  async describe(model: string, at: number, description: string, actor: string): Promise<Done<RegisteredVersion>> {
    return this.#change(model, at, actor, (row) => ({
      set: { description },
      action: "model-version.described",
      payload: { number: at, from: row.description, to: description },
    }));
  }

  /** @param tag.value - undefined takes the tag away, if it is there */
  async setTag(
    model: string,
    at: number,
    tag: { readonly key: string; readonly value: string | undefined },
    actor: string,
  ): Promise<Done<RegisteredVersion>> {
    return this.#change(model, at, actor, (row) => {
      const { [tag.key]: from = null, ...others } = textsIn(row.tags_json);
      const tags = tag.value === undefined ? others : { ...others, [tag.key]: tag.value };
      const payload = { number: at, key: tag.key, from, to: tag.value ?? null };
      return { set: { tags_json: canonicalJson(tags) }, action: "model-version.tagged", payload };
    });
  }

  /** A stage says nothing about what serves. @param archiveOthers - those that are in it go to Archived */
  async moveTo(
    model: string,
    at: number,
    { stage, archiveOthers }: { readonly stage: Stage; readonly archiveOthers: boolean },
    actor: string,
  ): Promise<Done<RegisteredVersion>> {
    return this.#change(
      model,
      at,
      actor,
      (row) => ({ set: { stage }, action: "model-version.staged", payload: { number: at, from: row.stage ?? "None", to: stage } }),
      async (tx, nowMs) => {
        if (!archiveOthers) return;
        const others = tx.updateTable("model_version").set({ stage: "Archived", updated_at_ms: nowMs });
        await others.where("model", "=", model).where("stage", "=", stage).where("number", "<>", at).execute();
      },
    );
  }

  /** Refused while something was made of it. Its aliases go with it. */
  async delete(model: string, at: number, actor: string): Promise<Done> {
    const found = await this.get(model, at);
    if (!found.ok) return found;
    return this.#store.transaction(async (tx): Promise<Done> => {
      await this.#audit.lock(tx);
      const used = await heldBy(tx, this.#lineage, { kind: "model_version", id: found.value.id });
      if (used !== undefined) return bad(`${model}/${at} can't be deleted: ${used}`);
      await this.#remove(tx, { model, at, aliases: await aliasesOf(tx, model) }, actor);
      return ok(undefined);
    });
  }

  /** A whole model, with all its versions; refused while something was made of one of them. */
  async deleteModel(model: string, actor: string): Promise<Done> {
    const kept = this.#store.db.selectFrom("model_version").selectAll().where("deleted_at_ms", "is", null);
    const rows = await kept.where("model", "=", model).execute();
    return this.#store.transaction(async (tx): Promise<Done> => {
      await this.#audit.lock(tx);
      if (!(await modelRow(tx, model))) return missing(noModel(model));
      for (const { id } of rows) {
        const used = await heldBy(tx, this.#lineage, { kind: "model_version", id });
        if (used !== undefined) return bad(`${model} can't be deleted: ${used}`);
      }
      const aliases = await aliasesOf(tx, model);
      for (const row of rows) await this.#remove(tx, { model, at: row.number, aliases }, actor);
      const gone = { deleted_at_ms: this.#store.runtime.clock.nowMs(), tags_json: null, description: null };
      await tx.updateTable("model").set(gone).where("name", "=", model).execute();
      await this.#audit.append(tx, { actor, action: "model.deleted", object: `model/${model}`, payload: { versions: rows.length } });
      return ok(undefined);
    });
  }

  async search(search: Search): Promise<Done<Page<RegisteredVersion>>> {
    const { kind, db } = this.#store;
    const page = await searchPage(
      this.#store,
      {
        grammar: GRAMMAR,
        orderGrammar: ORDER_GRAMMAR,
        columns: sql`model_version.*`,
        from: sql`model_version`,
        where: [sql`model_version.deleted_at_ms is null`],
        test: (comparison) =>
          comparison.entity === "tag"
            ? textTest(kind, memberText(kind, sql`coalesce(model_version.tags_json, '{}')`, comparison.key), comparison)
            : GRAMMAR.attributes[comparison.key]?.kind === "number"
              ? numberTest(columnOf(comparison.key), comparison)
              : textTest(kind, columnOf(comparison.key), comparison),
        terms: ({ key, isDescending }) => [{ by: columnOf(key), isDescending }],
        tieBreaks: [
          { by: updated, isDescending: true },
          { by: sql`model_version.model`, isDescending: false },
          { by: sql`model_version.number`, isDescending: true },
        ],
        scope: "versions",
      },
      search,
    );
    if (!page.ok) return page;
    const rows = page.value.found.map(asVersionRow);
    const aliases = new Map<string, Readonly<Record<string, number>>>();
    for (const model of new Set(rows.map((row) => row.model))) aliases.set(model, await aliasesOf(db, model));
    return ok({ found: rows.map((row) => registeredVersion(row, aliases.get(row.model) ?? {})), next: page.value.next });
  }

  /** A version that has no ONNX model in it is served by nothing: its blob is the list of its files. */
  async #listed(files: readonly ArtifactFile[]): Promise<BlobId> {
    const listed = { evenkeel: "files", files: Object.fromEntries(files.map(({ path, blob }) => [path, blob])) };
    return this.#store.blobs.put(Buffer.from(canonicalJson(listed)));
  }

  async #remove(
    tx: Transaction<Schema>,
    { model, at, aliases }: { readonly model: string; readonly at: number; readonly aliases: Readonly<Record<string, number>> },
    actor: string,
  ): Promise<void> {
    const nowMs = this.#store.runtime.clock.nowMs();
    const mine = Object.keys(aliases).filter((alias) => aliases[alias] === at);
    for (const alias of mine)
      await tx
        .insertInto("model_alias")
        .values({ model, alias, number: null, moved_at_ms: nowMs, moved_by: actor, reason: "version deleted" })
        .execute();
    await tx.updateTable("model_version").set({ deleted_at_ms: nowMs }).where("model", "=", model).where("number", "=", at).execute();
    await tx.updateTable("model").set({ updated_at_ms: nowMs }).where("name", "=", model).execute();
    await this.#audit.append(tx, {
      actor,
      action: "model-version.deleted",
      object: `model/${model}`,
      payload: { number: at, aliases: mine },
    });
  }

  async #change(
    model: string,
    at: number,
    actor: string,
    work: (row: VersionRow) => {
      readonly set: Partial<Pick<VersionRow, "description" | "tags_json" | "stage">>;
      readonly action: string;
      readonly payload: Json;
    },
    also: (tx: Transaction<Schema>, nowMs: number) => Promise<void> = async () => undefined,
  ): Promise<Done<RegisteredVersion>> {
    const done = await this.#store.transaction(async (tx): Promise<Done> => {
      await this.#audit.lock(tx);
      const row = await versionRow(tx, model, at);
      if (!row) return missing(noVersion(model, at));
      const { set, action, payload } = work(row);
      const updated_at_ms = this.#store.runtime.clock.nowMs();
      await tx
        .updateTable("model_version")
        .set({ ...set, updated_at_ms })
        .where("model", "=", model)
        .where("number", "=", at)
        .execute();
      await also(tx, updated_at_ms);
      await tx.updateTable("model").set({ updated_at_ms }).where("name", "=", model).execute();
      await this.#audit.append(tx, { actor, action, object: `model/${model}`, payload });
      return ok(undefined);
    });
    return done.ok ? this.get(model, at) : done;
  }
}

export const noVersion = (model: string, at: number | string) => `Model Version (name=${model}, version=${at}) not found`;

const versionRow = (db: Store["db"] | Transaction<Schema>, model: string, at: number): Promise<VersionRow | undefined> =>
  db
    .selectFrom("model_version")
    .selectAll()
    .where("model", "=", model)
    .where("number", "=", at)
    .where("deleted_at_ms", "is", null)
    .executeTakeFirst();

const registeredVersion = (row: VersionRow, aliases: Readonly<Record<string, number>>): RegisteredVersion => ({
  ...versionOf(row, aliases),
  source: row.source,
  runLink: row.run_link,
  description: row.description,
  stage: stages.find((stage) => stage === row.stage) ?? "None",
  tags: textsIn(row.tags_json),
  loggedModel: row.logged_model,
  updatedAtMs: row.updated_at_ms ?? row.created_at_ms,
});

/** These were asked for with `model_version.*`. */
const asVersionRow = (row: unknown): VersionRow => row as VersionRow;
