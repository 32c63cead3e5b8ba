import { describe } from "vitest";
import { freshSqliteStore } from "../../test/sqlite.ts";
import { readPeriodSuite } from "./read-period.suite.ts";

describe("on SQLite", () => {
  readPeriodSuite(() => freshSqliteStore());
});
