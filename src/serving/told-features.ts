/** What people may be told of each feature when it was a reason for their decision. Pure. */
import type { FeatureSetSpec, FeatureSpec } from "../registry/index.ts";
import { err, ok, type Issue, type Result } from "../std.ts";
import { compileCelNumber } from "./cel.ts";
import type { CompiledEndpoint } from "./endpoint.ts";

/** One feature, as a reason. */
export interface ToldFeature {
  readonly name: string;
  /** Stable; features with the same code are one reason. */
  readonly code: string;
  /** For people whom it counted against; null where none is declared. */
  readonly reason: string | null;
  /** What it means. */
  readonly text: string;
  /** Protected attributes that are among the inputs it is made of. Such a feature is never told as a reason. */
  readonly attributes: readonly string[];
}

type Endpoint = Pick<CompiledEndpoint, "groups" | "inputs" | "variables">;

/**
 * The features of a set in its order. Issues, with paths below the features: a code with two texts, and a reason declared for what
 * comes from a protected attribute.
 */
export function toldFeatures({ features }: FeatureSetSpec, endpoint: Endpoint): Result<readonly ToldFeature[], readonly Issue[]> {
  const issues: Issue[] = [];
  const reasonOf = new Map<string, string>();
  const told = features.map((feature, i): ToldFeature => {
    const { name, code = name, reason = null } = feature;
    const attributes = [name, ...inputsOf(feature, endpoint)].filter(
      (each, at, all) => isProtected(each, endpoint) && all.indexOf(each) === at,
    );
    if (reason !== null && attributes.length > 0)
      issues.push({
        path: `/features/${i}/reason`,
        expected: "a reason that has nothing to do with a protected attribute",
        got: `one of ${name}, which is made of ${attributes.join(" and ")}`,
        hint: "leave reason out: what moved the score for such a feature is told apart, never as a reason",
      });
    const known = reasonOf.get(code);
    if (reason !== null && known !== undefined && known !== reason)
      issues.push({ path: `/features/${i}/reason`, expected: `the text that code ${code} has already: ${known}`, got: reason });
    if (reason !== null) reasonOf.set(code, known ?? reason);
    return { name, code, reason, text: textOf(feature, endpoint), attributes };
  });
  if (issues.length > 0) return err(issues);
  return ok(told.map((feature) => ({ ...feature, reason: feature.reason ?? reasonOf.get(feature.code) ?? null })));
}

const isProtected = (name: string, { groups }: Endpoint): boolean => Object.hasOwn(groups, name);

/** Inputs that a feature is made of; none where it doesn't compile, which is told elsewhere. */
function inputsOf(feature: FeatureSpec, { variables }: Endpoint): readonly string[] {
  if ("from" in feature) return [feature.from];
  const compiled = compileCelNumber(feature.cel, variables, "");
  return compiled.ok ? compiled.value.reads : [];
}

function textOf(feature: FeatureSpec, { inputs }: Endpoint): string {
  return feature.text ?? ("from" in feature ? inputs[feature.from]?.text : undefined) ?? feature.name;
}
