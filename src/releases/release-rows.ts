/** Endpoints and releases as rows. Both only grow: a release never changes, an endpoint's earlier definitions are in the audit log. */
import type { Selectable, Transaction } from "kysely";
import { checked } from "../checked.ts";
import { ReleaseBundle } from "../serving/index.ts";
import type { EndpointName, ReleaseId } from "../std.ts";
import { canonicalJson, type Json, type Schema, type Store } from "../store/index.ts";
import { parseEndpoint, type EndpointDefinition } from "./endpoint-spec.ts";

/** A release as it is known, loaded or not. */
export interface ReleaseInfo {
  readonly id: ReleaseId;
  readonly endpoint: EndpointName;
  /** Counts up within the endpoint, from 1. People see `r3`. */
  readonly number: number;
  /** For people. */
  readonly name: string;
  readonly bundle: ReleaseBundle;
  /** Where its parts came from: model version, feature set, run, description. */
  readonly origin: Json;
  readonly createdAtMs: number;
  readonly createdBy: string;
}

const parseBundle = checked(ReleaseBundle);

/** @throws Error when a row isn't one that this version wrote: what can't be read must not be served by guess */
function infoOf(row: Selectable<Schema["release"]>): ReleaseInfo {
  const bundle = parseBundle(JSON.parse(row.bundle_json));
  if (!bundle.ok) throw new Error(`release ${row.id} can't be read: ${JSON.stringify(bundle.error)}`);
  const { id, endpoint } = asIds(row);
  const { number, name, created_at_ms: createdAtMs, created_by: createdBy } = row;
  return { id, endpoint, number, name, bundle: bundle.value, origin: JSON.parse(row.origin_json), createdAtMs, createdBy };
}

/** These columns hold what was checked or made before it was written. */
const asIds = ({ id, endpoint }: { readonly id: string; readonly endpoint: string }) => ({
  id: id as ReleaseId,
  endpoint: endpoint as EndpointName,
});

/** All releases of an endpoint, oldest first. */
export async function readReleases(db: Store["db"], endpoint: EndpointName): Promise<readonly ReleaseInfo[]> {
  const rows = await db.selectFrom("release").selectAll().where("endpoint", "=", endpoint).orderBy("number").execute();
  return rows.map(infoOf);
}

/** One release, whichever endpoint's. */
export async function readRelease(db: Store["db"], id: ReleaseId): Promise<ReleaseInfo | undefined> {
  const row = await db.selectFrom("release").selectAll().where("id", "=", id).executeTakeFirst();
  return row && infoOf(row);
}

/** What a release is called. */
export type ReleaseHead = Pick<ReleaseInfo, "id" | "endpoint" | "number" | "name">;

/** Well below what either database takes in one statement. */
const IDS_AT_ONCE = 500;

/** Those of these ids that are releases: by endpoint, then by number. */
export async function readReleaseHeads(db: Store["db"], ids: readonly string[]): Promise<readonly ReleaseHead[]> {
  const heads: ReleaseHead[] = [];
  for (let at = 0; at < ids.length; at += IDS_AT_ONCE) {
    const some = ids.slice(at, at + IDS_AT_ONCE);
    const rows = await db.selectFrom("release").select(["id", "endpoint", "number", "name"]).where("id", "in", some).execute();
    heads.push(...rows.map((row) => ({ ...row, ...asIds(row) })));
  }
  return heads.toSorted((a, b) => (a.endpoint === b.endpoint ? a.number - b.number : a.endpoint < b.endpoint ? -1 : 1));
}

/** Inserts a release under the next number of its endpoint; the one that is there already stays as it is. The caller holds the lock. */
export async function insertRelease(
  tx: Transaction<Schema>,
  release: Omit<ReleaseInfo, "number">,
): Promise<{ readonly info: ReleaseInfo; readonly isNew: boolean }> {
  const known = await tx.selectFrom("release").selectAll().where("id", "=", release.id).executeTakeFirst();
  if (known) return { info: infoOf(known), isNew: false };
  const { last } = await tx
    .selectFrom("release")
    .select((eb) => eb.fn.max("number").as("last"))
    .where("endpoint", "=", release.endpoint)
    .executeTakeFirstOrThrow();
  const info = { ...release, number: (last ?? 0) + 1 };
  const { id, endpoint, number, name, bundle, origin, createdAtMs, createdBy } = info;
  await tx
    .insertInto("release")
    .values({
      id,
      endpoint,
      number,
      name,
      bundle_json: canonicalJson(bundle),
      origin_json: canonicalJson(origin),
      created_at_ms: createdAtMs,
      created_by: createdBy,
    })
    .execute();
  return { info, isNew: true };
}

/** Every endpoint's present definition, by name. */
export async function readEndpoints(db: Store["db"]): Promise<readonly EndpointDefinition[]> {
  const rows = await db.selectFrom("endpoint").selectAll().orderBy("name").execute();
  return rows.map((row) => {
    const definition = parseEndpoint(JSON.parse(row.spec_json));
    if (!definition.ok) throw new Error(`endpoint ${row.name} can't be read: ${JSON.stringify(definition.error)}`);
    return definition.value;
  });
}

export async function upsertEndpoint(tx: Transaction<Schema>, { spec, id }: EndpointDefinition, nowMs: number): Promise<void> {
  const row = { spec_json: canonicalJson(spec), spec_id: id, updated_at_ms: nowMs };
  await tx
    .insertInto("endpoint")
    .values({ name: spec.name, created_at_ms: nowMs, ...row })
    .onConflict((conflict) => conflict.column("name").doUpdateSet(row))
    .execute();
}
