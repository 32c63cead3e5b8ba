/** What is to become a version: files of a table or folder, hashed, read and checked. Nothing is kept before all of it is known to be good. */
import { access, constants, stat } from "node:fs/promises";
import { parseBlobId, sha256Hex, type Blobs, type Recipe, type StagedBlob } from "../store/index.ts";
import { assert, err, ok, type BlobId, type Issue, type Result } from "../std.ts";
import type { Column } from "./cell-types.ts";
import { TableProblem } from "./csv-text.ts";
import { checkTypes } from "./declared-types.ts";
import { columnIssues } from "./dataset-diffs.ts";
import type { DatasetSpec } from "./dataset-spec.ts";
import { listFolder, type FolderEntry } from "./folder-listing.ts";
import { fileState } from "./known-files.ts";
import { type FolderFile, folderIssues, manifestBytes, printable, tableOf } from "./folder-manifest.ts";
import { folderId, type TableId } from "./row-hash.ts";
import type { VersionFormat, VersionLayout } from "./stored-table.ts";
import { bytesInMemory, fileInStore, fileOnDisk, type TableFile } from "./table-file.ts";
import { formatOf, type Table, type TableFormat } from "./table-rows.ts";
import { readTable, type TableFacts } from "./table-facts.ts";

/**
 * Where a version comes from: a file or folder on this machine, files with the names they are to have, bytes in memory, or a blob that is in
 * the store already, such as the output of a step.
 */
export type TableSource =
  | { readonly path: string }
  | { readonly entries: readonly FolderEntry[] }
  | { readonly bytes: Uint8Array }
  | { readonly blob: BlobId };

/** What is needed to keep or drop a source whose bytes are hashed and written, and not yet in the store. Plain data. */
export interface KeptSource {
  readonly layout: VersionLayout;
  /** Of the file, or of the folder's manifest. */
  readonly blob: BlobId;
  readonly bytes: number;
  readonly files: readonly (FolderFile & { readonly staged: StagedBlob | undefined })[];
}
export interface StagedSource extends KeptSource {
  readonly files: readonly StagedFile[];
}

interface SourceFile {
  /** Within the folder; empty for a single file. */
  readonly path: string;
  readonly mode: "file" | "executable";
  readonly open: TableFile;
  /** Of a file on disk: what must be the same when all is read. */
  readonly disk: { readonly path: string; readonly state: string } | undefined;
  /** Of a blob that is in the store already. */
  readonly stored: BlobId | undefined;
}
interface StagedFile extends SourceFile {
  readonly blob: BlobId;
  readonly bytes: number;
  readonly staged: StagedBlob | undefined;
}

/** What was found in a source. */
export interface TableReading {
  readonly format: VersionFormat;
  readonly id: TableId;
  readonly columns: readonly Column[];
  /** undefined for a folder without a table. */
  readonly facts: TableFacts | undefined;
}

/**
 * Finds a source's files, hashes them and writes them where they wait.
 * @param bases - blobs that may share most of their bytes with these
 */
export async function stageSource(
  blobs: Blobs,
  source: TableSource,
  bases: readonly BlobId[],
): Promise<Result<StagedSource, readonly Issue[]>> {
  const found = await filesOf(blobs, source);
  if (!found.ok) return found;
  const recipes: Recipe[] = [];
  for (const base of bases) {
    const recipe = await blobs.recipe(base);
    if (recipe) recipes.push(recipe);
  }
  const files: StagedFile[] = [];
  try {
    for (const file of found.value.files) {
      const staged = file.stored === undefined ? await stagedFile(blobs, file.open, recipes) : undefined;
      const blob = file.stored ?? staged?.id;
      assert(blob, "a file is stored or staged");
      files.push({ ...file, staged, blob, bytes: staged?.bytes ?? file.open.bytes });
    }
    await stillThere(files);
    if ("path" in source && found.value.layout === "folder") await sameFiles(source.path, files);
  } catch (error) {
    for (const { staged } of files) if (staged) await blobs.discard(staged);
    if (error instanceof TableProblem) return err([error.issue]);
    throw error;
  }
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  const [only] = files;
  if (found.value.layout === "file" && only) return ok({ layout: "file", blob: only.blob, bytes, files });
  const blob = parseBlobId(`sha256:${sha256Hex(manifestBytes(files))}`);
  assert(blob, "a SHA-256 makes a blob id");
  return ok({ layout: "folder", blob, bytes, files });
}

async function stagedFile(blobs: Blobs, file: TableFile, bases: readonly Recipe[]): Promise<StagedBlob> {
  const staging = blobs.staging(bases);
  try {
    for await (const piece of file.stream()) staging.write(piece);
    return staging.finish();
  } catch (error) {
    staging.abandon();
    throw error;
  }
}

/** Reads the table of a source: types, hashes, groups, profile. */
export async function readSource(
  source: StagedSource,
  asked: { readonly spec: DatasetSpec; readonly format?: TableFormat; readonly spillPath: string },
): Promise<Result<TableReading, readonly Issue[]>> {
  try {
    const table = await tableIn(source, asked.format);
    if (!table.ok) return table;
    if (table.value === undefined) {
      const issues = columnIssues(asked.spec, []);
      return issues.length > 0 ? err(issues) : ok({ format: "none", id: folderId(source.blob), columns: [], facts: undefined });
    }
    const read = await readTable(table.value, asked.spec, asked.spillPath);
    if (!read.ok) return read;
    const { columns, facts } = read.value;
    await checkTypes(table.value, columns, asked.spec);
    await stillThere(source.files);
    return ok({ format: table.value.format, id: facts.id, columns, facts });
  } catch (error) {
    if (error instanceof TableProblem) return err([error.issue]);
    throw error;
  }
}

/**
 * Puts a source's bytes into the store. What is there and isn't referred to when the process ends is taken away at the next start, unless
 * `end` was called before.
 */
export async function keepSource(blobs: Blobs, source: KeptSource): Promise<{ end(): Promise<void> }> {
  const begun = await blobs.beginning([source.blob, ...source.files.map(({ blob }) => blob)]);
  for (const { staged } of source.files) if (staged) await blobs.commit(staged);
  if (source.layout === "folder") await blobs.put(manifestBytes(source.files));
  return begun;
}

export async function dropSource(blobs: Blobs, source: KeptSource): Promise<void> {
  for (const { staged } of source.files) if (staged) await blobs.discard(staged);
}

/** @throws TableProblem for a file that isn't what it was when it was found */
async function stillThere(files: readonly SourceFile[]): Promise<void> {
  for (const { disk, path } of files) {
    const state = disk && (await fileState(disk.path).catch(() => "gone"));
    if (disk && state !== disk.state) {
      const got = state === "gone" ? "one that is gone" : "one that was written to meanwhile";
      throw new TableProblem(
        { expected: "a file that stays as it is while it is read", got, hint: "add it again once nobody writes to it" },
        path,
      );
    }
  }
}

/** @throws TableProblem for a folder that has other files by now */
async function sameFiles(folder: string, files: readonly SourceFile[]): Promise<void> {
  const listed = await listFolder(folder);
  const now = new Set(listed.ok ? listed.value.map(({ path }) => path) : []);
  const strange = [...now].find((path) => !files.some((file) => file.path === path));
  if (now.size === files.length && strange === undefined) return;
  const got = strange === undefined ? "fewer files at the end" : "a file that came meanwhile";
  throw new TableProblem(
    { expected: "a folder that stays as it is while it is read", got, hint: "add it again once nobody writes to it" },
    strange,
  );
}

async function tableIn(
  { layout, files }: StagedSource,
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
  const single = (open: TableFile, at: Pick<SourceFile, "disk" | "stored">) =>
    ok({ layout: "file" as const, files: [{ path: "", mode: "file" as const, open, ...at }] });
  if ("bytes" in source) return single(bytesInMemory(source.bytes), { disk: undefined, stored: undefined });
  if ("blob" in source) {
    if (await blobs.has(source.blob)) return single(await fileInStore(blobs, source.blob), { disk: undefined, stored: source.blob });
    return err([{ path: "/blob", expected: "a blob that was uploaded before", got: source.blob }]);
  }
  if ("entries" in source) {
    const issues = folderIssues(source.entries.map(({ path }) => path));
    return issues.length > 0 ? err(issues) : folderOf(source.entries);
  }
  const { path } = source;
  const kind = await kindOf(path);
  if (kind === "file") return single(await fileOnDisk(path), { disk: { path, state: await fileState(path) }, stored: undefined });
  if (kind !== "folder")
    return err([{ path: "", expected: kind === "other" ? "a file or a folder" : "a file that can be read", got: printable(path) }]);
  const listed = await listFolder(path);
  if (!listed.ok) return listed;
  return folderOf(listed.value);
}

async function folderOf(entries: readonly FolderEntry[]) {
  const files: SourceFile[] = [];
  for (const { path, file, mode } of entries) {
    if ((await kindOf(file)) !== "file") return err([{ path, expected: "a file that can be read", got: "none" }]);
    files.push({ path, mode, open: await fileOnDisk(file, path), disk: { path: file, state: await fileState(file) }, stored: undefined });
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
