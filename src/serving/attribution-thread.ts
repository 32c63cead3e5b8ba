/** A thread that reads models and attributes scores to features: neither may keep a decision waiting. */
import { readFile } from "node:fs/promises";
import { parentPort } from "node:worker_threads";
import { attributed, scoreOf, type Attribution } from "./attribution.ts";
import { modelStructure, type ModelStructure } from "./model-structure.ts";
import { scoreCall } from "./onnx-call.ts";
import { inspectModel } from "./onnx-model.ts";
import { MalformedProtobuf } from "./protobuf.ts";

export interface AttributionRequest {
  readonly id: number;
  /** Of the model's file. */
  readonly path: string;
  readonly width: number;
  readonly output?: string;
  readonly column?: number;
  /** Its column by the name of the class. */
  readonly class?: string;
  readonly person: Float64Array;
  /** Rows one after the other. */
  readonly reference: Float64Array;
}

/** Exact values, with what is needed to see whether the model was read rightly. */
export interface ExactAttribution extends Attribution {
  readonly method: ModelStructure["kind"];
  /** Log-odds where the score is the logistic function of the sum. */
  readonly scale: "score" | "log-odds";
  /** The scores that the sums stand for. */
  readonly score: number;
  readonly referenceScores: Float64Array;
}

export interface AttributionReply {
  readonly id: number;
  /** Null where the model's file doesn't say what it computes in a form that is understood. */
  readonly attribution: ExactAttribution | null;
}

const MODELS_KEPT = 4;

const models = new Map<string, Promise<ModelStructure | undefined>>();

function modelFor({ path, width, output, column, class: named }: AttributionRequest): Promise<ModelStructure | undefined> {
  const key = JSON.stringify([path, width, output, column, named]);
  const model = models.get(key) ?? readModel();
  models.delete(key);
  models.set(key, model); // the newest last
  for (const oldest of models.keys()) {
    if (models.size <= MODELS_KEPT) break;
    models.delete(oldest);
  }
  return model;

  async function readModel(): Promise<ModelStructure | undefined> {
    const bytes = await readFile(path);
    const inspected = inspectModel(bytes);
    if (!inspected.ok) return undefined;
    const call = scoreCall(inspected.value, { width }, { output, column, class: named });
    return call.ok ? modelStructure(bytes, width, { output: call.value.fetch, column: call.value.column }) : undefined;
  }
}

async function answer(request: AttributionRequest): Promise<AttributionReply> {
  const { id, width, person, reference } = request;
  let model: ModelStructure | undefined;
  try {
    model = await modelFor(request);
  } catch (error) {
    // A file that is gone or broken: the scorer's own process will tell.
    if (!(error instanceof MalformedProtobuf) && !(error instanceof Error && "code" in error)) throw error;
  }
  if (!model) return { id, attribution: null };
  const found = attributed(model, person, { width, values: reference });
  return {
    id,
    attribution: {
      ...found,
      method: model.kind,
      scale: model.link === "logit" ? "log-odds" : "score",
      score: scoreOf(model, found.sum),
      referenceScores: found.references.map((sum) => scoreOf(model, sum)),
    },
  };
}

parentPort?.on("message", (request: AttributionRequest) => void answer(request).then((reply) => parentPort?.postMessage(reply)));
