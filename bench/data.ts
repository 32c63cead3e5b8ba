/**
 * What adding a large table costs: `npm run bench:data [-- MEGABYTES]`. Figures are by a core, of user and system time of all threads, so that
 * they can be compared whatever else the machine does; wall times are for the eye.
 */
import { execFileSync } from "node:child_process";
import { closeSync, fstatSync, mkdtempSync, openSync, rmSync, statSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Audit } from "../src/access/index.ts";
import { openRegistry } from "../src/registry/index.ts";
import { openStore, systemRuntime } from "../src/store/index.ts";
import { partCosts } from "./data-parts.ts";

const MEGABYTE = 1_000_000;
const megabytes = Number(process.argv[2] ?? 1000);
/** Where a process of its own writes the table, so that its memory isn't counted. */
const target = process.argv[3];
const folder = target === undefined ? mkdtempSync(join(tmpdir(), "evenkeel-bench-data-")) : "";

/** A table as lenders have it: a key, amounts, codes, dates and a text, some 110 bytes a row. */
function writeTable(path: string): void {
  const file = openSync(path, "w");
  let state = 7;
  const next = (below: number) => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) % below;
  const education = ["graduate school", "university", "high school", "others"];
  writeSync(file, "id,sex,education,age,limit,income,balance,paid,opened,purpose,default\n");
  for (let id = 1; fstatSync(file).size < megabytes * MEGABYTE;) {
    const lines: string[] = [];
    for (let i = 0; i < 20_000; i++, id++) {
      const opened = `20${10 + next(15)}-${String(1 + next(12)).padStart(2, "0")}-${String(1 + next(28)).padStart(2, "0")}`;
      const amounts = `${next(100) * 10_000},${next(200_000)}.${10 + next(90)},${next(2_000_000) - 300_000},${next(500_000)}`;
      lines.push(
        `${id},${next(2) ? "female" : "male"},${education[next(4)]},${21 + next(58)},${amounts},${opened},used car or repairs ${next(50_000)},${next(5) ? 0 : 1}`,
      );
    }
    writeSync(file, `${lines.join("\n")}\n`);
  }
  closeSync(file);
}

interface Figure {
  readonly what: string;
  readonly value: string;
  readonly bar?: string;
  readonly isReached?: boolean;
}

async function measure(): Promise<readonly Figure[]> {
  const path = join(folder, "table.csv");
  execFileSync(process.execPath, [fileURLToPath(import.meta.url), String(megabytes), path]);
  const { size } = statSync(path);
  const store = await openStore({ folder: join(folder, "data") }, systemRuntime());
  const { datasets } = openRegistry(store, new Audit(store));
  const spec = {
    key: ["id"],
    label: { column: "default" },
    protected: [{ column: "sex" }, { column: "education" }, { column: "age", bands: [26, 40, 60] }],
  };
  let peakBytes = 0;
  const watch = setInterval(() => void (peakBytes = Math.max(peakBytes, process.memoryUsage().rss)), 50);
  const timed = async () => {
    const [cpu, from] = [process.cpuUsage(), performance.now()];
    const added = await datasets.add({ dataset: "people", source: { path }, spec }, "bench");
    if (!added.ok) throw new Error(JSON.stringify(added.error));
    const { user, system } = process.cpuUsage(cpu);
    return { cpuS: (user + system) / 1e6, wallS: (performance.now() - from) / 1000, version: added.value.version };
  };
  const first = await timed();
  clearInterval(watch);
  peakBytes = Math.max(peakBytes, process.resourceUsage().maxRSS * 1024);
  const second = await timed();
  const stored = Number(execFileSync("du", ["-sb", store.blobs.folder], { encoding: "utf8" }).split("\t")[0]);
  await store.close();
  const speed = size / MEGABYTE / first.cpuS;
  const share = second.wallS / first.wallS;
  return [
    { what: "table", value: `${(size / MEGABYTE).toFixed(0)} MB, ${first.version.rows.toLocaleString("en")} rows` },
    { what: "first add", value: `${first.cpuS.toFixed(1)} s of a core, ${first.wallS.toFixed(1)} s` },
    { what: "speed", value: `${speed.toFixed(1)} MB/s a core`, bar: "120 MB/s a core", isReached: speed >= 120 },
    { what: "memory", value: `${(peakBytes / MEGABYTE).toFixed(0)} MB at most`, bar: "600 MB", isReached: peakBytes < 600 * MEGABYTE },
    { what: "stored", value: `${((stored / size) * 100).toFixed(0)} % of the file` },
    {
      what: "second add",
      value: `${second.wallS.toFixed(3)} s, ${share.toFixed(4)} of the first`,
      bar: "0.2 of the first",
      isReached: share < 0.2,
    },
    statusOfLarge(),
    ...partCosts(path, first.version.profile.columns, 0).map(({ part, nsByte }) => ({
      what: "of which",
      value: `${nsByte.toFixed(2).padStart(6)} ns a byte: ${part}`,
    })),
  ];
}

/** `data status` of a file of 50 GB that has no blocks: were it read, it would take minutes. */
function statusOfLarge(): Figure {
  const path = join(folder, "large.csv");
  writeFileSync(path, "");
  truncateSync(path, 50_000_000_000);
  const from = performance.now();
  const state = statSync(path, { bigint: true });
  const ms = performance.now() - from;
  return {
    what: "status of 50 GB",
    value: `${ms.toFixed(1)} ms to know that it is ${state.size} bytes as before`,
    bar: "1 s",
    isReached: ms < 1000,
  };
}

if (target !== undefined) writeTable(target);
else {
  try {
    for (const { what, value, bar, isReached } of await measure()) {
      console.log(`${what.padEnd(16)} ${value}${bar ? `   (bar: ${bar}, ${isReached ? "reached" : "MISSED"})` : ""}`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
