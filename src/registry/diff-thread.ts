/** Compares two versions for a server that must go on answering. */
import { createWriteStream } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { isMainThread, workerData } from "node:worker_threads";
import { Blobs, systemRuntime } from "../store/index.ts";
import { ok } from "../std.ts";
import { answer } from "./apart.ts";
import { diffVersions, rowsOfVersions, type VersionsAsked } from "./dataset-diffs.ts";

export interface DiffOrder {
  /** Of the blob store. */
  readonly folder: string;
  readonly asked: VersionsAsked;
  /** The rows that differ, into a file; the difference itself when left out. */
  readonly rows?: { readonly hidden: readonly string[]; readonly into: string };
}

/** Only `diff-apart.ts` starts this, with what it says. */
const asOrder = (value: unknown) => value as DiffOrder;

async function written(blobs: Blobs, asked: VersionsAsked, { hidden, into }: NonNullable<DiffOrder["rows"]>) {
  const rows = await rowsOfVersions(blobs, { ...asked, hidden });
  if (!rows.ok) return rows;
  await mkdir(dirname(into), { recursive: true });
  try {
    await pipeline(Readable.from(rows.value.pieces, { objectMode: false }), createWriteStream(into, { flags: "wx", mode: 0o600 }));
  } catch (error) {
    await rm(into, { force: true });
    throw error;
  }
  return ok({ count: rows.value.count });
}

if (!isMainThread) {
  const { folder, asked, rows } = asOrder(workerData);
  const blobs = new Blobs(folder, systemRuntime().ids);
  await answer(() => (rows ? written(blobs, asked, rows) : diffVersions(blobs, asked)));
}
