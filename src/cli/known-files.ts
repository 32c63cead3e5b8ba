/**
 * Which file was which blob when it was last read: a file whose size, time of change and number on its disk are the same is the same, and is
 * not read again, however large it is. Kept in the user's cache folder; losing it costs a reading.
 */
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { Type } from "typebox";
import { checked } from "../checked.ts";
import { fileState } from "../registry/index.ts";
import { systemRuntime } from "../store/index.ts";
import type { VerbContext } from "./verb.ts";

const FILES_MAX = 10_000;
/** A file that was changed just before it was read may be changed again within the same tick of its disk's clock. */
const SETTLED_MS = 1000;

const parse = checked(Type.Record(Type.String(), Type.Object({ state: Type.String(), blob: Type.String() })));
type Known = Readonly<Record<string, { readonly state: string; readonly blob: string }>>;

export class KnownFiles {
  readonly #path: string;
  readonly #cwd: string;

  constructor({ env, cwd }: Pick<VerbContext, "env" | "cwd">) {
    this.#path = join(env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "evenkeel", "files.json");
    this.#cwd = cwd;
  }

  /** undefined for a file that was never read from here, or has changed since. */
  async blobOf(file: string): Promise<string | undefined> {
    const path = resolve(this.#cwd, file);
    const known = (await this.#read())[path];
    return known && known.state === (await fileState(path)) ? known.blob : undefined;
  }

  /** @param state - of before it was read */
  async note(file: string, { blob, state }: { readonly blob: string; readonly state: string }): Promise<void> {
    const path = resolve(this.#cwd, file);
    const changedMs = Number(BigInt(state.split(" ")[1] ?? "0") / 1_000_000n);
    if (changedMs > systemRuntime().clock.nowMs() - SETTLED_MS || (await fileState(path)) !== state) return;
    const { [path]: _old, ...others } = await this.#read();
    const kept = Object.entries(others).slice(-(FILES_MAX - 1));
    await mkdir(dirname(this.#path), { recursive: true });
    const temporary = `${this.#path}.${process.pid}`;
    await writeFile(temporary, JSON.stringify(Object.fromEntries([...kept, [path, { state, blob }]])), { mode: 0o600 });
    await rename(temporary, this.#path);
  }

  async #read(): Promise<Known> {
    try {
      const known = parse(JSON.parse(await readFile(this.#path, "utf8")));
      return known.ok ? known.value : {};
    } catch {
      return {}; // not there yet, or not ours: a cache is made anew
    }
  }
}
