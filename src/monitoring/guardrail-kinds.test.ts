import { describe } from "vitest";
import { START_MS, freshSqliteStore } from "../../test/sqlite.ts";
import { simulatedRuntime } from "../store/index.ts";
import { guardrailKindsSuite } from "./guardrail-kinds.suite.ts";

describe("on SQLite", () => {
  guardrailKindsSuite(async () => {
    const runtime = simulatedRuntime(1, START_MS);
    return { ...(await freshSqliteStore(runtime)), runtime };
  });
});
