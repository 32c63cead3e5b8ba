/** Scores by a model: features are derived here, the model runs wherever it runs. */
import { CelFailure } from "./cel.ts";
import type { CompiledFeatures } from "./features.ts";
import type { Inputs } from "./inputs.ts";
import { rowCheck, type ScoreCall } from "./onnx-call.ts";
import { ScorerError, checkedScore, type Model, type RowValue, type Scored, type Scorer, type ScorerRows } from "./scorer.ts";

/** Small enough for a decision that comes in between not to wait noticeably. */
const ROWS_AT_ONCE = 128;
const MANY_TIMEOUT_MS = 10_000;

export class OnnxScorer implements Scorer {
  readonly #features: CompiledFeatures;
  readonly #model: Model;
  readonly #check: ReturnType<typeof rowCheck>;
  readonly #chunkRows: number;
  readonly rows: ScorerRows;

  constructor(features: CompiledFeatures, model: Model & { readonly loaded: { readonly call: ScoreCall } }) {
    this.#features = features;
    this.#model = model;
    this.#check = rowCheck(model.loaded.call);
    this.#chunkRows = Math.min(ROWS_AT_ONCE, model.maxRows);
    this.rows = {
      columns: { kind: "features", names: features.names },
      rowOf: (inputs) => {
        const row = new Float32Array(features.width);
        this.#derive(inputs, row, 0);
        return Array.from(row, (value, i) => features.texts.get(i)?.textOf(value) ?? value);
      },
      score: (rows) => this.#scoreRows(rows),
    };
  }

  async score(inputs: Inputs, timeoutMs: number): Promise<Scored> {
    const row = new Float32Array(this.#features.width);
    this.#derive(inputs, row, 0);
    const scores = await this.#model.run(row, timeoutMs);
    return { score: checkedScore(scores[0] ?? Number.NaN), reasons: [] };
  }

  async scoreMany(inputs: readonly Inputs[]): Promise<readonly (Scored | ScorerError)[]> {
    const answers: (Scored | ScorerError)[] = [];
    for (let at = 0; at < inputs.length; at += this.#chunkRows)
      answers.push(...(await this.#scoreSome(inputs.slice(at, at + this.#chunkRows))));
    return answers;
  }

  close(): Promise<void> {
    return this.#model.close();
  }

  async #scoreRows(rows: readonly (readonly RowValue[])[]): Promise<Float64Array> {
    const { texts } = this.#features;
    const scores = new Float64Array(rows.length);
    for (let at = 0; at < rows.length; at += this.#chunkRows) {
      const values = rows
        .slice(at, at + this.#chunkRows)
        .flatMap((row) => row.map((value, i) => texts.get(i)?.codeOf(String(value ?? "")) ?? Number(value)));
      for (const [i, score] of (await this.#model.run(Float32Array.from(values), MANY_TIMEOUT_MS)).entries())
        scores[at + i] = checkedScore(score);
    }
    return scores;
  }

  async #scoreSome(inputs: readonly Inputs[]): Promise<readonly (Scored | ScorerError)[]> {
    const { width } = this.#features;
    const rows = new Float32Array(inputs.length * width);
    const failures = inputs.map((each, i) => caught(() => this.#derive(each, rows, i * width)));
    let scores: Float64Array;
    try {
      scores = await this.#model.run(rows, MANY_TIMEOUT_MS);
    } catch (error) {
      if (!(error instanceof ScorerError)) throw error;
      return inputs.map(() => error);
    }
    return failures.map((failure, i) => {
      if (failure) return failure;
      const score = scores[i] ?? Number.NaN;
      return caught(() => void checkedScore(score)) ?? { score, reasons: [] };
    });
  }

  #derive(inputs: Inputs, into: Float32Array, at: number): void {
    try {
      this.#features.derive(inputs, into, at);
      const trouble = this.#check?.(into, at);
      if (trouble === undefined) return;
      into.fill(0, at, at + this.#features.width); // in a batch, where it must cost nobody else the answer
      throw new ScorerError("not-computable", trouble);
    } catch (error) {
      if (error instanceof CelFailure) throw new ScorerError("not-computable", error.message, { cause: error });
      throw error;
    }
  }
}

function caught(work: () => void): ScorerError | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    if (error instanceof ScorerError) return error;
    throw error;
  }
}
