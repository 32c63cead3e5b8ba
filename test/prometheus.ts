/** A strict reader of Prometheus' text format 0.0.4, for tests: written from its description, not from what writes it. */

export interface Scraped {
  readonly help: string;
  readonly type: string;
  readonly samples: ScrapedSample[];
}

export interface ScrapedSample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  /** Of a histogram's sample, what follows the family's name. */
  readonly part?: string;
}

/** @throws Error for what Prometheus would refuse: a name twice, samples before their type, a label set twice, a bad escape */
export function parsedMetrics(text: string): ReadonlyMap<string, Scraped> {
  if (text !== "" && !text.endsWith("\n")) throw new Error("the last line doesn't end");
  const families = new Map<string, Scraped>();
  const helps = new Map<string, string>();
  let current = "";
  for (const line of text.split("\n").slice(0, -1)) {
    const [, helpName, help] = /^# HELP ([a-zA-Z_][a-zA-Z0-9_]*) ([^]*)$/.exec(line) ?? [];
    if (helpName !== undefined) {
      if (helps.has(helpName)) throw new Error(`${helpName} is described twice`);
      helps.set(helpName, unescaped(help ?? "", { quotes: false }));
      continue;
    }
    const [, name, type] = /^# TYPE ([a-zA-Z_][a-zA-Z0-9_]*) (counter|gauge|histogram)$/.exec(line) ?? [];
    if (name !== undefined) {
      if (families.has(name)) throw new Error(`${name} comes twice`);
      families.set(name, { help: helps.get(name) ?? "", type: type ?? "", samples: [] });
      current = name;
      continue;
    }
    const [, sampleName = "", , labelText = "", number = ""] =
      /^([a-zA-Z_][a-zA-Z0-9_]*)(\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\]|\\.)*",?)*)\})? (\S+)$/s.exec(line) ?? [];
    const family = families.get(current);
    const part = family?.type === "histogram" ? sampleName.slice(current.length) : "";
    const isInPlace = family?.type === "histogram" ? ["_bucket", "_sum", "_count"].includes(part) : sampleName === current;
    if (!family || !isInPlace || !sampleName.startsWith(current)) throw new Error(`can't be read, or out of place: ${line}`);
    const labels = Object.fromEntries(
      [...labelText.matchAll(/([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"/gs)].map(([, label = "", value = ""]) => [
        label,
        unescaped(value, { quotes: true }),
      ]),
    );
    const isTwice = family.samples.some((other) => (other.part ?? "") === part && JSON.stringify(other.labels) === JSON.stringify(labels));
    if (isTwice) throw new Error(`twice: ${line}`);
    family.samples.push({ labels, value: numberIn(number), ...(part === "" ? {} : { part }) });
  }
  for (const [name, { type, samples }] of families) if (type === "histogram") checkHistograms(name, samples);
  return families;
}

/** Bounds that grow, counts that never fall, and all of them in the infinite bucket. */
function checkHistograms(name: string, samples: readonly ScrapedSample[]): void {
  const withoutBound = ({ labels }: ScrapedSample) => JSON.stringify(Object.entries(labels).filter(([label]) => label !== "le"));
  for (const [labels, same] of Map.groupBy(samples, withoutBound)) {
    const buckets = same.filter(({ part }) => part === "_bucket").map(({ labels: { le = "" }, value }) => ({ le: numberIn(le), value }));
    const count = same.find(({ part }) => part === "_count")?.value;
    const grow = buckets.every(({ le, value }, i) => i === 0 || (le > (buckets[i - 1]?.le ?? 0) && value >= (buckets[i - 1]?.value ?? 0)));
    const last = buckets.at(-1);
    if (!grow || last?.le !== Number.POSITIVE_INFINITY || last.value !== count || !same.some(({ part }) => part === "_sum"))
      throw new Error(`${name}${labels} is no histogram`);
  }
}

function unescaped(text: string, { quotes }: { readonly quotes: boolean }): string {
  return text.replaceAll(/\\(.)?/gs, (_all, escaped: string | undefined) => {
    if (escaped === "\\") return "\\";
    if (escaped === "n") return "\n";
    if (escaped === '"' && quotes) return '"';
    throw new Error(`bad escape \\${escaped ?? ""}`);
  });
}

function numberIn(text: string): number {
  if (text === "NaN") return Number.NaN;
  if (text === "+Inf") return Number.POSITIVE_INFINITY;
  if (text === "-Inf") return Number.NEGATIVE_INFINITY;
  if (!/^-?\d+(\.\d+)?(e[+-]\d+)?$/.test(text)) throw new Error(`not a number: ${text}`);
  return Number(text);
}
