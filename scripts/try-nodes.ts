/**
 * `npm run try-nodes`: does the test suite pass on every Node that the package promises? Runs it under Node 22, 24 and 26 and prints a line each;
 * with EVENKEEL_TEST_POSTGRES_URL in the environment the tests on PostgreSQL as well.
 * `-- --node 22,26` only these
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { mustRun, nodeOfMajor, ROOT, run } from "./programs.ts";

const { values } = parseArgs({ options: { node: { type: "string", default: "22,24,26" } } });
const projects = process.env["EVENKEEL_TEST_POSTGRES_URL"] ? ["unit", "alone", "pg"] : ["unit", "alone"];
const SUITE_TIMEOUT_MS = 20 * 60_000;

const folder = mkdtempSync(join(tmpdir(), "evenkeel-nodes-"));
let failed = 0;
for (const major of values.node.split(",").map(Number)) {
  const node = nodeOfMajor(major);
  if (!node) {
    console.log(`FAIL Node ${major}: it can't be had`);
    failed++;
    continue;
  }
  const vitest = join(ROOT, "node_modules/vitest/vitest.mjs");
  const file = join(folder, `${major}.json`);
  const args = [vitest, "run", "--reporter", "json", "--outputFile", file, ...projects.flatMap((project) => ["--project", project])];
  // Whatever a test starts as `node` is then this Node, too.
  const path = `${join(node, "..")}:${process.env["PATH"] ?? ""}`;
  const ended = run(node, args, { timeoutMs: SUITE_TIMEOUT_MS, env: { PATH: path } });
  const counts = existsSync(file) ? countsIn(readFileSync(file, "utf8")) : undefined;
  const isGood = ended.exitCode === 0 && counts !== undefined && counts.passed > 0 && counts.failed === 0;
  if (!isGood) failed++;
  const said = counts ? `${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped` : "no result";
  console.log(
    `${isGood ? "ok  " : "FAIL"} Node ${mustRun(node, ["-p", "process.versions.node"]).trim()} (${projects.join(", ")}): ${said}`,
  );
  if (counts && counts.secondTries.length > 0) console.log(["PASSED ONLY AT THE SECOND TRY", ...counts.secondTries].join("\n"));
  if (!isGood) console.log([...(counts?.failures ?? []), ended.out.slice(-2000), ended.err.slice(-2000)].join("\n"));
}
rmSync(folder, { recursive: true, force: true });
process.exitCode = failed ? 1 : 0;

interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly failures: readonly string[];
  /** What passed only when it was tried again, as .ci/run has it done. */
  readonly secondTries: readonly string[];
}

/** From what Vitest's reporter `json` wrote. */
function countsIn(json: string): Counts {
  const report = asReport(JSON.parse(json));
  const failures = report.testResults.flatMap(({ name, status, message, assertionResults }) => [
    ...(status === "failed" && assertionResults.length === 0 ? [`${name}: ${message}`] : []),
    ...assertionResults.flatMap((one) => (one.status === "failed" ? [`${name}: ${one.fullName}\n${one.failureMessages.join("\n")}`] : [])),
  ]);
  const secondTries = report.testResults.flatMap(({ name, assertionResults }) =>
    assertionResults.flatMap(({ status, fullName, failureMessages: [first] }) =>
      status === "passed" && first !== undefined ? [`  ${name}: ${fullName}\n    first try: ${first.split("\n")[0]}`] : [],
    ),
  );
  // A file that could not even be read counts as a failure: its tests are missing from the numbers.
  const broken = report.testResults.filter(({ status, assertionResults }) => status === "failed" && assertionResults.length === 0).length;
  const { numPassedTests: passed, numPendingTests: skipped } = report;
  return { passed, failed: report.numFailedTests + broken, skipped, failures, secondTries };
}

interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message: string;
    readonly assertionResults: readonly {
      readonly status: string;
      readonly fullName: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}
/** What Vitest's reporter `json` prints. */
function asReport(value: unknown): Report {
  return value as Report;
}
