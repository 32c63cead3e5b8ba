import { describe } from "vitest";
import { START_MS, freshSqliteStore } from "../../test/sqlite.ts";
import { simulatedRuntime } from "../store/index.ts";
import { describeBins } from "./bins.suite.ts";

describe("counts by bin on SQLite", () => {
  describeBins(async () => {
    const runtime = simulatedRuntime(1, START_MS);
    return { ...(await freshSqliteStore(runtime)), runtime };
  });
});
