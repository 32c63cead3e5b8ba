import { describe } from "vitest";
import { START_MS, freshSqliteStore } from "../../test/sqlite.ts";
import { simulatedRuntime } from "../store/index.ts";
import { describeWholes } from "./wholes.suite.ts";

describe("wholes on SQLite", () => {
  describeWholes(async () => {
    const runtime = simulatedRuntime(1, START_MS);
    return { ...(await freshSqliteStore(runtime)), runtime };
  });
});
