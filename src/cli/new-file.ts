/** Files that a verb writes: whole or not at all, and never over another one unless told to. */
import { link, open, rename, rm } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { FileError } from "./files.ts";

/** @param isForced - write over what is there */
export async function writeNewFile(cwd: string, file: string, text: string, isForced: boolean): Promise<void> {
  const target = resolve(cwd, file);
  const half = join(dirname(target), `.${basename(target)}.${process.pid}.half`);
  try {
    const handle = await open(half, "wx");
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    // A link, unlike renaming, fails where somebody else's file has the name.
    if (isForced) await rename(half, target);
    else await link(half, target);
  } catch (error) {
    const code = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
    if (code === "EEXIST")
      throw new FileError(`${file} is there already: give another name with --out, or write over it with --force`, { cause: error });
    const why =
      code === "ENOENT"
        ? "there is no such folder"
        : code === "EISDIR"
          ? "it is a folder"
          : code === "EACCES"
            ? "this user may not write there"
            : String(error);
    throw new FileError(`${file} can't be written: ${why}`, { cause: error });
  } finally {
    await rm(half, { force: true });
  }
}
