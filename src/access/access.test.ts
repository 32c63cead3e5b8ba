import { describe, expect, test } from "vitest";
import { START_MS, freshSqliteStore } from "../../test/sqlite.ts";
import { simulatedRuntime } from "../store/index.ts";
import { accessSuite } from "./access.suite.ts";
import { Audit } from "./audit.ts";
import { grantable, mayDo, reaches, rights, roles, type Principal, type Role } from "./rights.ts";
import { bearerOf } from "./token-text.ts";
import { Tokens } from "./tokens.ts";

describe("on SQLite", () => {
  accessSuite(async () => {
    const runtime = simulatedRuntime(1, START_MS);
    return { ...(await freshSqliteStore(runtime)), runtime };
  });

  test("while the database is away a known token goes on being valid, up to the longest isolation, and nobody waits", async () => {
    const runtime = simulatedRuntime(1, START_MS);
    const { store, drop } = await freshSqliteStore(runtime);
    const tokens = new Tokens(store, new Audit(store), { isolationMaxMs: 60_000 });
    const made = await tokens.create({ name: "app", role: "application" }, "test");
    const token = made.ok ? made.value.token : "";
    expect(await tokens.authenticate(token)).toBeDefined();
    await store.close();
    await runtime.advance(10_000);
    expect(await tokens.authenticate(token)).toMatchObject({ name: "app" });
    expect(tokens.authenticate(token)).toMatchObject({ name: "app" });
    await runtime.advance(49_000);
    expect(await tokens.authenticate(token)).toBeDefined();
    await runtime.advance(2000);
    expect(await tokens.authenticate(token)).toBeUndefined();
    await drop();
  });
});

const principal = (role: Role, more: Partial<Principal> = {}): Principal => ({
  tokenId: "000000000000",
  name: "x",
  role,
  endpoints: null,
  grants: [],
  ...more,
});

test("nobody who controls can move a tally, by no grant, and nobody who moves tallies controls", () => {
  const control = ["apply", "route:write", "reinstate", "tokens:write"] as const;
  for (const role of roles) {
    const most = principal(role, { grants: rights });
    const moves = mayDo(most, "decide") || mayDo(most, "outcomes:write");
    expect(moves && control.some((right) => mayDo(most, right))).toBe(false);
    expect(mayDo(most, "decide") && mayDo(most, "outcomes:write")).toBe(false);
  }
});

test("an admin may do all that an operator may, and make tokens", () => {
  expect(rights.filter((right) => mayDo(principal("operator"), right) && !mayDo(principal("admin"), right))).toEqual([]);
  expect(mayDo(principal("admin"), "tokens:write")).toBe(true);
  expect(roles.filter((role) => mayDo(principal(role), "tokens:write"))).toEqual(["admin"]);
});

test("what is protected is seen only by grant, and only analysts and admins can have it", () => {
  expect(roles.filter((role) => mayDo(principal(role), "protected:read"))).toEqual([]);
  expect(roles.filter((role) => grantable(role).includes("protected:read"))).toEqual(["analyst", "admin"]);
  expect(mayDo(principal("viewer", { grants: ["protected:read"] }), "protected:read")).toBe(false);
});

test("a token reaches the endpoints it names, or all", () => {
  expect(reaches(principal("viewer"), "loans")).toBe(true);
  expect(reaches(principal("viewer", { endpoints: ["loans"] }), "loans")).toBe(true);
  expect(reaches(principal("viewer", { endpoints: ["loans"] }), "cards")).toBe(false);
});

test("the audit log tells of every endpoint: a token that is limited to some doesn't open it", () => {
  for (const role of ["analyst", "operator"] as const) {
    expect(mayDo(principal(role), "audit:read")).toBe(true);
    expect(mayDo(principal(role, { endpoints: ["loans"] }), "audit:read")).toBe(false);
  }
});

test("a token is read from an Authorization header in the one form there is", () => {
  expect(bearerOf("Bearer ek_x")).toBe("ek_x");
  expect(bearerOf("bearer ek_x")).toBe("ek_x");
  for (const header of [undefined, "", "Bearer", "Bearer ", "Basic ek_x", "Bearer ek_x ek_y", "Bearer ek_x,Bearer ek_y", "ek_x"])
    expect(bearerOf(header)).toBeUndefined();
});
