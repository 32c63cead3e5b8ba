/** Decisions as an answer of the Open Inference Protocol: JSON, or JSON with binary tensors after it. */
import { shown } from "../checked.ts";
import type { DecisionReply } from "../serving/index.ts";
import type { OIP_OUTPUTS } from "../releases/index.ts";
import { err, ok, type Issue, type Result } from "../std.ts";
import { encodeElements, type Element } from "./tensor-bytes.ts";
import { given, isObject } from "./tensors.ts";

type OutputType = "BYTES" | "FP64" | "INT64";
interface Output {
  readonly datatype: OutputType;
  readonly of: (reply: DecisionReply) => Element;
  readonly parameters?: Readonly<Record<string, unknown>>;
}

export const OUTPUTS = {
  action: { datatype: "BYTES", of: ({ action }) => action },
  score: { datatype: "FP64", of: ({ score }) => score },
  release: { datatype: "BYTES", of: ({ release }) => release },
  decision: { datatype: "BYTES", of: ({ id }) => id },
  route: { datatype: "BYTES", of: ({ route }) => route },
  reasons: { datatype: "BYTES", of: ({ reasons }) => JSON.stringify(reasons), parameters: { content_type: "json" } },
  generation: { datatype: "INT64", of: ({ generation }) => generation },
} as const satisfies Record<OutputName, Output>;
export type OutputName = (typeof OIP_OUTPUTS)[number];
export const DEFAULT_OUTPUTS: readonly OutputName[] = ["action", "score", "release", "decision"];

const isOutputName = (name: unknown): name is OutputName => typeof name === "string" && Object.hasOwn(OUTPUTS, name);

export interface WantedOutput {
  readonly name: OutputName;
  readonly isBinary: boolean;
}

/** Which outputs a request asks for, and in which form. @param usual - where it asks for none */
export function wantedOutputs(
  body: Readonly<Record<string, unknown>>,
  usual: readonly OutputName[],
): Result<readonly WantedOutput[], Issue> {
  const parameters = given(body, "parameters");
  const isBinary = isObject(parameters) && parameters["binary_data_output"] === true;
  const outputs = given(body, "outputs");
  if (outputs === undefined || (Array.isArray(outputs) && outputs.length === 0)) return ok(usual.map((name) => ({ name, isBinary })));
  if (!Array.isArray(outputs)) return err({ path: "/outputs", expected: "a list of outputs", got: shown(outputs) });
  const wanted: WantedOutput[] = [];
  for (const [i, output] of outputs.entries()) {
    const name: unknown = isObject(output) ? output["name"] : output;
    if (!isObject(output) || !isOutputName(name))
      return err({ path: `/outputs/${i}/name`, expected: `one of ${Object.keys(OUTPUTS).join(", ")}`, got: shown(name) });
    const own = given(output, "parameters");
    const binary = isObject(own) ? own["binary_data"] : undefined;
    wanted.push({ name, isBinary: typeof binary === "boolean" ? binary : isBinary });
  }
  return ok(wanted);
}

export interface InferReply {
  readonly model: string;
  readonly id: string;
  readonly replies: readonly DecisionReply[];
  readonly outputs: readonly WantedOutput[];
}

/** @returns the body, with the length of its JSON part where binary tensors follow it */
export function inferReply({ model, id, replies, outputs }: InferReply): { readonly body: Buffer; readonly jsonBytes: number | null } {
  const releases = new Set(replies.map(({ release }) => release));
  const generations = new Set(replies.map(({ generation }) => generation));
  const [release] = releases;
  const [generation] = generations;
  const binary: Buffer[] = [];
  const tensors = outputs.map(({ name, isBinary }) => {
    const output: Output = OUTPUTS[name];
    const elements = replies.map((reply) => output.of(reply));
    const head = { name, shape: [replies.length], datatype: output.datatype };
    if (!isBinary) return { ...head, ...(output.parameters ? { parameters: output.parameters } : {}), data: elements };
    const bytes = encodeElements(output.datatype, elements);
    binary.push(bytes);
    return { ...head, parameters: { ...output.parameters, binary_data_size: bytes.length } };
  });
  const json = Buffer.from(
    JSON.stringify({
      model_name: model,
      ...(releases.size === 1 ? { model_version: release } : {}),
      id,
      ...(generations.size === 1 ? { parameters: { generation } } : {}),
      outputs: tensors,
    }),
  );
  return binary.length === 0 ? { body: json, jsonBytes: null } : { body: Buffer.concat([json, ...binary]), jsonBytes: json.length };
}
