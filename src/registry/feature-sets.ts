/** Feature sets: kept by content, numbered within their name. */
import type { Selectable } from "kysely";
import type { Audit } from "../access/index.ts";
import { checked } from "../checked.ts";
import { canonicalJson, contentId, type Schema, type Store } from "../store/index.ts";
import { assert, err, ok, type FeatureSetId, type Issue, type Result } from "../std.ts";
import { FeatureSetSpec } from "./feature-set-spec.ts";
import { invalid, type Refusal } from "./refusal.ts";

export interface FeatureSetVersion {
  readonly id: FeatureSetId;
  readonly name: string;
  /** Counts up within the name, from 1. People see `name/3`. */
  readonly number: number;
  readonly spec: FeatureSetSpec;
  readonly createdAtMs: number;
  readonly createdBy: string;
}

const parse = checked(FeatureSetSpec);

/** Content id of a feature set, whether or not it is in the registry. */
export function featureSetId(spec: FeatureSetSpec): FeatureSetId {
  return contentId<"FeatureSetId">("fs", spec);
}

/** What is wrong with a feature set by itself; whether its expressions fit an endpoint's inputs is for serving to say. */
export function parseFeatureSet(value: unknown): Result<FeatureSetSpec, readonly Issue[]> {
  const parsed = parse(value);
  if (!parsed.ok) return parsed;
  const issues: Issue[] = [];
  const seen = new Map<string, number>();
  for (const [i, { name }] of parsed.value.features.entries()) {
    const first = seen.get(name);
    if (first === undefined) seen.set(name, i);
    else
      issues.push({ path: `/features/${i}/name`, expected: "a name of its own", got: name, hint: `feature ${first + 1} has it already` });
  }
  return issues.length > 0 ? err(issues) : parsed;
}

export class FeatureSets {
  readonly #store: Store;
  readonly #audit: Audit;

  constructor(store: Store, audit: Audit) {
    this.#store = store;
    this.#audit = audit;
  }

  /** Keeps a feature set. The same one again is the same version, and changes nothing. */
  async put(value: unknown, actor: string): Promise<Result<FeatureSetVersion, Refusal>> {
    const parsed = parseFeatureSet(value);
    if (!parsed.ok) return err(invalid(parsed.error));
    const spec = parsed.value;
    const id = featureSetId(spec);
    return this.#store.transaction(async (tx) => {
      await this.#audit.lock(tx);
      const known = await tx.selectFrom("feature_set").selectAll().where("id", "=", id).executeTakeFirst();
      if (known) return ok(versionOf(known));
      const { last } = await tx
        .selectFrom("feature_set")
        .select((eb) => eb.fn.max("number").as("last"))
        .where("name", "=", spec.name)
        .executeTakeFirstOrThrow();
      const row = {
        id,
        name: spec.name,
        number: (last ?? 0) + 1,
        spec_json: canonicalJson(spec),
        created_at_ms: this.#store.runtime.clock.nowMs(),
        created_by: actor,
      };
      await tx.insertInto("feature_set").values(row).execute();
      const payload = { id, number: row.number, features: spec.features.length };
      await this.#audit.append(tx, { actor, action: "feature-set.added", object: `feature-set/${spec.name}`, payload });
      return ok(versionOf(row));
    });
  }

  async get(id: FeatureSetId): Promise<FeatureSetVersion | undefined> {
    const row = await this.#store.db.selectFrom("feature_set").selectAll().where("id", "=", id).executeTakeFirst();
    return row && versionOf(row);
  }

  async numbered(name: string, number: number): Promise<FeatureSetVersion | undefined> {
    const query = this.#store.db.selectFrom("feature_set").selectAll().where("name", "=", name).where("number", "=", number);
    const row = await query.executeTakeFirst();
    return row && versionOf(row);
  }

  /** By name, newest version first. */
  async list(): Promise<readonly FeatureSetVersion[]> {
    const rows = await this.#store.db.selectFrom("feature_set").selectAll().orderBy("name").orderBy("number", "desc").execute();
    return rows.map(versionOf);
  }
}

function versionOf(row: Selectable<Schema["feature_set"]>): FeatureSetVersion {
  const spec = parse(JSON.parse(row.spec_json));
  assert(spec.ok, `feature set ${row.id} in the store fits its schema`);
  return {
    id: asFeatureSetId(row.id),
    name: row.name,
    number: row.number,
    spec: spec.value,
    createdAtMs: row.created_at_ms,
    createdBy: row.created_by,
  };
}

/** The column holds what `featureSetId` made. */
const asFeatureSetId = (id: string): FeatureSetId => id as FeatureSetId;
