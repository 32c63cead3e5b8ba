/**
 * Rows of a feature set outside of serving, for training: the request's own check of the inputs and the very functions that derive what a
 * model sees, so that training and serving can't disagree.
 */
import type { FeatureSetSpec } from "../registry/index.ts";
import { err, ok, type Issue, type Result } from "../std.ts";
import { CelFailure } from "./cel.ts";
import type { InputsSpec } from "./endpoint-spec.ts";
import { compileFeatures } from "./features.ts";
import { celVariables, compileInputs } from "./inputs.ts";

/** A feature set over the inputs of an endpoint. Safe to keep. */
export interface FeatureRows {
  /** In the order of the row. */
  readonly names: readonly string[];
  /** Which of them are texts. */
  readonly texts: ReadonlySet<string>;
  /**
   * @param inputs - as a request would have them; what an endpoint would refuse is refused here, with paths below `/inputs`
   * @returns a row of its own: numbers as 32-bit floats, a missing one as NaN; a text as it is, a missing one as null
   */
  derive(inputs: Readonly<Record<string, unknown>>): Result<DerivedRow, readonly Issue[]>;
}

export interface DerivedRow {
  /** What the scorer would be given: texts are codes, whose meaning is this set's own. */
  readonly row: Float32Array;
  /** The same for people and files. */
  readonly values: readonly (number | string | null)[];
}

/** Issues have paths below `/inputs` and `/features`. */
export function featureRows(spec: FeatureSetSpec, inputs: InputsSpec): Result<FeatureRows, readonly Issue[]> {
  const parse = compileInputs({ inputs, groups: {} });
  const features = compileFeatures(spec, celVariables(inputs));
  if (!parse.ok) return parse;
  if (!features.ok) return features;
  const { names, texts, width } = features.value;
  return ok({
    names,
    texts: new Set(names.filter((_, i) => texts.has(i))),
    derive(body) {
      const request = parse.value({ inputs: body });
      if (!request.ok) return request;
      const row = new Float32Array(width);
      try {
        features.value.derive(request.value.inputs, row, 0);
      } catch (error) {
        if (!(error instanceof CelFailure)) throw error;
        return err([{ path: "/features", expected: "features that can be computed", got: error.message }]);
      }
      const values = Array.from(row, (value, i) => {
        const text = texts.get(i);
        return text ? (Number.isNaN(value) ? null : text.textOf(value)) : value;
      });
      return ok({ row, values });
    },
  });
}
