/** A store of a test's own in a temporary folder, on time of the test's own. */
import { rmSync } from "node:fs";
import { openStore, simulatedRuntime, type SimulatedRuntime, type Store } from "../src/store/index.ts";
import { readyFolder } from "./ready-database.ts";

export interface FreshStore {
  readonly store: Store;
  readonly drop: () => Promise<void>;
}

export const START_MS = Date.UTC(2026, 0, 2, 3, 4, 5);

/** @param runtime - simulated with seed 1, from 2026-01-02T03:04:05Z, when left out */
export async function freshSqliteStore(runtime: SimulatedRuntime = simulatedRuntime(1, START_MS)): Promise<FreshStore> {
  const folder = await readyFolder();
  const store = await openStore({ folder }, runtime);
  return {
    store,
    async drop() {
      await store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
