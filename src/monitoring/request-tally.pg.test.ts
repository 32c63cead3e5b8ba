import { describePostgres, freshPostgresStore } from "../../test/postgres.ts";
import { START_MS } from "../../test/sqlite.ts";
import { simulatedRuntime } from "../store/index.ts";
import { requestTallySuite } from "./request-tally.suite.ts";

describePostgres("on PostgreSQL", () => {
  requestTallySuite(async () => {
    const runtime = simulatedRuntime(1, START_MS);
    return { ...(await freshPostgresStore(runtime)), later: (ms) => runtime.advance(ms) };
  });
});
