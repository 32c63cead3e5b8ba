/**
 * `npm run docs:metrics`: writes the tables of docs/monitoring.md from what is served (`src/api/metrics/families.ts`).
 * `-- --check` only says whether they are up to date.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { HISTOGRAMS, NUMBERS } from "../src/api/metrics/families.ts";
import { ROOT } from "./programs.ts";

const { values } = parseArgs({ options: { check: { type: "boolean" } } });
const FILE = join(ROOT, "docs/monitoring.md");

const rows = [
  ...Object.entries(NUMBERS).map(([name, { type, labels, help }]) => ({ name, type: type as string, labels, help })),
  ...Object.entries(HISTOGRAMS).map(([name, { labels, help }]) => ({ name, type: "histogram", labels, help })),
];
const code = (word: string) => `\`${word}\``;
const table = [
  "| metric | kind | labels | says |",
  "|---|---|---|---|",
  ...rows.map(({ name, type, labels, help }) => `| ${code(name)} | ${type} | ${labels.map(code).join(", ")} | ${help} |`),
].join("\n");

const before = readFileSync(FILE, "utf8");
const [, start = "", end = ""] =
  /^([^]*<!-- metrics, by npm run docs:metrics -->\n)[^]*(\n<!-- end of metrics -->[^]*)$/.exec(before) ?? [];
if (start === "") throw new Error("docs/monitoring.md has no place for the table of metrics");
const after = `${start}\n${table}\n${end}`;
if (values.check) {
  console.log(
    before === after ? `docs/monitoring.md lists all ${rows.length} metrics` : "docs/monitoring.md is out of date: npm run docs:metrics",
  );
  process.exitCode = before === after ? 0 : 1;
} else {
  writeFileSync(FILE, after);
  console.log(`docs/monitoring.md: ${rows.length} metrics`);
}
