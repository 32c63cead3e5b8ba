/**
 * Which CEL library: conformance of both on the test data of `@bufbuild/cel-spec`, and their speed, in one run.
 * `npx node bench/cel.ts [--failures]`. The result is in `docs/decisions/cel-library.md`.
 */
import { celEnv, celUint, isCelError, isCelList, isCelMap, isCelUint, parse, plan, type CelInput } from "@bufbuild/cel";
import { getConformanceSuite, type IncrementalTest, type IncrementalTestSuite } from "@bufbuild/cel-spec/testdata/tests.js";
import { getTestRegistry } from "@bufbuild/cel-spec/testdata/registry.js";
import type { Value } from "@bufbuild/cel-spec/cel/expr/value_pb.js";
import { Environment } from "@marcbachmann/cel-js";

/** A value of either library in one form that compares by text: kind and content. */
type Plain = string;
const FAILS: Plain = "error";
type Candidate = (test: IncrementalTest) => Plain;

/** Extensions and protobuf messages are no part of what policies may say. */
const OUT_OF_SCOPE = /_ext$|^optionals$|^proto[23]$|^enums$|^wrappers$|^dynamic$|^namespace$|^unknowns$/;
const needsMessages = ({ original }: IncrementalTest) =>
  original.container !== "" ||
  /TestAllTypes|google\.protobuf|proto\.|cel\.expr/.test(original.expr) ||
  JSON.stringify(Object.values(original.bindings), quiet).includes("objectValue");
const quiet = (_key: string, value: unknown) => (typeof value === "bigint" ? `${value}` : value);

function expectedOf({ original }: IncrementalTest): Plain | undefined {
  const { resultMatcher } = original;
  switch (resultMatcher.case) {
    case "value":
      return fromProto(resultMatcher.value);
    case "typedResult":
      return resultMatcher.value.result && fromProto(resultMatcher.value.result);
    case "evalError":
    case "anyEvalErrors":
      return FAILS;
    case undefined:
      return "bool true";
    default:
      return undefined;
  }
}

function fromProto({ kind }: Value): Plain | undefined {
  switch (kind.case) {
    case "boolValue":
      return `bool ${kind.value}`;
    case "int64Value":
      return `int ${kind.value}`;
    case "uint64Value":
      return `uint ${kind.value}`;
    case "doubleValue":
      return `double ${kind.value}`;
    case "stringValue":
      return `string ${JSON.stringify(kind.value)}`;
    case "bytesValue":
      return `bytes ${Buffer.from(kind.value).toString("hex")}`;
    case "nullValue":
      return "null";
    case "listValue":
      return `[${kind.value.values.map(fromProto).join(", ")}]`;
    case "mapValue":
      return map(kind.value.entries.map(({ key, value }) => [key ? fromProto(key) : "", value ? fromProto(value) : ""]));
    default:
      return undefined; // messages, types, enums: not compared
  }
}

const map = (entries: (readonly [Plain | undefined, Plain | undefined])[]) =>
  `{${entries
    .map(([key, value]) => `${key}: ${value}`)
    .toSorted()
    .join(", ")}}`;

function plain(value: unknown): Plain {
  if (value === null) return "null";
  if (typeof value === "boolean") return `bool ${value}`;
  if (typeof value === "bigint") return `int ${value}`;
  if (typeof value === "number") return `double ${value}`;
  if (typeof value === "string") return `string ${JSON.stringify(value)}`;
  if (isCelUint(value)) return `uint ${value.value}`;
  if (isUnsignedInt(value)) return `uint ${value.valueOf()}`;
  if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString("hex")}`;
  if (isCelList(value) || Array.isArray(value)) return `[${[...value].map(plain).join(", ")}]`;
  if (isCelMap(value) || value instanceof Map) return map([...value.entries()].map(([key, each]) => [plain(key), plain(each)]));
  if (typeof value === "object" && Object.getPrototypeOf(value) === Object.prototype)
    return map(Object.entries(value).map(([key, each]) => [plain(key), plain(each)]));
  return "other";
}

/** cel-js has a class of its own for them, which it doesn't export. */
const isUnsignedInt = (value: unknown): value is { valueOf(): bigint } =>
  typeof value === "object" && value !== null && value.constructor.name === "UnsignedInt";

/** A binding as a JavaScript value; `uint` differs between the two libraries. */
function toInput({ kind }: Value, uint: (value: bigint) => unknown): unknown {
  switch (kind.case) {
    case "listValue":
      return kind.value.values.map((each) => toInput(each, uint));
    case "mapValue":
      return new Map(kind.value.entries.map(({ key, value }) => [key && toInput(key, uint), value && toInput(value, uint)]));
    case "uint64Value":
      return uint(kind.value);
    case "nullValue":
      return null;
    default:
      return kind.value;
  }
}

function bindings({ original }: IncrementalTest, uint: (value: bigint) => unknown): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(original.bindings).map(([name, { kind }]) => [name, kind.case === "value" ? toInput(kind.value, uint) : undefined]),
  );
}

const registry = getTestRegistry();
const bufbuild: Candidate = (test) => {
  const env = celEnv({ registry, namespace: test.original.container });
  try {
    const value = plan(env, parse(test.original.expr))(bindings(test, celUint) as Record<string, CelInput>);
    return isCelError(value) ? FAILS : plain(value);
  } catch {
    return FAILS;
  }
};
const celJs: Candidate = (test) => {
  const env = new Environment({ unlistedVariablesAreDyn: true, homogeneousAggregateLiterals: false });
  try {
    return plain(
      env.evaluate(
        test.original.expr,
        bindings(test, (value) => new Environment().evaluate(`${value}u`)),
      ),
    );
  } catch {
    return FAILS;
  }
};

function* testsOf(suite: IncrementalTestSuite): Iterable<IncrementalTest> {
  yield* suite.tests;
  for (const each of suite.suites) yield* testsOf(each);
}

const candidates = { "@bufbuild/cel": bufbuild, "@marcbachmann/cel-js": celJs };
const passed: Record<string, number> = {};
let looked = 0;
for (const suite of getConformanceSuite().suites) {
  if (OUT_OF_SCOPE.test(suite.name)) continue;
  const tests = [...testsOf(suite)].filter((test) => !test.original.checkOnly && !needsMessages(test) && expectedOf(test) !== undefined);
  const counts: string[] = [];
  for (const [name, candidate] of Object.entries(candidates)) {
    const failures = tests.filter((test) => candidate(test) !== expectedOf(test));
    passed[name] = (passed[name] ?? 0) + tests.length - failures.length;
    counts.push(`${tests.length - failures.length}`);
    if (process.argv.includes("--failures"))
      for (const test of failures) console.log(`${name}: ${test.original.expr} expected ${expectedOf(test)}, got ${candidate(test)}`);
  }
  looked += tests.length;
  console.log(`${suite.name.padEnd(18)} ${String(tests.length).padStart(4)} tests  ${counts.map((count) => count.padStart(5)).join("")}`);
}
console.log(
  `${"all".padEnd(18)} ${String(looked).padStart(4)} tests  ${Object.values(passed)
    .map((count) => String(count).padStart(5))
    .join("")}`,
);

const conditions = ["pay_0 <= 0.0 && bill_amt1 / limit_bal < 0.5 && (age >= 25.0 || education == 'graduate')", "bill_amt1 / limit_bal"];
const types = { pay_0: "double", bill_amt1: "double", limit_bal: "double", age: "double", education: "string" } as const;
const people = Array.from({ length: 64 }, (_, i) => ({
  pay_0: (i % 5) - 2,
  bill_amt1: i * 1000,
  limit_bal: 20_000 + i,
  age: 20 + (i % 40),
  education: i % 2 ? "graduate" : "university",
}));
const env = new Environment();
for (const [name, type] of Object.entries(types)) env.registerVariable(name, type);
for (const condition of conditions) {
  const a = plan(celEnv(), parse(condition));
  const b = env.parse(condition);
  b.check();
  console.log(`\n${condition}`);
  for (const [name, evaluate] of [
    ["@bufbuild/cel", a],
    ["@marcbachmann/cel-js", b],
  ] as const) {
    let best = Number.POSITIVE_INFINITY;
    for (let round = 0; round < 7; round++) {
      const startedMs = performance.now();
      for (let i = 0; i < 100_000; i++) evaluate(people[i % 64] ?? {});
      best = Math.min(best, (performance.now() - startedMs) / 100);
    }
    console.log(`${name.padEnd(24)} ${best.toFixed(2)} µs`);
  }
}
