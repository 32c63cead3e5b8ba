/** A folder as one blob: the sorted list of its files with their ids. One changed file makes another folder, and shows which. */
import { Type, type Static } from "typebox";
import { checked } from "../checked.ts";
import { BlobError, canonicalJson, parseBlobId, type Blobs } from "../store/index.ts";
import { assert, err, ok, type BlobId, type Issue, type Result } from "../std.ts";
import { artifactPathIssue } from "./names.ts";
import type { TableFormat } from "./table-rows.ts";

const FolderFile = Type.Object({
  path: Type.String({ description: "Within the folder, with / between names" }),
  blob: Type.String(),
  bytes: Type.Integer({ minimum: 0 }),
  mode: Type.Union([Type.Literal("file"), Type.Literal("executable")]),
});
export const FolderManifest = Type.Object({ files: Type.Array(FolderFile), version: Type.Literal(1) }, { title: "Folder" });
export type FolderManifest = Static<typeof FolderManifest>;
const parseManifest = checked(FolderManifest);

export interface FolderFile {
  readonly path: string;
  readonly blob: BlobId;
  readonly bytes: number;
  readonly mode: "file" | "executable";
}

export const FOLDER_FILES_MAX = 100_000;

/** The one text of a folder: the same files make the same bytes, in whatever order they were found. */
export function manifestBytes(files: readonly FolderFile[]): Buffer {
  const sorted = files.toSorted((a, b) => (a.path < b.path ? -1 : 1));
  return Buffer.from(canonicalJson({ files: sorted.map(({ path, blob, bytes, mode }) => ({ path, blob, bytes, mode })), version: 1 }));
}

/** @throws BlobError where the manifest is gone, or isn't what was stored */
export async function folderIn(blobs: Pick<Blobs, "get">, id: BlobId): Promise<readonly FolderFile[]> {
  const manifest = parseManifest(JSON.parse((await blobs.get(id)).toString("utf8")));
  if (!manifest.ok) throw new BlobError("corrupt", id);
  return manifest.value.files.map(({ blob, ...file }) => {
    const known = parseBlobId(blob);
    assert(known, "a manifest was written with ids of blobs");
    return { ...file, blob: known };
  });
}

/** Paths that may be files of a folder, wherever somebody writes it to: none leaves it, and no two are one file on another system. */
export function folderIssues(paths: readonly string[]): readonly Issue[] {
  if (paths.length === 0) return [{ path: "", expected: "at least one file in the folder", got: "none" }];
  if (paths.length > FOLDER_FILES_MAX) {
    return [
      {
        path: "",
        expected: `at most ${FOLDER_FILES_MAX.toLocaleString("en")} files`,
        got: paths.length.toLocaleString("en"),
        hint: "pack them into fewer files",
      },
    ];
  }
  const first = new Map<string, string>();
  const issues: Issue[] = [];
  for (const path of paths) {
    const issue = artifactPathIssue("", path);
    if (issue) issues.push({ ...issue, path: printable(path) });
    const folded = path.toLowerCase();
    const other = first.get(folded);
    if (other !== undefined)
      issues.push({ path: printable(path), expected: "names that differ in more than case", got: `${other} as well` });
    first.set(folded, path);
  }
  const folders = new Set(paths.flatMap((path) => [...path.matchAll(/\//g)].map(({ index }) => path.slice(0, index).toLowerCase())));
  for (const path of paths) if (folders.has(path.toLowerCase())) issues.push({ path, expected: "a file or a folder", got: "both" });
  return issues.slice(0, 20);
}

/** A file name as a message can show it. */
export const printable = (name: string): string => JSON.stringify(name).slice(1, -1).slice(0, 200);

const formatOfEnding: Readonly<Record<string, TableFormat>> = {
  csv: "csv",
  ndjson: "ndjson",
  jsonl: "ndjson",
  parquet: "parquet",
  pq: "parquet",
};
const endingOf = (path: string): string => path.slice(path.lastIndexOf(".") + 1).toLowerCase();

/** Which of a folder's files make up its table, and in which format; undefined where none does. Files with other endings are kept as they are. */
export function tableOf<F extends { readonly path: string }>(
  files: readonly F[],
): Result<{ readonly format: TableFormat; readonly files: readonly F[] } | undefined, readonly Issue[]> {
  const byFormat = Map.groupBy(
    files.toSorted((a, b) => (a.path < b.path ? -1 : 1)),
    ({ path }) => formatOfEnding[endingOf(path)],
  );
  byFormat.delete(undefined);
  const [one, other] = [...byFormat].flatMap(([format, found]) => (format === undefined ? [] : [{ format, files: found }]));
  if (one && other) {
    const got = `${one.files[0]?.path} and ${other.files[0]?.path}`;
    return err([{ path: "", expected: "tables of one format in a folder", got, hint: "add them as two datasets" }]);
  }
  return ok(one);
}
