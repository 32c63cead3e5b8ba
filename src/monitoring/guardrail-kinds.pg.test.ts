import { describePostgres, freshPostgresStore } from "../../test/postgres.ts";
import { START_MS } from "../../test/sqlite.ts";
import { simulatedRuntime } from "../store/index.ts";
import { guardrailKindsSuite } from "./guardrail-kinds.suite.ts";

describePostgres("on PostgreSQL", () => {
  guardrailKindsSuite(async () => {
    const runtime = simulatedRuntime(1, START_MS);
    return { ...(await freshPostgresStore(runtime)), runtime };
  });
});
