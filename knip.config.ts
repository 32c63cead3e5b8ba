import type { KnipConfig } from "knip";

/** What nobody imports and is needed all the same: what runs as a process or a worker, and what other tools load. */
export default {
  entry: [
    "src/index.ts",
    "src/cli/main.ts",
    "src/decisions/commit-sqlite.ts",
    "src/registry/diff-thread.ts",
    "src/registry/histograms-thread.ts",
    "src/registry/rows-thread.ts",
    "src/registry/scan-thread.ts",
    "src/serving/inspect-thread.ts",
    "src/serving/onnx-process.ts",
    "src/store/sqlite-thread.ts",
    "src/cli/watchdog-thread.ts",
    "bench/*.ts",
    "bench/guardrails/thread.ts",
    "examples/loans/{demo,applicants,tables}.ts",
    "examples/loans/steps/*.ts",
    "scripts/*.ts",
    "scripts/grafana/write.ts",
    "web/src/main.tsx",
    "web/vite.config.ts",
    "test/closing-line.ts",
    "test/fixtures/add-dataset.ts",
    "test/torture/*.ts",
  ],
  project: ["{src,bench,examples,scripts,test,web}/**/*.{ts,tsx}"],
  ignoreDependencies: [
    "dependency-cruiser", // started by scripts/check.ts
    "oxlint",
    "oxlint-tsgolint", // by oxlint
    "playwright-core", // tests in a browser, `*.e2e.test.ts`
    "@fontsource-variable/inter", // by a style sheet
  ],
  ignoreBinaries: ["mount", "umount", "strace", "taskset", "promtool", "openssl"], // of the system: what needs them is skipped, and says so, where they are missing
} satisfies KnipConfig;
