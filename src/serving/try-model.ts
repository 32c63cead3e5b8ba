/** A model that nobody has asked for anything yet: tried in a process with limits before it is registered, and its examples' scores taken. */
import type { ModelExamples } from "../registry/index.ts";
import { err, ok, type Issue, type Result } from "../std.ts";
import { exampleRows, exampleTrouble } from "./model-examples.ts";
import type { ModelFiles } from "./model-files.ts";
import type { RowForm, ScoreCall, WantedOutput } from "./onnx-call.ts";
import { probeModel, type ProbeOptions } from "./probe.ts";
import { TextCodes, type TextColumns } from "./text-codes.ts";

export interface TrialOptions extends Pick<ProbeOptions, "timeoutMs" | "limits"> {
  readonly files: ModelFiles;
  readonly form: RowForm;
  readonly wanted: WantedOutput;
  /** As it was read from the file. */
  readonly call: ScoreCall;
  /** Without them the model is asked about rows of zeros and ones, of which it may say anything that is always the same. */
  readonly examples: ModelExamples | null;
}

/**
 * @returns the scores of the examples; null without examples
 * @throws ScorerError when no process can be started
 */
export async function tryModel(options: TrialOptions): Promise<Result<readonly number[] | null, readonly Issue[]>> {
  const { files, form, wanted, call, examples, ...limits } = options;
  const texts = textsOf(call);
  const rows = examples ? exampleRows(examples, form, texts) : ok(madeUpRows(form.width, texts));
  if (!rows.ok) return rows;
  const probed = await probeModel({ files, form, wanted, texts, rows: rows.value, areMadeUp: examples === null, ...limits });
  if (!probed.ok) return probed;
  if (examples === null) return ok(null);
  const trouble = exampleTrouble(examples, probed.value.scores);
  return trouble ? err([trouble]) : ok([...probed.value.scores]);
}

/** Examples that aren't rows of the model's features. Issues have paths below `/examples`. */
export function exampleIssues(examples: ModelExamples, { form, call }: Pick<TrialOptions, "form" | "call">): readonly Issue[] {
  const rows = exampleRows(examples, form, textsOf(call));
  return rows.ok ? [] : rows.error;
}

/** A model's word on which of its features are texts. */
function textsOf({ feeds }: ScoreCall): TextColumns {
  const texts = new Map<number, TextCodes>();
  for (const { type, from, width } of feeds)
    if (type === "string") for (let column = from; column < from + width; column++) texts.set(column, new TextCodes());
  return texts;
}

/** All zeros, and all ones, without any text. */
function madeUpRows(width: number, texts: TextColumns): Float32Array {
  return Float32Array.from({ length: 2 * width }, (_, i) => (i < width || texts.has(i - width) ? 0 : 1));
}
