/** A database of SQLite with all tables and nothing in them: made once, since every test that opens a store would run all migrations. */
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openStore, simulatedRuntime } from "../src/store/index.ts";

const MIGRATIONS = fileURLToPath(new URL("../src/store/migrations/", import.meta.url));
const CACHE = fileURLToPath(new URL("../node_modules/.cache/evenkeel-test/", import.meta.url));
const FILE = "evenkeel.db";

let made: Promise<string> | undefined;

/** A new folder in the system's temporary one, with such a database in it. */
export async function readyFolder(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "evenkeel-test-"));
  copyFileSync(await (made ??= make()), join(folder, FILE));
  return folder;
}

async function make(): Promise<string> {
  const hash = createHash("sha256");
  for (const name of readdirSync(MIGRATIONS).toSorted()) hash.update(name).update(readFileSync(join(MIGRATIONS, name)));
  const path = join(CACHE, `${hash.digest("hex").slice(0, 16)}.db`);
  if (existsSync(path)) return path;
  mkdirSync(CACHE, { recursive: true });
  // Beside its place, so that it can be moved there: other workers may be making it as well.
  const folder = mkdtempSync(join(CACHE, "making-"));
  const store = await openStore({ folder }, simulatedRuntime(1, 0));
  // Who writes is the opener's to say.
  await store.db.deleteFrom("setting").where("key", "=", "writer").execute();
  await store.close();
  renameSync(join(folder, FILE), path);
  rmSync(folder, { recursive: true });
  return path;
}
