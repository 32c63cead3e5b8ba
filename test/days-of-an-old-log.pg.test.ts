import { describeOldLog } from "./days-of-an-old-log.suite.ts";
import { describePostgres, freshPostgresStore } from "./postgres.ts";

describePostgres("on PostgreSQL", () => describeOldLog(() => freshPostgresStore()));
