import { describePostgres, freshPostgresStore } from "../../test/postgres.ts";
import { readPeriodSuite } from "./read-period.suite.ts";

describePostgres("on PostgreSQL", () => readPeriodSuite(() => freshPostgresStore()));
