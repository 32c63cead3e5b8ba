/** Files and folders on their way into a dataset and out of it. */
import { createReadStream } from "node:fs";
import { chmod, mkdir, rename, rm, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { checked } from "../checked.ts";
import type { AddedDatasetVersionView, DatasetVersionView } from "../api/index.ts";
import { EvenkeelProblem, type EvenkeelClient } from "../client.ts";
import { FolderManifest, KnownFiles, fileState, folderIssues, listFolder } from "../registry/index.ts";
import { systemRuntime } from "../store/index.ts";
import { FileError, brokenText } from "./files.ts";
import { tarOf } from "./tar-writer.ts";
import type { VerbContext } from "./verb.ts";

/** A gigabyte may come over a slow line, and is read before it is answered. */
const TRANSFER = { timeoutMs: 24 * 3_600_000 };

/** Adds a file or folder; a file that the server has already isn't read. */
export async function addPath(
  { cwd, env, io }: VerbContext,
  client: EvenkeelClient,
  asked: { readonly file: string; readonly address: string; readonly query: Readonly<Record<string, string | undefined>> },
): Promise<AddedDatasetVersionView> {
  const { file, address, query } = asked;
  const path = resolve(cwd, file);
  const found = await stat(path).catch(() => undefined);
  if (!found) throw new FileError(`${file} can't be read: there is no such file`);
  let sent = 0;
  const show = (total: number) => (bytes: number) => io.progress(file, (sent += bytes), total);
  try {
    if (found.isDirectory()) {
      const listed = await listFolder(path);
      if (!listed.ok) throw new FileError(brokenText(`${file} can't be added:`, listed.error));
      const sizes = await Promise.all(listed.value.map(async (entry) => (await stat(entry.file)).size));
      const total = sizes.reduce((sum, size) => sum + size, 0);
      const headers = { "content-type": "application/x-tar" };
      return await client.putStream<AddedDatasetVersionView>(address, tarOf(listed.value, show(total)), { query, headers, ...TRANSFER });
    }
    const known = await knownFiles(env);
    const blob = await known.known(path);
    const again = blob === undefined ? undefined : await addKnown(client, address, { ...query, blob });
    if (again) return again;
    const state = await fileState(path);
    const added = await client.putStream<AddedDatasetVersionView>(address, piecesOf(path, show(found.size)), { query, ...TRANSFER });
    if ((await fileState(path)) !== state) io.note(`${file} was changed after it was read: what is added is what was read`);
    await known.note(path, { blob: added.blob, state });
    await known.save();
    return added;
  } finally {
    io.progress(undefined);
  }
}

/** undefined where the server doesn't have the blob any more, or never had. */
async function addKnown(client: EvenkeelClient, address: string, query: Readonly<Record<string, string | undefined>>) {
  try {
    return await client.put<AddedDatasetVersionView>(address, new Uint8Array(), { query, ...TRANSFER });
  } catch (error) {
    if (error instanceof EvenkeelProblem && error.problem.errors?.some(({ path }) => path === "/blob")) return undefined;
    throw error;
  }
}

async function* piecesOf(path: string, sent: (bytes: number) => void): AsyncGenerator<Buffer> {
  const pieces: AsyncIterable<Buffer> = createReadStream(path, { highWaterMark: 1 << 20 });
  for await (const piece of pieces) {
    sent(piece.length);
    yield piece;
  }
}

/** Which blob a file is, read only where asked to; undefined where it isn't known. */
export async function blobOfFile({ cwd, env }: VerbContext, file: string, reads: boolean): Promise<string | undefined> {
  const path = resolve(cwd, file);
  if (!(await stat(path).catch(() => undefined))?.isFile()) throw new FileError(`${file} can't be read: there is no such file`);
  const known = await knownFiles(env);
  if (!reads) return known.known(path);
  const blob = await known.blobOf(path);
  await known.save();
  return blob;
}

/** Of all servers and folders of whoever types. */
const knownFiles = (env: VerbContext["env"]): Promise<KnownFiles> =>
  KnownFiles.open(
    join(env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "evenkeel", "files.json"),
    () => systemRuntime().clock.nowMs(),
    KNOWN_FILES_MAX,
  );
const KNOWN_FILES_MAX = 10_000;

const parseManifest = checked(FolderManifest);

/** Writes a version to disk, byte for byte. What is there already is never overwritten. @returns where it is */
export async function getVersion(
  { cwd }: VerbContext,
  client: EvenkeelClient,
  version: DatasetVersionView,
  out: string | undefined,
): Promise<string> {
  const ending = version.layout === "folder" ? "" : `.${version.format}`;
  const target = resolve(cwd, out ?? `${version.dataset}-${version.number}${ending}`);
  if (await stat(target).catch(() => undefined)) throw new FileError(`${target} is there already: name another place with --out`);
  const temporary = `${target}.${process.pid}.part`;
  try {
    if (version.layout === "file") await download(client, version.blob, temporary);
    else {
      const manifest = parseManifest(JSON.parse((await client.getBytes(`/v1/blobs/${version.blob}`)).toString("utf8")));
      const issues = manifest.ok ? folderIssues(manifest.value.files.map(({ path }) => path)) : manifest.error;
      if (!manifest.ok || issues.length > 0) throw new FileError(brokenText("the folder's list can't be used:", issues));
      for (const { path, blob, mode } of manifest.value.files)
        await download(client, blob, join(temporary, path), mode === "executable" ? 0o755 : 0o644);
    }
    await rename(temporary, target);
    return target;
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

/** The server verifies what it sends, and an answer that ends early is an error. */
async function download(client: EvenkeelClient, blob: string, path: string, mode = 0o644): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await client.getFile(`/v1/blobs/${blob}`, path, TRANSFER);
  await chmod(path, mode);
}
