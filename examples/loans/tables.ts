/** `npx node examples/loans/tables.ts [folder] [--seed <n>]`: writes the story's two training tables as CSV files, to try the command line with. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { tellStory } from "./data.ts";

const { values, positionals } = parseArgs({ options: { seed: { type: "string", default: "7" } }, allowPositionals: true });
const [folder = "."] = positionals;
const { version1, version2 } = tellStory(Number(values.seed));
mkdirSync(folder, { recursive: true });
for (const [name, csv] of [
  ["clients-v1.csv", version1],
  ["clients-v2.csv", version2],
] as const) {
  writeFileSync(join(folder, name), csv);
  console.log(`${join(folder, name)}: ${(csv.trimEnd().split("\n").length - 1).toLocaleString("en")} clients`);
}
