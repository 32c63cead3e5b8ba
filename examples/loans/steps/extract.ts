/** data: from a version of the clients' table to what models may be trained on. Readable words for codes; no sex, no age, no marriage. */
import { readFileSync, writeFileSync } from "node:fs";
import { parseClients } from "../clients.ts";
import { argumentsOf, runAsProcess } from "../step.ts";
import { toTrainingTable } from "../training-table.ts";

export async function main(argv: readonly string[], cwd: string): Promise<void> {
  const { clients, table } = argumentsOf(argv, cwd, ["clients", "table"]);
  writeFileSync(table, toTrainingTable(parseClients(readFileSync(clients, "utf8"))));
}

await runAsProcess(import.meta.url, main);
