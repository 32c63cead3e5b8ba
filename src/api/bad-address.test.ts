/** What no address, query or header may be, over all routes of the running server, and whom it answers at all. */
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bodiesFor, type Body } from "../../test/bodies.ts";
import { lendingServer, type LendingServer } from "../../test/lending-server.ts";
import { addressOf, operationsOf, type Operation } from "../../test/operations.ts";
import { sqliteTables, type Tables } from "../../test/tables.ts";

let server: LendingServer;
let tables: Tables;
let operations: readonly Operation[];
let bodies: Readonly<Record<string, Body>>;
const tokens = new Map<string, string>();
beforeAll(async () => {
  server = await lendingServer();
  operations = await operationsOf(server.url);
  bodies = bodiesFor(server);
  for (const role of ["admin", "analyst", "application", "outcomes"]) tokens.set(role, await server.token(role));
  tables = sqliteTables(server.folder);
  await tables.still();
});
afterAll(async () => {
  tables.close();
  await server.drop();
});

const ROLES: Readonly<Record<string, string>> = { decide: "application", "outcomes:write": "outcomes", "decisions:read": "analyst" };

/** As somebody who may, with a good body where it takes one. */
async function ask(operation: Operation, address: string) {
  const body = bodies[operation.name];
  const answer = await fetch(`${server.url}${address}`, {
    method: operation.method,
    headers: {
      authorization: `Bearer ${tokens.get(ROLES[operation.right] ?? "admin")}`,
      ...(body ? { "content-type": "application/json" } : operation.method === "PUT" ? { "content-type": "application/octet-stream" } : {}),
    },
    ...(body ? { body: JSON.stringify(body.value) } : {}),
  });
  const text = await answer.text();
  const isProblem = answer.headers.get("content-type")?.startsWith("application/problem+json") ?? false;
  return {
    answered: answer.status,
    /** Of a problem; 0 for everything else. */
    status: isProblem ? answer.status : 0,
    text,
    line: `${operation.name} at ${address.slice(0, 120)}: ${answer.status} ${text.slice(0, 300)}`,
  };
}

const pathWith = (operation: Operation, name: string, raw: string) =>
  addressOf(operation, { ...server.known, [name]: "@@", [`${operation.path.split("/").at(-2)}/${name}`]: "@@" }).replace("%40%40", raw);

test.each([
  ["NUL", "a%00b"],
  ["half a percent sign", "%zz"],
  ["broken UTF-8", "%C3%28"],
  ["a way up", "..%2f..%2f..%2fetc%2fpasswd"],
  ["a way up, encoded twice", "%252e%252e%252fetc"],
  ["a backslash", "..%5cx"],
  ["__proto__", "__proto__"],
  ["constructor", "constructor"],
  ["SQL", "x'%20or%20'1'='1"],
  ["markup", "%3Cimg%20src=x%3E"],
  ["a number beyond all", "99999999999999999999"],
  ["a number in powers", "1e300"],
  ["below nothing", "-1"],
  ["a bidi control", "%E2%80%AEx"],
  ["an emoji", "%F0%9F%98%80"],
  ["300 characters", "x".repeat(300)],
  ["5,000 characters", "x".repeat(5000)],
])("%s in a path is a problem of the caller, never of the server", async (_what, raw) => {
  const before = tables.digest();
  const wrong: string[] = [];
  for (const operation of operations)
    for (const [, name = ""] of operation.path.matchAll(/\{(\w+)\}/g)) {
      // New names of models and datasets may be anything that names may be.
      if (operation.method === "PUT" || operation.name === "POST /v1/models/{model}/versions") continue;
      const { status, line } = await ask(operation, pathWith(operation, name, raw));
      if (status < 400 || status >= 500) wrong.push(line);
    }
  expect(wrong).toEqual([]);
  expect(tables.digest()).toBe(before);
});

test("an unknown name in a query is named, be it a mistyped one", async () => {
  const wrong: string[] = [];
  for (const operation of operations.filter(({ path }) => path.startsWith("/v1/")))
    for (const name of ["colour", "limt", "__proto__", "constructor"]) {
      const { status, text, line } = await ask(operation, `${addressOf(operation, server.known)}?${name}=1`);
      if (status !== 400 || !text.includes(`"path":"/${name}"`)) wrong.push(line);
    }
  expect(wrong).toEqual([]);
});

test.each(["abc", "1.5", "1e300", "-1", "99999999999999999999", "NaN", "Infinity", "0x10", "1&limit=2", "", "%00"])(
  "%j is no number of a page",
  async (value) => {
    const wrong: string[] = [];
    let asked = 0;
    for (const operation of operations)
      for (const { name } of operation.query.filter((one) => one.name === "limit")) {
        asked++;
        const { status, text, line } = await ask(operation, `${addressOf(operation, server.known)}?${name}=${value}`);
        if (status !== 400 || !text.includes(`"path":"/${name}"`)) wrong.push(line);
      }
    expect(wrong).toEqual([]);
    expect(asked).toBeGreaterThan(4);
  },
);

test("a good number of a page is taken", async () => {
  const wrong: string[] = [];
  for (const operation of operations)
    for (const { name } of operation.query.filter((one) => one.name === "limit"))
      for (const value of ["1", "1000"]) {
        const needed: Readonly<Record<string, string>> = { kind: "run", id: server.known["run"] ?? "" };
        const others = operation.query
          .filter((one) => one.required && one.name !== name)
          .map((one): [string, string] => [one.name, needed[one.name] ?? ""]);
        const query = new URLSearchParams([[name, value], ...others]).toString();
        const { answered, line } = await ask(operation, `${addressOf(operation, server.known)}?${query}`);
        if (answered !== 200) wrong.push(line);
      }
  expect(wrong).toEqual([]);
});

test("a text in a query has no NUL, no broken characters, and stands there once", async () => {
  const wrong: string[] = [];
  for (const operation of operations)
    for (const { name } of operation.query)
      for (const value of ["a%00b", "%C3%28", `1&${name}=2`]) {
        const required = operation.query
          .filter((one) => one.required && one.name !== name)
          .map((one) => `&${one.name}=${one.name === "kind" ? "run" : "1"}`);
        const { status, text, line } = await ask(operation, `${addressOf(operation, server.known)}?${name}=${value}${required.join("")}`);
        if (status !== 400 || !text.includes(`"path":"/${name}"`)) wrong.push(line);
      }
  expect(wrong).toEqual([]);
});

test("an unknown endpoint, and an unknown incident, is 404 on every route that names one, and changes nothing", async () => {
  const before = tables.digest();
  const wrong: string[] = [];
  const scoped = operations.filter(({ path }) => /\{(endpoint|n)\}/.test(path));
  for (const operation of scoped)
    for (const [name, value] of [
      ["endpoint", "lones"],
      ["n", "987654"],
    ]) {
      if (!operation.path.includes(`{${name}}`)) continue;
      const { status, line } = await ask(operation, addressOf(operation, { ...server.known, [name ?? ""]: value }));
      if (status !== 404) wrong.push(line);
    }
  expect(wrong).toEqual([]);
  expect(tables.digest()).toBe(before);
});

test("another method than an address takes is 405 and says which it takes; where nothing is it is 404", async () => {
  const wrong: string[] = [];
  for (const { path, method } of operations) {
    const taken = operations.filter((other) => other.path === path).map((other) => other.method);
    const other = ["GET", "POST", "PUT", "DELETE"].find((one) => !taken.includes(one));
    // `/decisions/batch` is an address of its own, and that of a decision as well.
    const isAlsoOther = operations.some(
      (one) => one.method === other && new RegExp(`^${one.path.replaceAll(/\{\w+\}/g, "[^/]+")}$`).test(path),
    );
    if (!other || method === other || isAlsoOther) continue;
    const answer = await fetch(`${server.url}${path.replaceAll(/\{\w+\}/g, "1")}`, { method: other });
    const allowed = answer.headers.get("allow")?.split(", ") ?? [];
    if (answer.status !== 405 || !taken.every((one) => allowed.includes(one)))
      wrong.push(`${other} ${path}: ${answer.status} ${allowed.join()}`);
  }
  expect(wrong).toEqual([]);
  expect((await fetch(`${server.url}/v1/nowhere`, { method: "POST" })).status).toBe(404);
});

test("an idempotency key is one of visible ASCII characters", async () => {
  const operation = operations.find(({ right }) => right === "decide");
  if (!operation) throw new Error("no route decides");
  for (const key of ["", "x".repeat(256), "two words", "é"]) {
    const answer = await fetch(`${server.url}${addressOf(operation, server.known)}`, {
      method: "POST",
      headers: { authorization: `Bearer ${tokens.get("application")}`, "content-type": "application/json", "idempotency-key": key },
      body: JSON.stringify(bodies[operation.name]?.value),
    });
    expect([key, answer.status, await answer.text()]).toEqual([key, 400, expect.stringContaining("/headers/idempotency-key")]);
  }
});

/** The first line and the rest of what a server says to these very bytes. */
async function raw(text: string): Promise<{ readonly status: number; readonly text: string }> {
  const { port } = new URL(server.url);
  const socket = connect(Number(port), "127.0.0.1");
  socket.end(text.replaceAll("\n", "\r\n"));
  let said = "";
  for await (const chunk of socket.setEncoding("utf8")) said += String(chunk);
  return { status: Number(/^HTTP\/1\.1 (\d+)/.exec(said)?.[1] ?? 0), text: said };
}

describe("whom it answers (T12)", () => {
  test.each([
    ["another name", "GET /healthz/live HTTP/1.1\nHost: evil.test\n\n", 421],
    ["another name on the event stream", "GET /v1/events HTTP/1.1\nHost: evil.test\n\n", 421],
    ["another name, where nothing is", "GET /nowhere HTTP/1.1\nHost: evil.test\n\n", 421],
    ["a name that begins like ours", "GET /healthz/live HTTP/1.1\nHost: localhost.evil.test\n\n", 421],
    ["a name that begins like an address", "GET /healthz/live HTTP/1.1\nHost: 127.0.0.1.evil.test\n\n", 421],
    ["two hosts", "GET /healthz/live HTTP/1.1\nHost: localhost\nHost: evil.test\n\n", 421],
    ["the same host twice", "GET /healthz/live HTTP/1.1\nHost: localhost\nHost: localhost\n\n", 421],
    ["an empty host", "GET /healthz/live HTTP/1.1\nHost:\n\n", 421],
    ["no host", "GET /healthz/live HTTP/1.0\n\n", 421],
    ["an absolute address", "GET http://evil.test/healthz/live HTTP/1.1\nHost: localhost\n\n", 421],
    ["an absolute address of ours", "GET http://localhost/healthz/live HTTP/1.1\nHost: localhost\n\n", 421],
    ["a page of another site", "GET /healthz/live HTTP/1.1\nHost: localhost\nOrigin: http://evil.test\n\n", 421],
    ["a page without an origin", "GET /healthz/live HTTP/1.1\nHost: localhost\nOrigin: null\n\n", 421],
    ["TRACE", "TRACE /healthz/live HTTP/1.1\nHost: localhost\nCookie: secret\n\n", 405],
    ["two lengths", "POST /v1/session HTTP/1.1\nHost: localhost\nContent-Length: 2\nContent-Length: 3\n\n{}", 400],
    ["a length and chunks", "POST /v1/session HTTP/1.1\nHost: localhost\nContent-Length: 2\nTransfer-Encoding: chunked\n\n0\n\n", 400],
    ["no HTTP at all", "hello\n\n", 400],
    ["too many headers", `GET /healthz/live HTTP/1.1\nHost: localhost\nX: ${"x".repeat(20_000)}\n\n`, 431],
  ])("%s is refused with a problem", async (_what, text, status) => {
    const answer = await raw(text);
    expect([answer.status, answer.text]).toEqual([status, expect.stringContaining("application/problem+json")]);
    expect(answer.text).not.toContain("secret");
  });

  test.each(["127.0.0.1", "127.0.0.1:7070", "[::1]:7070", "localhost", "LocalHost:1"])("%s is answered", async (host) => {
    expect((await raw(`GET /healthz/live HTTP/1.1\nHost: ${host}\nConnection: close\n\n`)).status).toBe(200);
    expect((await raw(`GET /healthz/live HTTP/1.1\nHost: ${host}\nOrigin: http://${host}\nConnection: close\n\n`)).status).toBe(200);
  });
});
