import type { Reporter, TestModule } from "vitest/node";

/** Ends a run with one plain line that any CI can read: `12 passed, 0 failed, 1 skipped`. Before it, which passed only when tried again. */
export default class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const counts = { passed: 0, failed: 0, skipped: 0 };
    const flaky: string[] = [];
    for (const module of modules) {
      if (module.state() === "failed" && module.errors().length > 0) counts.failed++;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state !== "pending") counts[state]++;
        if (test.diagnostic()?.flaky === true) flaky.push(`${module.relativeModuleId} > ${test.fullName}`);
      }
    }
    // One run with failed browser tests was seen to exit with 0: what is printed below and the exit code must agree.
    if (counts.failed > 0)
      process.once("exit", () => {
        process.exitCode = 1;
      });
    if (flaky.length > 0) console.log(`\nFailed at first, passed when tried again:\n${flaky.map((name) => `  ${name}\n`).join("")}`);
    console.log(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
  }
}
