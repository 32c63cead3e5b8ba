import { describeOldLog } from "./days-of-an-old-log.suite.ts";
import { freshSqliteStore } from "./sqlite.ts";

describeOldLog(() => freshSqliteStore());
