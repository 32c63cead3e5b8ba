import { expect, test } from "vitest";
import type { ReleaseId } from "../std.ts";
import { FailureWatch } from "./failure-watch.ts";
import { ScorerError, type ScorerTrouble } from "./scorer.ts";

const r1 = "rel:1" as ReleaseId;
const seconds = (count: number) => count * 1_000_000;
const fail = (watch: FailureWatch, atSeconds: number, trouble: ScorerTrouble, error = new ScorerError(trouble, "x")) =>
  watch.failed(r1, error, seconds(atSeconds));

test("a process that crashes once and takes hundreds of rows along, and everybody until it is replaced, is one event", () => {
  const watch = new FailureWatch();
  const crash = new ScorerError("crashed", "gone");
  for (let i = 0; i < 500; i++) expect(fail(watch, 1, "crashed", crash)).toBeUndefined();
  for (let i = 0; i < 80; i++) expect(fail(watch, 1 + i / 10, "down")).toBeUndefined();
});

test("a process that hangs on one input and is killed for it is one event", () => {
  const watch = new FailureWatch();
  for (let i = 0; i < 80; i++) expect(fail(watch, 1 + i / 100, "timeout")).toBeUndefined();
  const crash = new ScorerError("crashed", "killed");
  for (let i = 0; i < 20; i++) expect(fail(watch, 2, "crashed", crash)).toBeUndefined();
  for (let i = 0; i < 20; i++) expect(fail(watch, 2.5, "down")).toBeUndefined();
});

test("three crashes within ten seconds are three events; spread over more they are not", () => {
  const watch = new FailureWatch();
  expect(fail(watch, 1, "crashed")).toBeUndefined();
  expect(fail(watch, 2, "crashed")).toBeUndefined();
  expect(fail(watch, 3, "crashed")).toEqual({ events: 3, failures: 3, answered: 0 });
  // The same events aren't told twice.
  expect(fail(watch, 4, "crashed")).toBeUndefined();
  const slow = new FailureWatch();
  for (const at of [0, 6, 12, 18, 24]) expect(fail(slow, at, "crashed")).toBeUndefined();
});

test("a model that gives nothing but bad scores is told within ten seconds, at any rate of requests", () => {
  for (const perSecond of [1, 100]) {
    const watch = new FailureWatch();
    let toldAt: number | undefined;
    for (let i = 0; toldAt === undefined && i < 12 * perSecond; i++) if (fail(watch, i / perSecond, "bad-score")) toldAt = i / perSecond;
    expect(toldAt).toBeLessThanOrEqual(7);
    expect(toldAt).toBeGreaterThan(1);
  }
});

test("a release that fails a few of many is left to the guardrails; one that fails half of them is not", () => {
  const run = (good: number) => {
    const watch = new FailureWatch();
    for (let i = 0; i < 1000; i++) {
      if (fail(watch, i / 100, "bad-score")) return "told";
      watch.answered(r1, good);
    }
    return "not told";
  };
  expect(run(1000)).toBe("not told");
  expect(run(2)).toBe("not told");
  expect(run(1)).toBe("told");
});

test("what says nothing new of the release begins no event", () => {
  const watch = new FailureWatch();
  for (const trouble of ["down", "breaker-open", "overloaded", "closed", "not-computable"] as const)
    for (let i = 0; i < 100; i++) expect(fail(watch, i / 10, trouble)).toBeUndefined();
});
