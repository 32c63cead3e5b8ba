/** Columns are counted, and rows read, alike, whether their table is read here or by a thread of its own. */
import { expect, test } from "vitest";
import { freshSqliteStore } from "../../test/sqlite.ts";
import { Audit } from "../access/index.ts";
import { columnHistograms, readHistograms } from "./column-histograms.ts";
import { openRegistry } from "./registry.ts";
import { rowsInWords } from "./rows-in-words.ts";

test("the columns of a large table are counted by a thread, and of one that is gone nothing is", { timeout: 60_000 }, async () => {
  const { store, drop } = await freshSqliteStore();
  try {
    const registry = openRegistry(store, new Audit(store));
    const bytes = Buffer.from(
      `id,age,town\n${Array.from({ length: 30_000 }, (_, i) => `${i},${i % 7 === 0 ? "" : i % 90},${["Aveiro", "Braga", "Coimbra"][i % 3]}`).join("\n")}\n`,
    );
    const added = await registry.datasets.add({ dataset: "people", source: { bytes }, spec: { key: ["id"] } }, "ana");
    if (!added.ok) throw new Error(JSON.stringify(added.error));
    const { version } = added.value;
    expect(version.bytes).toBeGreaterThan(256 * 1024);
    const columns = version.profile.columns.filter(({ name }) => name !== "id");
    const here = await readHistograms(store.blobs, { version, columns });
    expect(await columnHistograms(store.blobs, version, ["age", "town", "nothing"])).toEqual(here);
    expect(here.get("age")).toMatchObject({ kind: "numbers", min: 0, max: 89, empty: Math.ceil(30_000 / 7) });
    expect(here.get("town")).toEqual({
      kind: "categories",
      values: ["Aveiro", "Braga", "Coimbra"],
      counts: [10_000, 10_000, 10_000],
      others: 0,
      empty: 0,
    });
    const asked = { spec: { protected: [{ column: "town" }] }, names: ["age", "town", "nothing"], most: 100 };
    const rows = await rowsInWords(store.blobs, version, asked);
    expect(rows).toHaveLength(100);
    expect(rows.slice(0, 2)).toEqual([
      { age: null, town: "Aveiro" },
      { age: "30", town: "Aveiro" },
    ]);
    await store.blobs.remove(version.blob);
    await expect(rowsInWords(store.blobs, version, asked)).rejects.toThrow("is not in the store");
    await expect(columnHistograms(store.blobs, version, ["age"])).rejects.toThrow("is not in the store");
  } finally {
    await drop();
  }
});
