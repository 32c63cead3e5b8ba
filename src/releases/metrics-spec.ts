/** What an endpoint says of its metrics: whom groups are compared with, whose outcomes become known, which cells are too small. */
import { Type, type Static } from "typebox";
import { SCORE_BINS } from "../decisions/index.ts";
import type { GroupValues, Terms } from "../monitoring/index.ts";
import type { GroupsSpec } from "../serving/index.ts";
import type { Issue } from "../std.ts";
import { nearest } from "../checked.ts";

export const MetricsSpec = Type.Object(
  {
    references: Type.Optional(
      Type.Record(Type.String({ maxLength: 250 }), Type.String({ maxLength: 250 }), {
        maxProperties: 50,
        description:
          "Whom the groups of an attribute are compared with, in every window: `sex: male`, `sex/education: male/graduate`. Without one it is whoever is best off",
      }),
    ),
    intersections: Type.Optional(
      Type.Array(Type.Array(Type.String(), { minItems: 2, maxItems: 4, uniqueItems: true }), {
        maxItems: 20,
        description: "Attributes to look at together as well",
      }),
    ),
    labels: Type.Optional(
      Type.Enum(["all", "favourable_only"], {
        description:
          "Whose outcomes become known: everybody's, or only of those with a favourable answer, as of a lender's borrowers (the default)",
      }),
    ),
    minimum: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 100_000, description: "People on each side of a comparison at least; 30 by default" }),
    ),
    min_group_share: Type.Optional(
      Type.Number({ minimum: 0, maximum: 0.5, description: "Smaller groups aren't a reference by being best off; 0 by default" }),
    ),
    score: Type.Optional(
      Type.Enum(["probability", "points"], {
        description: "What scores are: chances of a good outcome (the default of models), or anything else (the default of rules)",
      }),
    ),
    score_step: Type.Optional(
      Type.Number({ exclusiveMinimum: 0, maximum: 1, description: "All scores are multiples of it, as points are: 0.01" }),
    ),
    small_cell: Type.Optional(
      Type.Integer({ minimum: 5, maximum: 1000, description: "Fewer are hidden from readers who may not see groups; 10 by default" }),
    ),
  },
  { title: "Metrics", additionalProperties: false },
);
export type MetricsSpec = Static<typeof MetricsSpec>;

/** Joins the names of attributes that are looked at together, and values of them. */
const TOGETHER = "/";

const DEFAULTS = { minimum: 30, labels: "favourable_only", smallCell: 10 } as const;

/** The terms that an endpoint's metrics are computed on, whether it says any or not. */
export interface MetricTerms extends Terms {
  readonly smallCell: number;
  /** Attributes that are looked at together, besides each alone. */
  readonly intersections: readonly (readonly string[])[];
}

/** @param scorer - kind of the release's scorer: a rule's scores aren't chances of anything, unless the endpoint says so */
export function metricTerms(spec: MetricsSpec = {}, scorer = ""): MetricTerms {
  const references = new Map(Object.entries(spec.references ?? {}).map(([key, value]) => [key, groupOf(key, value)]));
  return {
    minimum: spec.minimum ?? DEFAULTS.minimum,
    labels: spec.labels ?? DEFAULTS.labels,
    minGroupShare: spec.min_group_share ?? 0,
    isProbability: spec.score === undefined ? scorer !== "rules" : spec.score === "probability",
    intersections: spec.intersections ?? [],
    hasFineScores: spec.score_step !== undefined && isWhole(spec.score_step * SCORE_BINS),
    smallCell: spec.small_cell ?? DEFAULTS.smallCell,
    referenceOf(attributes) {
      const own = references.get(attributes.join(TOGETHER));
      if (own || attributes.length < 2) return own;
      // Of several attributes: those who are the reference in each of them.
      const each = attributes.map((attribute) => references.get(attribute));
      return each.includes(undefined) ? undefined : Object.assign({}, ...each);
    },
  };
}

const isWhole = (value: number): boolean => value >= 1 && Math.abs(value - Math.round(value)) < 1e-9;

function groupOf(key: string, value: string): GroupValues {
  const values = value.split(TOGETHER);
  return Object.fromEntries(key.split(TOGETHER).map((attribute, i) => [attribute, values[i] ?? ""]));
}

/** What is wrong with it for an endpoint's groups; paths are below `/metrics`. */
export function metricsIssues(spec: MetricsSpec, groups: GroupsSpec): readonly Issue[] {
  const attributes = Object.keys(groups);
  const attributeIssue = (attribute: string, path: string): Issue[] => {
    if (attributes.includes(attribute)) return [];
    const near = nearest(attribute, attributes);
    const expected = `an attribute of groups: ${attributes.join(", ") || "none is declared"}`;
    return [{ path, expected, got: attribute, ...(near ? { hint: `did you mean "${near}"?` } : {}) }];
  };
  const references = Object.entries(spec.references ?? {}).flatMap(([key, value]) => {
    const path = `/references/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`;
    const [names, values] = [key.split(TOGETHER), value.split(TOGETHER)];
    const unknown = names.flatMap((attribute) => attributeIssue(attribute, path));
    if (unknown.length > 0) return unknown;
    if (names.length !== values.length) return [{ path, expected: `one value for each of ${names.join(", ")}`, got: value }];
    return names.flatMap((attribute, i): Issue[] => {
      const [declared, got] = [groups[attribute] ?? [], values[i] ?? ""];
      if (declared.includes(got)) return [];
      const near = nearest(got, declared);
      return [
        { path, expected: `a value of ${attribute}: ${declared.join(", ")}`, got, ...(near ? { hint: `did you mean "${near}"?` } : {}) },
      ];
    });
  });
  const intersections = (spec.intersections ?? []).flatMap((set, i) =>
    set.flatMap((attribute, j) => attributeIssue(attribute, `/intersections/${i}/${j}`)),
  );
  return [...references, ...intersections];
}
