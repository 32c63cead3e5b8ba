/** The tensors of an inference request: read strictly, nothing coerced, every fault with its place. */
import { shown } from "../checked.ts";
import { err, ok, type Issue, type Result } from "../std.ts";
import { DATATYPES, decodeElements, type Datatype, type Element } from "./tensor-bytes.ts";

export interface Tensor {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  /** Row-major; floats and texts that are missing are null. */
  readonly elements: readonly Element[];
  /** Where it stands in the body. */
  readonly pointer: string;
  readonly contentType: string | null;
}

export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** An optional field: null is the same as absent. */
export const given = (object: Readonly<Record<string, unknown>>, key: string): unknown => object[key] ?? undefined;

const MAX_ELEMENTS = 5_000_000;

/** @param binary - what follows the JSON in the body */
export function readTensors(inputs: unknown, binary: Buffer): Result<readonly Tensor[], Issue> {
  if (!Array.isArray(inputs) || inputs.length === 0)
    return err({ path: "/inputs", expected: "a list of at least one input", got: shown(inputs) });
  const tensors: Tensor[] = [];
  let at = 0;
  for (const [i, input] of inputs.entries()) {
    const tensor = readTensor(input, `/inputs/${i}`, binary.subarray(at));
    if (!tensor.ok) return tensor;
    const { name, shape } = tensor.value.tensor;
    if (tensors.some((other) => other.name === name))
      return err({ path: `/inputs/${i}/name`, expected: "every input once", got: `'${name}' twice` });
    const rows = tensors[0]?.shape[0] ?? shape[0];
    if (shape[0] !== rows)
      return err({ path: `/inputs/${i}/shape`, expected: `as many rows as the first input, which has ${rows}`, got: `${shape[0]} rows` });
    tensors.push(tensor.value.tensor);
    at += tensor.value.bytes;
  }
  if (at !== binary.length)
    return err({ path: "", expected: "no bytes but those of the inputs", got: `${binary.length - at} bytes that belong to no input` });
  return ok(tensors);
}

function readTensor(input: unknown, pointer: string, binary: Buffer): Result<{ tensor: Tensor; bytes: number }, Issue> {
  if (!isObject(input)) return err({ path: pointer, expected: "an object with name, shape, datatype and data", got: shown(input) });
  const { name, shape } = input;
  if (typeof name !== "string" || name === "") return err({ path: `${pointer}/name`, expected: "a name", got: shown(name) });
  const datatype = DATATYPES.find((known) => known === input["datatype"]);
  if (datatype === undefined) {
    const isShort = input["datatype"] === "FP16" || input["datatype"] === "BF16";
    const expected = isShort ? "another datatype: send FP32" : `one of ${DATATYPES.join(", ")}`;
    return err({ path: `${pointer}/datatype`, expected, got: shown(input["datatype"]) });
  }
  if (!isShape(shape))
    return err({ path: `${pointer}/shape`, expected: "a list of whole numbers from 0, the rows first", got: shown(shape) });
  const count = shape.reduce((product, size) => product * size, 1);
  if (count > MAX_ELEMENTS) return err({ path: `${pointer}/shape`, expected: `at most ${MAX_ELEMENTS} elements`, got: String(count) });
  const parameters = given(input, "parameters") ?? {};
  if (!isObject(parameters)) return err({ path: `${pointer}/parameters`, expected: "an object", got: shown(parameters) });
  if (Object.keys(parameters).some((key) => key.startsWith("shared_memory")))
    return err({ path: `${pointer}/parameters`, expected: "data in the request: shared memory is not supported", got: "shared memory" });
  const contentType = typeof parameters["content_type"] === "string" ? parameters["content_type"] : null;
  const made = (elements: readonly Element[]): Tensor => ({ name, datatype, shape, elements, pointer, contentType });

  const size = given(parameters, "binary_data_size");
  if (size !== undefined) {
    const path = `${pointer}/parameters/binary_data_size`;
    if (given(input, "data") !== undefined)
      return err({ path: `${pointer}/data`, expected: "either data or binary_data_size", got: "both" });
    if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0)
      return err({ path, expected: "a number of bytes", got: shown(size) });
    if (size > binary.length)
      return err({ path, expected: `${size} bytes after the JSON, as announced`, got: `${binary.length} left`, hint: NEEDS_HEADER });
    const decoded = decodeElements(datatype, binary.subarray(0, size), count);
    return decoded.ok
      ? ok({ tensor: made(decoded.value), bytes: size })
      : err({ path: pointer, expected: "the elements that it announces", got: `input '${name}' ${decoded.error}` });
  }
  const data = given(input, "data");
  if (!Array.isArray(data)) return err({ path: `${pointer}/data`, expected: `a list of ${count} elements`, got: shown(data) });
  const flat = flattened(data, shape, pointer);
  if (!flat.ok) return flat;
  const elements: Element[] = [];
  for (const [i, raw] of flat.value.entries()) {
    const element = elementOf(datatype, raw);
    if (element === undefined)
      return err({ path: `${pointer}/data/${i}`, expected: `${EXPECTED[datatype]} as element ${i} of input '${name}'`, got: shown(raw) });
    elements.push(element);
  }
  return ok({ tensor: made(elements), bytes: 0 });
}

export const NEEDS_HEADER = "binary data needs the header Inference-Header-Content-Length with the length of the JSON";

const isShape = (shape: unknown): shape is readonly number[] =>
  Array.isArray(shape) &&
  shape.length > 0 &&
  shape.every((size: unknown) => typeof size === "number" && Number.isSafeInteger(size) && size >= 0);

/** Flat data as it is, nested data by its shape; the number of elements must be the shape's. */
function flattened(data: readonly unknown[], shape: readonly number[], pointer: string): Result<readonly unknown[], Issue> {
  const count = shape.reduce((product, size) => product * size, 1);
  const path = `${pointer}/data`;
  if (!data.some((item) => Array.isArray(item)))
    return data.length === count ? ok(data) : err({ path, expected: `${count} elements, as the shape says`, got: `${data.length}` });
  const flat: unknown[] = [];
  const hasShape = (items: unknown, depth: number): boolean => {
    if (depth === shape.length) {
      flat.push(items);
      return !Array.isArray(items);
    }
    return Array.isArray(items) && items.length === shape[depth] && items.every((item: unknown) => hasShape(item, depth + 1));
  };
  return hasShape(data, 0)
    ? ok(flat)
    : err({ path, expected: `flat data, or data nested as [${shape.join(", ")}]`, got: "another nesting" });
}

const RANGES: Partial<Record<Datatype, readonly [min: number, max: number]>> = {
  INT8: [-128, 127],
  INT16: [-32_768, 32_767],
  INT32: [-2_147_483_648, 2_147_483_647],
  INT64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  UINT8: [0, 255],
  UINT16: [0, 65_535],
  UINT32: [0, 4_294_967_295],
  UINT64: [0, Number.MAX_SAFE_INTEGER],
};
const integer = (bits: string) => `a whole number of ${bits}`;
const EXPECTED: Readonly<Record<Datatype, string>> = {
  BOOL: "true or false",
  INT8: integer("8 bits"),
  INT16: integer("16 bits"),
  INT32: integer("32 bits"),
  INT64: integer("at most 53 bits (ids belong into BYTES)"),
  UINT8: integer("8 bits without sign"),
  UINT16: integer("16 bits without sign"),
  UINT32: integer("32 bits without sign"),
  UINT64: integer("at most 53 bits without sign (ids belong into BYTES)"),
  FP32: "a number of 32 bits, or null",
  FP64: "a number, or null",
  BYTES: "a text, or null",
};

/** Undefined where it is none of the type. */
function elementOf(datatype: Datatype, raw: unknown): Element | undefined {
  if (datatype === "BOOL") return typeof raw === "boolean" ? raw : raw === 0 ? false : raw === 1 ? true : undefined;
  if (datatype === "BYTES") return typeof raw === "string" || raw === null ? raw : undefined;
  const range = RANGES[datatype];
  if (range) return typeof raw === "number" && Number.isSafeInteger(raw) && raw >= range[0] && raw <= range[1] ? raw : undefined;
  if (raw === null) return null;
  if (typeof raw !== "number") return undefined;
  // The same tensor gives the same decision in either form.
  const number = datatype === "FP32" ? Math.fround(raw) : raw;
  return Number.isFinite(number) ? number : undefined;
}
