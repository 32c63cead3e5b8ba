/** The declaration of a pipeline and its parameters, as verbs read them. */
import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { nearest } from "../checked.ts";
import { combinations, parsePipeline, settingsOf, type Combination, type Pipeline } from "../pipelines/index.ts";
import type { Json } from "../store/index.ts";
import { FileError, brokenText, readText, readYaml } from "./files.ts";
import { UsageError, wholeNumber } from "./verb.ts";

/** Options of every verb that reads a pipeline. */
export const PIPELINE_FILE = {
  file: { type: "string", short: "f" },
  params: { type: "string" },
  seed: { type: "string" },
} as const;

export interface PipelineFile {
  readonly pipeline: Pipeline;
  /** Where it lies. */
  readonly folder: string;
  /** Its file's name without its ending. */
  readonly name: string;
  readonly params: Readonly<Record<string, Json>>;
  readonly seeds: readonly number[];
}

const DEFAULT_FILE = "evenkeel.yaml";

/** @throws FileError with every mistake and its place */
export async function readPipeline(
  cwd: string,
  values: { readonly file?: string | undefined; readonly params?: string | undefined; readonly seed?: string | undefined },
): Promise<PipelineFile> {
  const named = values.file ?? DEFAULT_FILE;
  if (values.file === undefined && !existsSync(join(cwd, DEFAULT_FILE)))
    throw new FileError(`which pipeline? -f <file>, or a file ${DEFAULT_FILE} here`);
  const seeds = (values.seed ?? "1").split(",").map((text) => wholeNumber("--seed", text, { min: 0 }));
  const pipeline = parsePipeline(await readText(cwd, named));
  if (!pipeline.ok) throw new FileError(brokenText(`${named} is no pipeline that can run:`, pipeline.error));
  const file = resolve(cwd, named);
  const folder = dirname(file);
  const params = await paramsIn(values.params === undefined ? join(folder, "params.yaml") : resolve(cwd, values.params), values.params);
  return { pipeline: pipeline.value, folder, name: basename(file).replace(/[.]ya?ml$/, ""), params, seeds };
}

/** The names of steps that somebody wrote, each of which must be one. */
export function stepsNamed(pipeline: Pipeline, names: readonly string[]): ReadonlySet<string> {
  const known = pipeline.steps.map(({ name }) => name);
  for (const name of names) {
    if (known.includes(name)) continue;
    const near = nearest(name, known);
    throw new UsageError(`there is no step "${name}"${near ? `; did you mean "${near}"?` : ""}; steps are ${known.join(", ")}`);
  }
  return new Set(names);
}

/** Every combination of the values that parameters are to have; a single one where none is to have several. */
export function combinationsOf({ pipeline, params }: PipelineFile, set: readonly string[]): readonly Combination[] {
  const settings = settingsOf(set, { pipeline, params });
  if (!settings.ok)
    throw new UsageError(
      settings.error
        .map(({ expected, got, hint }) => `--set takes ${expected}, not ${got ?? "nothing"}${hint ? `; ${hint}` : ""}`)
        .join("\n"),
    );
  return combinations(params, settings.value);
}

const WIDTH_MAX = 64;

/** Commands side by side: as many as there are cores, unless said otherwise. */
export const widthOf = (text: string | undefined): number =>
  text === undefined ? availableParallelism() : wholeNumber("--parallel", text, { min: 1, max: WIDTH_MAX });

/** @param said - where the user named the file; without, having none is fine */
async function paramsIn(path: string, said: string | undefined): Promise<Readonly<Record<string, Json>>> {
  if (said === undefined && !existsSync(path)) return {};
  const value = await readYaml("/", path);
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new UsageError(`${said ?? path} should be a YAML file with parameters by name`);
  return asParams(value);
}
/** YAML's core schema knows nothing that JSON doesn't. */
const asParams = (value: object): Readonly<Record<string, Json>> => value as Readonly<Record<string, Json>>;
