/**
 * Files by their addresses, as MLflow's artifact proxy has them: bytes lie under their hash, addresses are keys. Where an address lies says
 * whose it is: a run's, a logged model's, a registered version's (whose files never change), or nobody's.
 */
import type { Selectable } from "kysely";
import type { Audit } from "../access/index.ts";
import { parseBlobId, type Schema, type Store } from "../store/index.ts";
import { assert, ok, unreachable, type BlobId, type Result } from "../std.ts";
import { modelParts } from "./model-folder.ts";
import { runIdIn, hexOf } from "./tracked-runs.ts";
import { bad, type TrackingRefusal } from "./tracking-refusal.ts";

export interface ArtifactFile {
  readonly path: string;
  readonly blob: BlobId;
  readonly bytes: number;
}
export interface ArtifactEntry {
  /** Last segment of its address. */
  readonly name: string;
  /** null for a folder. */
  readonly bytes: number | null;
}

/** Whose an address is, and the path in its folder. */
type Place =
  | { readonly kind: "run"; readonly run: string; readonly path: string }
  | { readonly kind: "folder"; readonly folder: string; readonly path: string }
  | { readonly kind: "version"; readonly id: string; readonly path: string };

/** Folder of a registered version, by the version's content. */
export const VERSIONS = "registry";
const SCHEME = "mlflow-artifacts:/";
const RUN_ADDRESS = /^(?:(.*)\/)?([0-9a-f]{32})\/artifacts(?:\/(.*))?$/;
const MODEL_ADDRESS = /^(?:(.*)\/)?models\/(m-[0-9a-f]{32})\/artifacts(?:\/(.*))?$/;
const VERSION_ADDRESS = /^registry\/([0-9a-f]{64})(?:\/(.*))?$/;

/** The address behind a URI that this server keeps files for; undefined for others, such as `s3://…`. */
export const addressIn = (uri: string): string | undefined =>
  uri.startsWith(SCHEME) ? uri.slice(SCHEME.length).replace(/^\/+/, "").replace(/\/+$/, "") : undefined;

export class Artifacts {
  readonly #store: Store;
  readonly #audit: Audit;

  constructor(store: Store, audit: Audit) {
    this.#store = store;
    this.#audit = audit;
  }

  /** Puts a file, in place of one that was there; that is noted. */
  async put(
    address: string,
    { blob, bytes }: { readonly blob: BlobId; readonly bytes: number },
    actor: string,
  ): Promise<Result<void, TrackingRefusal>> {
    const place = await this.#placeOf(address);
    if (place.kind === "version") return bad(`The files of a registered version never change: ${address}`);
    if (place.path === "") return bad("Invalid path");
    const before = await this.#file(place);
    if (before?.blob === blob) return ok(undefined);
    await this.#store.transaction(async (tx) => {
      if (place.kind === "run")
        await tx
          .insertInto("run_artifact")
          .values({ run: place.run, path: place.path, blob, bytes })
          .onConflict((on) => on.columns(["run", "path"]).doUpdateSet({ blob, bytes }))
          .execute();
      else {
        const { folder, path } = place;
        const at_ms = this.#store.runtime.clock.nowMs();
        await tx
          .insertInto("artifact_file")
          .values({ folder, path, blob, bytes, at_ms, put_by: actor })
          .onConflict((on) => on.columns(["folder", "path"]).doUpdateSet({ blob, bytes, at_ms, put_by: actor }))
          .execute();
      }
      if (before) {
        const payload = { path: place.path, from: before.blob, to: blob };
        await this.#audit.append(tx, { actor, action: "artifact.replaced", object: objectOf(place), payload });
      }
    });
    return ok(undefined);
  }

  async get(address: string): Promise<ArtifactFile | undefined> {
    return this.#file(await this.#placeOf(address));
  }

  /** What is in a folder, sorted; nothing for a file and for a folder that isn't there. */
  async list(address: string): Promise<readonly ArtifactEntry[]> {
    const place = await this.#placeOf(address);
    const prefix = place.path === "" ? "" : `${place.path}/`;
    const entries = new Map<string, number | null>();
    for (const { path, bytes } of await this.#files(place, prefix)) {
      const [name = "", ...deeper] = path.slice(prefix.length).split("/");
      entries.set(name, deeper.length > 0 ? null : bytes);
    }
    return [...entries].map(([name, bytes]) => ({ name, bytes })).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** All files below an address, with their paths from there. */
  async below(address: string): Promise<readonly ArtifactFile[]> {
    const place = await this.#placeOf(address);
    const prefix = place.path === "" ? "" : `${place.path}/`;
    const files = await this.#files(place, prefix);
    return files.map((file) => ({ ...file, path: file.path.slice(prefix.length) }));
  }

  /** A file, or a folder with all that is in it. What isn't there is gone already. */
  async delete(address: string, actor: string): Promise<Result<void, TrackingRefusal>> {
    const place = await this.#placeOf(address);
    if (place.kind === "version") return bad(`The files of a registered version never change: ${address}`);
    const prefix = place.path === "" ? "" : `${place.path}/`;
    const file = await this.#file(place);
    const gone = [...(file ? [file] : []), ...(await this.#files(place, prefix))];
    if (gone.length === 0) return ok(undefined);
    await this.#store.transaction(async (tx) => {
      for (const { path } of gone)
        await (
          place.kind === "run"
            ? tx.deleteFrom("run_artifact").where("run", "=", place.run).where("path", "=", path)
            : tx.deleteFrom("artifact_file").where("folder", "=", place.folder).where("path", "=", path)
        ).execute();
      const payload = { path: place.path, files: gone.slice(0, 100).map(({ path, blob }) => `${path} ${blob}`), count: gone.length };
      await this.#audit.append(tx, { actor, action: "artifact.deleted", object: objectOf(place), payload });
    });
    return ok(undefined);
  }

  async #placeOf(address: string): Promise<Place> {
    const { db } = this.#store;
    const [, version, inVersion = ""] = VERSION_ADDRESS.exec(address) ?? [];
    if (version !== undefined) return { kind: "version", id: `mdl:${version}`, path: inVersion };
    const [, modelRoot = "", model, inModel = ""] = MODEL_ADDRESS.exec(address) ?? [];
    if (model !== undefined) {
      const query = db.selectFrom("logged_model").innerJoin("experiment", "experiment.id", "logged_model.experiment");
      const found = await query.select("experiment.artifact_location as root").where("logged_model.id", "=", model).executeTakeFirst();
      if (found && addressIn(found.root) === modelRoot) return { kind: "folder", folder: model, path: inModel };
    }
    const [, runRoot = "", hex = "", inRun = ""] = RUN_ADDRESS.exec(address) ?? [];
    const run = runIdIn(hex);
    if (run !== undefined) {
      const query = db.selectFrom("run").innerJoin("experiment", "experiment.name", "run.experiment");
      const found = await query.select("experiment.artifact_location as root").where("run.id", "=", run).executeTakeFirst();
      if (found && addressIn(found.root) === runRoot) return { kind: "run", run, path: inRun };
    }
    return { kind: "folder", folder: "", path: address };
  }

  async #file(place: Place): Promise<ArtifactFile | undefined> {
    const { db } = this.#store;
    const { path } = place;
    switch (place.kind) {
      case "run":
        return fileOf(
          await db.selectFrom("run_artifact").selectAll().where("run", "=", place.run).where("path", "=", path).executeTakeFirst(),
        );
      case "folder":
        return fileOf(
          await db.selectFrom("artifact_file").selectAll().where("folder", "=", place.folder).where("path", "=", path).executeTakeFirst(),
        );
      case "version":
        return (await this.#filesOfVersion(place.id)).find((file) => file.path === path);
      default:
        return unreachable(place);
    }
  }

  async #files(place: Place, prefix: string): Promise<readonly ArtifactFile[]> {
    const { db } = this.#store;
    const startsSo = ({ path }: { readonly path: string }) => path.startsWith(prefix);
    switch (place.kind) {
      case "run":
        return (await db.selectFrom("run_artifact").selectAll().where("run", "=", place.run).orderBy("path").execute())
          .filter(startsSo)
          .map(asFile);
      case "folder":
        return (await db.selectFrom("artifact_file").selectAll().where("folder", "=", place.folder).orderBy("path").execute())
          .filter(startsSo)
          .map(asFile);
      case "version":
        return (await this.#filesOfVersion(place.id)).filter(startsSo);
      default:
        return unreachable(place);
    }
  }

  /** Of one that was registered from a file alone: that file, and those that lie beside it. */
  async #filesOfVersion(id: string): Promise<readonly ArtifactFile[]> {
    const { db, blobs } = this.#store;
    const version = await db
      .selectFrom("model_version")
      .select(["model", "number", "blob"])
      .where("id", "=", id)
      .limit(1)
      .executeTakeFirst();
    if (!version) return [];
    const query = db.selectFrom("model_version_file").selectAll().where("model", "=", version.model).where("number", "=", version.number);
    const files = await query.orderBy("path").execute();
    if (files.length > 0) return files.map(asFile);
    const blob = parseBlobId(version.blob);
    const parts = blob && (await modelParts(blobs, blob));
    if (!parts?.ok) return [];
    const named = [["model.onnx", parts.value.model] as const, ...parts.value.beside];
    return Promise.all(named.map(async ([path, each]) => ({ path, blob: each, bytes: (await blobs.read(each)).bytes })));
  }
}

const objectOf = (place: Exclude<Place, { kind: "version" }>): string =>
  place.kind === "run" ? `run/${place.run}` : place.folder === "" ? "artifacts" : `logged-model/${place.folder}`;

type FileRow = Pick<Selectable<Schema["run_artifact"]>, "path" | "blob" | "bytes">;
const fileOf = (row: FileRow | undefined): ArtifactFile | undefined => row && asFile(row);
function asFile({ path, blob, bytes }: FileRow): ArtifactFile {
  const id = parseBlobId(blob);
  assert(id, `${blob} of ${path} is a blob id`);
  return { path, blob: id, bytes };
}

/** Where the files of a run lie, of a logged model, and of a registered version. */
export const runArtifacts = (location: string, run: string): string => `${location}/${hexOf(run)}/artifacts`;
export const loggedModelArtifacts = (location: string, model: string): string => `${location}/models/${model}/artifacts`;
export const versionArtifacts = (id: string): string => `${SCHEME}${VERSIONS}/${id.slice("mdl:".length)}`;
