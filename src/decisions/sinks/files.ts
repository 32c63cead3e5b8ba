/** Files that are there for good once a call has returned. */
import { open, rename, type FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ensureFolder } from "../../store/index.ts";

/** Puts bytes at the end of a file that has `at` bytes so far; 0 makes it, and then it must not be there. */
export async function appendDurably(path: string, at: number, bytes: Uint8Array): Promise<void> {
  const file = await open(path, at === 0 ? "wx" : "r+");
  try {
    await writeAll(file, bytes, at);
    await file.sync();
  } finally {
    await file.close();
  }
  if (at === 0) await syncFolder(dirname(path));
}

/** A file that is whole or not there, also after a crash; one of that name is replaced. */
export async function replaceDurably(folder: string, name: string, bytes: Uint8Array): Promise<void> {
  await makeFolder(folder);
  // Readers of folders of data leave out what begins with a dot.
  const unfinished = join(folder, `.${name}.tmp`);
  const file = await open(unfinished, "w");
  try {
    await writeAll(file, bytes, 0);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(unfinished, join(folder, name));
  await syncFolder(folder);
}

/** Makes a folder and those above it; each is in the one above for good. */
export async function makeFolder(folder: string): Promise<void> {
  const first = await ensureFolder(folder);
  if (first === undefined) return;
  for (let at = folder; at.length >= first.length; at = dirname(at)) await syncFolder(dirname(at));
}

async function writeAll(file: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < bytes.length;) done += (await file.write(bytes, done, bytes.length - done, at + done)).bytesWritten;
}

/** A new name is on disk only when the folder is. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
