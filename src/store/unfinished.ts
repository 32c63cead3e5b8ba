/** A note of blobs that are about to come, kept until what refers to them is stored: so that nothing is left of work that was interrupted. */
import { mkdir, open, readFile, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { BlobId } from "../std.ts";

export interface UnfinishedBlobs {
  readonly ids: readonly BlobId[];
  readonly sinceMs: number;
  readonly end: () => Promise<void>;
}

export async function noteUnfinished(folder: string, name: string, ids: readonly BlobId[]): Promise<{ readonly end: () => Promise<void> }> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, name);
  const file = await open(path, "wx", 0o600);
  try {
    await file.writeFile(ids.join("\n"));
    await file.sync();
  } finally {
    await file.close();
  }
  return { end: () => rm(path, { force: true }) };
}

/** Notes of others that work on the same folder are among them: look at `sinceMs`. */
export async function unfinishedIn(folder: string, parse: (text: string) => BlobId | undefined): Promise<readonly UnfinishedBlobs[]> {
  await mkdir(folder, { recursive: true });
  const notes: UnfinishedBlobs[] = [];
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const [text, { mtimeMs }] = [await readFile(path, "utf8"), await stat(path)];
    const ids = text.split("\n").flatMap((line) => parse(line) ?? []);
    notes.push({ ids, sinceMs: mtimeMs, end: () => rm(path, { force: true }) });
  }
  return notes;
}
