/** One model in ONNX Runtime. Calls block their thread: meant for a scorer process, or for a simulation that has all the time. */
import { InferenceSession, type Tensor } from "onnxruntime-node";
import { err, ok, type Issue, type Result } from "../std.ts";
import { MAX_COLUMNS, scoreCall, type RowForm, type ScoreCall, type WantedOutput } from "./onnx-call.ts";
import { tensorOf } from "./onnx-feeds.ts";
import { inspectModel, type OnnxModel } from "./onnx-model.ts";
import { runnableModel } from "./onnx-rewrite.ts";
import type { TextOf } from "./text-frames.ts";

export interface SessionOptions {
  readonly form: RowForm;
  readonly wanted: WantedOutput;
  readonly threads: number;
}

/** The bytes of a model and of the files beside it, by their names. */
export interface ModelBytes {
  readonly model: Uint8Array;
  readonly beside: ReadonlyMap<string, Uint8Array>;
}

export class OnnxSession {
  readonly model: OnnxModel;
  readonly call: ScoreCall;
  readonly #session: InferenceSession;
  readonly #width: number;

  private constructor(model: OnnxModel, call: ScoreCall, session: InferenceSession, width: number) {
    this.model = model;
    this.call = call;
    this.#session = session;
    this.#width = width;
  }

  static async load({ model: bytes, beside }: ModelBytes, options: SessionOptions): Promise<Result<OnnxSession, readonly Issue[]>> {
    const model = inspectModel(bytes, new Map([...beside].map(([name, { length }]) => [name, length])));
    if (!model.ok) return model;
    const call = scoreCall(model.value, options.form, options.wanted);
    if (!call.ok) return call;
    try {
      const session = await InferenceSession.create(runnableModel(bytes, model.value, beside), {
        intraOpNumThreads: options.threads,
        interOpNumThreads: 1,
        executionMode: "sequential",
        graphOptimizationLevel: "all",
        enableMemPattern: false, // a pattern is for one batch size; ours change all the time
        logSeverityLevel: 4,
      });
      return ok(new OnnxSession(model.value, call.value, session, options.form.width));
    } catch (error) {
      return err([{ path: "", expected: "a model that ONNX Runtime can load", got: messageOf(error) }]);
    }
  }

  /**
   * The score column for each row; NaN and other odd numbers come as they are.
   * @throws Error with the runtime's words, or when the output has another shape than one row for each person
   */
  async run(rows: Float32Array, textOf: TextOf): Promise<Float64Array> {
    const count = rows.length / this.#width;
    const { feeds, fetch } = this.call;
    const inputs = Object.fromEntries(feeds.map((feed) => [feed.input, tensorOf(feed, rows, this.#width, textOf)]));
    const { [fetch]: result } = await this.#session.run(inputs, [fetch]);
    return scoresIn(result, count, this.call);
  }

  async release(): Promise<void> {
    await this.#session.release();
  }
}

function scoresIn(result: Tensor | undefined, count: number, { output, column: wanted, columns: told }: ScoreCall): Float64Array {
  const data = result?.data;
  if (!(result && (data instanceof Float32Array || data instanceof Float64Array))) throw new Error(`${output} holds no floats`);
  const columns = data.length / count;
  const column = wanted ?? columns - 1;
  if (
    result.dims[0] !== count ||
    result.dims.length > 2 ||
    columns < 1 ||
    columns > MAX_COLUMNS ||
    column >= columns ||
    (told !== null && told !== columns) ||
    (columns > 2 && wanted === null)
  )
    throw new Error(
      `${output} has the shape [${result.dims.join(", ")}] for ${count} people: expected [${count}] or [${count}, ${told ?? "1 or 2"}]`,
    );
  const scores = new Float64Array(count);
  for (let i = 0; i < count; i++) scores[i] = data[i * columns + column] ?? Number.NaN;
  return scores;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
