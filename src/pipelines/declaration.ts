/** `evenkeel.yaml`: a few steps with commands, code, parameters, inputs and outputs. Pure. */
import { Type, type Static } from "typebox";
import { nearest } from "../checked.ts";
import { err, ok, type Issue, type Result } from "../std.ts";
import { checkedYaml, parseYaml } from "../yaml.ts";

/** Which part of the making a step is. Its code and its parameters are different players of blame. */
export const Role = Type.Enum(["data", "features", "algorithm", "threshold"]);
export type StepRole = Static<typeof Role>;

const Name = Type.String({ pattern: "^[a-z][a-z0-9_-]{0,62}$" });
/** A path inside the pipeline's folder; `..` and absolute ones are refused. */
export const InnerPath = Type.String({ pattern: "^(?!/)(?!.*(^|/)\\.\\.(/|$))[A-Za-z0-9._@+=-][A-Za-z0-9._@+=/ -]*$", maxLength: 500 });

export const OutSpec = Type.Object(
  { path: InnerPath, kind: Type.Enum(["table", "matrix", "feature-set", "model", "policy", "file"]) },
  { additionalProperties: false },
);
const DatasetInput = Type.Object(
  { dataset: Type.String({ pattern: "^[a-z][a-z0-9-]{0,62}@.{1,100}$", description: "name@tag or name@number" }) },
  { additionalProperties: false },
);
const StepSpec = Type.Object(
  {
    role: Role,
    cmd: Type.String({
      minLength: 1,
      maxLength: 4096,
      description: "Run without a shell; {code}, {params}, {seed}, {deps.…} and {outs.…} are replaced",
    }),
    code: Type.Array(InnerPath, { minItems: 1, maxItems: 1000 }),
    params: Type.Optional(Type.Array(Type.String({ maxLength: 200 }), { maxItems: 50, description: "Subtrees of params.yaml" })),
    deps: Type.Optional(Type.Record(Name, Type.Union([Type.String({ pattern: "^[a-z][a-z0-9_-]*\\.[a-z][a-z0-9_-]*$" }), DatasetInput]))),
    outs: Type.Record(Name, OutSpec),
    metrics: Type.Optional(InnerPath),
    timeoutMs: Type.Optional(Type.Integer({ minimum: 1, maximum: 86_400_000 })),
  },
  { additionalProperties: false },
);
const PipelineSpec = Type.Object(
  { version: Type.Literal(1), pipeline: Name, steps: Type.Record(Name, StepSpec, { minProperties: 1, maxProperties: 100 }) },
  { title: "Pipeline", additionalProperties: false },
);
type PipelineSpec = Static<typeof PipelineSpec>;

/** Where an input of a step comes from. */
export type DepSource =
  | { readonly kind: "step"; readonly step: string; readonly out: string }
  | { readonly kind: "dataset"; readonly reference: string };
export interface Out {
  readonly path: string;
  readonly kind: "table" | "matrix" | "feature-set" | "model" | "policy" | "file";
}
export interface Step {
  readonly name: string;
  readonly role: StepRole;
  readonly cmd: string;
  readonly code: readonly string[];
  readonly params: readonly string[];
  readonly deps: Readonly<Record<string, DepSource>>;
  readonly outs: Readonly<Record<string, Out>>;
  readonly metrics: string | null;
  readonly timeoutMs: number;
}
export interface Pipeline {
  readonly name: string;
  /** In an order in which they can run. */
  readonly steps: readonly Step[];
}

const STEP_TIMEOUT_MS = 3_600_000;
const check = checkedYaml(PipelineSpec);

/** Reads a declaration; what is wrong comes with its line and column. */
export function parsePipeline(text: string): Result<Pipeline, readonly Issue[]> {
  const documents = parseYaml(text);
  if (!documents.ok) return documents;
  const [document, ...more] = documents.value;
  if (!document || more.length > 0)
    return err([{ path: "", expected: "one YAML document", got: document ? `${more.length + 1}` : "none" }]);
  const spec = check(document);
  if (!spec.ok) return spec;
  const steps = toSteps(spec.value);
  const issues = [...danglingDeps(steps), ...unknownPlaceholders(steps)];
  const order = issues.length > 0 ? err(issues) : inOrder(steps);
  return order.ok ? ok({ name: spec.value.pipeline, steps: order.value }) : err(order.error.map((issue) => document.locate(issue)));
}

function toSteps(spec: PipelineSpec): Step[] {
  return Object.entries(spec.steps).map(([name, step]) => ({
    name,
    role: step.role,
    cmd: step.cmd,
    code: step.code,
    params: step.params ?? [],
    deps: Object.fromEntries(
      Object.entries(step.deps ?? {}).map(([dep, from]): [string, DepSource] => {
        if (typeof from !== "string") return [dep, { kind: "dataset", reference: from.dataset }];
        const [of = "", out = ""] = from.split(".");
        return [dep, { kind: "step", step: of, out }];
      }),
    ),
    outs: step.outs,
    metrics: step.metrics ?? null,
    timeoutMs: step.timeoutMs ?? STEP_TIMEOUT_MS,
  }));
}

function danglingDeps(steps: readonly Step[]): Issue[] {
  const issues: Issue[] = [];
  const byName = new Map(steps.map((step) => [step.name, step]));
  for (const step of steps) {
    for (const [dep, from] of Object.entries(step.deps)) {
      if (from.kind === "dataset") continue;
      const path = `/steps/${step.name}/deps/${dep}`;
      const source = byName.get(from.step);
      if (!source)
        issues.push({
          path,
          expected: `a step: ${[...byName.keys()].join(", ")}`,
          got: from.step,
          ...didYouMean(from.step, [...byName.keys()]),
        });
      else if (!Object.hasOwn(source.outs, from.out)) {
        const outs = Object.keys(source.outs);
        issues.push({ path, expected: `an output of ${from.step}: ${outs.join(", ")}`, got: from.out, ...didYouMean(from.out, outs) });
      }
    }
  }
  return issues;
}

/** Everything in braces in a command must be something that will be there. */
function unknownPlaceholders(steps: readonly Step[]): Issue[] {
  return steps.flatMap((step) => {
    const known = [
      "code",
      "params",
      "seed",
      ...Object.keys(step.deps).map((dep) => `deps.${dep}`),
      ...Object.keys(step.outs).map((out) => `outs.${out}`),
      ...(step.metrics ? ["metrics"] : []),
    ];
    return [...step.cmd.matchAll(/\{([^{}]*)\}/g)]
      .map(([, name = ""]) => name)
      .filter((name) => !known.includes(name))
      .map((name): Issue => ({
        path: `/steps/${step.name}/cmd`,
        expected: `one of ${known.map((one) => `{${one}}`).join(", ")}`,
        got: `{${name}}`,
        ...didYouMean(name, known),
      }));
  });
}

function inOrder(steps: readonly Step[]): Result<readonly Step[], readonly Issue[]> {
  const done: Step[] = [];
  const waiting = new Set(steps);
  while (waiting.size > 0) {
    const ready = [...waiting].find((step) =>
      Object.values(step.deps).every((from) => from.kind === "dataset" || done.some((one) => one.name === from.step)),
    );
    if (!ready) {
      const names = [...waiting].map((step) => step.name);
      return err([
        { path: `/steps/${names[0] ?? ""}`, expected: "steps that don't wait for each other in a circle", got: `${names.join(" → ")} → …` },
      ]);
    }
    waiting.delete(ready);
    done.push(ready);
  }
  return ok(done);
}

function didYouMean(name: string, known: readonly string[]): { readonly hint?: string } {
  const near = nearest(name, known);
  return near ? { hint: `did you mean "${near}"?` } : {};
}
