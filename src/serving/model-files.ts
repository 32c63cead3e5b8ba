/** Where the bytes of a model lie: in one file, or in a file and others beside it. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { err, ok, type Issue, type Result } from "../std.ts";
import type { ModelBytes } from "./onnx-session.ts";

export interface ModelFile {
  readonly path: string;
  /** Hex digits of its SHA-256, checked before anything is made of its bytes. */
  readonly sha256?: string;
}

export interface ModelFiles {
  readonly model: ModelFile;
  /** What it names as other files of its own. The names are never paths: `path` says where the bytes are. */
  readonly beside?: readonly (ModelFile & { readonly name: string })[];
}

/** All bytes, of which every one is what was stored. */
export async function readModelFiles({ model, beside = [] }: ModelFiles): Promise<Result<ModelBytes, readonly Issue[]>> {
  const files = [model, ...beside];
  const read = await Promise.all(files.map(({ path }) => readFile(path)));
  for (const [i, { sha256 }] of files.entries()) {
    const bytes = read[i] ?? new Uint8Array();
    if (sha256 !== undefined && createHash("sha256").update(bytes).digest("hex") !== sha256)
      return err([{ path: "", expected: `a file with the SHA-256 ${sha256}`, got: "other bytes", hint: "restore it from a backup" }]);
  }
  return ok({ model: read[0] ?? new Uint8Array(), beside: new Map(beside.map(({ name }, i) => [name, read[i + 1] ?? new Uint8Array()])) });
}
