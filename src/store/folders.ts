/** Folders that are made when they are missing. */
import { mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";

/**
 * Makes a folder and those above it. Node's own way of doing so never returns where a folder is there and nothing can be made in it, such
 * as below `/proc`.
 * @returns the topmost of those that it made; undefined when the folder was there
 * @throws the system's error, with `mkdir` as its call, where it can't be made
 */
export async function ensureFolder(folder: string): Promise<string | undefined> {
  try {
    await mkdir(folder);
    return folder;
  } catch (error) {
    if (await isFolder(folder)) return undefined;
    const above = dirname(folder);
    const isOrphan = error instanceof Error && "code" in error && error.code === "ENOENT" && above !== folder && !(await isFolder(above));
    if (!isOrphan) throw error;
    const first = (await ensureFolder(above)) ?? folder;
    await ensureFolder(folder);
    return first;
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
}
