/** Has two versions compared by a thread of its own; small ones here, since a thread takes longer to start. */
import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Blobs } from "../store/index.ts";
import type { Result } from "../std.ts";
import { apart } from "./apart.ts";
import { diffVersions, rowsOfVersions, type DatasetDiff, type VersionsAsked } from "./dataset-diffs.ts";
import type { DiffRows } from "./diff-rows.ts";
import type { DiffOrder } from "./diff-thread.ts";
import { invalid, type Refusal } from "./refusal.ts";

const APART_BYTES = 1024 * 1024;
/** A key may have to be looked for, and found to be none, before rows are compared. */
const READINGS = 4;

/** Compares the columns that both have, by the key, label and protected attributes of `spec`. @throws StorageError, BlobError */
export async function diffApart(blobs: Blobs, asked: VersionsAsked): Promise<Result<DatasetDiff, Refusal>> {
  return isLarge(asked) ? ended<DatasetDiff>({ folder: blobs.folder, asked }) : diffVersions(blobs, asked);
}

/** The rows that differ, as CSV. @param asked - `hidden`: columns that are left out @throws StorageError, BlobError */
export async function rowsApart(
  blobs: Blobs,
  { hidden, ...asked }: VersionsAsked & { readonly hidden: readonly string[] },
): Promise<Result<DiffRows, Refusal>> {
  if (!isLarge(asked)) return rowsOfVersions(blobs, { ...asked, hidden });
  const into = join(asked.space.folder, `${asked.space.name}.csv`);
  try {
    const done = await ended<{ readonly count: number }>({ folder: blobs.folder, asked, rows: { hidden, into } });
    return done.ok ? { ok: true, value: await rowsIn(into, done.value.count) } : done;
  } finally {
    await rm(into, { force: true });
  }
}

const bytesOf = ({ from, to }: VersionsAsked) => from.bytes + to.bytes;
/** Parquet of any size: its memory is to be limited. */
const isLarge = (asked: VersionsAsked) => [asked.from, asked.to].some(({ format }) => format === "parquet") || bytesOf(asked) > APART_BYTES;

async function ended<T>(order: DiffOrder): Promise<Result<T, Refusal>> {
  const work = { module: "./diff-thread", name: "diff", order, bytes: bytesOf(order.asked) * READINGS, of: "tables" } as const;
  const done = await apart<Result<T, Refusal>>(work);
  return done.ok ? done.value : { ok: false, error: invalid(done.error) };
}

/** The file may be removed at once: it is open. */
async function rowsIn(path: string, count: number): Promise<DiffRows> {
  const file = await open(path, "r");
  const stream = file.createReadStream({ encoding: "utf8" });
  const pieces: AsyncIterator<string> = stream[Symbol.asyncIterator]();
  return {
    count,
    pieces: {
      [Symbol.asyncIterator]() {
        return this;
      },
      next: () => pieces.next(),
      async return() {
        stream.destroy();
        return { done: true, value: undefined };
      },
    },
  };
}
