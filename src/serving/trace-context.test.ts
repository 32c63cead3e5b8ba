import { expect, test } from "vitest";
import { parseTraceParent, traceContextIn, traceParentText } from "./trace-context.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT = "00f067aa0ba902b7";

/** inference-protocols §5.2, P1 to P12. */
test.each([
  ["P1", `00-${TRACE}-${PARENT}-01`, 1],
  ["P2", `00-${TRACE}-${PARENT}-03`, 3],
  ["P3", `00-${TRACE}-${PARENT}-00`, 0],
  ["P4", `00-${TRACE.toUpperCase()}-${PARENT}-01`, undefined],
  ["P5", `00-${"0".repeat(32)}-${PARENT}-01`, undefined],
  ["P6", `00-${TRACE}-${"0".repeat(16)}-01`, undefined],
  ["P7", `ff-${TRACE}-${PARENT}-01`, undefined],
  ["P8", `01-${TRACE}-${PARENT}-01-what`, 1],
  ["P9", `01-${TRACE}-${PARENT}-01x`, undefined],
  ["P10", `00-${TRACE}-${PARENT}-01-x`, undefined],
  ["P11", `00-${TRACE}-${PARENT}`, undefined],
  ["P12", `cc-${TRACE}-${PARENT}-09`, 1],
])("%s of the reference", (_name, text, flags) => {
  expect(parseTraceParent(text)).toEqual(flags === undefined ? undefined : { traceId: TRACE, parentId: PARENT, flags });
});

test("what was read is written as it came, and a later version as this one", () => {
  for (const [from, to] of [
    [`00-${TRACE}-${PARENT}-01`, `00-${TRACE}-${PARENT}-01`],
    [`cc-${TRACE}-${PARENT}-09-x`, `00-${TRACE}-${PARENT}-01`],
  ] as const) {
    const parsed = parseTraceParent(from);
    expect(parsed && traceParentText(parsed)).toBe(to);
  }
});

test("a state goes along with its parent only, unchanged, and only where it can be sent", () => {
  const traceparent = `00-${TRACE}-${PARENT}-01`;
  expect(traceContextIn({ traceparent, tracestate: "a=1, b=2" })).toEqual({ traceparent, tracestate: "a=1, b=2" });
  expect(traceContextIn({ tracestate: "a=1" })).toBeUndefined();
  expect(traceContextIn({ traceparent: "mine", tracestate: "a=1" })).toBeUndefined();
  for (const tracestate of ["a=\u00e9", `a=${"1".repeat(600)}`, ""])
    expect(traceContextIn({ traceparent, tracestate })).toEqual({ traceparent });
});
