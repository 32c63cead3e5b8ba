/** Expectations of an endpoint's inputs from the profile of a dataset version, as YAML for a person to read, edit and apply. Pure. */
import { nearest } from "../nearest.ts";
import type { ColumnProfile } from "../registry/index.ts";
import type { InputSpec, InputsSpec } from "./endpoint-spec.ts";

export interface ProfiledData {
  /** How the version is called: `credit/3`. */
  readonly version: string;
  readonly rows: number;
  /** `isHidden`: its values are for those who may see groups. */
  readonly columns: readonly (ColumnProfile & { readonly isHidden: boolean })[];
}

/** Of the span between the 1st and the 99th percentile, added at both ends: new people are a bit more extreme than those before. */
const SLACK = 0.1;
/** So many different values are codes or counts rather than amounts: nothing is added to them. */
const FEW = 20;
/** Below it the ends of a range say little. */
const FEW_ROWS = 1000;

/** What one input's column gives: an item of the list, or nothing to expect, and why. */
interface Inferred {
  readonly comments: readonly string[];
  /** Without `input` and `on_breach`; empty where nothing can be expected. */
  readonly fields: readonly string[];
}

/** The text of `expectations:`, to be pasted into the endpoint's document. Every breach warns; what is to be refused is a person's decision. */
export function inferExpectations(endpoint: string, inputs: InputsSpec, data: ProfiledData): string {
  const byName = new Map(data.columns.map((column) => [column.name, column]));
  const asked = new Set(Object.keys(inputs));
  const lines: string[] = [
    `# What ${endpoint} expects of its inputs, inferred from ${data.version} (${data.rows.toLocaleString("en")} rows). Read it before you apply it:`,
    `# ranges are those of the data, with ${SLACK * 100} % of the span of its middle 98 % added at both ends, and never beyond 0 where no value was;`,
    "# nothing is repeated that the input's own type, min, max or values refuse already. A warning comes once more than 1 % of a day's requests",
    "# are proven to breach an expectation in one way (limit: 0.01). on_breach: count only counts, refuse also turns the request away.",
    ...(data.rows < FEW_ROWS ? [`# Only ${data.rows.toLocaleString("en")} rows: the ends of ranges are uncertain, widen them.`] : []),
  ];
  const items: string[] = [];
  for (const [name, input] of Object.entries(inputs)) {
    const column = byName.get(name);
    const { comments, fields } = column ? inferred(input, column, data.rows) : missingColumn(name, [...byName.keys()]);
    items.push(...comments.map((comment) => `  # ${name}: ${oneLine(comment)}`));
    if (fields.length > 0) items.push(`  - { input: ${scalar(name)}, ${[...fields, "on_breach: warn"].join(", ")} }`);
  }
  const unused = data.columns.map(({ name }) => name).filter((name) => !asked.has(name));
  if (unused.length > 0) items.push(`  # Columns that the endpoint doesn't ask for: ${oneLine(unused.join(", "))}`);
  const isEmpty = !items.some((line) => line.startsWith("  - "));
  return [...lines, isEmpty ? "expectations: []" : "expectations:", ...items, ""].join("\n");
}

function missingColumn(name: string, columns: readonly string[]): Inferred {
  const near = nearest(name, columns);
  return { comments: [`the data has no column of that name${near ? ` (${near}?)` : ""}`], fields: [] };
}

function inferred(input: InputSpec, column: ColumnProfile & { readonly isHidden: boolean }, rows: number): Inferred {
  if (column.isHidden) return { comments: ["a protected column, whose values this reader may not see"], fields: [] };
  const parts = [missing(input, column, rows), typeOf(input, column), valuesOf(input, column)];
  const fields = parts.flatMap((part) => part.fields);
  const comments = parts.flatMap((part) => part.comments);
  return { fields, comments: fields.length === 0 && comments.length === 0 ? ["nothing beyond what the input says itself"] : comments };
}

const NOTHING: Inferred = { comments: [], fields: [] };

function missing(input: InputSpec, { empty }: ColumnProfile, rows: number): Inferred {
  const share = rows === 0 ? 0 : empty / rows;
  if (input.optional !== true)
    return empty === 0 ? NOTHING : { comments: [`missing in ${percent(share)} of the data, and the endpoint demands it`], fields: [] };
  // Twice as often as in the data, or a hundredth more often, whichever is more.
  const limit = Math.min(0.99, Math.ceil(Math.max(2 * share, share + 0.01) * 1000) / 1000);
  return { comments: [`missing in ${percent(share)} of the data`], fields: [`missing: ${limit}`] };
}

function typeOf(input: InputSpec, { type, numbers }: ColumnProfile): Inferred {
  const isWhole = input.type === "number" && type === "integer";
  const isText = input.type === "string" && input.values === undefined && type !== "string";
  const comments =
    numbers && numbers.notFinite > 0 ? [`${numbers.notFinite.toLocaleString("en")} values of the data are no finite numbers`] : [];
  return { comments, fields: isWhole || isText ? [`type: ${type}`] : [] };
}

function valuesOf(input: InputSpec, column: ColumnProfile): Inferred {
  if (input.type === "boolean") return NOTHING;
  if (input.type === "string") return categories(input, column);
  const { numbers } = column;
  if (!numbers) return { comments: [`the column is ${article(column.type)} without numbers`], fields: [] };
  const { min, max, quantiles } = numbers;
  const isFew = column.distinct !== null && column.distinct <= FEW;
  const span = (quantiles["0.99"] ?? max) - (quantiles["0.01"] ?? min) || max - min;
  const slack = isFew ? 0 : SLACK * span;
  const isInteger = input.type === "integer" || column.type === "integer";
  const low = min >= 0 ? Math.max(0, outward(min - slack, slack, isInteger, -1)) : outward(min - slack, slack, isInteger, -1);
  const high = max <= 0 ? Math.min(0, outward(max + slack, slack, isInteger, 1)) : outward(max + slack, slack, isInteger, 1);
  const fields = [
    ...(input.min !== undefined && low <= input.min ? [] : [`min: ${low}`]),
    ...(input.max !== undefined && high >= input.max ? [] : [`max: ${high}`]),
  ];
  const few = isFew ? `, ${column.distinct} different values, no slack` : "";
  return { comments: fields.length > 0 ? [`${min.toLocaleString("en")} to ${max.toLocaleString("en")} in the data${few}`] : [], fields };
}

/** Away from the data to a number that people can read, at most a tenth of the slack further. */
function outward(value: number, slack: number, isInteger: boolean, side: 1 | -1): number {
  const round = side === 1 ? Math.ceil : Math.floor;
  if (slack === 0) return isInteger ? round(value) : value;
  const step = 10 ** Math.floor(Math.log10(slack) - 1);
  const rounded = Number((round(value / step) * step).toPrecision(12));
  return isInteger ? round(rounded) : rounded;
}

function categories(input: InputSpec, { type, distinct, top }: ColumnProfile): Inferred {
  // What can be read as dates or numbers isn't a list of categories.
  if (type !== "string" && input.values === undefined) return NOTHING;
  if (distinct === null) return { comments: ["more than 1,000 different texts: no categories"], fields: [] };
  if (distinct > top.length)
    return { comments: [`${distinct} different texts, of which the profile keeps ${top.length}: no categories`], fields: [] };
  const seen = top.map(({ value }) => value);
  const known = input.values ? seen.filter((value) => input.values?.includes(value)) : seen;
  const refused = seen.length - known.length;
  const never = (input.values ?? []).filter((value) => !seen.includes(value));
  const comments = [
    ...(refused > 0 ? [`${refused} of the texts in the data are none that the input accepts`] : []),
    ...(never.length > 0 ? [`accepted, but never in the data: ${never.slice(0, 12).join(", ")}${never.length > 12 ? ", …" : ""}`] : []),
  ];
  if (known.length === 0 || (input.values && never.length === 0)) return { comments, fields: [] };
  return { comments, fields: [`categories: [${known.map(scalar).join(", ")}]`] };
}

/** A YAML scalar that is read as this very text. */
const scalar = (text: string): string =>
  /^[A-Za-z][A-Za-z0-9_]*$/.test(text) && !/^(true|false|null|yes|no|on|off|y|n)$/i.test(text) ? text : JSON.stringify(text);
/** Values come from the data: one that breaks the line would end the comment. */
const oneLine = (text: string): string => text.replaceAll(/[\p{Cc}\u2028\u2029]+/gu, " ");
const percent = (share: number): string => `${Number((share * 100).toPrecision(2))} %`;
const article = (type: string): string => (type === "integer" ? "an integer" : `a ${type}`);
