/** An addition that is killed at any moment leaves nothing, or a version that is whole. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Audit } from "../access/index.ts";
import { openStore, systemRuntime } from "../store/index.ts";
import { openRegistry } from "./registry.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "evenkeel-interrupted-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const filesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => name);

async function addAndKill(folder: string, path: string, afterMs: number): Promise<void> {
  const script = join(import.meta.dirname, "../../test/fixtures/add-dataset.ts");
  const child = spawn(process.execPath, [script, folder, path], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(child, "exit");
  await once(child.stdout, "data");
  await Promise.race([setTimeout(afterMs), ended]);
  child.kill("SIGKILL");
  await ended;
}

test("killed at any moment, an addition leaves nothing or a whole version", { timeout: 120_000 }, async () => {
  const folder = join(root, "data");
  const path = join(root, "big.csv");
  const rows = Array.from(
    { length: 330_000 },
    (_, i) => `${i},${Math.imul(i, 2_654_435_761) >>> 0},${i % 7 ? "university" : "graduate school"}`,
  );
  writeFileSync(path, `id,x,education\n${rows.join("\n")}\n`);
  const seen = new Set<boolean>();
  for (const afterMs of [0, 300, 1200, 2200, 60_000]) {
    await addAndKill(folder, path, afterMs);
    const store = await openStore({ folder }, systemRuntime());
    try {
      const { datasets } = openRegistry(store, new Audit(store));
      await datasets.recover();
      const [version] = await datasets.versions("big");
      seen.add(version !== undefined);
      if (version) await store.blobs.verify(version.blob);
      else expect(filesIn(store.blobs.folder)).toEqual([]);
    } finally {
      await store.close();
    }
  }
  expect(seen).toEqual(new Set([false, true]));
});
