/**
 * `npm run bench:long-line [-- MEGABYTES]`: adds a file whose third line has no end, 2 GB of it, and prints how it is refused, the most memory
 * that was held, and what is left in the store.
 */
import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Audit } from "../src/access/index.ts";
import { openRegistry } from "../src/registry/index.ts";
import { openStore, systemRuntime } from "../src/store/index.ts";

const MEMORY_BAR_MB = 600;
const megabytes = Number(process.argv[2] ?? 2000);
const folder = mkdtempSync(join(tmpdir(), "evenkeel-bench-line-"));
try {
  const path = join(folder, "line.csv");
  const file = openSync(path, "w");
  writeSync(file, "id,x\n1,a\n2,");
  const piece = Buffer.alloc(1_000_000, "not a line end ");
  for (let i = 0; i < megabytes; i++) writeSync(file, piece);
  closeSync(file);
  const store = await openStore({ folder: join(folder, "data") }, systemRuntime());
  const { datasets } = openRegistry(store, new Audit(store));
  const from = performance.now();
  const added = await datasets.add({ dataset: "long", source: { path }, spec: {} }, "bench");
  const wallS = (performance.now() - from) / 1000;
  const peakMb = Math.round((process.resourceUsage().maxRSS * 1024) / 1e6);
  const left = readdirSync(store.blobs.folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  await store.close();
  const isRefused = !added.ok && left.length === 0;
  const isReached = peakMb < MEMORY_BAR_MB;
  if (!isRefused || !isReached) process.exitCode = 1;
  console.log(`a line of ${megabytes} MB: ${added.ok ? "ADDED" : JSON.stringify(added.error)}, after ${wallS.toFixed(1)} s`);
  console.log(`left in the store: ${left.length === 0 ? "nothing" : left.map(({ name }) => name).join(", ")}`);
  console.log(`memory: ${peakMb} MB at most   (bar: ${MEMORY_BAR_MB} MB, ${isReached ? "reached" : "MISSED"})`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
