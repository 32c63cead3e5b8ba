/** Sketches of versions in the database. */
import type { Kysely } from "kysely";
import { checked } from "../checked.ts";
import { canonicalJson, type Schema } from "../store/index.ts";
import { assert } from "../std.ts";
import { TableSketches } from "./column-sketch.ts";

interface OfVersion {
  readonly dataset: string;
  readonly number: number;
}

const parse = checked(TableSketches);

/** Puts them in place of those that are there; none of a version that has no table, or no rows any more. */
export async function putSketches(db: Kysely<Schema>, { dataset, number }: OfVersion, sketches: TableSketches | undefined): Promise<void> {
  await db.deleteFrom("dataset_sketch").where("dataset", "=", dataset).where("number", "=", number).execute();
  if (!sketches) return;
  await db
    .insertInto("dataset_sketch")
    .values({ dataset, number, sketches_json: canonicalJson(sketches) })
    .execute();
}

export async function sketchesOf(db: Kysely<Schema>, { dataset, number }: OfVersion): Promise<TableSketches | undefined> {
  const query = db.selectFrom("dataset_sketch").select("sketches_json").where("dataset", "=", dataset).where("number", "=", number);
  const row = await query.executeTakeFirst();
  if (!row) return undefined;
  const sketches = parse(JSON.parse(row.sketches_json));
  assert(sketches.ok, `the sketches of ${dataset}/${number} fit their schema`);
  return sketches.value;
}
