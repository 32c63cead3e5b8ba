/**
 * Lines of JSON in files by day and size. Each line is there once, whatever happens: the cursor knows the file and its length up to the
 * last batch that was taken, and what a crash left behind that point is cut off before the batch is written again.
 */
import { access, constants, open, readdir, stat, truncate, unlink } from "node:fs/promises";
import { join } from "node:path";
import { Type } from "typebox";
import { checked } from "../../checked.ts";
import { timeOf, type SinkDocument, type Stream } from "./document.ts";
import { appendDurably, makeFolder } from "./files.ts";
import type { TargetOf } from "./spec.ts";
import { DeliveryFailed, type SinkBatch, type SinkTarget } from "./target.ts";

const MAX_BYTES = 256 * 1024 * 1024;
const DIGITS = 12;

/** Where the files end, up to the last batch that was taken. */
const Mark = Type.Object({ file: Type.String(), bytes: Type.Integer({ minimum: 0 }) });
const checkMark = checked(Mark);
interface End {
  readonly file: string;
  readonly bytes: number;
}

export class NdjsonTarget implements SinkTarget {
  readonly batch = 1000;
  readonly gatherMs = 0;
  readonly #folder: string;
  readonly #maxBytes: number;
  /** Streams whose files this process has seen to end where the cursor says. */
  readonly #tidy = new Set<Stream>();

  /** @param folder - of this sink alone */
  constructor(folder: string, spec: TargetOf<"ndjson">) {
    this.#folder = folder;
    this.#maxBytes = spec.max_bytes ?? MAX_BYTES;
  }

  async deliver(batch: SinkBatch): Promise<string | null> {
    const { stream } = batch;
    try {
      if (!this.#tidy.has(stream)) await this.#tidyUp(batch);
      this.#tidy.delete(stream);
      const end = await this.#write(batch);
      this.#tidy.add(stream);
      return JSON.stringify(end);
    } catch (error) {
      throw error instanceof DeliveryFailed ? error : asFailure(error);
    }
  }

  async probe(): Promise<void> {
    try {
      await makeFolder(this.#folder);
      await access(this.#folder, constants.W_OK);
    } catch (error) {
      throw asFailure(error);
    }
  }

  async close(): Promise<void> {}

  async #write({ stream, documents, mark }: SinkBatch): Promise<End> {
    let end = await this.#endOf(mark);
    let lines: string[] = [];
    let bytes = 0;
    const flush = async () => {
      if (end && lines.length > 0) {
        await appendDurably(join(this.#folder, end.file), end.bytes, Buffer.from(lines.join("")));
        end = { file: end.file, bytes: end.bytes + bytes };
      }
      lines = [];
      bytes = 0;
    };
    for (const document of documents) {
      const line = `${JSON.stringify(document)}\n`;
      const size = Buffer.byteLength(line);
      const isFull = end !== undefined && end.bytes + bytes > 0 && end.bytes + bytes + size > this.#maxBytes;
      if (end === undefined || isFull || !end.file.startsWith(`${stream}s-${dayOf(document)}-`)) {
        await flush();
        end = { file: `${stream}s-${dayOf(document)}-${String(document.seq).padStart(DIGITS, "0")}.ndjson`, bytes: 0 };
      }
      lines.push(line);
      bytes += size;
    }
    await flush();
    if (!end) throw new Error("a batch has documents");
    return end;
  }

  /** The file to go on with; undefined where a new one begins, also because people have moved the old one away. */
  async #endOf(mark: string | null): Promise<End | undefined> {
    const end = markIn(mark);
    const bytes = end && (await sizeOf(join(this.#folder, end.file)));
    if (!end || bytes === undefined) return undefined;
    if (bytes !== end.bytes)
      throw new DeliveryFailed(
        `${end.file} has ${bytes} bytes, and had ${end.bytes}: somebody else has written to it. Move it out of ${this.#folder}, and the sink goes on in a new file`,
      );
    return end;
  }

  /** Cuts off what an interrupted delivery of this batch has left. */
  async #tidyUp(batch: SinkBatch): Promise<void> {
    await makeFolder(this.#folder);
    const end = markIn(batch.mark);
    const names = await readdir(this.#folder);
    for (const name of names.filter((one) => one.startsWith(`${batch.stream}s-`) && one !== end?.file)) {
      const first = Number(/-(\d+)\.ndjson$/.exec(name)?.[1] ?? 0);
      if (first <= batch.after) continue;
      await this.#refuseForeign(name, 0, batch);
      await unlink(join(this.#folder, name));
    }
    const bytes = end && (await sizeOf(join(this.#folder, end.file)));
    if (!end || bytes === undefined || bytes <= end.bytes) return;
    await this.#refuseForeign(end.file, end.bytes, batch);
    await truncate(join(this.#folder, end.file), end.bytes);
  }

  /** Nothing is removed but the beginning of this very batch: a database that was put back must not take the files with it. */
  async #refuseForeign(name: string, at: number, { documents }: SinkBatch): Promise<void> {
    const line = await firstLine(join(this.#folder, name), at);
    if (line === undefined) return; // torn before its end
    const left = idIn(line);
    if (left !== undefined && documents.some(({ id }) => id === left)) return;
    throw new DeliveryFailed(
      `${name} holds entries that this log doesn't know of: the database was put back, or the folder belongs to another. ` +
        `Move the files out of ${this.#folder}, and the sink goes on`,
    );
  }
}

const dayOf = (document: SinkDocument) => timeOf(document).slice(0, 10);

function markIn(text: string | null): End | undefined {
  const mark = text === null ? undefined : checkMark(JSON.parse(text));
  return mark?.ok ? mark.value : undefined;
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

/** The whole line that begins there; undefined where the file ends before the line does. */
async function firstLine(path: string, at: number): Promise<string | undefined> {
  const file = await open(path, "r");
  try {
    const parts: Buffer[] = [];
    for (let from = at; ;) {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(64 * 1024), 0, 64 * 1024, from);
      if (bytesRead === 0) return undefined;
      const some = buffer.subarray(0, bytesRead);
      const newline = some.indexOf(0x0a);
      parts.push(newline < 0 ? some : some.subarray(0, newline));
      if (newline >= 0) return Buffer.concat(parts).toString("utf8");
      from += bytesRead;
    }
  } finally {
    await file.close();
  }
}

function idIn(line: string): string | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null && "id" in value && typeof value.id === "string" ? value.id : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

const asFailure = (cause: unknown) =>
  new DeliveryFailed(`the files can't be written: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
