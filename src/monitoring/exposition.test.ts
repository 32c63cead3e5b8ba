import fc from "fast-check";
import { expect, test } from "vitest";
import { parsedMetrics } from "../../test/prometheus.ts";
import { exposition } from "./exposition.ts";

test("the example of the protocol notes", () => {
  const samples = [
    { labels: { endpoint: "loans", release: "r7", route: "live", action: "approve" }, value: 1027 },
    { labels: { endpoint: "loans", release: "r8", route: "canary", action: "deny" }, value: 3 },
  ];
  expect(exposition([{ name: "evenkeel_decisions_total", help: "Decisions recorded.", type: "counter", samples }])).toBe(
    `# HELP evenkeel_decisions_total Decisions recorded.
# TYPE evenkeel_decisions_total counter
evenkeel_decisions_total{endpoint="loans",release="r7",route="live",action="approve"} 1027
evenkeel_decisions_total{endpoint="loans",release="r8",route="canary",action="deny"} 3
`,
  );
});

test("whatever stands in a label comes back out of a parser", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.double(), (text, value) => {
      const scraped = parsedMetrics(exposition([{ name: "a", help: text, type: "gauge", samples: [{ labels: { b: text }, value }] }]));
      expect(scraped.get("a")).toEqual({ help: text, type: "gauge", samples: [{ labels: { b: text }, value: value === 0 ? 0 : value }] });
    }),
  );
});

test("numbers that aren't are said as Go says them, and a metric without samples isn't there", () => {
  const samples = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY].map((value, i) => ({ labels: { i: String(i) }, value }));
  expect(exposition([{ name: "a", help: "b", type: "gauge", samples }])).toContain('a{i="0"} NaN\na{i="1"} +Inf\na{i="2"} -Inf\n');
  expect(exposition([{ name: "a", help: "b", type: "gauge", samples: [] }])).toBe("");
});
