import { hash } from "node:crypto";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { HASH_WORDS, RootBuilder, tableIdOf } from "./row-hash.ts";
import { TableIdentity, type RowPlace } from "./table-identity.ts";

const shape = { columns: [{ name: "a", type: "integer" as const }], key: ["a"] };
const digestOf = (value: number) => hash("sha256", `${value}`, "buffer");
const hashOf = (value: number) => Uint32Array.from({ length: HASH_WORDS }, (_, i) => digestOf(value).readUInt32BE(4 * i));

test("the id is that of all rows sorted at once, whether they fit in memory or not, and doubles are found in either case", () => {
  const folder = mkdtempSync(join(tmpdir(), "evenkeel-identity-"));
  const spillPath = join(folder, "spill");
  try {
    fc.assert(
      fc.property(fc.array(fc.nat(300), { minLength: 1, maxLength: 600 }), fc.constantFrom(7, 100, 10_000), (values, heldMax) => {
        const identity = new TableIdentity(spillPath, heldMax);
        const doubles: (readonly [RowPlace, RowPlace])[] = [];
        try {
          for (const [line, value] of values.entries())
            identity.add(Uint32Array.of(...hashOf(value), ...hashOf(value + 1000)), 0, HASH_WORDS, { line, file: 0 });
          const keyAt = (at: number) => digestOf(values[at] ?? 0);
          const order = values.map((_, at) => at).toSorted((a, b) => Buffer.compare(keyAt(a), keyAt(b)));
          const root = new RootBuilder();
          for (const at of order) root.add(hashOf((values[at] ?? 0) + 1000), 0);
          const id = identity.finish(shape, (first, second) => void doubles.push([first, second]));
          expect(id).toBe(tableIdOf({ ...shape, rows: values.length }, root.finish()));
        } finally {
          identity.close();
        }
        expect(existsSync(spillPath)).toBe(false);
        expect(doubles).toHaveLength(values.length - new Set(values).size);
        for (const [first, second] of doubles) {
          expect(values[first.line]).toBe(values[second.line]);
          expect(first.line).toBeLessThan(second.line);
        }
      }),
      { numRuns: 40 },
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
