import { describe, expect, test } from "vitest";
import { freshSqliteStore } from "../../test/sqlite.ts";
import { parseReference } from "./names.ts";
import { registrySuite } from "./registry.suite.ts";

describe("on SQLite", () => {
  registrySuite(() => freshSqliteStore());
});

test("a reference says exactly which version", () => {
  expect(parseReference("credit/12")).toEqual({ kind: "number", name: "credit", number: 12 });
  expect(parseReference("models:/credit@champion")).toEqual({ kind: "label", name: "credit", label: "champion" });
  expect(parseReference(`tbl:${"a".repeat(64)}`)).toEqual({ kind: "id", id: `tbl:${"a".repeat(64)}` });
  for (const text of ["", "credit", "credit/0", "credit/01", "credit/x", "credit@", "@x", "a/b/1", "a@b@c", "tbl:xyz", "../etc/1"]) {
    expect(parseReference(text)).toBeUndefined();
  }
});
