import { totalmem } from "node:os";
import { expect, test } from "vitest";
import { defaultMemoryBudget, memorySize } from "./memory-size.ts";

test("a size is read as people write it", () => {
  expect(["512MB", "2GB", "1.5GiB", "2 GB"].map((text) => memorySize("--memory-budget", text))).toEqual([512e6, 2e9, 1.5 * 2 ** 30, 2e9]);
});

test.each(["", "2", "2gb", "-1GB", "1e9MB", "NaNGB", "10MB", "0GB", "99999999999TB", "2GB "])(
  "%j is no size, and it is said what is",
  (text) => {
    expect(() => memorySize("--memory-budget", text)).toThrow(/takes a size from 32MB on/);
  },
);

test("by default models may have half of the machine or container", () => {
  expect(defaultMemoryBudget()).toBeGreaterThan(32e6);
  expect(defaultMemoryBudget()).toBeLessThanOrEqual(totalmem() / 2);
});
