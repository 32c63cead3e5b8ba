import fc from "fast-check";
import { expect, test } from "vitest";
import { parsedMetrics } from "../../test/prometheus.ts";
import { bounded, exposition, type HistogramSample, type MetricFamily } from "./exposition.ts";

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

const durations = (labels: Readonly<Record<string, string>>, buckets: readonly number[]): HistogramSample => ({
  labels,
  bounds: [0.5, 1],
  buckets,
  sum: 7,
});

test("a histogram's buckets add up, and the last one is infinite", () => {
  const samples = [durations({ endpoint: "loans" }, [3, 0, 2])];
  expect(exposition([{ name: "a_seconds", help: "b", type: "histogram", samples }])).toBe(`# HELP a_seconds b
# TYPE a_seconds histogram
a_seconds_bucket{endpoint="loans",le="0.5"} 3
a_seconds_bucket{endpoint="loans",le="1"} 3
a_seconds_bucket{endpoint="loans",le="+Inf"} 5
a_seconds_sum{endpoint="loans"} 7
a_seconds_count{endpoint="loans"} 5
`);
});

test("however many series there are, so many are shown, sums stay right, and no counter falls when more come", () => {
  const family = (values: readonly number[]): MetricFamily => ({
    name: "a_total",
    help: "b",
    type: "counter",
    samples: values.map((value, i) => ({ labels: { release: `r${i}` }, value })),
  });
  fc.assert(
    fc.property(fc.array(fc.nat(1000), { maxLength: 30 }), fc.array(fc.nat(1000), { maxLength: 5 }), fc.nat(10), (values, more, most) => {
      const shown = (all: readonly number[]) => bounded(family(all), most);
      const { family: before, hidden } = shown(values);
      const after = parsedMetrics(exposition([shown([...values, ...more]).family])).get("a_total");
      expect(hidden).toBe(Math.max(0, values.length - most));
      expect(before.samples.length).toBeLessThanOrEqual(most + 1);
      const scraped = parsedMetrics(exposition([before])).get("a_total")?.samples ?? [];
      expect(scraped.reduce((sum, { value }) => sum + value, 0)).toBe(values.reduce((sum, value) => sum + value, 0));
      for (const { labels, value } of scraped)
        expect(after?.samples.find((one) => one.labels["release"] === labels["release"])?.value).toBeGreaterThanOrEqual(value);
    }),
  );
});

test("of gauges and histograms too only so many are shown", () => {
  const gauges = bounded(
    { name: "a", help: "b", type: "gauge", samples: [1, 2, 3].map((value) => ({ labels: { i: `${value}` }, value })) },
    2,
  );
  expect([gauges.hidden, gauges.family.samples.length]).toEqual([1, 2]);
  const samples = [
    [1, 0, 0],
    [0, 2, 0],
    [0, 0, 3],
  ].map((buckets, i) => durations({ i: `${i}` }, buckets));
  expect(bounded({ name: "a_seconds", help: "b", type: "histogram", samples }, 1)).toMatchObject({
    hidden: 2,
    family: {
      samples: [
        { labels: { i: "0" }, buckets: [1, 0, 0] },
        { labels: { i: "other" }, buckets: [0, 2, 3], sum: 14 },
      ],
    },
  });
});
