/** Stages and reads a source in one go: the part of an addition that takes long, and needs no database. */
import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { parseBlobId, type Blobs } from "../store/index.ts";
import { err, ok, type BlobId, type Issue, type Result } from "../std.ts";
import type { DatasetSpec } from "./dataset-spec.ts";
import { dropSource, readSource, stageSource, type KeptSource, type TableReading, type TableSource } from "./table-intake.ts";
import { fileOnDisk } from "./table-file.ts";
import type { TableFormat } from "./table-rows.ts";

export interface Scan {
  readonly source: TableSource;
  readonly spec: DatasetSpec;
  readonly format: TableFormat | undefined;
  /** Blobs that may share most of their bytes with this source. */
  readonly bases: readonly BlobId[];
  /** Blobs that need no reading: they are a version already, or none that is added. */
  readonly known: readonly BlobId[];
}
export interface Scanned {
  readonly source: KeptSource;
  /** undefined where the blob is known. */
  readonly reading: TableReading | undefined;
}

/** Where it is refused or fails, nothing of it is left. Otherwise it is the caller's to keep or drop. */
export async function scanSource(blobs: Blobs, { source, spec, format, bases, known }: Scan): Promise<Result<Scanned, readonly Issue[]>> {
  const again = await knownSource(blobs, source, known);
  if (again) return ok({ source: again, reading: undefined });
  const staged = await stageSource(blobs, source, bases);
  if (!staged.ok) return staged;
  const { layout, blob, bytes, files } = staged.value;
  const kept = {
    layout,
    blob,
    bytes,
    files: files.map((file) => ({ path: file.path, mode: file.mode, blob: file.blob, bytes: file.bytes, staged: file.staged })),
  };
  if (known.includes(blob)) return ok({ source: kept, reading: undefined });
  let isRead = false;
  try {
    const read = await readSource(staged.value, { spec, spillPath: blobs.temporaryPath(), ...(format ? { format } : {}) });
    isRead = read.ok;
    return read.ok ? ok({ source: kept, reading: read.value }) : err(read.error);
  } finally {
    if (!isRead) await dropSource(blobs, staged.value);
  }
}

/** A file that is in the store: one of its size is hashed before anything is written, which takes a thirtieth of adding it. */
async function knownSource(blobs: Blobs, source: TableSource, known: readonly BlobId[]): Promise<KeptSource | undefined> {
  if (!("path" in source)) return undefined;
  const found = await stat(source.path).catch(() => undefined);
  if (!found?.isFile()) return undefined;
  for (const blob of known) {
    if (!(await blobs.has(blob)) || (await blobs.size(blob)) !== found.size) continue;
    const file = await fileOnDisk(source.path).catch(() => undefined);
    if (!file) return undefined;
    const hash = createHash("sha256");
    for await (const piece of file.stream()) hash.update(piece);
    const own = parseBlobId(`sha256:${hash.digest("hex")}`);
    if (!own || !known.includes(own) || !(await blobs.has(own))) return undefined;
    return {
      layout: "file",
      blob: own,
      bytes: found.size,
      files: [{ path: "", mode: "file", blob: own, bytes: found.size, staged: undefined }],
    };
  }
  return undefined;
}
