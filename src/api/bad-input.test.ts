/** What no route takes: every body of the running server's API spoiled in every place, and nothing of it is written. */
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bodiesFor, placesIn, spoiled, type Body, type Json } from "../../test/bodies.ts";
import { lendingServer, type LendingServer } from "../../test/lending-server.ts";
import { addressOf, operationsOf, type Operation } from "../../test/operations.ts";
import { sqliteTables, type Tables } from "../../test/tables.ts";
import { Type } from "typebox";
import { checked } from "../checked.ts";
import { Problem } from "./problem.ts";

let server: LendingServer;
let tables: Tables;
let operations: readonly Operation[];
let bodies: Readonly<Record<string, Body>>;
const tokens = new Map<string, string>();
beforeAll(async () => {
  server = await lendingServer();
  operations = await operationsOf(server.url);
  bodies = bodiesFor(server);
  for (const role of ["admin", "application", "outcomes"]) tokens.set(role, await server.token(role));
  tables = sqliteTables(server.folder);
  await tables.still();
});
afterAll(async () => {
  tables.close();
  await server.drop();
});

/** A person must be told the place. */
const parseProblem = checked(Type.Intersect([Problem, Type.Object({ errors: Type.Array(Type.Unknown(), { minItems: 1 }) })]));
const JSON_TYPE = { "content-type": "application/json" };

interface Refused {
  readonly status: number;
  readonly paths: readonly string[];
  /** What the answer lacks of a problem that a person can act on. */
  readonly flaw: string | undefined;
  readonly text: string;
}

async function send(
  operation: Operation,
  body: string | Uint8Array,
  headers: Readonly<Record<string, string>> = JSON_TYPE,
): Promise<Refused> {
  const role = operation.right === "decide" ? "application" : operation.right === "outcomes:write" ? "outcomes" : "admin";
  const answer = await fetch(`${server.url}${addressOf(operation, server.known)}`, {
    method: operation.method,
    headers: { authorization: `Bearer ${tokens.get(role)}`, ...headers },
    body: typeof body === "string" ? body : new Uint8Array(body),
  });
  const text = await answer.text();
  const { status } = answer;
  if (!answer.headers.get("content-type")?.startsWith("application/problem+json")) return { status, paths: [], flaw: "no problem", text };
  const problem = parseProblem(JSON.parse(text));
  if (!problem.ok) return { status, paths: [], flaw: JSON.stringify(problem.error), text };
  const { errors } = problem.value;
  const flaw =
    problem.value.status !== status ? "another status" : errors.some(({ expected }) => expected === "") ? "nothing expected" : undefined;
  return { status, paths: errors.map(({ path }) => path), flaw, text };
}

interface Spoiled {
  /** What was done to the body. */
  readonly how: string;
  readonly body: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
  /** 400 when not given. */
  readonly status?: number;
  /** A problem must stand there, or below; anywhere when not given. */
  readonly pointer?: string;
}

/** Sends what `spoil` makes of every body, and tells what was answered otherwise than with a problem at the place, or was written. */
async function wrongAnswers(spoil: (body: Body, operation: Operation) => readonly Spoiled[]): Promise<readonly string[]> {
  const wrong: string[] = [];
  let [sent, before] = [0, tables.digest()];
  for (const operation of operations) {
    const body = bodies[operation.name];
    if (!body) continue;
    for (const { how, body: bytes, headers, status = 400, pointer = "" } of spoil(body, operation)) {
      sent++;
      const refused = await send(operation, bytes, headers);
      const isNamed = refused.paths.some((path) => pointer === "" || path === pointer || path.startsWith(`${pointer}/`));
      const flaw = refused.status !== status ? `not ${status}` : (refused.flaw ?? (isNamed ? undefined : "not named"));
      if (flaw !== undefined) wrong.push(`${flaw}: ${operation.name}, ${how}: ${refused.status} ${refused.text.slice(0, 400)}`);
      const after = tables.digest();
      if (after !== before) wrong.push(`written: ${operation.name}, ${how}: ${refused.status} ${refused.text.slice(0, 100)}`);
      before = after;
    }
  }
  expect(sent).toBeGreaterThan(Object.keys(bodies).length / 2);
  return wrong;
}

test("every route with a body has one here", () => {
  expect(Object.keys(bodies).toSorted()).toEqual(
    operations
      .filter(({ body }) => body !== undefined)
      .map(({ name }) => name)
      .toSorted(),
  );
});

/** None of these has the type of the value. */
function othersThan(value: Json): readonly Json[] {
  if (value === null) return [5, true, {}];
  if (typeof value === "string") return [5, true, [value], { value }];
  if (typeof value === "number") return ["5", true, [value], {}];
  if (typeof value === "boolean") return ["true", 1, [value]];
  if (Array.isArray(value)) return ["", 0, { 0: "a" }];
  return ["", 0, [], true];
}

test("a value of another type is refused wherever it stands, by name", async () => {
  const wrong = await wrongAnswers(({ value, loose = [] }) =>
    placesIn(value).flatMap(({ pointer, value: here }) =>
      othersThan(here)
        .filter((other) => !loose.includes(pointer) || typeof other === "object")
        .map((other) => ({ how: `${pointer} is ${JSON.stringify(other)}`, body: JSON.stringify(spoiled(value, pointer, other)), pointer })),
    ),
  );
  expect(wrong).toEqual([]);
});

test("null is refused wherever it isn't allowed: it is never 0, false or nothing", async () => {
  const wrong = await wrongAnswers(({ value, nullable = [] }) =>
    placesIn(value)
      .filter(({ pointer }) => !nullable.includes(pointer))
      .map(({ pointer }) => ({ how: `${pointer} is null`, body: JSON.stringify(spoiled(value, pointer, null)), pointer })),
  );
  expect(wrong).toEqual([]);
});

test("a missing field is named", async () => {
  const wrong = await wrongAnswers(({ value, optional = [] }) =>
    placesIn(value)
      .filter(({ pointer }) => pointer !== "" && !optional.includes(pointer))
      .map(({ pointer }) => {
        const isItem = /\/\d+$/.test(pointer);
        const named = isItem ? pointer.slice(0, pointer.lastIndexOf("/")) : pointer;
        return { how: `without ${pointer}`, body: JSON.stringify(spoiled(value, pointer, undefined)), pointer: named };
      }),
  );
  expect(wrong).toEqual([]);
});

/** What only the server says: asked for in a body, it is an unknown field as any other (T5). */
const OURS = [
  "id",
  "actor",
  "role",
  "state",
  "release",
  "generation",
  "createdAt",
  "createdBy",
  "tallies",
  "counted",
  "isCondemned",
  "colour",
];

test("an unknown field is named, be it one of what the server answers", async () => {
  const wrong = await wrongAnswers(({ value, open = [] }, { answer, body }) => {
    const answered = Object.keys(answer?.properties ?? {});
    return placesIn(value).flatMap(({ pointer, value: here }) => {
      if (typeof here !== "object" || here === null || Array.isArray(here) || open.includes(pointer)) return [];
      const names = pointer === "" ? [...OURS, ...answered.filter((name) => !(name in (body?.properties ?? {})))] : ["colour", "__proto"];
      return names
        .filter((name) => !(name in here))
        .map((name) => ({
          how: `${pointer}/${name} added`,
          body: JSON.stringify(spoiled(value, `${pointer}/${name}`, "x")),
          pointer: `${pointer}/${name}`,
        }));
    });
  });
  expect(wrong).toEqual([]);
});

/** The text of the body with one more member at its beginning. */
const withFirst = (value: Json, member: string) => JSON.stringify(value).replace("{", `{${member},`);

test("JSON that JSON.parse would take without a word is refused, and so is what isn't JSON", async () => {
  const wrong = await wrongAnswers(({ value }) => {
    const text = JSON.stringify(value);
    const [first = ""] = placesIn(value)
      .map(({ pointer }) => pointer.split("/")[1] ?? "")
      .filter((name) => name !== "");
    const cut = Buffer.concat([Buffer.from('{"colour":"'), Buffer.of(0xc3, 0x28), Buffer.from(`",${text.slice(1)}`)]);
    return [
      { how: "nothing", body: "" },
      { how: "white space", body: "  " },
      { how: "null", body: "null" },
      { how: "a text", body: '"text"' },
      { how: "a list", body: `[${text}]` },
      { how: "half of it", body: text.slice(0, -2) },
      { how: "something after it", body: `${text}{}` },
      { how: "a trailing comma", body: text.replace(/}$/, ",}") },
      { how: "a comment", body: `/* hello */${text}` },
      { how: "a repeated key", body: withFirst(value, `"${first}":1`), pointer: `/${first}` },
      {
        how: "a repeated key in disguise",
        body: withFirst(value, `"\\u00${first.charCodeAt(0).toString(16)}${first.slice(1)}":1`),
        pointer: `/${first}`,
      },
      { how: "__proto__", body: withFirst(value, '"__proto__":{"admin":true}'), pointer: "/__proto__" },
      { how: "__proto__ in disguise", body: withFirst(value, '"\\u005f_proto__":{"admin":true}'), pointer: "/__proto__" },
      { how: "constructor", body: withFirst(value, '"constructor":{"prototype":{"admin":true}}'), pointer: "/constructor" },
      { how: "infinity", body: withFirst(value, '"colour":1e400'), pointer: "/colour" },
      { how: "NaN", body: withFirst(value, '"colour":NaN') },
      { how: "NUL", body: withFirst(value, '"colour":"a\\u0000b"'), pointer: "/colour" },
      { how: "half a surrogate pair", body: withFirst(value, '"colour":"\\ud800"'), pointer: "/colour" },
      { how: "broken UTF-8", body: cut },
      { how: "a byte-order mark", body: `\uFEFF${text}` },
      { how: "UTF-16", body: Buffer.from(text, "utf16le") },
      { how: "10⁵ brackets", body: withFirst(value, `"colour":${"[".repeat(100_000)}${"]".repeat(100_000)}`) },
      { how: "10⁵ braces, never closed", body: '{"a":'.repeat(50_000) },
      { how: "more keys than anybody needs", body: withFirst(value, Array.from({ length: 1001 }, (_, i) => `"k${i}":1`).join(",")) },
    ];
  });
  expect(wrong).toEqual([]);
  expect(Object.keys(Object.prototype)).toEqual([]);
}, 60_000);

test("a body in another form than JSON in UTF-8 is 415, before it is read", async () => {
  const wrong = await wrongAnswers(({ value }) => {
    const text = JSON.stringify(value);
    const unsupported = (how: string, headers: Record<string, string>, body: string | Uint8Array = text): Spoiled => ({
      how,
      body,
      headers,
      status: 415,
    });
    return [
      unsupported("in UTF-16", { "content-type": "application/json; charset=utf-16" }, Buffer.from(text, "utf16le")),
      unsupported("in Latin 1", { "content-type": 'application/json; charset="iso-8859-1"' }),
      unsupported("compressed", { ...JSON_TYPE, "content-encoding": "gzip" }, gzipSync(text)),
      unsupported("said to be compressed", { ...JSON_TYPE, "content-encoding": "br" }),
      unsupported("as a text", { "content-type": "text/plain" }),
      unsupported("as a form", { "content-type": "application/x-www-form-urlencoded" }),
      unsupported("as parts of a form", { "content-type": "multipart/form-data; boundary=x" }),
      unsupported("as bytes", { "content-type": "application/octet-stream" }),
      unsupported("without a type", {}, Buffer.from(text)),
    ];
  });
  expect(wrong).toEqual([]);
});

test("a body beyond the route's limit is 413, which says the limit", async () => {
  const wrong = await wrongAnswers(({ value }, { name }) => {
    const limits: Readonly<Record<string, number>> = {
      "POST /v1/incidents/{n}/blame": 4 * 1024 * 1024,
      "POST /v1/endpoints/{endpoint}/decisions/batch": 16 * 1024 * 1024,
    };
    const limit = limits[name] ?? 256 * 1024;
    return [{ how: "too large", body: withFirst(value, `"colour":"${"x".repeat(limit)}"`), status: 413 }];
  });
  expect(wrong).toEqual([]);
});

test("a number that isn't whole, or that would be rounded, is refused where whole ones are expected", async () => {
  const whole = ["expiresInDays", "generation", "number", "expected", "mask", "seed", "step", "atMs"];
  const wrong = await wrongAnswers(({ value }) =>
    placesIn(value)
      .filter(({ pointer }) => whole.includes(pointer.split("/").at(-1) ?? "") && !pointer.startsWith("/params"))
      .flatMap(({ pointer }) =>
        [0.5, 1e300, 2 ** 53].map((other) => ({
          how: `${pointer} is ${other}`,
          body: JSON.stringify(spoiled(value, pointer, other)),
          pointer,
        })),
      ),
  );
  expect(wrong).toEqual([]);
});
