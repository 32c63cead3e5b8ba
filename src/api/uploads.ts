/** Raw bodies: streamed to a file, never held in memory, and gone once the route has answered. */
import { createWriteStream } from "node:fs";
import { mkdir, readdir, rm, stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { StorageError, type Store } from "../store/index.ts";
import { ProblemError } from "./problem.ts";
import type { Server } from "./server.ts";

/** How often it is looked whether there is room for more. */
const LOOK_EVERY_BYTES = 256 * 1024 * 1024;
/** What is left to the decision log and everything else while a large file comes in. */
const ROOM_LEFT_BYTES = 1024 * 1024 * 1024;
export const TAR = "application/x-tar";
const BYTES = ["application/octet-stream", "text/csv", "application/x-ndjson", "application/vnd.apache.parquet", TAR];
const HOUR_MS = 3_600_000;

export interface Upload {
  /** Removed when the route has answered. */
  readonly path: string;
  readonly bytes: number;
}

/** Routes within take bytes instead of JSON; `take` hands a route's body to its work. */
export async function uploadRoutes(app: Server, store: Store, add: (scope: Server, take: TakeUpload) => void): Promise<void> {
  const folder = join(store.folder, "uploads");
  await removeLeftovers(folder, store.runtime.clock.nowMs());
  await app.register(async (scope: Server) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser(BYTES, (_request, body, done) => done(null, body));
    scope.addContentTypeParser("*", (request, _body, done) =>
      done(
        new ProblemError(
          "unsupported-media-type",
          `Send the bytes with \`content-type: application/octet-stream\`, not ${request.headers["content-type"] ?? "without one"}.`,
          [
            {
              path: "/headers/content-type",
              expected: BYTES.join(", "),
              got: request.headers["content-type"] ?? "nothing",
            },
          ],
        ),
      ),
    );
    add(scope, async ({ id, body }, work) => {
      if (!(body instanceof Readable)) throw new ProblemError("unsupported-media-type", "Send the bytes as the body.");
      const path = join(folder, id);
      try {
        return await work({ path, bytes: await write(body, path) });
      } finally {
        await rm(path, { force: true });
      }
    });
  });
}

/** What a crash left behind. Young files stay: another gateway on the same folder may be receiving them. */
async function removeLeftovers(folder: string, nowMs: number): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const known = await stat(path).catch(() => undefined); // the other gateway may have removed it just now
    if (known && known.mtimeMs < nowMs - HOUR_MS) await rm(path, { recursive: true, force: true });
  }
}

/** @param bytes - about to be written beside `path` @throws StorageError */
export async function assertRoom(path: string, bytes = 0): Promise<void> {
  const { bavail, bsize } = await statfs(join(path, ".."));
  if (bavail * bsize - bytes < ROOM_LEFT_BYTES)
    throw new StorageError("storage-full", "no room for the upload: a gigabyte of the disk is kept for decisions");
}

/** The file is named by the request's id. */
export type TakeUpload = <T>(request: { readonly id: string; readonly body: unknown }, work: (upload: Upload) => Promise<T>) => Promise<T>;

/** @throws StorageError where it doesn't leave the disk room enough */
async function write(body: Readable, path: string): Promise<number> {
  let bytes = 0;
  let checkedAt = 0;
  try {
    await pipeline(
      body,
      async function* (chunks: AsyncIterable<Buffer>) {
        for await (const chunk of chunks) {
          bytes += chunk.length;
          yield chunk;
          if (bytes - checkedAt < LOOK_EVERY_BYTES) continue;
          checkedAt = bytes;
          await assertRoom(path);
        }
      },
      createWriteStream(path, { flags: "wx", mode: 0o600 }),
    );
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOSPC")
      throw new StorageError("storage-full", "no room for the upload", { cause: error });
    throw error;
  }
  return bytes;
}
