/** Models as MLflow's registry has them: a name that may have no version yet, with a description, tags and aliases. The same models as ours. */
import { sql } from "kysely";
import type { Selectable, Transaction } from "kysely";
import type { Audit } from "../access/index.ts";
import { canonicalJson, type Json, type Schema, type Store } from "../store/index.ts";
import { ok, type Result } from "../std.ts";
import { textsIn } from "./logged-models.ts";
import { aliasesOf } from "./aliases.ts";
import { NUMBER_OPERATORS, TEXT_OPERATORS, type FilterGrammar } from "./search-filter.ts";
import { searchPage, type Page, type Search } from "./search-page.ts";
import { memberText, nullsLast, textTest } from "./search-sql.ts";
import type { Texts } from "./texts.ts";
import { exists, missing, type TrackingRefusal } from "./tracking-refusal.ts";

export interface RegisteredModel {
  readonly name: string;
  readonly description: string | null;
  readonly tags: Texts;
  readonly aliases: Readonly<Record<string, number>>;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  readonly createdBy: string | null;
}

type Row = Selectable<Schema["model"]>;
type Done<T = void> = Result<T, TrackingRefusal>;
type Db = Store["db"] | Transaction<Schema>;

const text = { kind: "text", operators: TEXT_OPERATORS } as const;
const GRAMMAR: FilterGrammar = {
  entities: { tag: "tag", tags: "tag", attribute: "attribute", attributes: "attribute" },
  attributes: { name: text },
};
const ORDER_GRAMMAR: FilterGrammar = {
  entities: { attribute: "attribute", attributes: "attribute" },
  attributes: { name: text, last_updated_timestamp: { kind: "number", operators: NUMBER_OPERATORS } },
  aliases: { timestamp: "last_updated_timestamp" },
};
/** Every client asks for models that are no prompts, and most have no such tag: for this one, no tag is another value. */
const PROMPT_TAG = "mlflow.prompt.is_prompt";
export const noModel = (name: string) => `Registered Model with name=${name} not found`;

export class RegisteredModels {
  readonly #store: Store;
  readonly #audit: Audit;

  constructor(store: Store, audit: Audit) {
    this.#store = store;
    this.#audit = audit;
  }

  async create(
    { name, description, tags }: { readonly name: string; readonly description: string | undefined; readonly tags: Texts },
    actor: string,
  ): Promise<Done<RegisteredModel>> {
    const done = await this.#store.transaction(async (tx): Promise<Done> => {
      await this.#audit.lock(tx);
      if (await modelRow(tx, name)) return exists(`Registered Model (name=${name}) already exists.`);
      const nowMs = this.#store.runtime.clock.nowMs();
      const fresh = {
        description: description ?? null,
        tags_json: canonicalJson(tags),
        created_at_ms: nowMs,
        updated_at_ms: nowMs,
        created_by: actor,
      };
      await tx
        .insertInto("model")
        .values({ name, ...fresh, deleted_at_ms: null })
        .onConflict((on) => on.column("name").doUpdateSet({ ...fresh, deleted_at_ms: null }))
        .execute();
      await this.#audit.append(tx, { actor, action: "model.created", object: `model/${name}`, payload: { tags: Object.keys(tags) } });
      return ok(undefined);
    });
    return done.ok ? this.get(name) : done;
  }

  async get(name: string): Promise<Done<RegisteredModel>> {
    const row = await modelRow(this.#store.db, name);
    return row ? ok(registeredModel(row, await aliasesOf(this.#store.db, name))) : missing(noModel(name));
  }

  async describe(name: string, description: string, actor: string): Promise<Done<RegisteredModel>> {
    return this.#change(name, actor, (row) => ({
      set: { description },
      action: "model.described",
      payload: { from: row.description, to: description },
    }));
  }

  /** @param value - undefined takes the tag away, if it is there */
  async setTag(
    name: string,
    { key, value }: { readonly key: string; readonly value: string | undefined },
    actor: string,
  ): Promise<Done<RegisteredModel>> {
    return this.#change(name, actor, (row) => {
      const { [key]: from = null, ...others } = textsIn(row.tags_json);
      const tags = value === undefined ? others : { ...others, [key]: value };
      return { set: { tags_json: canonicalJson(tags) }, action: "model.tagged", payload: { key, from, to: value ?? null } };
    });
  }

  /** Versions, aliases and all that is known of it go with the name. */
  async rename(name: string, to: string, actor: string): Promise<Done<RegisteredModel>> {
    const done = await this.#store.transaction(async (tx): Promise<Done> => {
      await this.#audit.lock(tx);
      const row = await modelRow(tx, name);
      if (!row) return missing(noModel(name));
      if (name === to) return ok(undefined);
      const taken = await tx.selectFrom("model").select("name").where("name", "=", to).executeTakeFirst();
      if (taken) return exists(`Registered Model (name=${to}) already exists.`);
      await tx.updateTable("model").set({ name: to, updated_at_ms: this.#store.runtime.clock.nowMs() }).where("name", "=", name).execute();
      for (const table of ["model_version", "model_version_file", "model_alias", "model_protected_alias"] as const)
        await tx.updateTable(table).set({ model: to }).where("model", "=", name).execute();
      await this.#audit.append(tx, { actor, action: "model.renamed", object: `model/${to}`, payload: { from: name, to } });
      return ok(undefined);
    });
    return done.ok ? this.get(to) : done;
  }

  async search(search: Search): Promise<Done<Page<RegisteredModel>>> {
    const { kind, db } = this.#store;
    const tags = sql`coalesce(model.tags_json, '{}')`;
    const updated = sql`coalesce(model.updated_at_ms, model.created_at_ms)`;
    const page = await searchPage(
      this.#store,
      {
        grammar: GRAMMAR,
        orderGrammar: ORDER_GRAMMAR,
        columns: sql`model.*`,
        from: sql`model`,
        where: [sql`model.deleted_at_ms is null`],
        test(comparison) {
          if (comparison.entity !== "tag") return textTest(kind, sql`model.name`, comparison);
          const tag = memberText(kind, tags, comparison.key);
          const isPrompt = comparison.key === PROMPT_TAG && comparison.operator === "!=";
          return textTest(kind, isPrompt ? sql`coalesce(${tag}, '')` : tag, comparison);
        },
        terms: ({ key, isDescending }) =>
          nullsLast(key === "name" ? sql`model.name` : updated, { kind: key === "name" ? "text" : "number", isDescending }),
        tieBreaks: [{ by: sql`model.name`, isDescending: false }],
        scope: "models",
      },
      search,
    );
    if (!page.ok) return page;
    const found: RegisteredModel[] = [];
    for (const row of page.value.found.map(asRow)) found.push(registeredModel(row, await aliasesOf(db, row.name)));
    return ok({ found, next: page.value.next });
  }

  async #change(
    name: string,
    actor: string,
    work: (row: Row) => { readonly set: Partial<Pick<Row, "description" | "tags_json">>; readonly action: string; readonly payload: Json },
  ): Promise<Done<RegisteredModel>> {
    const done = await this.#store.transaction(async (tx): Promise<Done> => {
      await this.#audit.lock(tx);
      const row = await modelRow(tx, name);
      if (!row) return missing(noModel(name));
      const { set, action, payload } = work(row);
      await tx
        .updateTable("model")
        .set({ ...set, updated_at_ms: this.#store.runtime.clock.nowMs() })
        .where("name", "=", name)
        .execute();
      await this.#audit.append(tx, { actor, action, object: `model/${name}`, payload });
      return ok(undefined);
    });
    return done.ok ? this.get(name) : done;
  }
}

/** One that was not deleted. */
export const modelRow = (db: Db, name: string): Promise<Row | undefined> =>
  db.selectFrom("model").selectAll().where("name", "=", name).where("deleted_at_ms", "is", null).executeTakeFirst();

const registeredModel = (row: Row, aliases: Readonly<Record<string, number>>): RegisteredModel => ({
  name: row.name,
  description: row.description,
  tags: textsIn(row.tags_json),
  aliases,
  createdAtMs: row.created_at_ms,
  updatedAtMs: row.updated_at_ms ?? row.created_at_ms,
  createdBy: row.created_by,
});

/** These were asked for with `model.*`. */
const asRow = (row: unknown): Row => row as Row;
