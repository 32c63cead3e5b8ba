/** The table of a dataset version, read out of the store. */
import type { Blobs } from "../store/index.ts";
import { assert, type BlobId } from "../std.ts";
import { folderIn, tableOf } from "./folder-manifest.ts";
import { fileInStore } from "./table-file.ts";
import type { Table, TableFormat } from "./table-rows.ts";

/** `none` is a folder without a table: its files are kept as they are. */
export type VersionFormat = TableFormat | "none";
/** Whether the version's blob is the table's file, or the manifest of a folder. */
export type VersionLayout = "file" | "folder";

/**
 * The rows of a version, for `readRows`: verified as they are read.
 * @throws BlobError where something of it is gone; while reading, where its bytes are no longer those that were stored
 */
export async function storedTable(
  blobs: Blobs,
  version: { readonly blob: BlobId; readonly format: VersionFormat; readonly layout: VersionLayout },
): Promise<Table> {
  const { blob, format, layout } = version;
  assert(format !== "none", "only versions with a table are read as one");
  if (layout === "file") return { format, files: [await fileInStore(blobs, blob)] };
  const found = tableOf(await folderIn(blobs, blob));
  assert(found.ok && found.value, "a folder with a format has files of it");
  const files = [];
  for (const file of found.value.files) files.push(await fileInStore(blobs, file.blob, file.path));
  return { format, files };
}
