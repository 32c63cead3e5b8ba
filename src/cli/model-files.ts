/** A model on this machine, a file or a folder: what belongs to it is found, and uploaded. */
import { lstat, readdir, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { BlobView } from "../api/index.ts";
import type { EvenkeelClient } from "../client.ts";
import { FileError, readBytes } from "./files.ts";
import { issueLine } from "./io.ts";

/** What a request to register a model says of its bytes. */
export type UploadedModel = { readonly blob: string } | { readonly files: readonly { readonly name: string; readonly blob: string }[] };

/** Whether a text names something on this machine instead of in the registry, where `credit/3` stands for a version. */
export const isModelPath = (text: string): boolean => /^[.~]?[/\\]|^\.\.?$|^\.\.[/\\]|^[A-Za-z]:[/\\]|\.onnx$/.test(text);

export async function uploadModel(client: EvenkeelClient, cwd: string, path: string): Promise<UploadedModel> {
  const blobOf = async (file: string) => (await client.put<BlobView>("/v1/blobs", await readBytes(cwd, file))).id;
  const isFolder = await stat(resolve(cwd, path)).then(
    (found) => found.isDirectory(),
    () => false, // reading it says why
  );
  if (!isFolder) return { blob: await blobOf(path) };
  const files: { readonly name: string; readonly blob: string }[] = [];
  for (const name of await namesIn(cwd, path)) files.push({ name, blob: await blobOf(join(path, name)) });
  return { files };
}

/** The files of a folder that belong to its model, and none else: whatever lies there beside stays here. */
async function namesIn(cwd: string, path: string): Promise<readonly string[]> {
  // Loaded here, so that verbs that read no model start fast.
  const [{ inspectModel }, { MLMODEL, readMlmodel }] = [await import("../serving/index.ts"), await import("../registry/index.ts")];
  const folder = resolve(cwd, path);
  const names = new Set(await readdir(folder));
  const bytesOf = async (name: string) => {
    await refuseLinks(join(folder, name), join(path, name));
    return readBytes(folder, name);
  };
  const saved = names.has(MLMODEL) ? readMlmodel((await bytesOf(MLMODEL)).toString()) : undefined;
  const candidates = [...names].filter((name) => name.endsWith(".onnx"));
  const model = saved?.model ?? candidates[0];
  if (model === undefined || !names.has(model) || (saved?.model === undefined && candidates.length > 1)) {
    const got = saved?.model ?? (candidates.length > 0 ? candidates.join(", ") : "none");
    const other = saved && saved.model === undefined ? `; MLflow saved it as ${saved.flavors.join(" and ")}, save it with mlflow.onnx` : "";
    throw new FileError(`${path} is no folder of a model: expected one file that ends in .onnx, got ${got}${other}`);
  }
  const bytes = await bytesOf(model);
  const sizes = new Map<string, number>();
  for (const name of names) {
    const found = await lstat(join(folder, name));
    if (found.isFile() || found.isSymbolicLink()) sizes.set(name, found.isFile() ? found.size : Number.MAX_SAFE_INTEGER);
  }
  const inspected = inspectModel(bytes, sizes);
  if (!inspected.ok) throw new FileError([`${join(path, model)} can't be served:`, ...inspected.error.map(issueLine)].join("\n"));
  const wanted = new Set([...(saved ? [MLMODEL] : []), model, ...inspected.value.dataFiles]);
  if (saved?.example !== undefined && names.has(saved.example)) wanted.add(saved.example);
  for (const name of wanted) await refuseLinks(join(folder, name), join(path, name));
  return [...wanted];
}

/** A link may point at anything that this user may read. */
async function refuseLinks(file: string, shown: string): Promise<void> {
  const found = await lstat(file);
  if (found.isSymbolicLink() || found.nlink > 1) {
    const what = found.isSymbolicLink() ? "a symbolic link" : "a hard link to a file that has another name too";
    throw new FileError(`${shown} is ${what}: a model's files are taken from its own folder only; cp -rL makes a folder of copies`);
  }
  if (!found.isFile()) throw new FileError(`${shown} is no file`);
}
