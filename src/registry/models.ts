/** Models: a name, its immutable versions, and aliases that point at versions and move with a history. */
import type { Selectable, Transaction } from "kysely";
import type { Audit } from "../access/index.ts";
import { checked, nearest, orNull } from "../checked.ts";
import { canonicalJson, contentId, parseBlobId, type Schema, type Store } from "../store/index.ts";
import { assert, err, ok, type BlobId, type Brand, type FeatureSetId, type Issue, type Result } from "../std.ts";
import {
  aliasHistory,
  aliasProtections,
  aliasesOf,
  guardAlias,
  moveAlias,
  type AliasGuard,
  type AliasHistoryEntry,
  type AliasMove,
  type AliasProtection,
} from "./aliases.ts";
import type { FeatureSets } from "./feature-sets.ts";
import type { Lineage, LineageEdge } from "./lineage.ts";
import { firstBytesOf, formatIssue } from "./model-bytes.ts";
import { ModelSignature } from "./model-signature.ts";
import { REFERENCE_FORM, nameIssue, namesText, parseReference, pointsAt, versionsText } from "./names.ts";
import { invalid, unknown, type Refusal } from "./refusal.ts";

/** `mdl:` and 64 hex digits: over artifact, signature and feature set. */
export type ModelVersionId = Brand<string, "ModelVersionId">;

export interface ModelVersion {
  readonly id: ModelVersionId;
  readonly model: string;
  /** Counts up within the model, from 1. People see `credit/3`. */
  readonly number: number;
  readonly blob: BlobId;
  /** null for a version that can't be served; `unservable` says why. */
  readonly signature: ModelSignature | null;
  readonly unservable: string | null;
  readonly featureSet: FeatureSetId | null;
  /** The run that made it first. */
  readonly run: string | null;
  readonly aliases: readonly string[];
  readonly createdAtMs: number;
  readonly createdBy: string;
}

export interface ModelView {
  readonly name: string;
  readonly createdAtMs: number;
  readonly latest: number;
  /** Where every alias points. */
  readonly aliases: Readonly<Record<string, number>>;
}

export interface ModelRegistration {
  readonly model: string;
  /** The artifact, which is in the store already. */
  readonly blob: BlobId;
  readonly signature: ModelSignature;
  readonly featureSet?: FeatureSetId;
  readonly run?: string;
}

/** A version that can be served. */
export interface ServableVersion extends ModelVersion {
  readonly signature: ModelSignature;
}

const parseSignature = checked(orNull(ModelSignature));
export type VersionRow = Selectable<Schema["model_version"]>;

export class Models {
  readonly #store: Store;
  readonly #audit: Audit;
  readonly #lineage: Lineage;
  readonly #featureSets: FeatureSets;

  constructor(store: Store, audit: Audit, parts: { readonly lineage: Lineage; readonly featureSets: FeatureSets }) {
    this.#store = store;
    this.#audit = audit;
    this.#lineage = parts.lineage;
    this.#featureSets = parts.featureSets;
  }

  /**
   * Registers a version. The same artifact, signature and feature set under the same name is the same version again, and only the run
   * that made it once more is noted. Whether the artifact loads, and has this signature, is for serving to find out before.
   */
  async register(registration: ModelRegistration, actor: string): Promise<Result<ModelVersion, Refusal>> {
    const issues = await this.#issuesOf(registration);
    if (issues.length > 0) return err(invalid(issues));
    const { model, blob, signature, featureSet = null, run = null } = registration;
    const id = contentId<"ModelVersionId">("mdl", { blob, featureSet, signature });
    return this.#store.transaction(async (tx): Promise<Result<ModelVersion, Refusal>> => {
      await this.#audit.lock(tx);
      if (run !== null && !(await tx.selectFrom("run").select("id").where("id", "=", run).executeTakeFirst()))
        return err(unknown("run", run));
      const versions = tx.selectFrom("model_version").selectAll().where("deleted_at_ms", "is", null);
      const same = versions.where("model", "=", model).where("id", "=", id);
      const known = await same.executeTakeFirst();
      const row = known ?? (await this.#insert(tx, { id, ...registration }, actor));
      await this.#lineage.add(tx, edgesOf(id, { featureSet, run }));
      if (!known || known.run !== run) {
        const payload = { id, number: row.number, blob, featureSet, run };
        const action = known ? "model-version.made-again" : "model-version.added";
        await this.#audit.append(tx, { actor, action, object: `model/${model}`, payload });
      }
      return ok(versionOf(row, await aliasesOf(tx, model)));
    });
  }

  /** @param reference - `credit/3`, `credit@champion` (both also after `models:/`) or `mdl:…` */
  async resolve(reference: string): Promise<Result<ModelVersion, Refusal>> {
    const parsed = parseReference(reference);
    if (!parsed) return err(invalid([{ path: "/model", expected: REFERENCE_FORM, got: reference }]));
    const { db } = this.#store;
    let query = db.selectFrom("model_version").selectAll().where("deleted_at_ms", "is", null).orderBy("created_at_ms").limit(1);
    if (parsed.kind === "id") query = query.where("id", "=", parsed.id);
    else {
      const number = parsed.kind === "number" ? parsed.number : pointsAt(await aliasesOf(db, parsed.name), parsed.label);
      if (number === undefined) return err(await this.#unknown(parsed.name, reference));
      query = query.where("model", "=", parsed.name).where("number", "=", number);
    }
    const row = await query.executeTakeFirst();
    if (!row) return err(parsed.kind === "id" ? unknown("model version", reference) : await this.#unknown(parsed.name, reference));
    return ok(versionOf(row, await aliasesOf(db, row.model)));
  }

  /** The same for one that is to serve: refused where it can't. */
  async resolveServable(reference: string): Promise<Result<ServableVersion, Refusal>> {
    const found = await this.resolve(reference);
    if (!found.ok) return found;
    const { signature, model, number, unservable } = found.value;
    if (signature !== null) return ok({ ...found.value, signature });
    return err(
      invalid([
        {
          path: "/model",
          expected: "a version that can be served",
          got: `${model}/${number}`,
          hint: unservable ?? "its files hold no ONNX model",
        },
      ]),
    );
  }

  /** Moves an alias; its history keeps where it pointed. */
  async setAlias(move: AliasMove, actor: string): Promise<Result<ModelView, Refusal>> {
    const done = await moveAlias({ store: this.#store, audit: this.#audit }, move, actor);
    if (!done.ok) return done;
    const view = (await this.list()).find(({ name }) => name === move.model);
    return view ? ok(view) : err(unknown("model", move.model));
  }

  /** Protects an alias, or frees it. */
  protectAlias(guard: AliasGuard, actor: string): Promise<Result<void, Refusal>> {
    return guardAlias({ store: this.#store, audit: this.#audit }, guard, actor);
  }

  /** Oldest first. */
  aliasHistory(model: string): Promise<readonly AliasHistoryEntry[]> {
    return aliasHistory(this.#store.db, model);
  }

  aliasProtections(model: string): Promise<readonly AliasProtection[]> {
    return aliasProtections(this.#store.db, model);
  }

  async list(): Promise<readonly ModelView[]> {
    const rows = await this.#store.db
      .selectFrom("model")
      .innerJoin("model_version", "model_version.model", "model.name")
      .where("model_version.deleted_at_ms", "is", null)
      .select((eb) => ["model.name", "model.created_at_ms", eb.fn.max("model_version.number").as("latest")])
      .groupBy(["model.name", "model.created_at_ms"])
      .orderBy("model.name")
      .execute();
    const views: ModelView[] = [];
    for (const row of rows) {
      const aliases = await aliasesOf(this.#store.db, row.name);
      views.push({ name: row.name, createdAtMs: row.created_at_ms, latest: row.latest, aliases });
    }
    return views;
  }

  /** Newest first; empty for a model that isn't there. */
  async versions(model: string): Promise<readonly ModelVersion[]> {
    const kept = this.#store.db.selectFrom("model_version").selectAll().where("deleted_at_ms", "is", null);
    const query = kept.where("model", "=", model).orderBy("number", "desc");
    const [rows, aliases] = [await query.execute(), await aliasesOf(this.#store.db, model)];
    return rows.map((row) => versionOf(row, aliases));
  }

  async #issuesOf({ model, blob, signature, featureSet }: ModelRegistration): Promise<Issue[]> {
    const issues: Issue[] = [];
    const name = nameIssue("/model", model);
    if (name) issues.push(name);
    const shape = parseSignature(signature);
    if (!shape.ok) issues.push(...shape.error.map((issue) => ({ ...issue, path: `/signature${issue.path}` })));
    else if (!signature.outputs.some((output) => output.name === signature.scoreOutput)) {
      const outputs = signature.outputs.map((output) => output.name);
      issues.push({ path: "/signature/scoreOutput", expected: `one of ${outputs.join(", ")}`, got: signature.scoreOutput });
    }
    if (!parseBlobId(blob) || !(await this.#store.blobs.has(blob))) {
      issues.push({ path: "/blob", expected: "a blob that was uploaded before", got: blob });
    } else {
      const format = formatIssue(await firstBytesOf(await this.#store.blobs.whole(blob)));
      if (format) issues.push(format);
    }
    if (featureSet !== undefined && shape.ok) {
      const set = await this.#featureSets.get(featureSet);
      if (!set) issues.push({ path: "/featureSet", expected: "a feature set in the registry", got: featureSet });
      else
        issues.push(
          ...featureIssues(
            signature.features,
            set.spec.features.map((feature) => feature.name),
          ),
        );
    }
    return issues;
  }

  async #insert(tx: Transaction<Schema>, made: ModelRegistration & { readonly id: ModelVersionId }, actor: string): Promise<VersionRow> {
    const nowMs = this.#store.runtime.clock.nowMs();
    await tx
      .insertInto("model")
      .values({
        name: made.model,
        created_at_ms: nowMs,
        updated_at_ms: nowMs,
        created_by: actor,
        description: null,
        tags_json: null,
        deleted_at_ms: null,
      })
      .onConflict((on) => on.column("name").doUpdateSet({ updated_at_ms: nowMs, deleted_at_ms: null }))
      .execute();
    const row = {
      id: made.id,
      model: made.model,
      number: await nextNumber(tx, made.model),
      blob: made.blob,
      signature_json: canonicalJson(made.signature),
      feature_set: made.featureSet ?? null,
      run: made.run ?? null,
      created_at_ms: nowMs,
      created_by: actor,
      ...NOT_FROM_MLFLOW,
    };
    await tx.insertInto("model_version").values(row).execute();
    return row;
  }

  async #unknown(model: string, reference: string): Promise<Refusal> {
    const models = await this.list();
    const view = models.find(({ name }) => name === model);
    if (view)
      return unknown(
        "model version",
        reference,
        `${model} has ${versionsText(view.latest)} and ${namesText("alias", "aliases", Object.keys(view.aliases))}`,
      );
    const near = nearest(
      model,
      models.map(({ name }) => name),
    );
    return unknown("model", model, near ? `did you mean ${near}?` : undefined);
  }
}

/** Numbers of versions that were deleted aren't given again. */
export async function nextNumber(tx: Transaction<Schema>, model: string): Promise<number> {
  const query = tx.selectFrom("model_version").select((eb) => eb.fn.max("number").as("last"));
  const { last } = await query.where("model", "=", model).executeTakeFirstOrThrow();
  return (last ?? 0) + 1;
}

const NOT_FROM_MLFLOW = {
  source: null,
  run_link: null,
  description: null,
  stage: null,
  tags_json: null,
  logged_model: null,
  unservable: null,
  updated_at_ms: null,
  deleted_at_ms: null,
};

/** The first place where the model's order of features and the feature set's differ. */
function featureIssues(has: readonly string[], set: readonly string[]): Issue[] {
  const at = Array.from({ length: Math.max(has.length, set.length) }).findIndex((_, i) => has[i] !== set[i]);
  if (at < 0) return [];
  const hint = `the model takes ${has.length} features, the feature set gives ${set.length}, in this order`;
  return [{ path: `/signature/features/${at}`, expected: set[at] ?? "no further feature", got: has[at] ?? "nothing", hint }];
}

export function edgesOf(
  id: ModelVersionId,
  from: { readonly featureSet: FeatureSetId | null; readonly run: string | null },
): LineageEdge[] {
  const to = { kind: "model_version", id } as const;
  return [
    ...(from.run === null ? [] : [{ from: { kind: "run", id: from.run }, to, relation: "made" } as const]),
    ...(from.featureSet === null ? [] : [{ from: { kind: "feature_set", id: from.featureSet }, to, relation: "used_by" } as const]),
  ];
}

export function versionOf(row: VersionRow, aliases: Readonly<Record<string, number>>): ModelVersion {
  const signature = parseSignature(JSON.parse(row.signature_json));
  assert(signature.ok, `the signature of ${row.model}/${row.number} fits its schema`);
  const ids = asIds(row);
  return {
    ...ids,
    model: row.model,
    number: row.number,
    signature: signature.value,
    unservable: row.unservable,
    run: row.run,
    aliases: Object.keys(aliases).filter((alias) => aliases[alias] === row.number),
    createdAtMs: row.created_at_ms,
    createdBy: row.created_by,
  };
}

/** These columns hold ids that were checked or made before they were written. */
const asIds = (row: VersionRow) => ({
  id: row.id as ModelVersionId,
  blob: row.blob as BlobId,
  featureSet: row.feature_set as FeatureSetId | null,
});
