/** Which rows are in which bytes: for steps to which the order of rows doesn't matter. Read once, remembered in the scratch folder. */
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Type } from "typebox";
import { checked } from "../checked.ts";
import { tableIdIn } from "../registry/index.ts";
import type { BlobId } from "../std.ts";

export interface TableIds {
  /**
   * The logical id of the table in a blob; null where it holds none.
   * @param fetch - writes the bytes to a path; called where they aren't known
   */
  idOf(blob: BlobId, fetch: (path: string) => Promise<void>): Promise<string | null>;
  /** Reads them where they lie already. */
  learn(blob: BlobId, path: string): Promise<void>;
}

const check = checked(Type.Record(Type.String(), Type.Union([Type.String(), Type.Null()])));
/** The newest are remembered; what is forgotten is read again. */
const KNOWN_MAX = 10_000;

export class KnownTables implements TableIds {
  readonly #scratch: string;
  /** Of this process: several steps ask for one table at once. */
  readonly #asked = new Map<BlobId, Promise<string | null>>();
  #saves: Promise<void> = Promise.resolve();
  #temporaries = 0;

  /** @param scratch - a folder of ours; made when missing */
  constructor(scratch: string) {
    this.#scratch = scratch;
  }

  idOf(blob: BlobId, fetch: (path: string) => Promise<void>): Promise<string | null> {
    return this.#once(blob, async () => {
      const path = await this.#temporary();
      try {
        await fetch(path);
        return await this.#read(path);
      } finally {
        await rm(path, { force: true });
      }
    });
  }

  async learn(blob: BlobId, path: string): Promise<void> {
    await this.#once(blob, () => this.#read(path));
  }

  #once(blob: BlobId, read: () => Promise<string | null>): Promise<string | null> {
    const asked = this.#asked.get(blob) ?? this.#knownOr(blob, read);
    this.#asked.set(blob, asked);
    asked.catch(() => this.#asked.delete(blob));
    return asked;
  }

  async #knownOr(blob: BlobId, read: () => Promise<string | null>): Promise<string | null> {
    const known = (await this.#entries()).get(blob);
    if (known !== undefined) return known;
    const id = await read();
    this.#saves = this.#saves.then(() => this.#save(blob, id));
    await this.#saves;
    return id;
  }

  async #read(path: string): Promise<string | null> {
    return (await tableIdIn(path, await this.#temporary())) ?? null;
  }

  get #file(): string {
    return join(this.#scratch, "known-tables.json");
  }

  async #entries(): Promise<Map<string, string | null>> {
    try {
      const known = check(JSON.parse(await readFile(this.#file, "utf8")));
      return new Map(Object.entries(known.ok ? known.value : {}));
    } catch {
      return new Map(); // not there yet, or broken: then it is read again
    }
  }

  async #save(blob: BlobId, id: string | null): Promise<void> {
    const entries = [...(await this.#entries()), [blob, id] as const].slice(-KNOWN_MAX);
    const temporary = await this.#temporary();
    await writeFile(temporary, JSON.stringify(Object.fromEntries(entries)), { mode: 0o600 });
    await rename(temporary, this.#file);
  }

  async #temporary(): Promise<string> {
    const folder = join(this.#scratch, "tables");
    await mkdir(folder, { recursive: true });
    return join(folder, `${process.pid}-${this.#temporaries++}`);
  }
}
