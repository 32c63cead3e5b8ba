/** Parameters with several values: every combination is a run of its own. Pure. */
import { nearest } from "../checked.ts";
import type { Json } from "../store/index.ts";
import { err, ok, type Issue, type Result } from "../std.ts";
import { parseYaml } from "../yaml.ts";
import { isTree, pathsOf, subtree } from "./capture.ts";
import type { Pipeline } from "./declaration.ts";

/** One parameter and the values that it is to have. */
export interface Setting {
  /** Dotted: `train.depth` */
  readonly path: string;
  readonly values: readonly Json[];
}

/** One way to set everything that was to be set. */
export interface Combination {
  readonly params: Readonly<Record<string, Json>>;
  /** What was set, by path; empty when nothing was. */
  readonly set: Readonly<Record<string, Json>>;
}

const COMBINATIONS_MAX = 1000;

/**
 * Reads `train.depth=4,8,12`: values are YAML, with commas between. A parameter that isn't there, or that no step is told, is refused: it
 * would do nothing, and the runs would look as if it had.
 */
export function settingsOf(
  texts: readonly string[],
  { pipeline, params }: { readonly pipeline: Pipeline; readonly params: Readonly<Record<string, Json>> },
): Result<readonly Setting[], readonly Issue[]> {
  const issues: Issue[] = [];
  const settings = texts.flatMap((text): Setting[] => {
    const equals = text.indexOf("=");
    const path = text.slice(0, Math.max(0, equals)).trim();
    const values = equals > 0 ? valuesIn(text.slice(equals + 1)) : undefined;
    if (!values) {
      issues.push({ path: "--set", expected: "a parameter and its values, such as train.depth=4,8,12", got: text });
      return [];
    }
    const trouble =
      unknownParam(path, pipeline, params) ?? (texts.filter((other) => other.startsWith(`${path}=`)).length > 1 ? twice(path) : undefined);
    if (trouble) issues.push(trouble);
    return [{ path, values }];
  });
  const count = settings.reduce((product, { values }) => product * values.length, 1);
  if (count > COMBINATIONS_MAX)
    issues.push({
      path: "--set",
      expected: `at most ${COMBINATIONS_MAX.toLocaleString("en")} combinations`,
      got: count.toLocaleString("en"),
    });
  return issues.length > 0 ? err(issues) : ok(settings);
}

const twice = (path: string): Issue => ({ path: "--set", expected: "each parameter once, with all its values", got: `${path} twice` });

function valuesIn(text: string): readonly Json[] | undefined {
  const documents = parseYaml(`[${text}]`);
  const value = documents.ok ? documents.value[0]?.value : undefined;
  return Array.isArray(value) && value.length > 0 ? asValues(value) : undefined;
}
/** YAML's core schema knows nothing that JSON doesn't. */
const asValues = (value: readonly unknown[]): readonly Json[] => value as readonly Json[];

function unknownParam(path: string, pipeline: Pipeline, params: Readonly<Record<string, Json>>): Issue | undefined {
  if (subtree(params, path) === undefined) {
    const near = nearest(path, pathsOf(params));
    return {
      path: "--set",
      expected: "a parameter of the parameters' file",
      got: path,
      ...(near ? { hint: `did you mean ${near}?` } : {}),
    };
  }
  const isTold = pipeline.steps.some((step) => step.params.some((named) => path === named || path.startsWith(`${named}.`)));
  return isTold ? undefined : { path: "--set", expected: "a parameter that some step is told", got: `${path}, which no step names` };
}

/** Every way to choose a value for each setting, the last one changing fastest. */
export function combinations(params: Readonly<Record<string, Json>>, settings: readonly Setting[]): readonly Combination[] {
  return settings.reduce<readonly Combination[]>(
    (so, { path, values }) =>
      so.flatMap((one) =>
        values.map((value) => ({ params: withValue(one.params, path.split("."), value), set: { ...one.set, [path]: value } })),
      ),
    [{ params, set: {} }],
  );
}

function withValue(params: Readonly<Record<string, Json>>, [first = "", ...rest]: readonly string[], value: Json): Record<string, Json> {
  const inner = params[first];
  return { ...params, [first]: rest.length === 0 || !isTree(inner) ? value : withValue(definedIn(inner), rest, value) };
}

const definedIn = (tree: Readonly<Record<string, Json | undefined>>): Record<string, Json> =>
  Object.fromEntries(Object.entries(tree).filter((entry): entry is [string, Json] => entry[1] !== undefined));
