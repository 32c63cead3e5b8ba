/** Which part of adding a table costs what: each is run for itself on the same bytes, in nanoseconds of a core for a byte of the file. */
import { createHash, hash, randomUUID } from "node:crypto";
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import type { Column } from "../src/registry/cell-types.ts";
import { ColumnProfiler } from "../src/registry/column-profile.ts";
import { CsvReader } from "../src/registry/csv-reader.ts";
import type { RawRow } from "../src/registry/raw-row.ts";
import { HashBatch } from "../src/registry/hash-batch.ts";
import { HASH_WORDS } from "../src/registry/row-hash.ts";
import { TableIdentity } from "../src/registry/table-identity.ts";
import { cutAfter } from "../src/store/chunker.ts";
import { compressed } from "../src/store/packs.ts";

/** The share of a part, and what it does. */
export interface PartCost {
  readonly part: string;
  readonly nsByte: number;
}

const SAMPLE_BYTES = 64 << 20;

/** @param columns - of the table, as they were found @param key - place of the key's column */
export function partCosts(path: string, columns: readonly Column[], key: number): readonly PartCost[] {
  const bytes = headOf(path);
  const chunks: Buffer[] = [];
  const cost = (work: () => void): number => {
    work(); // once for the compiler
    const from = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(from);
    return ((user + system) * 1000) / bytes.length;
  };
  const read = (row: (row: RawRow, line: number) => void) => {
    const reader = new CsvReader({ header: () => undefined, row });
    for (let at = 0; at < bytes.length; at += 1 << 18) reader.push(bytes.subarray(at, at + (1 << 18)));
  };
  const tallied = ({ isSketched = false, isHashed = false }) => {
    const batch = new HashBatch();
    const profiler = new ColumnProfiler(columns, { attributes: ["a"], bytes: batch });
    const { block } = profiler;
    let count = 0;
    read((row) => {
      batch.begin();
      profiler.read(row);
      if (isHashed) {
        batch.end();
        batch.begin();
        for (let at = block.startOf(block.rows, key); at < block.endOf(block.rows, key); at++)
          batch.buffer[batch.length++] = batch.buffer[at] ?? 0;
        batch.end();
      }
      const cell = Math.imul(count++, 0x9e3779b1) >>> 27;
      block.hashes[block.rows] = (Math.imul(count, 0x85ebca6b) >>> 0) / 2 ** 32;
      if (!profiler.endRow(cell, [cell])) return;
      if (isHashed) batch.hashAll();
      if (isSketched) profiler.endBlock();
      block.clear();
      batch.clear();
    });
  };
  const cut = () => {
    chunks.length = 0;
    for (let from = 0; from < bytes.length;) {
      const end = cutAfter(bytes, from);
      chunks.push(bytes.subarray(from, end));
      from = end;
    }
  };
  const parts: PartCost[] = [];
  const add = (part: string, nsByte: number) => void parts.push({ part, nsByte });
  add(
    "SHA-256 of the file",
    cost(() => void createHash("sha256").update(bytes).digest()),
  );
  add("cutting into chunks", cost(cut));
  add(
    "SHA-256 of the chunks",
    cost(() => {
      for (const chunk of chunks) hash("sha256", chunk, "binary");
    }),
  );
  add(
    "compression (zstd 1)",
    cost(() => {
      for (const chunk of chunks) compressed(chunk);
    }),
  );
  const split = cost(() => read(() => undefined));
  add("splitting into rows and cells", split);
  const counted = cost(() => tallied({}));
  add("types and values", counted - split);
  add("sketches by column and 32 groups", cost(() => tallied({ isSketched: true })) - counted);
  add("SHA-256 of rows and keys", cost(() => tallied({ isHashed: true })) - counted);
  const hashes = new Uint32Array(2 * HASH_WORDS);
  const ordered = cost(() => {
    const identity = new TableIdentity(join(path, "..", randomUUID()));
    const reader = new CsvReader({
      header: () => undefined,
      row(_row, line) {
        // As good as hashes: one word that is spread.
        hashes[0] = Math.imul(line, 0x9e3779b1);
        identity.add(hashes, 0, HASH_WORDS, { line, file: 0 });
      },
    });
    for (let at = 0; at < bytes.length; at += 1 << 18) reader.push(bytes.subarray(at, at + (1 << 18)));
    identity.finish({ columns, key: null }, () => undefined);
    identity.close();
  });
  add("order of rows, and root of their hashes", ordered - split);
  return parts;
}

/** The first bytes of a file, up to the end of a row. */
function headOf(path: string): Buffer {
  const file = openSync(path, "r");
  try {
    const bytes = Buffer.alloc(Math.min(SAMPLE_BYTES, fstatSync(file).size));
    readSync(file, bytes);
    return bytes.subarray(0, bytes.lastIndexOf(10) + 1);
  } finally {
    closeSync(file);
  }
}
