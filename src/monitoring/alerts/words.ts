/** Alerts in words, as far as a channel may know them. Pure. */
import type { Entry, Facts, News, Notice } from "./alert.ts";

export interface Reader {
  /** May be told which group. */
  readonly seesGroups: boolean;
  /** Where people reach the server, without a slash at the end; null where nobody has said. */
  readonly publicUrl: string | null;
}

/** What happened, without a full stop. */
export const titleFor = ({ title, blindTitle }: Facts, { seesGroups }: Pick<Reader, "seesGroups">): string =>
  seesGroups ? title : blindTitle;

/** `education=high_school`, `one group`, or null where it is about everybody. */
export const groupFor = ({ group }: Facts, { seesGroups }: Pick<Reader, "seesGroups">): string | null =>
  group === null ? null : seesGroups ? group : "one group";

export const linkFor = ({ path }: Facts, { publicUrl }: Reader): string | null =>
  path === null || publicUrl === null ? null : `${publicUrl}${path}`;

/** What stands before the title. */
const NEWS: Readonly<Record<News, string>> = {
  opened: "",
  escalated: "nobody has acknowledged: ",
  changed: "changed: ",
  acknowledged: "acknowledged: ",
  repeated: "still: ",
  resolved: "resolved: ",
};

/** One line: `[critical] loans: r3 turned down applicants of one group`. */
export function headline({ entries }: Notice, reader: Reader): string {
  const [first] = entries;
  if (!first) return "nothing";
  const more = entries.length > 1 ? ` (and ${(entries.length - 1).toLocaleString("en")} more)` : "";
  const isOver = first.news === "resolved";
  const news = isOver ? "" : NEWS[first.news];
  return `[${isOver ? "resolved" : first.facts.severity}] ${about(first.facts)}${news}${titleFor(first.facts, reader)}${more}`;
}

/** Who it is about stands before a sentence that doesn't say it. */
const about = ({ endpoint }: Facts): string => (endpoint === null ? "" : `${endpoint}: `);

/** Everything about one alert, sentence by sentence. */
export function sentences({ news, facts, openedAtMs, resolvedAtMs }: Entry, reader: Reader): readonly string[] {
  const { done, figures, guardrail, release, endpoint } = facts;
  const group = groupFor(facts, reader);
  const where = [
    ...(endpoint === null ? [] : [`endpoint ${endpoint}`]),
    ...(release === null ? [] : [`release ${release}`]),
    ...(guardrail === null ? [] : [`guardrail ${guardrail}`]),
    ...(group === null ? [] : [`group ${group}`]),
  ];
  const times = resolvedAtMs === null ? `Since ${moment(openedAtMs)}.` : `From ${moment(openedAtMs)} to ${moment(resolvedAtMs)}.`;
  return [
    `${capital(NEWS[news])}${titleFor(facts, reader)}.`,
    ...(done === null ? [] : [`${capital(done.text)}${done.ms === null ? "" : `, ${duration(done.ms)} after the proof`}.`]),
    ...(figures === null ? [] : [figuresInWords(figures)]),
    ...(where.length === 0 ? [] : [`${capital(where.join(", "))}.`]),
    times,
  ];
}

function figuresInWords({ metric, estimate, limit, evidence, needed, decisions }: NonNullable<Facts["figures"]>): string {
  const value = estimate === null ? "" : `${metric.replaceAll("_", " ")} ${rounded(estimate)}, limit ${rounded(limit)}; `;
  return capital(`${value}evidence ${odds(evidence)}, needed ${odds(needed)}, after ${decisions.toLocaleString("en")} decisions.`);
}

const odds = (value: number): string =>
  value >= 1e6 ? `${value.toExponential(1)} to 1` : `${Math.round(value).toLocaleString("en")} to 1`;
const rounded = (value: number): string => String(Number(value.toFixed(3)));
const duration = (ms: number): string => (ms < 10 ? `${ms.toFixed(1)} ms` : `${Math.round(ms).toLocaleString("en")} ms`);
/** `2026-11-30 20:13:17 UTC` */
const moment = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19).replace("T", " ")} UTC`;
const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** More than this in one text nobody reads. */
const IN_WORDS_MAX = 10;

/** A message for people, a paragraph an alert. */
export function textOf({ entries }: Notice, reader: Reader): string {
  const paragraphs = entries.slice(0, IN_WORDS_MAX).map((entry) => {
    const link = linkFor(entry.facts, reader);
    return [...sentences(entry, reader), link ?? `More: ${entry.facts.command}`].join("\n");
  });
  const more = entries.length - paragraphs.length;
  return [...paragraphs, ...(more > 0 ? [`And ${more.toLocaleString("en")} more: evenkeel alerts`] : [])].join("\n\n");
}

/** What a program is told of one alert. */
export function documentOf(entry: Entry, reader: Reader) {
  const { alert, key, kind, news, openedAtMs, resolvedAtMs, facts } = entry;
  return {
    id: alert,
    about: key,
    kind,
    news,
    severity: facts.severity,
    state: resolvedAtMs === null ? "open" : "resolved",
    title: titleFor(facts, reader),
    endpoint: facts.endpoint,
    release: facts.release,
    guardrail: facts.guardrail,
    group: groupFor(facts, reader),
    evidence: facts.figures,
    done: facts.done,
    openedAt: iso(openedAtMs),
    resolvedAt: resolvedAtMs === null ? null : iso(resolvedAtMs),
    link: linkFor(facts, reader),
  };
}

export const iso = (ms: number): string => new Date(ms).toISOString();
