/** Conditions over an endpoint's inputs that decide whom a release may answer. Blind to groups: nobody is routed by what they are. */
import { err, ok, type Issue, type Result } from "../std.ts";
import { CelFailure, compileCelCondition, type CelVariable } from "./cel.ts";
import type { CompiledEndpoint } from "./endpoint.ts";
import type { Inputs } from "./inputs.ts";

export interface Condition {
  readonly source: string;
  /** False also where a missing input leaves it open: the person stays with live. */
  holds(inputs: Inputs): boolean;
}

/**
 * Compiles a routing condition, or says why it is refused: it isn't one over these inputs, or it reads a protected attribute or an
 * input that is one's twin (of its name, or declared by `twin_of`).
 */
export function compileCondition(
  source: string,
  { inputs, groups, variables }: Pick<CompiledEndpoint, "inputs" | "groups" | "variables">,
  path: string,
): Result<Condition, readonly Issue[]> {
  // Attributes are declared as well, so that whoever names one is told why not instead of that it doesn't exist.
  const attributes = Object.entries(groups).map(([name, values]): [string, CelVariable] => [
    name,
    { type: "string", optional: false, values },
  ]);
  const compiled = compileCelCondition(source, new Map([...attributes, ...variables]), path);
  if (!compiled.ok) return compiled;
  const expected = "a condition over inputs that tell nothing of groups: routing by group would treat people by what they are";
  for (const name of compiled.value.reads) {
    const twin = inputs[name]?.twin_of;
    if (twin !== undefined) return err([{ path, expected, got: `${name}, which is declared as a twin of ${twin}` }]);
    if (Object.hasOwn(groups, name)) return err([{ path, expected, got: `${name}, a protected attribute` }]);
  }
  if (compiled.value.reads.length === 0) return err([{ path, expected: "a condition that reads an input", got: source }]);
  return ok({
    source,
    holds(values) {
      try {
        return compiled.value.evaluate(values);
      } catch (error) {
        if (error instanceof CelFailure) return false;
        throw error;
      }
    },
  });
}
