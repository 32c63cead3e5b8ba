/** Prometheus' text format 0.0.4. Pure: numbers in, text out. */

/** What scrapers look at before the text: without it Prometheus 3 fails the scrape. */
export const EXPOSITION_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** One metric with all its samples. Names and units as Prometheus has them: seconds, bytes, shares from 0 to 1, counters end in `_total`. */
export interface MetricFamily {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge";
  readonly samples: readonly MetricSample[];
}

export interface MetricSample {
  /** Few and bounded: names of declared things, never of people. */
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

/** The text of a scrape. A family without samples is left out: no data isn't 0. */
export function exposition(families: readonly MetricFamily[]): string {
  return families
    .filter(({ samples }) => samples.length > 0)
    .map(({ name, help, type, samples }) =>
      [
        `# HELP ${name} ${help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}\n`,
        `# TYPE ${name} ${type}\n`,
        ...samples.map(({ labels = {}, value }) => `${name}${labelText(labels)} ${numberText(value)}\n`),
      ].join(""),
    )
    .join("");
}

function labelText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(
    ([name, value]) => `${name}="${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`,
  );
  return pairs.length > 0 ? `{${pairs.join(",")}}` : "";
}

/** As Go reads numbers. */
const numberText = (value: number): string =>
  Number.isNaN(value) ? "NaN" : Number.isFinite(value) ? String(value) : value > 0 ? "+Inf" : "-Inf";
