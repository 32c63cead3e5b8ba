/** Who needs a blob: what stands in the way of taking its bytes away, in words. */
import type { Kysely } from "kysely";
import type { Blobs, Schema } from "../store/index.ts";
import type { BlobId } from "../std.ts";
import { folderIn } from "./folder-manifest.ts";

/** Which blob each dataset version has, its own and those of its folder's files. Versions without bytes aren't among them. */
export async function datasetBlobs(db: Kysely<Schema>, blobs: Blobs): Promise<ReadonlyMap<BlobId, readonly string[]>> {
  const uses = new Map<BlobId, string[]>();
  const note = (id: BlobId, version: string) => void uses.set(id, [...(uses.get(id) ?? []), version]);
  const query = db.selectFrom("dataset_version").select(["dataset", "number", "blob", "layout"]);
  const rows = await query.where("removed_at_ms", "is", null).execute();
  for (const { dataset, number, blob, layout } of rows) {
    const version = `${dataset}/${number}`;
    const id = asBlobId(blob);
    note(id, version);
    if (layout !== "folder" || !(await blobs.has(id))) continue;
    for (const file of await folderIn(blobs, id)) note(file.blob, version);
  }
  return uses;
}

/** What else than a dataset version needs the blob. */
export async function otherUses(db: Kysely<Schema>, id: BlobId): Promise<readonly string[]> {
  const artifacts = await db.selectFrom("run_artifact").select(["run", "path"]).where("blob", "=", id).limit(5).execute();
  const files = await db.selectFrom("artifact_file").select(["folder", "path"]).where("blob", "=", id).limit(5).execute();
  const versionFiles = await db
    .selectFrom("model_version_file")
    .select(["model", "number", "path"])
    .where("blob", "=", id)
    .limit(5)
    .execute();
  const models = await db.selectFrom("model_version").select(["model", "number"]).where("blob", "=", id).limit(5).execute();
  const steps = await db
    .selectFrom("step_run")
    .select(["pipeline", "step"])
    .where((eb) => eb.or([eb("outs_json", "like", `%${id}%`), eb("metrics_json", "like", `%${id}%`), eb("log_blob", "=", id)]))
    .limit(5)
    .execute();
  const releases = await db.selectFrom("release").select(["endpoint", "number"]).where("bundle_json", "like", `%${id}%`).limit(5).execute();
  return [
    ...models.map(({ model, number }) => `model ${model}/${number}`),
    ...versionFiles.map(({ model, number, path }) => `${path} of model ${model}/${number}`),
    ...files.map(({ folder, path }) => `artifact ${path}${folder === "" ? "" : ` of logged model ${folder}`}`),
    ...releases.map(({ endpoint, number }) => `release ${endpoint} r${number}`),
    ...artifacts.map(({ run, path }) => `artifact ${path} of run ${run}`),
    ...steps.map(({ pipeline, step }) => `step ${step} of pipeline ${pipeline}`),
  ];
}

/** This column holds ids that were made before they were written. */
const asBlobId = (id: string): BlobId => id as BlobId;
