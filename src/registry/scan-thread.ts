/** Reads a table for a server that must go on answering: a gigabyte takes minutes, and a hostile file may take all memory of its thread. */
import { isMainThread, workerData } from "node:worker_threads";
import { Blobs } from "../store/index.ts";
import { answer } from "./apart.ts";
import { scanSource, type Scan } from "./scan.ts";

export interface ScanOrder {
  /** Of the blob store. */
  readonly folder: string;
  /** Begins the name of every file that it makes: they are known by it when it is ended. */
  readonly name: string;
  readonly scan: Scan;
}

/** Only `Scans` starts this, with what it says. */
const asOrder = (value: unknown) => value as ScanOrder;

if (!isMainThread) {
  const { folder, name, scan } = asOrder(workerData);
  let made = 0;
  const ids = { next: () => `${name}-${(made++).toString(36).padStart(3, "0")}` };
  await answer(() => scanSource(new Blobs(folder, ids), scan));
}
