/** What is to become a version: files of a table or folder, hashed, read and checked. Nothing is kept before all of it is known to be good. */
import { createHash } from "node:crypto";
import { access, constants, stat } from "node:fs/promises";
import { parseBlobId, sha256Hex, type Blobs } from "../store/index.ts";
import { assert, err, ok, type BlobId, type Issue, type Result } from "../std.ts";
import type { Column } from "./cell-types.ts";
import { TableProblem } from "./csv-text.ts";
import { columnIssues } from "./dataset-diffs.ts";
import type { DatasetSpec } from "./dataset-spec.ts";
import { fileState, listFolder, type FolderEntry } from "./folder-listing.ts";
import { folderIssues, manifestBytes, printable, tableOf } from "./folder-manifest.ts";
import { folderId, type TableId } from "./row-hash.ts";
import type { VersionFormat, VersionLayout } from "./stored-table.ts";
import { bytesInMemory, fileInStore, fileOnDisk, type TableFile } from "./table-file.ts";
import { formatOf, type Table, type TableFormat } from "./table-rows.ts";
import { indexTable, inspectTable, type TableIndex } from "./table-scan.ts";

/**
 * Where a version comes from: a file or folder on this machine, files with the names they are to have, bytes in memory, or a blob that is in
 * the store already, such as the output of a step.
 */
export type TableSource =
  | { readonly path: string }
  | { readonly entries: readonly FolderEntry[] }
  | { readonly bytes: Uint8Array }
  | { readonly blob: BlobId };

/** A source with its files found and hashed. */
export interface HashedSource {
  readonly layout: VersionLayout;
  /** Of the file, or of the folder's manifest. */
  readonly blob: BlobId;
  readonly bytes: number;
  readonly files: readonly HashedFile[];
}

interface SourceFile {
  /** Within the folder; empty for a single file. */
  readonly path: string;
  readonly mode: "file" | "executable";
  readonly open: TableFile;
  readonly from: { readonly disk: string; readonly state: string } | { readonly memory: Uint8Array } | { readonly blob: BlobId };
}
interface HashedFile extends SourceFile {
  readonly blob: BlobId;
  readonly bytes: number;
}

/** What was found in a source. */
export interface TableReading {
  readonly format: VersionFormat;
  readonly id: TableId;
  readonly columns: readonly Column[];
  /** undefined for a folder without a table. */
  readonly index: TableIndex | undefined;
}

/** Finds and hashes a source's files. */
export async function hashSource(blobs: Blobs, source: TableSource): Promise<Result<HashedSource, readonly Issue[]>> {
  const found = await filesOf(blobs, source);
  if (!found.ok) return found;
  const files: HashedFile[] = [];
  for (const file of found.value.files) files.push({ ...file, ...(await digestOf(file.open)) });
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  const [only] = files;
  if (found.value.layout === "file" && only) return ok({ layout: "file", blob: only.blob, bytes, files });
  const blob = parseBlobId(`sha256:${sha256Hex(manifestBytes(files))}`);
  assert(blob, "a SHA-256 makes a blob id");
  return ok({ layout: "folder", blob, bytes, files });
}

/** Reads the table of a source: types, hashes, groups, profile. */
export async function readSource(
  source: HashedSource,
  asked: { readonly spec: DatasetSpec; readonly format?: TableFormat },
): Promise<Result<TableReading, readonly Issue[]>> {
  try {
    const table = await tableIn(source, asked.format);
    if (!table.ok) return table;
    if (table.value === undefined) {
      const issues = columnIssues(asked.spec, []);
      return issues.length > 0 ? err(issues) : ok({ format: "none", id: folderId(source.blob), columns: [], index: undefined });
    }
    const columns = await inspectTable(table.value);
    const issues = columnIssues(asked.spec, columns);
    if (issues.length > 0) return err(issues);
    const index = await indexTable(table.value, columns, asked.spec);
    return ok({ format: table.value.format, id: index.id, columns, index });
  } catch (error) {
    if (error instanceof TableProblem) return err([error.issue]);
    throw error;
  }
}

/** Puts a source's bytes into the store. */
export async function keepSource(blobs: Blobs, source: HashedSource): Promise<Result<void, readonly Issue[]>> {
  for (const { from, path, blob } of source.files) {
    if ("blob" in from) continue;
    const id = "memory" in from ? await blobs.put(from.memory) : (await blobs.putFile(from.disk)).id;
    if (id !== blob || ("disk" in from && (await fileState(from.disk)) !== from.state)) return err([changedMeanwhile(path)]);
  }
  if (source.layout === "folder") await blobs.put(manifestBytes(source.files));
  return ok(undefined);
}

async function tableIn(
  { layout, files }: HashedSource,
  declared: TableFormat | undefined,
): Promise<Result<Table | undefined, readonly Issue[]>> {
  if (layout === "file") {
    const [file] = files;
    assert(file, "a source has at least one file");
    return ok({ format: declared ?? (await formatOf(file.open)), files: [file.open] });
  }
  const found = tableOf(files);
  if (!found.ok) return found;
  return ok(found.value && { format: found.value.format, files: found.value.files.map(({ open }) => open) });
}

async function filesOf(
  blobs: Blobs,
  source: TableSource,
): Promise<Result<{ readonly layout: VersionLayout; readonly files: readonly SourceFile[] }, readonly Issue[]>> {
  const single = (open: TableFile, from: SourceFile["from"]) =>
    ok({ layout: "file" as const, files: [{ path: "", mode: "file" as const, open, from }] });
  if ("bytes" in source) return single(bytesInMemory(source.bytes), { memory: source.bytes });
  if ("blob" in source) {
    if (await blobs.has(source.blob)) return single(await fileInStore(blobs, source.blob), { blob: source.blob });
    return err([{ path: "/blob", expected: "a blob that was uploaded before", got: source.blob }]);
  }
  if ("entries" in source) {
    const issues = folderIssues(source.entries.map(({ path }) => path));
    return issues.length > 0 ? err(issues) : folderOf(source.entries);
  }
  const { path } = source;
  const kind = await kindOf(path);
  if (kind === "file") return single(await fileOnDisk(path), { disk: path, state: await fileState(path) });
  if (kind !== "folder")
    return err([{ path: "", expected: kind === "other" ? "a file or a folder" : "a file that can be read", got: printable(path) }]);
  const listed = await listFolder(path);
  if (!listed.ok) return listed;
  return folderOf(listed.value);
}

async function folderOf(entries: readonly FolderEntry[]) {
  const files: SourceFile[] = [];
  for (const { path, file, mode } of entries) {
    if ((await kindOf(file)) !== "file") return err([changedMeanwhile(path)]);
    files.push({ path, mode, open: await fileOnDisk(file, path), from: { disk: file, state: await fileState(file) } });
  }
  return ok({ layout: "folder" as const, files });
}

/** A file that isn't one, or can't be opened, is the caller's mistake. */
async function kindOf(path: string): Promise<"file" | "folder" | "other" | undefined> {
  try {
    await access(path, constants.R_OK);
    const found = await stat(path);
    return found.isFile() ? "file" : found.isDirectory() ? "folder" : "other";
  } catch (error) {
    if (!(error instanceof Error && "code" in error)) throw error;
    return undefined;
  }
}

async function digestOf(file: TableFile): Promise<{ readonly blob: BlobId; readonly bytes: number }> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of file.stream()) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  const blob = parseBlobId(`sha256:${hash.digest("hex")}`);
  assert(blob, "a SHA-256 makes a blob id");
  return { blob, bytes };
}

const changedMeanwhile = (path: string): Issue => ({
  path,
  expected: "a file that stays as it is while it is read",
  got: "one that was changed, or other bytes at the second reading",
});
