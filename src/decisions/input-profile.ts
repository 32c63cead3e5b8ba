/** How a release's inputs are put into bins, and how its training data lies in the same ones. Pure. */
import { Type, type Static } from "typebox";
import { object, orNull } from "../checked.ts";
import { FIRST_INPUT_BIN } from "./bin-counts.ts";

/** How many rows of the training data are in each bin, special ones first, as in `BIN_NAMES`. Null where no data is known. */
const Reference = orNull(Type.Array(Type.Integer({ minimum: 0 })));
const Name = { name: Type.String() };

export const InputProfile = object({
  /** `credit/2`; null where the release was trained on nothing that is known here, as a rule was. */
  dataset: orNull(Type.String()),
  inputs: Type.Array(
    Type.Union([
      /** Bin i is above `edges[i-1]` and up to `edges[i]`. */
      object({
        kind: Type.Literal("numbers"),
        ...Name,
        edges: Type.Array(Type.Number()),
        min: Type.Number(),
        max: Type.Number(),
        sd: Type.Number(),
        reference: Reference,
      }),
      /** Without training data: by power of two. */
      object({ kind: Type.Literal("powers"), ...Name, reference: Reference }),
      object({ kind: Type.Literal("categories"), ...Name, values: Type.Array(Type.String()), reference: Reference }),
    ]),
  ),
});
export type InputProfile = Static<typeof InputProfile>;
export type ProfiledInput = InputProfile["inputs"][number];

/** The bins that every input has, before its own. */
export const BIN_NAMES = ["missing", "invalid_type", "below", "above", "new_category"] as const;
export const OWN_BINS = BIN_NAMES.length;
const [MISSING, INVALID, BELOW, ABOVE, NEW] = [0, 1, 2, 3, 4];

/** Powers of two from 2^-32 to 2^63 on both sides of zero. */
const LEAST_POWER = -32;
const POWERS = 96;
const ZERO = POWERS;

/** How many bins an input has, special ones included. */
export function binCount(input: ProfiledInput): number {
  switch (input.kind) {
    case "numbers":
      return OWN_BINS + input.edges.length + 1;
    case "powers":
      return OWN_BINS + 2 * POWERS + 1;
    case "categories":
      return OWN_BINS + input.values.length;
    default:
      return input satisfies never;
  }
}

/** What a bin is called. */
export function binLabel(input: ProfiledInput, bin: number): string {
  const special = BIN_NAMES[bin];
  if (special !== undefined) return special;
  const own = bin - OWN_BINS;
  switch (input.kind) {
    case "numbers": {
      const [low, high] = [input.edges[own - 1], input.edges[own]];
      return high === undefined ? `> ${low ?? "?"}` : `≤ ${high}`;
    }
    case "powers":
      if (own === ZERO) return "0";
      return own > ZERO ? `≤ 2^${own - ZERO - 1 + LEAST_POWER}` : `≥ -2^${ZERO - 1 - own + LEAST_POWER}`;
    case "categories":
      return input.values[own] ?? "?";
    default:
      return input satisfies never;
  }
}

/** The number of the power of two that a size is up to. */
const powerOf = (size: number): number => Math.min(POWERS - 1, Math.max(0, Math.ceil(Math.log2(size)) - LEAST_POWER));

/** The bin of one value of one input. */
export function binOf(input: ProfiledInput, value: unknown): number {
  if (value === null || value === undefined) return MISSING;
  if (input.kind === "categories") {
    if (typeof value !== "string" && typeof value !== "boolean") return INVALID;
    const at = input.values.indexOf(String(value));
    return at < 0 ? NEW : OWN_BINS + at;
  }
  if (typeof value !== "number" || Number.isNaN(value)) return INVALID;
  if (input.kind === "powers") {
    if (value === 0) return OWN_BINS + ZERO;
    return OWN_BINS + (value > 0 ? ZERO + 1 + powerOf(value) : ZERO - 1 - powerOf(-value));
  }
  if (value < input.min) return BELOW;
  return value > input.max ? ABOVE : OWN_BINS + upperEdge(input.edges, value);
}

/** The first edge that isn't below the value; as many as there are where all are. */
function upperEdge(edges: readonly number[], value: number): number {
  let [low, high] = [0, edges.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((edges[middle] ?? Number.POSITIVE_INFINITY) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Puts the inputs of a request into bins, one character each. */
export function inputBinner({ inputs }: InputProfile): (values: Readonly<Record<string, unknown>>) => string {
  return (values) => {
    let text = "";
    for (const input of inputs) text += String.fromCharCode(FIRST_INPUT_BIN + binOf(input, values[input.name]));
    return text;
  };
}
