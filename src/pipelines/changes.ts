/** What differs between how a step was made once and how it would be made now: why it isn't up to date. Pure. */
import { canonicalJson, type Json } from "../store/index.ts";
import { unreachable, type BlobId } from "../std.ts";
import { isTree } from "./capture.ts";
import { identityOf, type RecipeStep, type StepInput } from "./recipe.ts";
import type { StepFacts } from "./step-outcome.ts";

export type StepChange =
  | {
      readonly kind: "code";
      readonly path: string;
      readonly how: "changed" | "added" | "removed" | "made a program" | "no program any more";
    }
  /** A value that isn't there is null. */
  | { readonly kind: "param"; readonly path: string; readonly before: Json; readonly now: Json }
  | { readonly kind: "input"; readonly dep: string; readonly before: string | null; readonly now: string | null }
  | { readonly kind: "command" | "outputs"; readonly before: string; readonly now: string }
  /** null where it isn't set. */
  | { readonly kind: "variable"; readonly name: string; readonly before: string | null; readonly now: string | null }
  | { readonly kind: "seed"; readonly before: number; readonly now: number }
  | { readonly kind: "environment"; readonly before: string; readonly now: string };

/** All that a step's key is over, as it is now. */
export interface StepNow {
  readonly step: RecipeStep;
  /** Those that are known: of a step that has to run first there is none yet. */
  readonly inputs: Readonly<Record<string, StepInput>>;
  readonly seed: number;
  readonly environment: string;
}

export function changesSince(before: StepFacts, { step, inputs, seed, environment }: StepNow): readonly StepChange[] {
  const outsNow = outputsText(step.outs, step.metrics);
  const outsBefore = outputsText(before.outs, before.metricsPath);
  return [
    ...(before.cmd === step.cmd ? [] : [{ kind: "command", before: before.cmd, now: step.cmd } as const]),
    ...codeChanges(before, step),
    ...paramChanges(before.params, step.params),
    ...inputChanges(before.inputs, inputs, step),
    ...variableChanges(before.env, step.env),
    ...(outsBefore === outsNow ? [] : [{ kind: "outputs", before: outsBefore, now: outsNow } as const]),
    ...(before.seed === seed ? [] : [{ kind: "seed", before: before.seed, now: seed } as const]),
    ...(before.environment === environment ? [] : [{ kind: "environment", before: before.environment, now: environment } as const]),
  ];
}

const outputsText = (outs: Readonly<Record<string, { readonly path: string; readonly kind: string }>>, metrics: string | null) =>
  [...Object.entries(outs).map(([name, { path, kind }]) => `${name}: ${path} (${kind})`), `metrics: ${metrics ?? "none"}`]
    .toSorted()
    .join(", ");

/** One side of a comparison of code. */
export interface CodeSide {
  readonly code: Readonly<Record<string, BlobId>>;
  readonly executable: readonly string[];
}

function codeChanges(before: CodeSide, step: RecipeStep): StepChange[] {
  return codeDifferences(before, { code: step.capsule, executable: step.executable ?? [] });
}

/** File by file, sorted by path. */
export function codeDifferences(before: CodeSide, now: CodeSide): Extract<StepChange, { kind: "code" }>[] {
  const paths = [...new Set([...Object.keys(before.code), ...Object.keys(now.code)])].toSorted();
  return paths.flatMap((path) => {
    const how = howCodeDiffers(path, before, now);
    return how === undefined ? [] : [{ kind: "code", path, how } as const];
  });
}

function howCodeDiffers(path: string, before: CodeSide, now: CodeSide): Extract<StepChange, { kind: "code" }>["how"] | undefined {
  const [was, is] = [before.code[path], now.code[path]];
  if (was === undefined) return "added";
  if (is === undefined) return "removed";
  if (was !== is) return "changed";
  const runs = now.executable.includes(path);
  return before.executable.includes(path) === runs ? undefined : runs ? "made a program" : "no program any more";
}

/** Variables of the environment that a step is told. */
export function variableChanges(before: RecipeStep["env"] = {}, now: RecipeStep["env"] = {}): Extract<StepChange, { kind: "variable" }>[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(now)])];
  return names.flatMap((name) => {
    const [was, is] = [before[name] ?? null, now[name] ?? null];
    return was === is ? [] : [{ kind: "variable", name, before: was, now: is } as const];
  });
}

/** Value by value, with dotted paths. */
export function paramChanges(
  before: Readonly<Record<string, Json | undefined>>,
  now: Readonly<Record<string, Json | undefined>>,
  above = "",
): Extract<StepChange, { kind: "param" }>[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(now)])];
  return names.flatMap((name) => {
    const [was, is] = [before[name] ?? null, now[name] ?? null];
    if (isTree(was) && isTree(is)) return paramChanges(was, is, `${above}${name}.`);
    return canonicalJson(was) === canonicalJson(is) ? [] : [{ kind: "param", path: `${above}${name}`, before: was, now: is } as const];
  });
}

function inputChanges(
  before: Readonly<Record<string, StepInput>>,
  now: Readonly<Record<string, StepInput>>,
  { deps }: RecipeStep,
): StepChange[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(deps)])];
  return names.flatMap((dep): StepChange[] => {
    const [was, is] = [before[dep], now[dep]];
    // Declared, and not known before what it waits for has run.
    if (is === undefined && Object.hasOwn(deps, dep) && was !== undefined) return [];
    if (was && is && identityOf(was) === identityOf(is)) return [];
    return [{ kind: "input", dep, before: was ? inputText(was) : null, now: is ? inputText(is) : null }];
  });
}

/** Where it comes from and which bytes it is. */
function inputText(input: StepInput): string {
  if (input.kind === "external") return `${input.external} (${input.pin})`;
  const bytes = input.blob.slice("sha256:".length, "sha256:".length + 12);
  const from = input.kind === "step" ? `${input.step}.${input.out}` : input.kind === "dataset" ? input.reference : input.path;
  return `${from} (${bytes})`;
}

const SHORT = 60;

function valueText(value: Json): string {
  if (value === null) return "nothing";
  if (typeof value === "string") return value.length > SHORT ? `${value.slice(0, SHORT)}…` : value;
  const text = JSON.stringify(value);
  if (text.length <= SHORT) return text;
  return Array.isArray(value) ? `a list of ${value.length}` : `${text.slice(0, SHORT)}…`;
}

function paramText({ path, before, now }: Extract<StepChange, { kind: "param" }>): string {
  const [was, is] = [valueText(before), valueText(now)];
  return was === is ? `${path} changed (${is})` : `${path} ${was} → ${is}`;
}

/** A change in a few words. */
export function changeText(change: StepChange): string {
  switch (change.kind) {
    case "code":
      return `code ${change.path} ${change.how}`;
    case "param":
      return paramText(change);
    case "input":
      return `input ${change.dep} ${change.before ?? "nothing"} → ${change.now ?? "nothing"}`;
    case "variable":
      return `variable ${change.name} ${change.before ?? "not set"} → ${change.now ?? "not set"}`;
    case "command":
      return "the command changed";
    case "outputs":
      return "its outputs changed";
    case "seed":
      return `seed ${change.before} → ${change.now}`;
    case "environment":
      return `environment ${change.before} → ${change.now}`;
    default:
      return unreachable(change);
  }
}
