import { describe } from "vitest";
import { START_MS, freshSqliteStore } from "../../../test/sqlite.ts";
import { simulatedRuntime } from "../../store/index.ts";
import { alertsSuite } from "./alerts.suite.ts";

describe("on SQLite", () => {
  alertsSuite(async () => {
    const runtime = simulatedRuntime(1, START_MS);
    return { ...(await freshSqliteStore(runtime)), runtime };
  });
});
