import { expect, test } from "vitest";
import { retryAfterMs, retryDelayMs } from "./retry.ts";

test("delays double up to a minute, and half of each is by chance", () => {
  expect([1, 2, 3, 4, 8, 100].map((failures) => retryDelayMs(failures, 1))).toEqual([500, 1000, 2000, 4000, 60_000, 60_000]);
  expect([1, 8].map((failures) => retryDelayMs(failures, 0))).toEqual([250, 30_000]);
});
test("a target that asks to be spared is, for an hour at most", () => {
  expect(retryDelayMs(1, 0, 17_000)).toBe(17_000);
  expect(retryDelayMs(1, 0, 10 ** 9)).toBe(3_600_000);
});
test("Retry-After is seconds or a date; what it can't be is nothing", () => {
  const nowMs = Date.parse("2026-11-30T12:00:00Z");
  expect(retryAfterMs("17", nowMs)).toBe(17_000);
  expect(retryAfterMs("Mon, 30 Nov 2026 12:01:00 GMT", nowMs)).toBe(60_000);
  for (const nonsense of [undefined, "", "soon", "-5", "Mon, 30 Nov 2026 11:00:00 GMT"]) expect(retryAfterMs(nonsense, nowMs)).toBe(0);
});
