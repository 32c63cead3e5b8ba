/** A folder as a tar archive, streamed: ustar headers, and pax ones for what they can't say. */
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { fileState, type FolderEntry } from "../registry/index.ts";
import { FileError } from "./files.ts";

const BLOCK = 512;
const USTAR_BYTES_MAX = 8 * 1024 ** 3 - 1;

/** @param sent - told how many bytes of files went out @throws FileError for a file that is changed meanwhile */
export async function* tarOf(entries: readonly FolderEntry[], sent: (bytes: number) => void = () => undefined): AsyncGenerator<Buffer> {
  for (const { path, file, mode } of entries) {
    const before = await fileState(file);
    const { size } = await stat(file);
    if (Buffer.byteLength(path) > 100 || /[^\x20-\x7e]/.test(path) || size > USTAR_BYTES_MAX) {
      const records = Buffer.from(`${paxRecord("path", path)}${paxRecord("size", String(size))}`);
      yield header("pax", records.length, "x", "file");
      yield records;
      yield padding(records.length);
    }
    yield header(path, size, "0", mode);
    let bytes = 0;
    const pieces: AsyncIterable<Buffer> = createReadStream(file, { highWaterMark: 1 << 20 });
    for await (const piece of pieces) {
      bytes += piece.length;
      if (bytes > size) break;
      sent(piece.length);
      yield piece;
    }
    if (bytes !== size || (await fileState(file)) !== before)
      throw new FileError(`${path} was changed while it was read: nothing was added`);
    yield padding(size);
  }
  yield Buffer.alloc(BLOCK * 2);
}

const padding = (bytes: number): Buffer => Buffer.alloc((BLOCK - (bytes % BLOCK)) % BLOCK);

/** Its length counts its own digits. */
function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  const bytes = Buffer.byteLength(rest);
  let length = bytes + 1;
  while (String(length).length + bytes !== length) length++;
  return `${length}${rest}`;
}

function header(path: string, bytes: number, type: "0" | "x", mode: FolderEntry["mode"]): Buffer {
  const head = Buffer.alloc(BLOCK);
  const octal = (value: number, at: number, length: number) => head.write(value.toString(8).padStart(length - 1, "0"), at, "latin1");
  head.write(path.replace(/[^\x20-\x7e]/g, "_").slice(0, 100), "latin1");
  octal(mode === "executable" ? 0o755 : 0o644, 100, 8);
  octal(Math.min(bytes, USTAR_BYTES_MAX), 124, 12);
  head.write(" ".repeat(8), 148, "latin1");
  head.write(type, 156, "latin1");
  head.write("ustar\0" + "00", 257, "latin1");
  octal(
    head.reduce((sum, byte) => sum + byte, 0),
    148,
    7,
  );
  return head;
}
