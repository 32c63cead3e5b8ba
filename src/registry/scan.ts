/** Stages and reads a source in one go: the part of an addition that takes long, and needs no database. */
import { type Blobs } from "../store/index.ts";
import { err, ok, type BlobId, type Issue, type Result } from "../std.ts";
import type { DatasetSpec } from "./dataset-spec.ts";
import { dropSource, readSource, stageSource, type KeptSource, type TableReading, type TableSource } from "./table-intake.ts";
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
