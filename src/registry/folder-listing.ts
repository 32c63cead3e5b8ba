/** The files of a folder on disk: regular files only, and the same ones afterwards as before. */
import { readdir, lstat } from "node:fs/promises";
import { join } from "node:path";
import { err, ok, type Issue, type Result } from "../std.ts";
import { FOLDER_FILES_MAX, folderIssues, printable } from "./folder-manifest.ts";

/** One file on disk that is to be part of a folder. */
export interface FolderEntry {
  /** Within the folder, with / between names. */
  readonly path: string;
  /** Where it lies. */
  readonly file: string;
  readonly mode: "file" | "executable";
}

/** Sorted by path. Links, sockets and devices are refused: what they lead to isn't in the folder. */
export async function listFolder(folder: string): Promise<Result<readonly FolderEntry[], readonly Issue[]>> {
  const entries: FolderEntry[] = [];
  const issues: Issue[] = [];
  const within: string[] = [""];
  for (let prefix = within.pop(); prefix !== undefined && entries.length <= FOLDER_FILES_MAX; prefix = within.pop()) {
    for (const found of await readdir(join(folder, prefix), { withFileTypes: true, encoding: "buffer" })) {
      const name = found.name.toString("utf8");
      const path = prefix === "" ? name : `${prefix}/${name}`;
      if (!Buffer.from(name).equals(found.name))
        issues.push({ path: printable(path), expected: "a name in UTF-8", got: "bytes that are none" });
      else if (found.isDirectory()) within.push(path);
      else if (!found.isFile())
        issues.push({ path: printable(path), expected: "a file", got: found.isSymbolicLink() ? "a link" : "no file" });
      else {
        const { mode } = await lstat(join(folder, path));
        entries.push({ path, file: join(folder, path), mode: mode & 0o111 ? "executable" : "file" });
      }
    }
  }
  if (issues.length > 0) return err(issues.slice(0, 20));
  const broken = folderIssues(entries.map(({ path }) => path));
  return broken.length > 0 ? err(broken) : ok(entries.toSorted((a, b) => (a.path < b.path ? -1 : 1)));
}
