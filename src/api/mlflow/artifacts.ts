/** The artifact proxy: files go straight into the store, whatever their size, and an address is never a path of this machine. */
import { createWriteStream } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { extname, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { FastifyReply, FastifyRequest } from "fastify";
import { actorOf, mayDo } from "../../access/index.ts";
import { addressIn, runArtifacts, type ArtifactFile } from "../../registry/index.ts";
import { StorageError } from "../../store/index.ts";
import { ProblemError } from "../problem.ts";
import { sendJson } from "../protocol-errors.ts";
import { principalOf, type Server } from "../server.ts";
import { MlflowError, invalid, orError } from "./errors.ts";
import { decoded } from "./experiments.ts";
import { Fields } from "./fields.ts";
import { TAGS, answerErrors, mount, type MlflowParts } from "./routing.ts";
import { runIn, runOf } from "./runs.ts";

const PREFIXES = ["/api/2.0/mlflow-artifacts", "/ajax-api/2.0/mlflow-artifacts"] as const;
const MAX_PATH_BYTES = 2048;

/** Listing by run, in MLflow's own prefix. */
export function runArtifactRoutes(app: Server, { registry }: MlflowParts): void {
  const { runs, artifacts } = registry.tracking;
  mount(app, { method: "GET", path: "artifacts/list", summary: "A run's files", right: "registry:read" }, async ({ fields }) => {
    const run = orError(await runs.get(runOf(fields)));
    const path = fields.text("path") ? pathIn(fields.text("path") ?? "") : "";
    const root = runArtifacts(run.experiment.artifactLocation, run.id);
    const address = addressIn(root);
    const entries = address === undefined ? [] : await artifacts.list(path === "" ? address : `${address}/${path}`);
    const files = entries.map(({ name, bytes }) => fileInfo(path === "" ? name : `${path}/${name}`, bytes));
    return { root_uri: root, ...(files.length > 0 ? { files } : {}) };
  });
}

export async function artifactProxyRoutes(app: Server, parts: MlflowParts): Promise<void> {
  const { registry, store, onError } = parts;
  const { artifacts } = registry.tracking;
  const folder = join(store.folder, "uploads");
  await mkdir(folder, { recursive: true });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", (_request, body, done) => done(null, body));
  answerErrors(app, onError);
  const about = (summary: string, prefix: string) => ({
    schema: { summary, tags: TAGS, ...(prefix.startsWith("/ajax") ? { hide: true } : {}) },
  });
  app.post(
    "/ajax-api/2.0/mlflow/upload-artifact",
    {
      config: { right: "registry:write", takesBasic: true, takesUpload: true },
      bodyLimit: MAX_BROWSER_BYTES,
      schema: { summary: "Put a file of a run", tags: TAGS },
    },
    async (request, reply) => {
      const query = new Fields(asObject(request.query));
      const hex = query.text("run_uuid");
      if (!hex) throw invalid("Request must specify run_uuid.");
      const path = query.text("path");
      if (!path) throw invalid("Request must specify path.");
      const run = orError(await registry.tracking.runs.get(runIn(hex)));
      const root = addressIn(runArtifacts(run.experiment.artifactLocation, run.id));
      if (root === undefined) throw invalid("The files of this run are not kept here.");
      const address = `${root}/${pathIn(path)}`;
      if (Number(request.headers["content-length"] ?? 0) > MAX_BROWSER_BYTES)
        throw invalid(`Artifact size is too large. Max size is ${MAX_BROWSER_BYTES} bytes.`);
      const kept = await received(parts, folder, request);
      if (kept.bytes === 0) throw invalid("Request must specify data.");
      orError(await artifacts.put(address, kept, actorOf(principalOf(request))));
      return sendJson(reply, 200, {});
    },
  );
  for (const prefix of PREFIXES) {
    const reads = { config: { right: "registry:read", takesBasic: true } } as const;
    const writes = { config: { right: "registry:write", takesBasic: true } } as const;
    app.get(`${prefix}/artifacts`, { ...reads, ...about("Files and folders of a folder", prefix) }, async (request, reply) => {
      const query = new Fields(asObject(request.query));
      const path = query.text("path") ? pathIn(query.text("path") ?? "") : "";
      const files = (await artifacts.list(path)).map(({ name, bytes }) => fileInfo(name, bytes));
      return sendJson(reply, 200, files.length > 0 ? { files } : {});
    });
    app.get(`${prefix}/artifacts/*`, { ...reads, ...about("A file", prefix) }, async (request, reply) =>
      sendFile(parts, { request, reply, file: await artifacts.get(addressOf(request)) }),
    );
    app.put(
      `${prefix}/artifacts/*`,
      { config: { ...writes.config, takesUpload: true }, bodyLimit: Number.MAX_SAFE_INTEGER, ...about("Put a file", prefix) },
      async (request, reply) => {
        const address = addressOf(request);
        if (address === "") throw invalid("Invalid path");
        const kept = await received(parts, folder, request);
        orError(await artifacts.put(address, kept, actorOf(principalOf(request))));
        return sendJson(reply, 200, {});
      },
    );
    app.delete(
      `${prefix}/artifacts/*`,
      { ...writes, ...about("Delete a file, or a folder with all that is in it", prefix) },
      async (request, reply) => {
        const address = addressOf(request);
        if (address === "") throw invalid("Invalid path");
        orError(await artifacts.delete(address, actorOf(principalOf(request))));
        return sendJson(reply, 200, {});
      },
    );
    // In these words, and with this status, a client goes on with one upload.
    const inOne = async (): Promise<never> => {
      throw new MlflowError("NOT_IMPLEMENTED", "Multipart upload is not supported for the current artifact repository");
    };
    for (const act of ["create", "complete", "abort"])
      app.post(`${prefix}/mpu/${act}/*`, { ...writes, ...about("Not needed: send files whole", prefix) }, inOne);
    app.get(`${prefix}/presigned/*`, { ...reads, ...about("Not needed: ask for files themselves", prefix) }, async () => {
      throw new MlflowError("NOT_IMPLEMENTED", "Presigned URLs are not supported for the current artifact repository");
    });
  }
}

/** As a listing has it. @param bytes - null for a folder */
export const fileInfo = (path: string, bytes: number | null) =>
  bytes === null ? { path, is_dir: true } : { path, is_dir: false, file_size: bytes };
/** A browser's upload to a run. */
const MAX_BROWSER_BYTES = 10 * 1024 * 1024;

const asObject = (value: unknown) => (typeof value === "object" && value !== null ? { ...value } : {});

const addressOf = ({ params }: FastifyRequest): string => pathIn(wildcardIn(params));
const wildcardIn = (params: unknown): string => new Fields(asObject(params)).text("*") ?? "";

/**
 * An address as a key. However often a server further on, or a client that stores the file under this name, were to decode it: it leads
 * nowhere but down. @throws MlflowError
 */
export function pathIn(raw: string): string {
  const path = raw.replace(/\/+$/, "");
  for (const read of new Set([path, decoded(path)])) {
    const segments = read.split("/");
    const isBad =
      // oxlint-disable-next-line no-control-regex
      /[\\\u0000-\u001f\u007f#\uFFFD\u200e\u200f\u202a-\u202e\u2066-\u2069]/.test(read) ||
      !read.isWellFormed() ||
      /^[a-zA-Z]:/.test(read) ||
      (read !== "" && segments.some((segment) => segment === "" || segment === "." || segment === ".."));
    if (isBad) throw invalid("Invalid path");
  }
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) throw invalid(`Invalid path: at most ${MAX_PATH_BYTES} bytes`);
  return path;
}

/** The body in the store; whatever happens, nothing else is left of it. */
async function received({ store }: MlflowParts, folder: string, { body, id }: FastifyRequest) {
  const path = join(folder, id);
  try {
    const stream = body instanceof Readable ? body : Readable.from([]);
    await pipeline(stream, createWriteStream(path, { flags: "wx", mode: 0o600 }));
    const { id: blob, bytes } = await store.blobs.putFile(path);
    return { blob, bytes };
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOSPC")
      throw new StorageError("storage-full", "no room for the upload", { cause: error });
    throw error;
  } finally {
    await rm(path, { force: true });
  }
}

/** A file to be saved, never to be shown in a page: whatever it says of itself. */
export async function sendFile(
  { store, reads }: Pick<MlflowParts, "store" | "reads">,
  { request, reply, file }: { readonly request: FastifyRequest; readonly reply: FastifyReply; readonly file: ArtifactFile | undefined },
): Promise<FastifyReply> {
  if (!file) throw new MlflowError("RESOURCE_DOES_NOT_EXIST", "No such artifact");
  const principal = principalOf(request);
  if (!mayDo(principal, "registry:write") && !mayDo(principal, "protected:read"))
    throw new ProblemError("forbidden", "Raw files may hold people's data: registry:write or protected:read is needed.");
  const { bytes, pieces } = await store.blobs.read(file.blob);
  await reads.note(principal, { object: `blob/${file.blob}`, asked: { path: file.path }, shown: 1 });
  const name = file.path.split("/").at(-1) ?? "";
  return reply
    .type(contentTypeOf(name))
    .header("content-disposition", `attachment; filename=${headerName(name)}`)
    .header("content-security-policy", "sandbox")
    .header("content-length", bytes)
    .send(Readable.from(pieces, { objectMode: false }));
}

/** Header values are Latin letters; others go in the form of RFC 8187. */
const headerName = (name: string): string =>
  /^[\w.+-]+$/.test(name)
    ? name
    : /^[\x20-\x7e]+$/.test(name)
      ? `"${name.replaceAll(/["\\]/g, "_")}"`
      : `file; filename*=UTF-8''${encodeURIComponent(name)}`;

const TEXTS = new Set("txt log err cfg conf cnf cf ini properties prop hocon toml yaml yml xml json js py py3 csv tsv md rst".split(" "));
const TYPES: Readonly<Record<string, string>> = {
  html: "text/html",
  htm: "text/html",
  css: "text/css",
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  gif: "image/gif",
  svg: "image/svg+xml",
  webp: "image/webp",
  pdf: "application/pdf",
  zip: "application/zip",
  gz: "application/gzip",
  ipynb: "application/x-ipynb+json",
};

/** By the name alone: what an uploader says of a file isn't believed. */
export function contentTypeOf(name: string): string {
  if (name === "MLmodel" || name === "mlproject") return "text/plain";
  const extension = extname(name).slice(1).toLowerCase();
  return TEXTS.has(extension) ? "text/plain" : (TYPES[extension] ?? "application/octet-stream");
}
