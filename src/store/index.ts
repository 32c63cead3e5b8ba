export { BlobError, Blobs, parseBlobId } from "./blobs.ts";
export { canonicalJson, contentId, sha256Hex, type Json } from "./content.ts";
export { StorageError, type StorageTrouble } from "./errors.ts";
export { ensureFolder } from "./folders.ts";
export {
  simulatedRuntime,
  systemRuntime,
  type Clock,
  type Ids,
  type Random,
  type Runtime,
  type SimulatedRuntime,
  type Timers,
} from "./runtime.ts";
export { BlobStaging, type StagedBlob } from "./staging.ts";
export type { Recipe } from "./recipe.ts";
export type { Schema } from "./schema.ts";
export type { SqliteProcedure } from "./sqlite-thread.ts";
export { openStore, viewStore, type PostgresStore, type SqliteStore, type Store, type StoreOptions, type StoreView } from "./store.ts";
