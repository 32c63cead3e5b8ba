/** Which rows are in a file, whatever their order and notation. */
import { inspectTable } from "./table-scan.ts";
import { TableProblem } from "./csv-text.ts";
import type { TableId } from "./row-hash.ts";
import { tableFacts } from "./table-facts.ts";
import { fileOnDisk } from "./table-file.ts";
import { formatOf } from "./table-rows.ts";

/**
 * The logical id of the table in a file; undefined where its bytes can't be read as one.
 * @param spillPath - where hashes of rows go when they are many; nothing is left there
 */
export async function tableIdIn(path: string, spillPath: string): Promise<TableId | undefined> {
  const file = await fileOnDisk(path);
  try {
    const table = { format: await formatOf(file), files: [file] };
    return (await tableFacts(table, await inspectTable(table), {}, spillPath)).id;
  } catch (error) {
    if (error instanceof TableProblem) return undefined;
    throw error;
  }
}
