import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

/**
 * These change the process that they run in, or look at the whole of it. All others share what they import with the other files of their
 * worker, which was 40 % of their CPU time when each had imported it for itself: whatever a test leaves behind, the next file meets.
 */
const ALONE = ["src/pipelines/watch.test.ts", "test/{old-node,tracing}.test.ts", "{bench,examples}/**/*.test.ts"];
const NOT_PLAIN = ["**/*.{pg,e2e}.test.ts", "**/node_modules/**"];

/** Three kinds of tests, told apart by their suffix: plain (a few alone in their process), with a real PostgreSQL, and with a real browser. */
export default defineConfig({
  test: {
    reporters: ["default", "./test/closing-line.ts"],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // What a test waits for comes at once on a quiet machine; on two cores with other tests a second, the default, is not always enough.
    expect: { poll: { timeout: 10_000 } },
    // In CI alone (docs/decisions/second-try.md): whoever works on it shall see what fails.
    retry: process.env["EVENKEEL_TEST_RETRY"] === "1" ? 1 : 0,
    // Many tests wait for processes and timers more than they compute: with two workers on two cores nothing ran in a quarter of the time.
    maxWorkers: Math.ceil(availableParallelism() * 1.5),
    // Programs that tests start, often the same one, need not compile its sources every time.
    env: { NODE_COMPILE_CACHE: fileURLToPath(new URL("node_modules/.cache/compile", import.meta.url)) },
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["{src,test,examples,bench,web}/**/*.test.ts"],
          exclude: [...NOT_PLAIN, ...ALONE],
          isolate: false,
        },
      },
      { extends: true, test: { name: "alone", include: ALONE, exclude: NOT_PLAIN } },
      {
        extends: true,
        test: { name: "pg", include: ["{src,test}/**/*.pg.test.ts"], globalSetup: ["test/postgres-server.ts"], isolate: false },
      },
      { extends: true, test: { name: "e2e", include: ["{src,test,web}/**/*.e2e.test.ts"], globalSetup: ["web/test/pages.ts"] } },
    ],
  },
});
