import type { Reporter, TestModule } from "vitest/node";

/** Ends a run with one plain line that any CI can read: `12 passed, 0 failed, 1 skipped`. */
export default class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const counts = { passed: 0, failed: 0, skipped: 0 };
    for (const module of modules) {
      if (module.state() === "failed" && module.errors().length > 0) counts.failed++;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state !== "pending") counts[state]++;
      }
    }
    // One run with failed browser tests was seen to exit with 0: what is printed below and the exit code must agree.
    if (counts.failed > 0)
      process.once("exit", () => {
        process.exitCode = 1;
      });
    console.log(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
  }
}
