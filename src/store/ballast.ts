/** Room on the disk for control writes alone: deleting rows would need room as well. */
import { constants } from "node:fs";
import { open, rm, type FileHandle } from "node:fs/promises";

const BLOCK_BYTES = 1 << 20;
const WHOLE_BYTES = 16 * BLOCK_BYTES;

/** A file of 16 MiB, of which one is given up while a control write needs it, and taken back afterwards. */
export class Ballast {
  readonly #path: string;
  #lent = 0;
  constructor(path: string) {
    this.#path = path;
  }

  /** Room has been given up: whatever else is written now would take it. */
  get isLent(): boolean {
    return this.#lent > 0;
  }

  /** Grows to its whole size, or as far as there is room. With too little room at first, there is no ballast: what is left is the log's. */
  async fill(): Promise<void> {
    const file = await open(this.#path, constants.O_RDWR | constants.O_CREAT, 0o600);
    let bytes = 0;
    try {
      const { size } = await file.stat();
      bytes = await grow(file, size);
    } finally {
      await file.close();
    }
    if (bytes === 0) await rm(this.#path, { force: true });
  }

  /** Runs `work` with room for it. @returns undefined when there is none to give up, and `work` wasn't run */
  async lend<T>(work: () => Promise<T>): Promise<{ readonly value: T } | undefined> {
    this.#lent++;
    try {
      if (!(await this.#release())) return undefined;
      return { value: await work() };
    } finally {
      // Taken back before anybody else may write.
      if (this.#lent === 1) await this.fill().catch(() => undefined);
      this.#lent--;
    }
  }

  async #release(): Promise<boolean> {
    const file = await open(this.#path, "r+").catch(() => undefined);
    if (!file) return false;
    try {
      const { size } = await file.stat();
      if (size === 0) return false;
      await file.truncate(Math.max(0, size - BLOCK_BYTES));
      return true;
    } finally {
      await file.close();
    }
  }
}

/** @returns the size it has then */
async function grow(file: FileHandle, from: number): Promise<number> {
  const block = Buffer.alloc(BLOCK_BYTES, 0xee);
  let at = from;
  try {
    while (at < WHOLE_BYTES) at += (await file.write(block, 0, Math.min(block.length, WHOLE_BYTES - at), at)).bytesWritten;
    return at;
  } catch {
    // No room. A first one that doesn't fit takes none; a grown one keeps what it had and whatever it got.
    if (from === 0) await file.truncate(0);
    return from === 0 ? 0 : at;
  }
}
