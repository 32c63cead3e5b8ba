/** How a model is asked for scores of a feature set's rows, or why it doesn't fit. Pure. */
import { nearest } from "../nearest.ts";
import type { ScoredColumn } from "../registry/index.ts";
import { err, ok, type Issue, type Result } from "../std.ts";
import type { OnnxTensor } from "./onnx-graph.ts";
import { isFloat, type OnnxModel, type OnnxOutput } from "./onnx-model.ts";

const FEED_TYPES = ["float32", "float64", "int64", "int32", "bool", "string"] as const;
export type FeedType = (typeof FEED_TYPES)[number];

/** Columns of the row that go into one input. */
export interface Feed {
  readonly input: string;
  readonly type: FeedType;
  readonly from: number;
  readonly width: number;
  /** The input is `[N]` instead of `[N, width]`. */
  readonly isFlat: boolean;
}

/** How a model is called for scores. */
export interface ScoreCall {
  /** One for all features, or one for each. */
  readonly feeds: readonly Feed[];
  /** As the file calls it. */
  readonly output: string;
  /** As the runtime knows it. */
  readonly fetch: string;
  /** Which column of the output is the score; null where there is one, or two of which the last is meant. */
  readonly column: number | null;
  /** How many columns there must be, where the file tells. */
  readonly columns: number | null;
}

/** What is known of the rows that a model will be asked about. */
export interface RowForm {
  readonly width: number;
  /** Of the features, in the row's order. Without names a model must take them as one tensor. */
  readonly names?: readonly string[];
  /** Which of them are texts. Without it the model's word is taken. */
  readonly texts?: readonly boolean[];
}

/** The output that holds the score, where the release says which. */
export interface WantedOutput {
  readonly output?: string | undefined;
  readonly column?: number | undefined;
  /** Its column by the name of the class. */
  readonly class?: string | undefined;
}

export function scoreCall(model: OnnxModel, form: RowForm, wanted: WantedOutput): Result<ScoreCall, readonly Issue[]> {
  const feeds = feedsOf(model.inputs, form);
  if (!feeds.ok) return feeds;
  const output = outputOf(model.outputs, wanted);
  if (!output.ok) return output;
  const column = columnOf(output.value, wanted);
  if (!column.ok) return column;
  const { name, tensor } = output.value;
  return ok({ feeds: feeds.value, output: name, fetch: tensor ?? name, column: column.value, columns: columnsOf(output.value) });
}

const refuse = (path: string, expected: string, got: string, hint?: string) => err([{ path, expected, got, ...(hint ? { hint } : {}) }]);

function feedsOf(inputs: readonly OnnxTensor[], form: RowForm): Result<readonly Feed[], readonly Issue[]> {
  const [input, ...others] = inputs;
  if (input === undefined) return refuse("/inputs", "a model with inputs", "none");
  const feeds = others.length === 0 ? ok([{ input, from: 0, width: form.width }]) : feedsByName(inputs, form);
  if (!feeds.ok) return feeds;
  const issues: Issue[] = [];
  const made = feeds.value.map(({ input: tensor, from, width }): Feed => {
    const issue = inputIssue(tensor, width) ?? textIssue(tensor, { from, width }, form);
    if (issue) issues.push(issue);
    const type = FEED_TYPES.find((each) => each === tensor.type) ?? "float32";
    return { input: tensor.name, type, from, width, isFlat: tensor.shape?.length === 1 };
  });
  return issues.length > 0 ? err(issues.slice(0, MAX_ISSUES)) : ok(made);
}

const MAX_ISSUES = 20;

type NamedFeed = Result<readonly { readonly input: OnnxTensor; readonly from: number; readonly width: number }[], readonly Issue[]>;

/** One input a feature, each found by its name. */
function feedsByName(inputs: readonly OnnxTensor[], { names }: RowForm): NamedFeed {
  const inputNames = inputs.map(({ name }) => name);
  if (names === undefined)
    return refuse("/inputs", "the names of the features, for a model with one input for each", `no names for ${inputNames.join(", ")}`);
  const issues: Issue[] = [];
  for (const name of inputNames.filter((each) => !names.includes(each))) {
    const near = nearest(name, names);
    const hint = near ? { hint: `did you mean it by the feature ${near}? They must have the same name` } : {};
    issues.push({ path: "/inputs", expected: `a feature ${name}, for the model's input of that name`, got: "none", ...hint });
  }
  for (const name of names.filter((each) => !inputNames.includes(each))) {
    const near = nearest(name, inputNames);
    const hint = { hint: near ? `did you mean ${near}?` : `the model takes ${inputNames.join(", ")}` };
    issues.push({ path: "/inputs", expected: `an input ${name} of the model, for the feature of that name`, got: "none", ...hint });
  }
  if (issues.length > 0) return err(issues.slice(0, MAX_ISSUES));
  return ok(inputs.map((input) => ({ input, from: names.indexOf(input.name), width: 1 })));
}

function inputIssue({ name, type, shape }: OnnxTensor, width: number): Issue | undefined {
  const issue = (expected: string, got: string, hint?: string): Issue => ({ path: "/inputs", expected, got, ...(hint ? { hint } : {}) });
  if (!FEED_TYPES.some((each) => each === type)) return issue(`an input of type ${FEED_TYPES.join(", ")}`, `${name} of type ${type}`);
  if (shape === null) return undefined;
  const [rows, columns, ...more] = shape;
  if (rows === undefined || more.length > 0 || (columns === undefined && width > 1))
    return issue("an input of two dimensions, people by features", `${name} of ${shape.length}`);
  if (typeof rows === "number")
    return issue("an input for any number of people", `exactly ${rows}`, "export it with a dynamic first dimension");
  if (typeof columns !== "number" || columns === width) return undefined;
  return issue(`a model for the ${width === 1 ? "one feature" : `${width} features`} of the feature set`, `${name} takes ${columns}`);
}

/** Texts for numbers, or numbers for texts. */
function textIssue({ name, type }: OnnxTensor, feed: Pick<Feed, "from" | "width">, { names, texts }: RowForm): Issue | undefined {
  const wrong = texts?.slice(feed.from, feed.from + feed.width).findIndex((isText) => isText !== (type === "string"));
  if (wrong === undefined || wrong < 0) return undefined;
  const at = feed.from + wrong;
  const feature = names?.[at] ?? `feature ${at + 1}`;
  if (type === "string") return { path: "/inputs", expected: `a text for ${name}, of type string`, got: `${feature}, a number` };
  return {
    path: "/inputs",
    expected: `a number for ${name}, of type ${type}`,
    got: `${feature}, a text`,
    hint: `say it with cel, for example: ${feature} == "…"; or give the model an input of type string`,
  };
}

function outputOf(outputs: readonly OnnxOutput[], wanted: WantedOutput): Result<OnnxOutput, readonly Issue[]> {
  const names = outputs.map(({ name }) => name);
  const candidates = outputs.filter(isScore);
  if (wanted.output === undefined && candidates.length > 1)
    return refuse(
      "/output",
      "a word which output is the score",
      `${candidates.map(({ name }) => name).join(", ")} could be it`,
      "name it where the model is registered (--output), or as output of the scorer",
    );
  const output = wanted.output === undefined ? candidates[0] : outputs.find(({ name }) => name === wanted.output);
  if (output && isScore(output)) return ok(output);
  if (output === undefined && wanted.output !== undefined) {
    const near = nearest(wanted.output, names);
    return refuse("/output", `one of ${names.join(", ")}`, wanted.output, near ? `did you mean ${near}?` : undefined);
  }
  const shown = (output ? [output] : outputs).map(({ name, type }) => `${name} (${type})`).join(", ");
  const areLabels = (output ? [output] : outputs).every(({ type }) => /^u?int|^string$|^bool$/.test(type));
  return refuse(
    "/output",
    "an output with a score for each person, float32 or float64",
    areLabels ? `labels and no scores: ${shown}` : shown,
    candidates.length > 0 ? `scores are in ${candidates.map(({ name }) => name).join(" or ")}` : NO_SCORE,
  );
}
const NO_SCORE = "a policy lies over scores: export the probabilities too (a classifier with predict_proba, with skl2onnx as it comes)";

const isScore = (output: OnnxOutput) => isFloat(output) && (output.shape === null || output.shape.length <= 2);

const columnsOf = ({ shape, classes }: OnnxOutput): number | null =>
  shape?.length === 2 && typeof shape[1] === "number" ? shape[1] : (classes?.length ?? null);

function columnOf(output: OnnxOutput, wanted: WantedOutput): Result<number | null, readonly Issue[]> {
  const { name, classes } = output;
  if (wanted.class !== undefined) {
    if (wanted.column !== undefined) return refuse("/class", "either a column or a class", "both");
    const at = classes?.indexOf(wanted.class) ?? -1;
    if (at >= 0) return ok(at);
    if (!classes) return refuse("/class", `a column, since the file doesn't name the classes of ${name}`, wanted.class);
    const near = nearest(wanted.class, classes);
    return refuse("/class", `one of ${classes.join(", ")}`, wanted.class, near ? `did you mean ${near}?` : undefined);
  }
  const columns = columnsOf(output);
  if (columns === null) return ok(wanted.column ?? null);
  if (columns > MAX_COLUMNS) return refuse("/output", `at most ${MAX_COLUMNS} numbers for each person`, `${columns} in ${name}`);
  if (columns > 2 && wanted.column === undefined) {
    const hint = classes ? `say class: ${classes.slice(0, 8).join(", or ")}` : undefined;
    return refuse("/column", `which of the ${columns} columns of ${name} is the score`, "nothing", hint);
  }
  if (wanted.column !== undefined && wanted.column >= columns)
    return refuse("/column", `a column from 0 to ${columns - 1}`, `${wanted.column}`);
  return ok(wanted.column ?? null);
}
export const MAX_COLUMNS = 64;

/** The column that a call takes for the score, in a form that can be compared: null where there is one, or the last is meant. */
export function scoredColumn({ output, column, columns }: ScoreCall): ScoredColumn {
  return { output, column: column !== null && columns !== null && column === columns - 1 ? null : column };
}

/** Whole numbers are exact in the 32-bit floats of a row below it; the next could be a rounded one. */
const EXACT_BELOW = 2 ** 24;

/** What an input takes instead of this number; undefined for one that it can hold exactly. */
export function wholeTrouble({ type }: Pick<Feed, "type">, value: number): string | undefined {
  if (type === "bool") return value === 0 || value === 1 ? undefined : "true or false";
  if (type !== "int64" && type !== "int32") return undefined;
  return Number.isInteger(value) && Math.abs(value) < EXACT_BELOW ? undefined : "whole numbers between -2^24 and 2^24";
}

/** Says of one row of a batch what a model can't take; undefined where it can take any. */
export function rowCheck({ feeds }: ScoreCall): ((rows: Float32Array, at: number) => string | undefined) | undefined {
  const picky = feeds.filter(({ type }) => type === "int64" || type === "int32" || type === "bool");
  if (picky.length === 0) return undefined;
  return (rows, at) => {
    for (const feed of picky) {
      for (let column = feed.from; column < feed.from + feed.width; column++) {
        const value = rows[at + column] ?? Number.NaN;
        const trouble = wholeTrouble(feed, value);
        if (trouble) return `${feed.input} takes ${trouble}, and got ${Number.isNaN(value) ? "nothing" : value}`;
      }
    }
    return undefined;
  };
}
