/** Reads a table for a server that must go on answering: a gigabyte takes minutes, and a hostile file may take all memory of its thread. */
import { isMainThread, parentPort, workerData } from "node:worker_threads";
import { BlobError, Blobs, systemRuntime } from "../store/index.ts";
import { scanSource, type Scan } from "./scan.ts";

export interface ScanOrder {
  /** Of the blob store. */
  readonly folder: string;
  readonly scan: Scan;
}
export type ScanFailure =
  | { readonly kind: "blob"; readonly trouble: BlobError["kind"]; readonly id: BlobError["id"] }
  | { readonly kind: "disk-full"; readonly message: string };

/** Only `scanApart` starts this, with what it says. */
const asOrder = (value: unknown) => value as ScanOrder;

if (!isMainThread) {
  const { folder, scan } = asOrder(workerData);
  try {
    parentPort?.postMessage({ done: await scanSource(new Blobs(folder, systemRuntime().ids), scan) });
  } catch (error) {
    const failure = failureOf(error);
    if (!failure) throw error;
    parentPort?.postMessage({ failure });
  }
}

/** Errors that mean something to the server; classes don't survive the way out of a thread. */
function failureOf(error: unknown): ScanFailure | undefined {
  if (error instanceof BlobError) return { kind: "blob", trouble: error.kind, id: error.id };
  if (error instanceof Error && "code" in error && (error.code === "ENOSPC" || error.code === "EDQUOT"))
    return { kind: "disk-full", message: error.message };
  return undefined;
}
