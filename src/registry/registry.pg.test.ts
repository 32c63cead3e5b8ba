import { describePostgres, freshPostgresStore } from "../../test/postgres.ts";
import { registrySuite } from "./registry.suite.ts";

describePostgres("on PostgreSQL", () => {
  registrySuite(() => freshPostgresStore());
});
