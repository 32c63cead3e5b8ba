/** An ONNX model as a release's scorer: its blobs found, its process started, its examples tried. */
import { stat } from "node:fs/promises";
import { isDeepStrictEqual } from "node:util";
import { modelParts, type ModelExamples, type ScoredColumn } from "../registry/index.ts";
import { err, ok, type BlobId, type Issue, type Result } from "../std.ts";
import { BlobError, type Blobs, type Clock } from "../store/index.ts";
import { BatchedModel } from "./batched-model.ts";
import type { CompiledFeatures } from "./features.ts";
import { openInlineModel } from "./inline-model.ts";
import { exampleRows, exampleTrouble } from "./model-examples.ts";
import type { ModelFiles } from "./model-files.ts";
import type { ProcessLimits } from "./model-process.ts";
import { scoredColumn, type RowForm } from "./onnx-call.ts";
import { OnnxScorer } from "./onnx-scorer.ts";
import { ScorerError, blobOf, type Model, type OnnxScorerSpec } from "./scorer.ts";

export interface OnnxDependencies {
  readonly blobs: Pick<Blobs, "path" | "has" | "get">;
  readonly clock: Clock;
  /** Run the model in this process instead of its own. */
  readonly inline: boolean;
  readonly startTimeoutMs: number;
  readonly hangMs: number | undefined;
}

export interface OpenedOnnx {
  readonly scorer: OnnxScorer;
  readonly pid: () => number | undefined;
  readonly health: () => { readonly isUp: boolean; readonly breaks: number };
}

const EXAMPLES_TIMEOUT_MS = 10_000;

/** Issues are about the file, or about `/output`, `/column`, `/class`, `/inputs` and `/examples`. @throws ScorerError when no process can be started */
export async function openOnnx(
  spec: OnnxScorerSpec,
  features: CompiledFeatures,
  { blobs, clock, inline, startTimeoutMs, hangMs }: OnnxDependencies,
): Promise<Result<OpenedOnnx, readonly Issue[]>> {
  const stored = await storedModel(blobs, blobOf(spec));
  if (!stored.ok) return stored;
  const { files, bytes, examples, scored } = stored.value;
  const form: RowForm = { width: features.width, names: features.names, texts: features.names.map((_, i) => features.texts.has(i)) };
  const wanted = { output: spec.output, column: spec.column, class: spec.class };
  const options = { files, form, wanted, texts: features.texts };
  const opened = inline
    ? await openInlineModel(options)
    : await BatchedModel.open({
        ...options,
        threads: spec.threads ?? 1,
        startTimeoutMs,
        limits: servingLimits(bytes),
        clock,
        ...(hangMs === undefined ? {} : { hangMs }),
        ...(spec.batch ? { maxRows: spec.batch.max_rows } : {}),
      });
  if (!opened.ok) return opened;
  const model = opened.value;
  const isSame = scored !== null && isDeepStrictEqual(scoredColumn(model.loaded.call), scored);
  const recorded = examples && !isSame ? { rows: examples.rows } : examples;
  for (const tried of [recorded, spec.examples ?? null]) {
    const trouble = tried && (await triedExamples(model, tried, { form, texts: features.texts }));
    if (!trouble) continue;
    await model.close();
    return err(trouble);
  }
  const own = model instanceof BatchedModel ? model : undefined;
  return ok({
    scorer: new OnnxScorer(features, model),
    pid: () => own?.pid,
    health: () => ({ isUp: own === undefined || own.pid !== undefined, breaks: own?.replacements ?? 0 }),
  });
}

/** A model may grow to a few times its file; one that goes on growing ends its own process and nothing else. */
export const servingLimits = (modelBytes: number): ProcessLimits => ({ dataBytes: 1.5e9 + 4 * modelBytes });

export interface StoredModel {
  readonly files: ModelFiles;
  /** Of all files together. */
  readonly bytes: number;
  readonly examples: ModelExamples | null;
  readonly scored: ScoredColumn | null;
}

/** Where the files of a model lie, and what else is kept of it. */
export async function storedModel(
  blobs: Pick<Blobs, "path" | "has" | "get">,
  blob: BlobId,
): Promise<Result<StoredModel, readonly Issue[]>> {
  const missing = (id: BlobId) => err([{ path: "", expected: "a model in the blob store", got: `${id}, which is not there` }]);
  try {
    if (!(await blobs.has(blob))) return missing(blob);
    const parts = await modelParts(blobs, blob);
    if (!parts.ok) return parts;
    const { model, beside, examples, scored } = parts.value;
    let bytes = 0;
    for (const id of [model, ...beside.values()]) {
      if (!(await blobs.has(id))) return missing(id);
      bytes += (await stat(blobs.path(id))).size;
    }
    const file = (id: BlobId) => ({ path: blobs.path(id), sha256: id.slice("sha256:".length) });
    const files = { model: file(model), beside: [...beside].map(([name, id]) => ({ name, ...file(id) })) };
    return ok({ files, bytes, examples, scored });
  } catch (error) {
    if (error instanceof BlobError) return err([{ path: "", expected: "the bytes that were stored", got: error.message }]);
    throw error;
  }
}

/** What is wrong with what a model says of its examples; null where nothing is. */
async function triedExamples(
  model: Model,
  examples: ModelExamples,
  { form, texts }: { readonly form: RowForm; readonly texts: CompiledFeatures["texts"] },
): Promise<readonly Issue[] | null> {
  const rows = exampleRows(examples, form, texts);
  if (!rows.ok) return rows.error;
  const count = examples.rows.length;
  const scores = new Float64Array(count);
  try {
    for (let at = 0; at < count; at += model.maxRows) {
      const some = rows.value.subarray(at * form.width, (at + model.maxRows) * form.width);
      scores.set(await model.run(some, EXAMPLES_TIMEOUT_MS), at);
    }
  } catch (error) {
    if (!(error instanceof ScorerError)) throw error;
    return [{ path: "/examples", expected: "scores for the examples that were recorded with the model", got: error.message }];
  }
  const trouble = exampleTrouble(examples, scores);
  return trouble ? [trouble] : null;
}
