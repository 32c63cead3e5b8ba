import { describe } from "vitest";
import { freshServer } from "../../../test/server.ts";
import { mlflowSuite } from "./mlflow.suite.ts";

describe("on SQLite", () => {
  mlflowSuite(() => freshServer());
});
