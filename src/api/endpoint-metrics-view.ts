/** Metrics of an endpoint as a reader gets them, and what may be asked. */
import { Type, type Static } from "typebox";
import { nearest } from "../checked.ts";
import {
  GROUP_METRICS,
  INPUT_METRICS,
  MetricAnswer,
  SERVICE_METRICS,
  isDriftMeasure,
  isGroupMetric,
  isInputMetric,
  isServiceMetric,
  type DriftMeasure,
  type GroupMetricName,
  type InputMetricName,
  type ServiceMetricName,
  type Window,
} from "../monitoring/index.ts";
import type { Issue } from "../std.ts";
import type { GroupNames } from "./group-names.ts";

export const ARMS = ["live", "canary", "ab", "shadow", "fallback", "pinned"] as const;

export const MetricsQuery = Type.Object({
  metric: Type.Optional(Type.String({ maxLength: 2000, description: "Names, separated by commas; all when left out" })),
  by: Type.Optional(
    Type.String({
      maxLength: 2000,
      description:
        "Attributes, separated by commas; several together with a slash: sex,education,sex/education. All, and the declared intersections, when left out",
    }),
  ),
  from: Type.Optional(Type.String({ maxLength: 40, description: "ISO 8601, rounded down to a minute; since the beginning when left out" })),
  to: Type.Optional(Type.String({ maxLength: 40, description: "ISO 8601, not included; now when left out" })),
  release: Type.Optional(Type.String({ maxLength: 100, description: "r12; the live one when left out" })),
  against: Type.Optional(
    Type.Enum(["training", "launch", "previous"], {
      description:
        "What inputs, scores and the mix of groups are compared with: the data that the release was trained on (the default where that is known), its first week, or the same time a week before. Each answer says with what it was",
    }),
  ),
  arm: Type.Optional(Type.Enum([...ARMS], { description: "Where it answered from; where it stands now when left out" })),
});
export type MetricsQuery = Static<typeof MetricsQuery>;

export const EndpointMetricsView = Type.Object(
  {
    endpoint: Type.String(),
    release: Type.String({ description: "r12" }),
    arm: Type.Enum([...ARMS]),
    arms: Type.Array(Type.Object({ arm: Type.String(), decisions: Type.Integer() }), {
      description: "Where this release has answered from",
    }),
    window: Type.Object({ from: Type.Union([Type.String(), Type.Null()]), to: Type.String() }),
    favourable: Type.Array(Type.String({ description: "Actions that are good for the person" })),
    labels: Type.Enum(["all", "favourable_only"], { description: "Whose outcomes become known, as the endpoint declares" }),
    against: Type.Enum(["training", "launch", "previous"], {
      description: "What inputs are compared with, and scores and the mix of groups where they can be",
    }),
    trainedOn: Type.Union([Type.String(), Type.Null()], { description: "`credit/2`: whose inputs are the reference `training`" }),
    minimum: Type.Integer({ description: "A comparison needs so many on each side" }),
    answers: Type.Array(MetricAnswer),
    notices: Type.Array(Type.String({ description: "What a reader should know before drawing conclusions" })),
  },
  { title: "EndpointMetrics" },
);
export type EndpointMetricsView = Static<typeof EndpointMetricsView>;

/** Which metrics, in the order of asking. */
export function metricsAsked(
  text: string | undefined,
  issues: Issue[],
): {
  readonly metrics: readonly GroupMetricName[];
  readonly service: readonly ServiceMetricName[];
  readonly inputs: readonly InputMetricName[];
  /** Of scores, and of the mix of groups. */
  readonly drift: readonly DriftMeasure[];
} {
  const known = [...new Set([...namesOf(SERVICE_METRICS), ...namesOf(GROUP_METRICS), ...namesOf(INPUT_METRICS)])];
  const names = text === undefined ? known : namesIn(text);
  for (const name of names)
    if (!isGroupMetric(name) && !isServiceMetric(name) && !isInputMetric(name))
      issues.push({ path: "/metric", expected: `a metric: ${known.join(", ")}`, got: name, ...meant(name, known) });
  return {
    metrics: names.filter(isGroupMetric),
    service: names.filter(isServiceMetric),
    inputs: names.filter(isInputMetric),
    drift: names.filter(isDriftMeasure),
  };
}

/** Which tables of groups. @param intersections - shown besides the single attributes where nothing is asked for */
export function tablesAsked(
  text: string | undefined,
  attributes: readonly string[],
  intersections: readonly (readonly string[])[],
  issues: Issue[],
): readonly (readonly string[])[] {
  if (text === undefined) return [...attributes.map((attribute) => [attribute]), ...intersections];
  const sets = namesIn(text).map((name) => name.split("/"));
  for (const name of new Set(sets.flat()))
    if (!attributes.includes(name)) {
      const expected = `an attribute of the endpoint's groups: ${attributes.join(", ") || "it declares none"}`;
      issues.push({ path: "/by", expected, got: name, ...meant(name, attributes) });
    }
  for (const set of sets)
    if (new Set(set).size < set.length || set.length > 4)
      issues.push({ path: "/by", expected: "up to four different attributes together", got: set.join("/") });
  return sets;
}

const namesIn = (text: string): readonly string[] => [...new Set(text.split(",").map((name) => name.trim()))].filter((name) => name !== "");

function meant(name: string, known: readonly string[]): { readonly hint?: string } {
  const near = nearest(name, known);
  return near ? { hint: `did you mean "${near}"?` } : {};
}

const MINUTE_MS = 60_000;
const DAY_MINUTES = 1440;
const ISO = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/;

/** The window that is asked for. Undefined: everything since the beginning. @param wholeDays - of a reader who may not see groups */
export function windowAsked(
  { from, to }: Pick<MetricsQuery, "from" | "to">,
  nowMs: number,
  wholeDays: boolean,
  issues: Issue[],
): Window | undefined {
  if (from === undefined && to === undefined) return undefined;
  const minute = (text: string | undefined, path: string): number | undefined => {
    if (text === undefined) return undefined;
    const atMs = ISO.test(text) ? Date.parse(text) : Number.NaN;
    if (Number.isNaN(atMs)) {
      issues.push({ path, expected: "a day or a time with its zone: 2026-11-25 or 2026-11-25T10:00:00Z", got: text });
      return undefined;
    }
    const at = Math.floor(atMs / MINUTE_MS);
    if (wholeDays && at % DAY_MINUTES !== 0)
      issues.push({ path, expected: "a whole day (UTC), as this token may not see groups: 2026-11-25", got: text });
    return at;
  };
  const before = issues.length;
  const fromMinute = minute(from, "/from") ?? null;
  const end = wholeDays ? Math.floor(nowMs / MINUTE_MS / DAY_MINUTES) * DAY_MINUTES : Math.floor(nowMs / MINUTE_MS) + 1;
  const toMinute = minute(to, "/to") ?? end;
  if (issues.length === before && fromMinute !== null && fromMinute >= toMinute)
    issues.push({ path: "/from", expected: `a time before ${to ?? "now"}`, got: from ?? "" });
  return { fromMinute, toMinute };
}

/** Groups by their values for those who may see them, by letters for others. */
export function withNames(answer: MetricAnswer, names: GroupNames): MetricAnswer {
  if (names.areVisible) return answer;
  const hidden = <G extends Readonly<Record<string, string>> | null>(group: G) =>
    group && Object.fromEntries(Object.entries(group).map(([attribute, value]) => [attribute, letterOf(attribute, value, names)]));
  return {
    ...answer,
    group: hidden(answer.group),
    reference: hidden(answer.reference),
    excluded: answer.excluded.map((one) => ({ ...one, group: hidden(one.group) })),
    ...(answer.most === undefined ? {} : { most: hidden(answer.most) }),
    ...(answer.least === undefined ? {} : { least: hidden(answer.least) }),
    ...(answer.drift_of === "groups" && answer.bins ? { bins: lettered(answer, names) } : {}),
  };
}
/** Bars of a mix are groups. */
function lettered({ bins = [], attributes }: MetricAnswer, names: GroupNames): NonNullable<MetricAnswer["bins"]> {
  return bins.map(({ label, ...counts }) => {
    const values = label.split("/");
    return { ...counts, label: values.map((value, i) => letterOf(attributes?.[i] ?? "", value, names)).join("/") };
  });
}
const letterOf = (attribute: string, value: string, names: GroupNames) => (value === "unknown" ? value : names.letterOf(attribute, value));

/** `Object.keys` of an object whose keys are all known. */
function namesOf<T extends object>(table: T): readonly (keyof T)[] {
  return Object.keys(table) as (keyof T)[];
}
