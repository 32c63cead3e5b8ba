import { describe } from "vitest";
import { START_MS, freshSqliteStore } from "../../test/sqlite.ts";
import { simulatedRuntime } from "../store/index.ts";
import { requestTallySuite } from "./request-tally.suite.ts";

describe("on SQLite", () => {
  requestTallySuite(async () => {
    const runtime = simulatedRuntime(1, START_MS);
    return { ...(await freshSqliteStore(runtime)), later: (ms) => runtime.advance(ms) };
  });
});
