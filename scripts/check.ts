/**
 * Every check that needs no test to run: format, lint, types, rooms, unused code. `npm run check`.
 * A check that has looked at nothing has proved nothing, so each prints how many files it saw, and none is an error.
 */
import { spawnSync } from "node:child_process";

interface Gate {
  readonly name: string;
  readonly command: readonly string[];
  /** Where the gate's own output says how many things it looked at; null where it says nothing and its exit code must do. */
  readonly counted: RegExp | null;
}

const gates: readonly Gate[] = [
  {
    name: "format",
    command: ["oxfmt", "--check", "src", "web", "examples", "bench", "compat", "test", "scripts"],
    counted: /on (\d+) files/,
  },
  {
    name: "lint",
    command: ["oxlint", "--type-aware", "--deny-warnings", "src", "web", "examples", "bench", "compat", "test", "scripts"],
    counted: /on (\d+) files/,
  },
  { name: "types", command: ["tsc", "--noEmit", "--listFilesOnly"], counted: null },
  { name: "types of the server", command: ["tsc", "--noEmit"], counted: null },
  { name: "types of the web", command: ["tsc", "-p", "web/tsconfig.json", "--noEmit"], counted: null },
  { name: "files and packages that nothing uses", command: ["knip", "--files", "--dependencies", "--no-config-hints"], counted: null },
  { name: "API reference", command: ["node", "scripts/docs-api.ts", "--check"], counted: /all (\d+) routes/ },
  { name: "list of metrics", command: ["node", "scripts/docs-metrics.ts", "--check"], counted: /all (\d+) metrics/ },
  { name: "Grafana", command: ["node", "scripts/grafana/write.ts", "--check"], counted: /all (\d+) files/ },
  { name: "rooms", command: ["depcruise", "src", "--config", ".dependency-cruiser.mjs"], counted: /(\d+) modules/ },
];

let failed = 0;
for (const gate of gates) {
  const [program, ...args] = gate.command;
  const startedMs = performance.now();
  const run = spawnSync(program ?? "", args, { encoding: "utf8", maxBuffer: 64 * 1024 * 1024 });
  const output = `${run.stdout}${run.stderr}`;
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  const lists = gate.name === "types";
  const looked = lists
    ? run.stdout.split("\n").filter((line) => line && !line.includes("node_modules")).length
    : Number(gate.counted?.exec(output)?.[1] ?? Number.NaN);
  const isEmpty = (gate.counted !== null || lists) && !(looked > 0);
  const isGood = run.status === 0 && !isEmpty;
  if (!isGood) failed++;
  const count = Number.isNaN(looked) ? "" : `, ${looked} looked at`;
  console.log(`${isGood ? "ok  " : "FAIL"} ${gate.name} (${seconds} s${count})${isEmpty ? ": it looked at nothing" : ""}`);
  if (!isGood) console.log(lists ? "" : output || run.error?.message);
}
console.log(`${gates.length - failed} passed, ${failed} failed`);
process.exitCode = failed ? 1 : 0;
