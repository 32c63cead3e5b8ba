/** What fits no endpoint, though it has the right form: declarations with mistakes, files that are no models, models that don't fit. */
import { randomBytes } from "node:crypto";
import { deflateRawSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { logisticModel } from "../../test/fixtures/onnx-models.ts";
import { lendingServer, type LendingServer } from "../../test/lending-server.ts";
import { problemOf } from "../../test/server.ts";
import { sqliteTables, type Tables } from "../../test/tables.ts";
import type { BlobView } from "./blob-routes.ts";

let server: LendingServer;
let tables: Tables;
beforeAll(async () => {
  server = await lendingServer();
  tables = sqliteTables(server.folder);
  await tables.still();
});
afterAll(async () => {
  tables.close();
  await server.drop();
});

const YAML = `kind: endpoint
name: flats
inputs:
  income: { type: number, min: 0, max: 100 }
  education: { type: string, values: [university, high_school] }
groups:
  education: [university, high_school]
actions:
  approve: { favourable: true }
  deny: { favourable: false }
fallback:
  scorer:
    kind: rules
    rules:
      - when: income >= 60.0
        score: 1
    otherwise: { score: 0.2 }
  policy:
    bands:
      - { action: deny, from: 0 }
      - { action: approve, from: 0.5 }
guardrails:
  - name: parity
    metric: adverse_impact_ratio
    groups: all
    limit: 0.8
    action: roll_back
`;
const RELEASE = `---
kind: release
endpoint: loans
name: second
scorer:
  kind: rules
  rules: []
  otherwise: { score: 1 }
policy:
  bands: [{ action: deny, from: 0 }, { action: approve, from: 0.5 }]
`;

test("the declaration that the others are spoiled from is taken", async () => {
  const taken = await server.admin.post<object>("/v1/apply", { yaml: YAML + RELEASE, dryRun: true });
  expect(taken).toMatchObject({ changes: [{ name: "flats" }, { name: "second" }] });
});

/** What is replaced by what; where the complaint must point to, and what it must say. */
const MISTAKES: readonly (readonly [name: string, from: string, to: string, place: string, says: string])[] = [
  ["a mistyped key", "guardrails:", "guardrils:", "22:1", 'did you mean "guardrails"?'],
  ["a mistyped key within", "{ favourable: true }", "{ favorable: true }", "9:14", 'did you mean "favourable"?'],
  ["a mistyped key in a list", "when:", "whn:", "15:9", 'did you mean "when"?'],
  ["a mistyped kind", "kind: endpoint", "kind: endpont", "1:1", 'did you mean "endpoint"?'],
  ["a mistyped key of the kind", "kind: endpoint", "knd: endpoint", "1:1", 'did you mean "kind"?'],
  ["a mistyped type", "type: number", "type: nmber", "4:13", "number"],
  ["a missing field", "    limit: 0.8\n", "", "23:5", "/guardrails/0/limit"],
  ["a number for a text", "name: flats", "name: 1.10", "2:1", "string"],
  ["a name that can't stand in an address", "name: flats", "name: Flats!", "2:1", "pattern"],
  ["a text for a number", "min: 0", 'min: "0"', "4:27", "number"],
  ["limits the wrong way round", "max: 100", "max: -1", "4:35", "at least min"],
  ["a key twice", "name: flats", "name: flats\nname: flats", "3:1", "unique"],
  ["a tab", "  deny:", "\tdeny:", "10:1", "abs"],
  ["a bracket that stays open", "[university, high_school] }", "[university, high_school }", "5:63", "YAML"],
  ["a tag that would make an object", "name: flats", "name: !!python/object:os.system x", "2:7", "tag"],
  ["__proto__", "name: flats", "name: flats\n__proto__: { admin: true }", "3:1", "__proto__"],
  ["NaN", "limit: 0.8", "limit: .nan", "26:5", "number"],
  ["infinity", "from: 0.5", "from: .inf", "21:28", "number"],
  ["bands that begin above 0", "action: deny, from: 0 }", "action: deny, from: 0.1 }", "20:25", "a gap from 0 to 0.1"],
  ["bands with a gap", "from: 0 }", "from: 0, to: 0.4 }", "21:28", "a gap from 0.4 to 0.5"],
  ["bands that end below 1", "from: 0.5 }", "from: 0.5, to: 0.9 }", "19:5", "a gap from 0.9 to 1"],
  ["bands that overlap", "from: 0 }", "from: 0, to: 0.6 }", "21:28", "they overlap"],
  ["a band that nobody is in", "from: 0.5 }", "from: 0 }", "21:28", "they overlap"],
  ["a band outside the scores", "from: 0.5 }", "from: 1.5 }", "21:28", "<= 1"],
  ["an action that isn't declared", "action: approve", "action: aprove", "21:11", "did you mean approve?"],
  ["no action that is favourable", "{ favourable: true }", "{ favourable: false }", "8:1", "favourable"],
  ["a metric that there isn't", "adverse_impact_ratio", "adverse_impact_ration", "24:5", 'did you mean "adverse_impact_ratio"?'],
  ["an attribute that isn't declared", "groups: all", "groups: [educaton]", "25:14", "an attribute of groups: education"],
  [
    "a reference that is no group",
    "groups: all",
    "groups: all\n    reference: universty",
    "26:5",
    "a value that every watched attribute has",
  ],
  ["a limit that nothing keeps", "limit: 0.8", "limit: 80", "26:5", "80"],
  ["an unknown name in an expression", "income >= 60.0", "incom >= 60.0", "15:15", "did you mean income?"],
  ["types that can't be compared", "income >= 60.0", "education >= 60.0", "15:15", "string >= number"],
  ["a condition that is a number", "income >= 60.0", "income + 1.0", "15:15", "true or false"],
  ["an expression that breaks off", "income >= 60.0", "income >=", "15:24", "CEL"],
  ["a regular expression", "income >= 60.0", 'education.matches("(a+)+$")', "15:15", "matches"],
  ["a release of no endpoint", "endpoint: loans", "endpoint: loan", "30:1", "did you mean loans?"],
  ["a mistyped key in the second document", "name: second", "nam: second", "31:1", 'did you mean "name"?'],
  ["an unknown name in the second document", "rules: []", "rules: [{ when: incom > 1.0, score: 1 }]", "34:19", "did you mean income?"],
  ["a gap in the second document", "from: 0 }, {", "from: 0, to: 0.1 }, {", "37:66", "a gap from 0.1 to 0.5"],
];

describe("YAML", () => {
  test.each(MISTAKES)("%s is shown with line, column and what was meant", async (_name, from, to, place, says) => {
    const before = tables.digest();
    const yaml = (YAML + RELEASE).replace(from, to);
    expect(yaml).not.toBe(YAML + RELEASE);
    for (const dryRun of [true, false]) {
      const problem = await problemOf(server.admin.post("/v1/apply", { yaml, dryRun }));
      expect(problem.status).toBeLessThan(500);
      const places = (problem.errors ?? []).map(({ line, column }) => `${line}:${column}`);
      expect(places).toContain(place);
      expect(JSON.stringify(problem.errors).replaceAll('\\"', '"')).toContain(says);
    }
    expect(tables.digest()).toBe(before);
  });

  test.each([
    ["nothing", ""],
    ["a comment", "# hello\n"],
    ["a list", "- kind: endpoint\n"],
    ["a word", "hello\n"],
    ["JSON that breaks off", '{"kind": "endpoint"'],
    [
      "a bomb of aliases",
      `a: &a [${"x,".repeat(9)}x]\n${"bcdefgh"
        .split("")
        .map((k, i) => `${k}: &${k} [${`*${"abcdefg"[i]},`.repeat(9)}x]`)
        .join("\n")}\n`,
    ],
    ["an alias to nothing", "kind: *endpoint\n"],
    ["an alias that holds itself", "kind: &a [*a]\n"],
    ["10⁴ levels", "[".repeat(10_000)],
    ["10⁴ levels of mappings", `kind: endpoint\nname: ${"{a: ".repeat(10_000)}`],
    ["control characters", "kind: endpoint\nname: \u0001\u0002\n"],
  ])("%s is no declaration", async (_name, yaml) => {
    const before = tables.digest();
    const problem = await problemOf(server.admin.post("/v1/apply", { yaml }));
    expect(problem).toMatchObject({ status: 400, errors: [{ expected: expect.stringMatching(/./) }, ...(problem.errors ?? []).slice(1)] });
    expect(tables.digest()).toBe(before);
  });
});

/** A zip with one empty file, as PyTorch and Keras save theirs. */
const zip = (name: string) => {
  const body = deflateRawSync(randomBytes(200));
  const header = Buffer.alloc(30);
  header.writeUInt32LE(0x04034b50, 0);
  header.writeUInt16LE(8, 8);
  header.writeUInt32LE(body.length, 18);
  header.writeUInt16LE(name.length, 26);
  return Buffer.concat([header, Buffer.from(name), body]);
};
const good = logisticModel([0.02, -0.01]);
const external = (location: string) =>
  logisticModel([0.02, -0.01], 0, (model) => {
    const [first] = model.graph?.initializer ?? [];
    if (!first) throw new Error("no weights");
    Object.assign(first, { floatData: [], dataLocation: 1, externalData: [{ key: "location", value: location }] });
  });

const NO_MODELS: readonly (readonly [name: string, bytes: () => Uint8Array])[] = [
  ["nothing", () => new Uint8Array()],
  ["one byte", () => Buffer.of(8)],
  ["zeros", () => Buffer.alloc(1000)],
  ["random bytes", () => randomBytes(5000)],
  ["a text", () => Buffer.from("this is no model, but it is long enough to be one\n".repeat(20))],
  ["a CSV file", () => Buffer.from("id,income\n1,2\n")],
  ["half a model", () => good.subarray(0, good.length / 2)],
  ["a model without its last byte", () => good.subarray(0, -1)],
  ["a model and something after it", () => Buffer.concat([good, randomBytes(40)])],
  [
    "a pickle",
    () => Buffer.from("\x80\x04\x95\x1e\0\0\0\0\0\0\0\x8c\x05posix\x94\x8c\x06system\x94\x93\x94\x8c\x02id\x94\x85\x94R\x94.", "latin1"),
  ],
  ["a PyTorch archive", () => zip("archive/data.pkl")],
  ["a Keras archive", () => zip("config.json")],
  ["an HDF5 file", () => Buffer.concat([Buffer.from("\x89HDF\r\n\x1a\n", "latin1"), randomBytes(100)])],
  ["a joblib file", () => Buffer.concat([Buffer.of(0x78, 0x9c), randomBytes(100)])],
  ["weights in a file above", () => external("../../../etc/passwd")],
  ["weights at an absolute path", () => external("/etc/passwd")],
  ["weights in a file beside", () => external("weights.bin")],
  ["no graph", () => Buffer.of(8, 8)],
];

describe("an ONNX file that is none", () => {
  const policy = {
    bands: [
      { action: "deny", from: 0 },
      { action: "approve", from: 0.5 },
    ],
  };
  const features = {
    name: "loans",
    features: [
      { name: "income", from: "income" },
      { name: "zero", cel: "0.0" },
    ],
  };

  test.each(NO_MODELS)("%s is refused where it is registered, and where a release would serve it", async (_name, bytes) => {
    const { id } = await server.admin.put<BlobView>("/v1/blobs", bytes());
    const before = tables.digest();
    for (const [path, body] of [
      ["/v1/models/credit/versions", { blob: id }],
      ["/v1/models/new/versions", { blob: id, featureSet: "loans/1" }],
      ["/v1/endpoints/loans/releases", { scorer: { kind: "onnx", model: id }, features, policy }],
    ] as const) {
      const problem = await problemOf(server.admin.post(path, body));
      expect([problem.status, problem.errors?.length]).toEqual([422, 1]);
      expect(JSON.stringify(problem)).not.toMatch(/passwd:|\/tmp\/|node_modules|at .*\.ts:/);
    }
    expect(tables.digest()).toBe(before);
  });

  test("what can be converted says how", async () => {
    const { id } = await server.admin.put<BlobView>("/v1/blobs", Buffer.from("\x80\x04\x95.", "latin1"));
    const problem = await problemOf(server.admin.post("/v1/models/credit/versions", { blob: id }));
    expect(JSON.stringify(problem.errors)).toMatch(/pickle.*ONNX/i);
  });
});

describe("a model whose inputs don't fit the features", () => {
  const policy = {
    bands: [
      { action: "deny", from: 0 },
      { action: "approve", from: 0.5 },
    ],
  };
  const set = (...names: readonly string[]) => ({ name: "other", features: names.map((name) => ({ name, cel: "0.0" })) });

  test.each([
    ["one feature too few", set("income"), "/features/features/1"],
    ["one feature too many", set("income", "zero", "age"), "/features/features/2"],
    ["two features that have changed places", set("zero", "income"), "/features/features/0"],
    ["a feature of another name", set("income", "nil"), "/features/features/1"],
    [
      "a feature from an input that there isn't",
      {
        name: "other",
        features: [
          { name: "income", from: "incom" },
          { name: "zero", cel: "0.0" },
        ],
      },
      "/features/0/from",
    ],
    [
      "a feature from a text",
      {
        name: "other",
        features: [
          { name: "income", from: "education" },
          { name: "zero", cel: "0.0" },
        ],
      },
      "/scorer/model/inputs",
    ],
    [
      "a feature with a mistyped expression",
      {
        name: "other",
        features: [
          { name: "income", cel: "incom" },
          { name: "zero", cel: "0.0" },
        ],
      },
      "/features/0/cel",
    ],
    [
      "the same feature twice",
      {
        name: "other",
        features: [
          { name: "income", cel: "0.0" },
          { name: "income", cel: "0.0" },
        ],
      },
      "/features/",
    ],
    ["a set that nobody knows", "nobody/1", "/features"],
    ["a set without a number", "loans", "/features"],
  ])("%s is named, and there is no release", async (_name, features, place) => {
    const before = tables.digest();
    const problem = await problemOf(server.admin.post("/v1/endpoints/loans/releases", { model: "credit/1", features, policy }));
    expect(problem.status).toBeLessThan(500);
    expect(problem.errors?.map(({ path }) => path).join(" ")).toContain(place);
    expect(tables.digest()).toBe(before);
  });

  test.each([
    ["features", { features: ["income"] }],
    ["a feature set", { featureSet: "three/1" }],
    [
      "a signature",
      {
        signature: {
          inputs: [{ name: "x", type: "float32", shape: ["N", 3] }],
          outputs: [{ name: "score", type: "float32", shape: ["N", 1] }],
          features: [],
          scoreOutput: "score",
        },
      },
    ],
    [
      "an output that it hasn't",
      {
        signature: {
          inputs: [{ name: "x", type: "float32", shape: ["N", 2] }],
          outputs: [{ name: "score", type: "float32", shape: ["N", 1] }],
          features: [],
          scoreOutput: "scores",
        },
      },
    ],
  ])("%s can't be registered with it", async (_name, given) => {
    await server.admin.post("/v1/feature-sets", { ...set("a", "b", "c"), name: "three" });
    const before = tables.digest();
    const problem = await problemOf(server.admin.post("/v1/models/credit/versions", { blob: server.known["blobs/id"], ...given }));
    expect([problem.status, problem.errors?.length]).toEqual([422, expect.any(Number)]);
    expect(tables.digest()).toBe(before);
  });

  test.each([
    ["a model that nobody knows", { model: "credits/1" }, "/model"],
    ["a version that there isn't", { model: "credit/9" }, "/model"],
    ["an alias called constructor", { model: "credit@constructor" }, "/model"],
    ["no reference", { model: "credit" }, "/model"],
    ["model and rules", { model: "credit/1", scorer: { kind: "rules", rules: [], otherwise: { score: 1 } } }, "/scorer"],
    ["neither model nor rules", {}, "/scorer"],
    ["a blob that nobody uploaded", { scorer: { kind: "onnx", model: `sha256:${"0".repeat(64)}` }, features: set("a", "b") }, "/scorer"],
    ["an output that it hasn't", { scorer: { kind: "onnx", model: "BLOB", output: "scores" }, features: set("a", "b") }, "/scorer/output"],
    ["a column that it hasn't", { scorer: { kind: "onnx", model: "BLOB", column: 7 }, features: set("a", "b") }, "/scorer/column"],
  ])("%s makes no release", async (_name, given, place) => {
    const before = tables.digest();
    const body: unknown = JSON.parse(JSON.stringify({ ...given, policy }).replace("BLOB", server.known["blobs/id"] ?? ""));
    const problem = await problemOf(server.admin.post("/v1/endpoints/loans/releases", body));
    expect(problem.status).toBeLessThan(500);
    expect(problem.errors?.map(({ path }) => path).join(" ")).toContain(place);
    expect(tables.digest()).toBe(before);
  });
});
