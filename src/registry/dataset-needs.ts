/** Why a version of a dataset is still needed. What is needed is not taken away, and the refusal says by what. */
import type { Kysely } from "kysely";
import type { Schema, Store } from "../store/index.ts";
import { tagsOf } from "./dataset-tags.ts";
import type { Lineage } from "./lineage.ts";

/** Consumer applications: 25 months after notice (US Reg B), and a month to be sure. */
const RELEASE_KEEPS_MS = (25 * 30.44 + 30) * 86_400_000;
const MINUTE_MS = 60_000;

export interface VersionName {
  readonly dataset: string;
  readonly number: number;
  readonly id: string;
}

/** In words: `tag @clean`, `pinned by ana: audit 7`. Also within a transaction, since either may come at any moment. */
export async function holdsOf(
  db: Kysely<Schema>,
  { dataset, number }: Pick<VersionName, "dataset" | "number">,
): Promise<readonly string[]> {
  const tags = Object.entries(await tagsOf(db, dataset)).filter(([, at]) => at === number);
  const pin = await db.selectFrom("dataset_pin").selectAll().where("dataset", "=", dataset).where("number", "=", number).executeTakeFirst();
  return [...tags.map(([tag]) => `tag @${tag}`), ...(pin ? [`pinned by ${pin.pinned_by}: ${pin.reason}`] : [])];
}

/** In words: `release loans r12, which last answered on 2026-11-30`. */
export async function releasesOf(store: Store, lineage: Lineage, version: VersionName): Promise<readonly string[]> {
  return releasesWith(store, lineage, await idsOf(store.db, version));
}

/** The version's ids, those before redactions too: what was made of it was made under them. */
async function idsOf(db: Kysely<Schema>, { dataset, number, id }: VersionName): Promise<readonly string[]> {
  const query = db.selectFrom("dataset_redaction").select("id_before").where("dataset", "=", dataset).where("number", "=", number);
  return [id, ...(await query.execute()).map((row) => row.id_before)];
}

async function releasesWith({ db, runtime }: Store, lineage: Lineage, ids: readonly string[]): Promise<readonly string[]> {
  const found = new Set<string>();
  for (const id of ids) {
    const { nodes } = await lineage.downstream({ kind: "dataset_version", id });
    for (const node of nodes) if (node.kind === "release") found.add(node.id);
  }
  const sinceMs = runtime.clock.nowMs() - RELEASE_KEEPS_MS;
  const needs: string[] = [];
  for (const id of found) {
    const release = await db.selectFrom("release").select(["endpoint", "number", "created_at_ms"]).where("id", "=", id).executeTakeFirst();
    const { last } = await db
      .selectFrom("tally")
      .select((eb) => eb.fn.max("minute").as("last"))
      .where("release", "=", id)
      .executeTakeFirstOrThrow();
    const lastMs = last === null ? undefined : last * MINUTE_MS;
    const name = release ? `release ${release.endpoint} r${release.number}` : `release ${id}`;
    if (lastMs !== undefined && lastMs >= sinceMs)
      needs.push(`${name}, which last answered on ${new Date(lastMs).toISOString().slice(0, 10)}`);
    else if (lastMs === undefined && (release?.created_at_ms ?? 0) >= sinceMs) needs.push(`${name}, which has answered nobody yet`);
  }
  return needs;
}
