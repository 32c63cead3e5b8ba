/** Three layouts of the Open Inference Protocol, told apart by names and shapes: a column per field, one tensor of all fields, JSON rows. */
import { nearest, shown } from "../checked.ts";
import type { CompiledEndpoint } from "../serving/index.ts";
import { err, ok, type Issue, type Result } from "../std.ts";
import { ProtocolRow, roleOf, type Role, type RowFault } from "./protocol-rows.ts";
import type { Datatype } from "./tensor-bytes.ts";
import { isObject, type Tensor } from "./tensors.ts";

type Shape = Pick<CompiledEndpoint, "inputs" | "groups">;

/** Rows, and how to say where one of their faults is in the request. */
export interface TensorRows {
  readonly rows: readonly ProtocolRow[];
  place(fault: RowFault): Issue;
}

/** @param parameters - of the request: subject, key and groups of a request for one person */
export function rowsOfTensors(
  tensors: readonly Tensor[],
  parameters: Readonly<Record<string, unknown>>,
  shape: Shape,
): Result<TensorRows, readonly Issue[]> {
  const count = tensors[0]?.shape[0] ?? 0;
  const rows = Array.from({ length: count }, () => new ProtocolRow());
  const named = tensors.map((tensor) => ({ tensor, role: roleOf(shape, tensor.name) }));
  const unknown = named.filter(({ role }) => role === undefined).map(({ tensor }) => tensor);
  const columns = named.flatMap(({ tensor, role }) => (role ? [{ tensor, role }] : []));
  const hasFields = columns.some(({ role }) => role.kind === "input");
  const [whole] = unknown;
  const wrong = columns.flatMap(({ tensor, role }) => columnFault(tensor, role, shape) ?? []);
  if (wrong.length > 0) return err(wrong);
  for (const { tensor, role } of columns) setColumn(rows, tensor, role, shape);
  const fromRequest = setParameters(rows, parameters, shape, columns);
  if (fromRequest.length > 0) return err(fromRequest);

  const place = placeIn(columns, whole, Object.keys(shape.inputs));
  if (whole && unknown.length === 1 && !hasFields && whole.datatype === "BYTES" && whole.contentType === "json") {
    const issues = setJsonRows(rows, whole, shape);
    return issues.length > 0 ? err(issues) : ok({ rows, place });
  }
  if (whole && unknown.length === 1 && !hasFields && isNumeric(whole.datatype)) {
    const issues = setTensor(rows, whole, shape);
    return issues.length > 0 ? err(issues) : ok({ rows, place });
  }
  const known = [...Object.keys(shape.inputs), ...Object.keys(shape.groups), "subject", "key"];
  if (unknown.length > 0)
    return err(
      unknown.slice(0, 20).map(({ name, pointer }) => {
        const near = nearest(name, known);
        const hint = near ? { hint: `did you mean '${near}'?` } : {};
        return { path: `${pointer}/name`, expected: `an input of the endpoint: ${listed(known)}`, got: `'${name}'`, ...hint };
      }),
    );
  const missing = Object.entries(shape.inputs).filter(
    ([name, { optional }]) => !optional && !columns.some(({ role }) => role.kind === "input" && role.name === name),
  );
  if (missing.length > 0)
    return err([
      { path: "/inputs", expected: "all inputs of the endpoint", got: `missing inputs: ${missing.map(([name]) => name).join(", ")}` },
    ]);
  return ok({ rows, place });
}

const listed = (names: readonly string[]) =>
  names.length > 30 ? `${names.slice(0, 30).join(", ")}, … (${names.length})` : names.join(", ");
const isNumeric = (datatype: Datatype) => datatype !== "BYTES" && datatype !== "BOOL";
/** Zero and one stand for a flag in these; a wider integer or a float doesn't. */
const SMALL: readonly Datatype[] = ["INT8", "INT16", "INT32", "UINT8", "UINT16", "UINT32"];

function columnFault(tensor: Tensor, role: Role, { inputs }: Shape): Issue | undefined {
  const { name, shape, datatype, pointer } = tensor;
  if (shape.length !== 1 && !(shape.length === 2 && shape[1] === 1))
    return { path: `${pointer}/shape`, expected: `[${shape[0]}] or [${shape[0]}, 1] for '${name}'`, got: `[${shape.join(", ")}]` };
  const type = role.kind === "input" ? inputs[role.name]?.type : "string";
  const takes =
    type === "string" ? datatype === "BYTES" : type === "boolean" ? datatype === "BOOL" || SMALL.includes(datatype) : isNumeric(datatype);
  if (takes) return undefined;
  const expected = type === "string" ? "BYTES" : type === "boolean" ? "BOOL" : "a number's datatype, FP64 for example";
  return { path: `${pointer}/datatype`, expected: `${expected} for '${name}', which is a ${type}`, got: datatype };
}

function setColumn(rows: readonly ProtocolRow[], tensor: Tensor, role: Role, { inputs }: Shape): void {
  const isFlag = role.kind === "input" && inputs[role.name]?.type === "boolean";
  for (const [i, row] of rows.entries()) {
    const element = tensor.elements[i] ?? null;
    // Any other number stays one, for the endpoint's own check to refuse.
    row.set(role, isFlag && element === 0 ? false : isFlag && element === 1 ? true : element);
  }
}

function setTensor(rows: readonly ProtocolRow[], tensor: Tensor, { inputs }: Shape): readonly Issue[] {
  const fields = Object.keys(inputs);
  const texts = fields.filter((name) => inputs[name]?.type !== "number" && inputs[name]?.type !== "integer");
  const { shape, pointer, name } = tensor;
  if (texts.length > 0)
    return [
      {
        path: pointer,
        expected: `a column for each field, since ${listed(texts)} can't be in one tensor of numbers`,
        got: `'${name}', which is none of the endpoint's inputs: ${listed(fields)}`,
      },
    ];
  if (shape.length !== 2 || shape[1] !== fields.length)
    return [
      {
        path: `${pointer}/shape`,
        expected: `[${shape[0]}, ${fields.length}] for one tensor of ${listed(fields)}`,
        got: `[${shape.join(", ")}]`,
      },
    ];
  for (const [i, row] of rows.entries())
    for (const [j, field] of fields.entries()) row.set({ kind: "input", name: field }, tensor.elements[i * fields.length + j] ?? null);
  return [];
}

function setJsonRows(rows: readonly ProtocolRow[], tensor: Tensor, shape: Shape): readonly Issue[] {
  if (tensor.elements.length !== rows.length)
    return [{ path: `${tensor.pointer}/shape`, expected: `[${rows.length}]`, got: `[${tensor.shape.join(", ")}]` }];
  for (const [i, row] of rows.entries()) {
    const path = `${tensor.pointer}/data/${i}`;
    let value: unknown;
    try {
      value = JSON.parse(String(tensor.elements[i] ?? null));
    } catch {
      value = undefined;
    }
    if (!isObject(value)) return [{ path, expected: `a JSON object of a row as element ${i}`, got: shown(value ?? tensor.elements[i]) }];
    for (const [name, item] of Object.entries(value)) {
      const role = roleOf(shape, name);
      if (!role)
        return [{ path, expected: `an input of the endpoint: ${listed(Object.keys(shape.inputs))}`, got: `'${name}' in row ${i}` }];
      row.set(role, item);
    }
  }
  return [];
}

function setParameters(
  rows: readonly ProtocolRow[],
  parameters: Readonly<Record<string, unknown>>,
  shape: Shape,
  columns: readonly { readonly role: Role }[],
): readonly Issue[] {
  for (const [name, value] of Object.entries(parameters)) {
    if (name !== "subject" && name !== "key" && !name.startsWith("group_")) continue;
    const path = `/parameters/${name}`;
    const role = roleOf({ inputs: {}, groups: shape.groups }, name);
    if (!role)
      return [
        {
          path,
          expected: `one of ${
            Object.keys(shape.groups)
              .map((group) => `group_${group}`)
              .join(", ") || "no group"
          }`,
          got: `'${name}'`,
        },
      ];
    if (value === null) continue;
    if (typeof value !== "string") return [{ path, expected: "a text", got: shown(value) }];
    if (role.kind !== "group" && rows.length > 1)
      return [{ path, expected: `an input '${name}' with a value for each of ${rows.length} rows`, got: "one for all" }];
    if (
      columns.some(
        (column) => column.role.kind === role.kind && (role.kind !== "group" || ("name" in column.role && column.role.name === role.name)),
      )
    )
      return [{ path, expected: "the input or the parameter of that name", got: "both" }];
    for (const row of rows) row.set(role, value);
  }
  return [];
}

const placeIn =
  (columns: readonly { readonly tensor: Tensor; readonly role: Role }[], whole: Tensor | undefined, fields: readonly string[]) =>
  ({ row, name, path, expected, got, hint }: RowFault): Issue => {
    const isGroup = path.split("/")[2] === "groups";
    const column = columns.find(({ role }) =>
      "name" in role ? role.name === name && (role.kind === "group") === isGroup : role.kind === name,
    );
    const rest = { expected, ...(got === undefined ? {} : { got }), ...(hint === undefined ? {} : { hint }) };
    if (column)
      return {
        ...rest,
        path: `${column.tensor.pointer}/data/${row}`,
        expected: `${expected} as element ${row} of input '${column.tensor.name}'`,
      };
    const field = fields.indexOf(name);
    const element = whole?.shape.length === 2 && field >= 0 ? row * fields.length + field : row;
    const words = field >= 0 ? `'${name}'` : name;
    return { ...rest, path: whole ? `${whole.pointer}/data/${element}` : "/inputs", expected: `${expected} for ${words} of row ${row}` };
  };
