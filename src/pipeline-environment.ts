/** What steps run in, in words that differ where it differs: part of every step's key, so that another version of the packages is another outcome. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";

/** @param locks - files of the folder that say what is installed; the nearest lock file of a package manager where there are none */
export async function environmentOf(folder: string, locks: readonly string[]): Promise<string> {
  const files = locks.length > 0 ? await Promise.all(locks.map((path) => declaredLock(folder, path))) : await nearestLock(folder);
  const hash = createHash("sha256");
  for (const bytes of files) hash.update(bytes);
  const packages = files.length > 0 ? hash.digest("hex").slice(0, 16) : "no lock file";
  return `${process.platform}-${process.arch}, node ${process.versions.node.split(".")[0] ?? ""}, ${packages}`;
}

async function declaredLock(folder: string, path: string): Promise<Buffer> {
  try {
    return await readFile(join(folder, path));
  } catch (error) {
    throw new Error(`environment.lock names ${path}, which can't be read in the pipeline's folder`, { cause: error });
  }
}

const LOCKS = ["package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml", "yarn.lock", "uv.lock", "poetry.lock", "requirements.txt"];

async function nearestLock(folder: string): Promise<readonly Buffer[]> {
  for (const name of LOCKS) {
    const bytes = await readFile(join(folder, name)).catch(() => undefined);
    if (bytes) return [bytes];
  }
  const above = dirname(folder);
  return above === folder ? [] : nearestLock(above);
}
