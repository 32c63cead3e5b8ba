/**
 * `npm run bench:diff -- [--rows 10000000] [--memory 2048]`: compares two generated tables of eight columns in a process of its own with so
 * much memory (MB), by key and by content, and prints the time it took and the most memory it held. The second table has its rows in
 * another order, has lost one in fifty, has as many new ones, and one in twenty changed. Ends with 1 where more memory was held.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { drawFor, seeded } from "../examples/loans/random.ts";
import { ColumnProfiler, type ColumnProfile } from "../src/registry/column-profile.ts";
import { diffTables } from "../src/registry/dataset-diff.ts";
import type { DiffTable } from "../src/registry/diff-scan.ts";
import { bytesInMemory, fileOnDisk } from "../src/registry/table-file.ts";
import { readRows, type Table } from "../src/registry/table-rows.ts";
import { inspectTable } from "../src/registry/table-scan.ts";

const { values } = parseArgs({
  options: {
    rows: { type: "string", default: "1000000" },
    memory: { type: "string", default: "2048" },
    /** What the process of its own does: compare the tables in this folder, `key` or `content`. */
    compare: { type: "string" },
    by: { type: "string", default: "key" },
  },
});
const ROWS = Number(values.rows);
const PROFILED = 50_000;
const NAMES = "id,age,sex,education,income,debt,opened,label";
const spec = { key: ["id"], label: { column: "label" }, protected: [{ column: "sex" }, { column: "education" }] };

if (values.compare) await compare(values.compare, values.by === "key");
else await measure();

async function measure(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "evenkeel-bench-diff-"));
  try {
    await write(
      join(folder, "a.csv"),
      ROWS,
      (at) => at,
      (id) => row(id),
    );
    // Steps of a number without a common factor visit every place once, in an order that looks like none.
    const step = 7_368_787;
    await write(
      join(folder, "b.csv"),
      ROWS,
      (at) => (at * step) % ROWS,
      (place) => {
        const lot = drawFor(place, 1);
        if (lot < 0.02) return row(place + ROWS);
        return row(place, lot < 0.07);
      },
    );
    const sizes = ["a.csv", "b.csv"].map((name) => `${Math.round(statSync(join(folder, name)).size / 1e6).toLocaleString("en")} MB`);
    console.log(`${ROWS.toLocaleString("en")} rows each (${sizes.join(" and ")}), at most ${values.memory} MB`);
    for (const by of ["key", "content"]) {
      const started = performance.now();
      const heap = Math.floor(Number(values.memory) / 2);
      const args = [`--max-old-space-size=${heap}`, fileURLToPath(import.meta.url), "--compare", folder, "--by", by];
      const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
      const [said, [code]] = await Promise.all([text(child.stdout), once(child, "close")]);
      const seconds = (performance.now() - started) / 1000;
      if (code !== 0) throw new Error(`the comparison by ${by} ended with ${code}`);
      const found = asCompared(JSON.parse(said));
      const isReached = found.peakMb <= Number(values.memory);
      if (!isReached) process.exitCode = 1;
      const bar = `(bar: ${values.memory} MB, ${isReached ? "reached" : "MISSED"})`;
      console.log(`by ${by}: ${seconds.toFixed(1)} s, at most ${found.peakMb} MB ${bar}  ${JSON.stringify(found)}`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What `compare` prints in the process of its own. */
function asCompared(value: unknown) {
  return value as { readonly peakMb: number };
}

async function compare(folder: string, byKey: boolean): Promise<void> {
  const [a, b] = [await tableIn(join(folder, "a.csv"), byKey), await tableIn(join(folder, "b.csv"), byKey)];
  const { key: _key, ...keyless } = spec;
  const diff = await diffTables(a, b, { spec: byKey ? spec : keyless, space: { folder, name: byKey ? "key" : "content" } });
  const { missing, added, changed, unchanged } = diff.rows;
  const peakMb = Math.round(process.resourceUsage().maxRSS / 1024);
  console.log(
    JSON.stringify({ peakMb, missing, added, changed, unchanged, cells: diff.cells.map(({ column, changed: cells }) => [column, cells]) }),
  );
}

/** A table as the registry knows it: with the profile that was made when it was added, here of its beginning. */
async function tableIn(path: string, byKey: boolean): Promise<DiffTable> {
  const table: Table = { format: "csv", files: [await fileOnDisk(path)] };
  // A column that isn't known isn't read: without it, nothing names a row.
  const columns = (await profiled(path)).filter(({ name }) => byKey || name !== "id");
  return { rows: ROWS, columns, read: (sink) => readRows(table, sink) };
}

async function profiled(path: string): Promise<ColumnProfile[]> {
  const table: Table = { format: "csv", files: [bytesInMemory(readFileSync(`${path}.head`))] };
  const profiler = new ColumnProfiler(await inspectTable(table));
  const random = seeded(1);
  await readRows(table, { header: () => undefined, row: (cells) => profiler.add(cells, random()) });
  return profiler.profiles();
}

function row(id: number, isChanged = false): string {
  const random = seeded(id);
  const income = 800 + Math.round(9000 * random() * random());
  const education = ["primary", "high_school", "university", "graduate"][Math.floor(random() * 4)];
  const debt = (income * random() * 12).toFixed(2);
  const day = String(1 + Math.floor(random() * 28)).padStart(2, "0");
  const label = random() < 0.2 ? 1 : 0;
  const cells = [id, 18 + Math.floor(random() * 60), random() < 0.5 ? "f" : "m", education, isChanged ? income / 1000 : income, debt];
  return `${cells.join(",")},2026-${String(1 + Math.floor(random() * 12)).padStart(2, "0")}-${day},${label}\n`;
}

async function write(path: string, rows: number, placeOf: (at: number) => number, rowAt: (place: number) => string): Promise<void> {
  const file = createWriteStream(path);
  let lines = `${NAMES}\n`;
  for (let at = 0; at < rows; at++) {
    lines += rowAt(placeOf(at));
    if (at === Math.min(rows, PROFILED) - 1) writeFileSync(`${path}.head`, lines);
    if (at % PROFILED !== PROFILED - 1) continue;
    if (!file.write(lines)) await once(file, "drain");
    lines = "";
  }
  file.end(lines);
  await once(file, "close");
}
