/** What the values of an input can be expected to be, beyond its own type. */
import type { InputSpec } from "./endpoint-spec.ts";

type Test = ((value: unknown) => boolean) | null;
const asText =
  (pattern: RegExp): Test =>
  (value) =>
    typeof value === "string" && pattern.test(value);
/** By the input's type: what can be expected beyond it. null: it holds for every value that the input accepts; not there: for none. */
export const TYPES: Readonly<Record<InputSpec["type"], Readonly<Record<string, Test>>>> = {
  number: { number: null, integer: Number.isSafeInteger },
  integer: { number: null, integer: null },
  boolean: { boolean: null },
  string: {
    string: null,
    number: (value) => typeof value === "string" && value.trim() !== "" && Number.isFinite(Number(value)),
    integer: asText(/^[+-]?\d+$/),
    boolean: asText(/^(true|false|0|1)$/i),
    date: (value) => isDate(value, 10),
    timestamp: (value) => isDate(value, 16),
  },
};
const ISO = /^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:[.]\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?$/;
const isDate = (value: unknown, least: number): boolean =>
  typeof value === "string" &&
  (least === 10 ? value.length === 10 : value.length >= least) &&
  ISO.test(value) &&
  !Number.isNaN(Date.parse(value));
