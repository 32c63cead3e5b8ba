/** Finds the scores in what a server answered. Pure, and exact: one score for each row that was asked, or a reason why not. */

/** What an answer turned out to be. Nothing of its text is in it: whoever chose the server's address must not learn what is behind it. */
export type Answered =
  /** As many as rows; NaN where the server gave none for a row. */
  | { readonly kind: "scores"; readonly scores: Float64Array }
  | { readonly kind: "labels"; readonly what: string }
  | { readonly kind: "wrong"; readonly expected: string; readonly got: string };

/** Where a row's score is, as the release says. */
export interface Pick {
  readonly column?: number;
  readonly field?: string;
  readonly gives?: "scores" | "labels";
}

const MAX_DEPTH = 16;

/** JSON, unless it is deeper than any answer with scores, which would take long to parse and longer to walk. */
export function parsedJson(text: string): { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly got: string } {
  let depth = 0;
  let isInText = false;
  for (let i = 0; i < text.length; i++) {
    const char = text.charCodeAt(i);
    if (isInText) {
      if (char === BACKSLASH) i++;
      else if (char === QUOTE) isInText = false;
    } else if (char === QUOTE) isInText = true;
    else if (char === BRACKET || char === BRACE) {
      if (++depth > MAX_DEPTH) return { ok: false, got: `JSON nested deeper than ${MAX_DEPTH}` };
    } else if (char === BRACKET + 2 || char === BRACE + 2) depth--;
  }
  try {
    return { ok: true, value: JSON.parse(text) };
  } catch {
    return { ok: false, got: "something else" };
  }
}
const [BACKSLASH, QUOTE, BRACKET, BRACE] = [0x5c, 0x22, 0x5b, 0x7b];

const wrong = (expected: string, got: string): Answered => ({ kind: "wrong", expected, got });
export const notJson = (got: string): Answered => wrong("JSON", got);

/** The value that a JSON pointer names; own fields only. */
export function pointedAt(value: unknown, pointer: string): unknown {
  let at = value;
  for (const part of pointer.split("/").slice(1)) {
    const key = part.replaceAll("~1", "/").replaceAll("~0", "~");
    at = typeof at === "object" && at !== null && Object.hasOwn(at, key) ? asRecord(at)[key] : undefined;
  }
  return at;
}
/** An object's own fields are read by name. */
const asRecord = (value: object) => value as Readonly<Record<string, unknown>>;
const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * Scores out of `[0.1, 0.9]`, `[[0.9, 0.1], …]`, `[{"p": 0.1}, …]` or `{"p": [0.1, …]}`.
 * @param where - the place in words, "predictions"
 */
export function scoresIn(value: unknown, count: number, where: string, pick: Pick): Answered {
  if (value === undefined) return wrong(`${where} in the answer`, "an answer without");
  let rows: unknown = value;
  if (isRecord(value)) {
    if (pick.field === undefined) return wrong(`a list as ${where}`, "an object: field says which of its lists holds the scores");
    if (!Object.hasOwn(value, pick.field)) return wrong(`${pick.field} in ${where}`, "an object without");
    rows = value[pick.field];
  }
  if (!Array.isArray(rows)) return wrong(`a list as ${where}`, kindOf(rows));
  if (rows.length !== count) return wrong(`${count} rows`, `${rows.length}`);
  return numbersIn(
    rows.map((row: unknown) => elementOf(row, pick)),
    where,
    pick,
  );
}

type Element = { readonly value: unknown } | { readonly trouble: Answered };

function elementOf(row: unknown, { column, field }: Pick): Element {
  if (Array.isArray(row)) {
    const at = column ?? (row.length <= 2 ? row.length - 1 : -1);
    if (row.length > 0 && at >= 0 && at < row.length) return { value: row[at] };
    const expected = column === undefined ? "one or two numbers a row, or column to say which" : `at least ${column + 1} numbers a row`;
    return { trouble: wrong(expected, `${row.length}`) };
  }
  if (isRecord(row)) {
    if (field === undefined) return { trouble: wrong("a number a row", "objects: field says which of their fields is the score") };
    return Object.hasOwn(row, field) ? { value: row[field] } : { trouble: wrong(`${field} in each row`, "a row without") };
  }
  return column === undefined || column === 0 ? { value: row } : { trouble: wrong(`at least ${column + 1} numbers a row`, "1") };
}

function numbersIn(elements: readonly Element[], where: string, { gives = "scores" }: Pick): Answered {
  const scores = new Float64Array(elements.length);
  for (const [i, element] of elements.entries()) {
    if ("trouble" in element) return element.trouble;
    const { value } = element;
    if (value === null) scores[i] = Number.NaN;
    else if (typeof value === "number" && (gives === "scores" || value === 0 || value === 1)) scores[i] = value;
    else if (typeof value === "boolean" && gives === "labels") scores[i] = Number(value);
    else if (typeof value === "string") return { kind: "labels", what: "texts" };
    else if (typeof value === "boolean") return { kind: "labels", what: "true and false" };
    else return wrong(gives === "labels" ? `0 or 1 for each row in ${where}` : `a number for each row in ${where}`, kindOf(value));
  }
  return { kind: "scores", scores };
}

const kindOf = (value: unknown) =>
  value === null ? "null" : Array.isArray(value) ? "a list" : typeof value === "object" ? "an object" : `a ${typeof value}`;

/** Scores out of the output tensors of the Open Inference Protocol. */
export function tensorScores(body: unknown, count: number, output: string | undefined, pick: Pick): Answered {
  const outputs = isRecord(body) ? body["outputs"] : undefined;
  if (!Array.isArray(outputs)) return wrong("outputs in the answer", "an answer without");
  const tensors = outputs.filter(isRecord);
  const byDefault = () => tensors.find(({ datatype }) => isFloat(datatype)) ?? tensors[0];
  const tensor = output === undefined ? byDefault() : tensors.find(({ name }) => name === output);
  if (!tensor) return wrong(output === undefined ? "an output" : `an output named ${output}`, `${tensors.length} others`);
  const { datatype, shape, data } = tensor;
  if (!isFloat(datatype)) {
    const isWhole = typeof datatype === "string" && /^(U?INT(8|16|32|64)|BOOL)$/.test(datatype);
    if (datatype === "BYTES") return { kind: "labels", what: "texts (BYTES)" };
    if (!isWhole) return wrong("an output of FP32 or FP64", "another datatype");
    if (pick.gives !== "labels") return { kind: "labels", what: `whole numbers (${datatype})` };
  }
  if (!Array.isArray(shape) || !shape.every((size) => Number.isSafeInteger(size) && size >= 0)) return wrong("the output's shape", "none");
  if (!Array.isArray(data)) return wrong("data in the output", "an output without");
  const flat: readonly unknown[] = data.flat(shape.length);
  const size = shape.reduce<number>((product, each) => product * Number(each), 1);
  if (flat.length !== size) return wrong(`${size} numbers for shape [${shape.join(", ")}]`, `${flat.length}`);
  if (shape[0] !== count) return wrong(`${count} rows`, `${shape[0] ?? 0}`);
  const width = count === 0 ? 0 : size / count;
  return scoresIn(
    Array.from({ length: count }, (_, i) => flat.slice(i * width, (i + 1) * width)),
    count,
    "the output",
    pick,
  );
}
const isFloat = (datatype: unknown) => datatype === "FP64" || datatype === "FP32" || datatype === "FP16" || datatype === "BF16";

/** Scores out of lines of numbers with commas: one line a row, or one line with all rows. */
export function csvScores(text: string, count: number, pick: Pick): Answered {
  const lines = text
    .trim()
    .split(/\r\n|\n|\r/)
    .map((line) => line.split(",").map(cellOf));
  const [first] = lines;
  const rows = lines.length === 1 && first && first.length === count && count > 1 ? first.map((cell) => [cell]) : lines;
  return scoresIn(rows, count, "the CSV", pick);
}

function cellOf(cell: string): unknown {
  const text = cell.trim();
  if (/^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$/.test(text)) return Number(text);
  return text === "" || /^[-+]?(nan|inf|infinity)$/i.test(text) ? null : text;
}
