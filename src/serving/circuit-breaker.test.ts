import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CLOSED, admit, record, type Breaker, type CallResult, type Ticket } from "./circuit-breaker.ts";

/** Makes a call if it may, and ends it at once. */
function call(breaker: Breaker, result: CallResult, nowMs: number, jitter = 0): { breaker: Breaker; wasMade: boolean } {
  const { breaker: asked, ticket } = admit(breaker, nowMs);
  if (ticket === null) return { breaker: asked, wasMade: false };
  return { breaker: record(asked, { ticket, result, nowMs, jitter }), wasMade: true };
}
const callAll = (results: readonly CallResult[], from: Breaker = CLOSED, nowMs = 0) =>
  results.reduce((breaker, result) => call(breaker, result, nowMs).breaker, from);
const times = (count: number, result: CallResult) => Array.from({ length: count }, () => result);

test("five bad calls in a row open it, four don't", () => {
  expect(callAll(times(4, "bad")).kind).toBe("closed");
  expect(callAll([...times(4, "bad"), "good", ...times(4, "bad")]).kind).toBe("closed");
  expect(callAll(times(5, "bad"))).toEqual({ kind: "open", untilMs: 1000, openings: 1 });
});

test("half of twenty calls within ten seconds open it; nineteen calls, or fewer bad ones, or older ones don't", () => {
  const pair: CallResult[] = ["bad", "good"];
  const pairs = (count: number) => Array.from({ length: count }, () => pair).flat();
  expect(callAll([...pairs(9), "bad"]).kind).toBe("closed"); // 19 calls, 10 bad
  expect(callAll([...pairs(9), "good", "bad"]).kind).toBe("open"); // 20 calls, 10 bad
  expect(callAll([...pairs(9), "good", "good"]).kind).toBe("closed"); // 20 calls, 9 bad
  expect(callAll(["good", "bad"], callAll(pairs(9)), 10_000).kind).toBe("closed");
  expect(callAll(["good", "bad"], callAll(pairs(9)), 9999).kind).toBe("open");
});

test("waits are 1, 2, 4, 8, 16, 30 and again 30 seconds while probes fail, up to a fifth more", () => {
  const waitsMs: number[] = [];
  for (const jitter of [0, 0.999]) {
    let breaker = callAll(times(5, "bad"));
    let nowMs = 0;
    for (let i = 0; i < 7; i++) {
      if (breaker.kind !== "open") throw new Error(breaker.kind);
      waitsMs.push(Math.round((breaker.untilMs - nowMs) / 100) / 10);
      nowMs = breaker.untilMs;
      breaker = call(breaker, "bad", nowMs, jitter).breaker;
    }
  }
  expect(waitsMs).toEqual([1, 2, 4, 8, 16, 30, 30, 1, 2.4, 4.8, 9.6, 19.2, 36, 36]);
});

test("three good probes close it, one at a time, and what was under way before it opened doesn't count", () => {
  let breaker = callAll(times(5, "bad"));
  expect(admit(breaker, 999).ticket).toBeNull();
  for (let probe = 0; probe < 3; probe++) {
    expect(breaker.kind).toBe(probe === 0 ? "open" : "half-open");
    const { breaker: probing, ticket } = admit(breaker, 1000);
    expect(ticket).toBe("probe");
    expect(admit(probing, 5000).ticket).toBeNull();
    expect(record(probing, { ticket: "ordinary", result: "bad", nowMs: 1000, jitter: 0 })).toBe(probing);
    breaker = record(probing, { ticket: "probe", result: "good", nowMs: 1000, jitter: 0 });
  }
  expect(breaker).toEqual(CLOSED);
});

test("a probe that was never made is tried again", () => {
  const asked = admit(callAll(times(5, "bad")), 1000).breaker;
  const after = record(asked, { ticket: "probe", result: "none", nowMs: 1000, jitter: 0 });
  expect(admit(after, 1000).ticket).toBe("probe");
});

describe("whatever calls do, in whatever order they end", () => {
  type Event =
    | { readonly kind: "start"; readonly afterMs: number }
    | { readonly kind: "end"; readonly which: number; readonly afterMs: number; readonly result: CallResult };
  const afterMs = fc.oneof({ weight: 8, arbitrary: fc.integer({ min: 0, max: 300 }) }, fc.integer({ min: 0, max: 40_000 }));
  const result = (bad: number) =>
    fc.oneof(
      { weight: bad, arbitrary: fc.constant<CallResult>("bad") },
      { weight: 5, arbitrary: fc.constant<CallResult>("good") },
      { weight: 1, arbitrary: fc.constant<CallResult>("none") },
    );
  const events = fc.integer({ min: 1, max: 10 }).chain((bad) =>
    fc.array(
      fc.oneof(
        afterMs.map((ms): Event => ({ kind: "start", afterMs: ms })),
        fc.tuple(fc.nat(), afterMs, result(bad)).map(([which, ms, end]): Event => ({ kind: "end", which, afterMs: ms, result: end })),
      ),
      { maxLength: 300, size: "max" },
    ),
  );

  test("it opens exactly when the rule says, never passes a call while open, and never two probes at once", () => {
    let openings = 0;
    fc.assert(
      fc.property(events, (all) => {
        let breaker: Breaker = CLOSED;
        let nowMs = 0;
        const underWay: Ticket[] = [];
        let sinceClosed: { readonly second: number; readonly isBad: boolean }[] = [];
        for (const event of all) {
          nowMs += event.afterMs;
          const before: Breaker = breaker;
          if (event.kind === "start") {
            const { breaker: after, ticket } = admit(before, nowMs);
            if (before.kind === "closed") expect(ticket).toBe("ordinary");
            if (before.kind === "open") expect(ticket).toBe(nowMs >= before.untilMs ? "probe" : null);
            if (ticket === "probe") expect(underWay).not.toContain("probe");
            if (ticket !== null) underWay.push(ticket);
            breaker = after;
            continue;
          }
          const [ticket] = underWay.splice(event.which % Math.max(1, underWay.length), 1);
          if (ticket === undefined) continue;
          breaker = record(before, { ticket, result: event.result, nowMs, jitter: 0.5 });
          if (before.kind === "closed" && event.result !== "none") {
            sinceClosed.push({ second: Math.floor(nowMs / 1000), isBad: event.result === "bad" });
            const recent = sinceClosed.filter(({ second }) => second > Math.floor(nowMs / 1000) - 10);
            const bad = recent.filter(({ isBad }) => isBad).length;
            const lastFive = sinceClosed.slice(-5);
            const isTooBad = (recent.length >= 20 && 2 * bad >= recent.length) || (lastFive.length === 5 && lastFive.every((c) => c.isBad));
            expect(breaker.kind).toBe(isTooBad ? "open" : "closed");
            if (isTooBad) openings++;
          } else if (before.kind === "half-open" && ticket === "probe") {
            const isThird = before.good === 2 && event.result === "good";
            expect(breaker.kind).toBe(event.result === "bad" ? "open" : isThird ? "closed" : "half-open");
          } else expect(breaker).toBe(before);
          if (before.kind !== "closed" && breaker.kind === "closed") sinceClosed = [];
          if (breaker.kind === "open" && before.kind !== "open") {
            expect(breaker.untilMs - nowMs).toBeGreaterThanOrEqual(1000);
            expect(breaker.untilMs - nowMs).toBeLessThanOrEqual(36_000);
          }
        }
      }),
    );
    expect(openings).toBeGreaterThan(20);
  });

  test("a server that is never bad is always asked; one that is always bad is asked less than once in 4 seconds over an hour", () => {
    const asked = (result_: CallResult) => {
      let breaker: Breaker = CLOSED;
      let made = 0;
      for (let nowMs = 0; nowMs < 3_600_000; nowMs += 10) {
        const done = call(breaker, result_, nowMs);
        breaker = done.breaker;
        if (done.wasMade) made++;
      }
      return made;
    };
    expect(asked("good")).toBe(360_000);
    expect(asked("bad")).toBeLessThan(900);
    expect(asked("bad")).toBeGreaterThan(100);
  });
});
