/** One model in ONNX Runtime. Calls block their thread: meant for a scorer process, or for a simulation that has all the time. */
import { InferenceSession, Tensor } from "onnxruntime-node";
import { err, ok, type Issue, type Result } from "../std.ts";
import { inspectModel, scoreCall, type OnnxModel, type ScoreCall } from "./onnx-model.ts";

export interface SessionOptions {
  readonly width: number;
  readonly output?: string;
  readonly column?: number;
  readonly threads: number;
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

  static async load(bytes: Uint8Array, options: SessionOptions): Promise<Result<OnnxSession, readonly Issue[]>> {
    const model = inspectModel(bytes);
    if (!model.ok) return model;
    const call = scoreCall(model.value, options.width, options);
    if (!call.ok) return call;
    try {
      const session = await InferenceSession.create(bytes, {
        intraOpNumThreads: options.threads,
        interOpNumThreads: 1,
        executionMode: "sequential",
        graphOptimizationLevel: "all",
        enableMemPattern: false, // a pattern is for one batch size; ours change all the time
        logSeverityLevel: 4,
      });
      return ok(new OnnxSession(model.value, call.value, session, options.width));
    } catch (error) {
      return err([{ path: "", expected: "a model that ONNX Runtime can load", got: messageOf(error) }]);
    }
  }

  /**
   * The score column for each row; NaN and other odd numbers come as they are.
   * @throws Error with the runtime's words, or when the output has another shape than one row for each person
   */
  async run(rows: Float32Array): Promise<Float64Array> {
    const count = rows.length / this.#width;
    const { input, inputType, output } = this.call;
    const shape = [count, this.#width];
    const tensor = inputType === "float32" ? new Tensor("float32", rows, shape) : new Tensor("float64", Float64Array.from(rows), shape);
    const { [output]: result } = await this.#session.run({ [input]: tensor }, [output]);
    if (!(result?.data instanceof Float32Array || result?.data instanceof Float64Array)) throw new Error(`${output} holds no floats`);
    const columns = result.data.length / count;
    const column = this.call.column ?? columns - 1;
    if (
      result.dims[0] !== count ||
      result.dims.length > 2 ||
      columns < 1 ||
      column >= columns ||
      (columns > 2 && this.call.column === null)
    )
      throw new Error(`${output} has the shape [${result.dims.join(", ")}] for ${count} people: expected [${count}] or [${count}, 1 or 2]`);
    const scores = new Float64Array(count);
    for (let i = 0; i < count; i++) scores[i] = result.data[i * columns + column] ?? Number.NaN;
    return scores;
  }

  async release(): Promise<void> {
    await this.#session.release();
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
