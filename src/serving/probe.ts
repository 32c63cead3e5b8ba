/** Tries out a model in a process of its own, with limits, before anything that serves touches it. */
import { err, ok, type Issue, type Result } from "../std.ts";
import type { ModelFiles } from "./model-files.ts";
import { MAX_BATCH_ROWS, ModelProcess, type LoadedModel, type ProcessLimits } from "./model-process.ts";
import type { RowForm, WantedOutput } from "./onnx-call.ts";
import { ScorerError } from "./scorer.ts";
import type { TextColumns } from "./text-codes.ts";

/** What to try, and how far to go. */
export interface ProbeOptions {
  readonly files: ModelFiles;
  readonly form: RowForm;
  /** Rows to score twice, row-major; at most 1,024. */
  readonly rows: Float32Array;
  /** Nobody is like these rows: not every one must get a number, and a model of texts may know none of them. */
  readonly areMadeUp?: boolean;
  readonly texts?: TextColumns;
  readonly wanted?: WantedOutput;
  /** For loading, and again for scoring. Default 10 s. */
  readonly timeoutMs?: number;
  /** Default 1.5 GB of memory and 20 s of CPU. */
  readonly limits?: ProcessLimits;
}

/** What a good model showed of itself. */
export interface Probe extends LoadedModel {
  /** What the model gave for each row, the same twice; all are numbers unless the rows are made up. */
  readonly scores: Float64Array;
}

/**
 * Loads a model away from everything, scores the rows twice, and ends the process.
 * @returns issues that say why the model is refused: garbage, too slow, too big, other numbers for the same rows, no numbers
 * @throws ScorerError when no process can be started
 */
export async function probeModel(options: ProbeOptions): Promise<Result<Probe, readonly Issue[]>> {
  const {
    files,
    form,
    rows,
    areMadeUp = false,
    texts,
    wanted,
    timeoutMs = 10_000,
    limits = { dataBytes: 1.5e9, cpuSeconds: 20 },
  } = options;
  const { width } = form;
  const count = rows.length / width;
  if (!Number.isInteger(count) || count < 1 || count > MAX_BATCH_ROWS) throw new RangeError(`${rows.length} numbers in rows of ${width}`);
  const started = await ModelProcess.start({
    files,
    form,
    threads: 1,
    startTimeoutMs: timeoutMs,
    limits,
    ...(texts ? { texts } : {}),
    ...(wanted ? { wanted } : {}),
  });
  if (!started.ok) return started;
  const { process, loaded } = started.value;
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    void process.kill();
  }, timeoutMs);
  try {
    const scores = await process.run(rows, count);
    const again = await process.run(rows, count);
    const issue = troubleWith(scores, again, areMadeUp);
    return issue ? err([issue]) : ok({ ...loaded, scores });
  } catch (error) {
    if (!(error instanceof ScorerError)) throw error;
    if (areMadeUp && error.trouble === "failed" && texts && texts.size > 0) return ok({ ...loaded, scores: new Float64Array() });
    const got = isLate ? "one that takes longer" : error.message;
    return err([{ path: "", expected: isLate ? `a model that scores within ${timeoutMs / 1000} s` : "a model that scores", got }]);
  } finally {
    clearTimeout(timer);
    await process.kill();
  }
}

/** Whether two runs over the same rows show a model that can't be used. */
function troubleWith(scores: Float64Array, again: Float64Array, areMadeUp: boolean): Issue | undefined {
  const odd = scores.findIndex((score) => !Number.isFinite(score));
  if (odd >= 0 && !(areMadeUp && scores.some(Number.isFinite)))
    return { path: "", expected: "a number for every person", got: `${scores[odd]} for sample ${odd + 1}` };
  const other = scores.findIndex((score, i) => !Object.is(score, again[i]));
  if (other < 0) return undefined;
  return {
    path: "",
    expected: "the same score for the same person",
    got: `${scores[other]}, then ${again[other]}`,
    hint: "a model that draws random numbers can't be replayed or explained",
  };
}
