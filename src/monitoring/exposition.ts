/** Prometheus' text format 0.0.4. Pure: numbers in, text out. */

/** What scrapers look at before the text: without it Prometheus 3 fails the scrape. */
export const EXPOSITION_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** One metric with all its samples. Names and units as Prometheus has them: seconds, bytes, shares from 0 to 1, counters end in `_total`. */
export type MetricFamily = {
  readonly name: string;
  readonly help: string;
} & (
  | { readonly type: "counter" | "gauge"; readonly samples: readonly MetricSample[] }
  | { readonly type: "histogram"; readonly samples: readonly HistogramSample[] }
);

/** Few and bounded: names of declared things, never of people. */
export type MetricLabels = Readonly<Record<string, string>>;

export interface MetricSample {
  readonly labels?: MetricLabels;
  readonly value: number;
}

export interface HistogramSample {
  readonly labels?: MetricLabels;
  /** Upper bounds, ascending, without the infinite one. */
  readonly bounds: readonly number[];
  /** How many were in each bucket, not cumulative: one more than there are bounds. */
  readonly buckets: readonly number[];
  /** Of all that was measured. */
  readonly sum: number;
}

/** The text of a scrape. A family without samples is left out: no data isn't 0. */
export function exposition(families: readonly MetricFamily[]): string {
  return families
    .filter(({ samples }) => samples.length > 0)
    .map((family) =>
      [
        `# HELP ${family.name} ${family.help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}\n`,
        `# TYPE ${family.name} ${family.type}\n`,
        ...(family.type === "histogram"
          ? family.samples.map((sample) => histogramText(family.name, sample))
          : family.samples.map(({ labels, value }) => lineOf(family.name, labels, value))),
      ].join(""),
    )
    .join("");
}

function histogramText(name: string, { labels, bounds, buckets, sum }: HistogramSample): string {
  let count = 0;
  const lines = buckets.map((more, i) => {
    count += more;
    return lineOf(`${name}_bucket`, { ...labels, le: numberText(bounds[i] ?? Number.POSITIVE_INFINITY) }, count);
  });
  return `${lines.join("")}${lineOf(`${name}_sum`, labels, sum)}${lineOf(`${name}_count`, labels, count)}`;
}

const lineOf = (name: string, labels: MetricLabels | undefined, value: number): string =>
  `${name}${labelText(labels ?? {})} ${numberText(value)}\n`;

function labelText(labels: MetricLabels): string {
  const pairs = Object.entries(labels).map(
    ([name, value]) => `${name}="${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`,
  );
  return pairs.length > 0 ? `{${pairs.join(",")}}` : "";
}

/** As Go reads numbers. */
const numberText = (value: number): string =>
  Number.isNaN(value) ? "NaN" : Number.isFinite(value) ? String(value) : value > 0 ? "+Inf" : "-Inf";

/** What stands for all that there is no room for. */
export const OTHER = "other";

/**
 * A family with `most` series at most, so that no number of releases or groups makes a scrape grow without end. What a counter or a
 * histogram has beyond goes into one more series whose labels are all `other`: sums stay right. Of a gauge it is left out. The first ones
 * are kept: give counters in an order in which none ever changes its place, or `other` would fall.
 * @returns the family, and how many of its series can't be seen by themselves
 */
export function bounded(family: MetricFamily, most: number): { readonly family: MetricFamily; readonly hidden: number } {
  const hidden = Math.max(0, family.samples.length - most);
  if (hidden === 0) return { family, hidden };
  if (family.type === "histogram") {
    const rest = family.samples.slice(most).reduce(addHistograms);
    return { family: { ...family, samples: [...family.samples.slice(0, most), { ...rest, labels: othersOf(rest.labels) }] }, hidden };
  }
  const kept = family.samples.slice(0, most);
  if (family.type === "gauge") return { family: { ...family, samples: kept }, hidden };
  const rest = family.samples.slice(most);
  const other = { labels: othersOf(rest[0]?.labels), value: rest.reduce((sum, { value }) => sum + value, 0) };
  return { family: { ...family, samples: [...kept, other] }, hidden };
}

const addHistograms = (a: HistogramSample, b: HistogramSample): HistogramSample => ({
  ...a,
  buckets: a.buckets.map((count, i) => count + (b.buckets[i] ?? 0)),
  sum: a.sum + b.sum,
});

const othersOf = (labels: MetricLabels = {}): MetricLabels => Object.fromEntries(Object.keys(labels).map((name) => [name, OTHER]));
