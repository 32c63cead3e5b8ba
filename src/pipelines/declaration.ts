/** `evenkeel.yaml`: a few steps with commands, code, parameters, inputs and outputs. Pure. */
import { Type, type Static } from "typebox";
import { nearest } from "../checked.ts";
import { err, ok, type Issue, type Result } from "../std.ts";
import { checkedYaml, parseYaml } from "../yaml.ts";
import { wordsOf } from "./command-words.ts";

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
const FileInput = Type.Object(
  { file: Type.Unsafe<string>({ ...InnerPath, description: "A file in the pipeline's folder, by its content" }) },
  { additionalProperties: false },
);
/** Not a word that a program would take for one of its options. */
const OneWord = Type.String({ pattern: "^[^-\\s\\p{Cc}][^\\p{Cc}]*$", maxLength: 200 });
const ExternalInput = Type.Object(
  {
    external: Type.Unsafe<string>({ ...OneWord, description: "What is read that isn't kept here: a database, a service" }),
    pin: Type.Unsafe<string>({ ...OneWord, description: "Which state of it: a date, a snapshot, a version. {deps.…} stands for it" }),
  },
  { additionalProperties: false },
);
const StepSpec = Type.Object(
  {
    role: Role,
    cmd: Type.String({
      minLength: 1,
      maxLength: 4096,
      description:
        "Run without a shell; quotes keep words together; {code}, {params}, {seed}, {metrics}, {deps.…} and {outs.…} are replaced",
    }),
    code: Type.Optional(Type.Array(InnerPath, { maxItems: 1000, description: "Files, and folders with all that is in them" })),
    params: Type.Optional(Type.Array(Type.String({ maxLength: 200 }), { maxItems: 50, description: "Subtrees of params.yaml" })),
    deps: Type.Optional(
      Type.Record(
        Name,
        Type.Union([Type.String({ pattern: "^[a-z][a-z0-9_-]*\\.[a-z][a-z0-9_-]*$" }), DatasetInput, FileInput, ExternalInput]),
      ),
    ),
    order: Type.Optional(
      Type.Literal("insensitive", { description: "The same rows of a table in another order or notation are the same input" }),
    ),
    env: Type.Optional(
      Type.Array(Type.String({ pattern: "^[A-Za-z_][A-Za-z0-9_]*$", maxLength: 100 }), {
        maxItems: 50,
        uniqueItems: true,
        description: "Variables of the environment that it is told; their values are kept with what it makes",
      }),
    ),
    outs: Type.Record(Name, OutSpec),
    metrics: Type.Optional(InnerPath),
    timeoutMs: Type.Optional(Type.Integer({ minimum: 1, maximum: 86_400_000 })),
  },
  { additionalProperties: false },
);
const PipelineSpec = Type.Object(
  {
    version: Type.Literal(1),
    pipeline: Name,
    environment: Type.Optional(
      Type.Object(
        { lock: Type.Array(InnerPath, { maxItems: 20, description: "Files that say what is installed: uv.lock, Dockerfile" }) },
        { additionalProperties: false },
      ),
    ),
    steps: Type.Record(Name, StepSpec, { minProperties: 1, maxProperties: 100 }),
  },
  { title: "Pipeline", additionalProperties: false },
);
type PipelineSpec = Static<typeof PipelineSpec>;

/** Where an input of a step comes from. */
export type DepSource =
  | { readonly kind: "step"; readonly step: string; readonly out: string }
  | { readonly kind: "dataset"; readonly reference: string }
  | { readonly kind: "file"; readonly path: string }
  /** What isn't kept here, in the state that `pin` names. */
  | { readonly kind: "external"; readonly external: string; readonly pin: string };
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
  /** Tables that it is given count by their rows. */
  readonly isOrderInsensitive: boolean;
  /** Names of variables of the environment. */
  readonly env: readonly string[];
}
export interface Pipeline {
  readonly name: string;
  /** Files that say what is installed; without any, the nearest lock file of a package manager does. */
  readonly locks: readonly string[];
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
  const issues = [...danglingDeps(steps), ...badCommands(steps), ...badVariables(steps), ...sharedPaths(steps)];
  const order = issues.length > 0 ? err(issues) : inOrder(steps);
  return order.ok
    ? ok({ name: spec.value.pipeline, locks: spec.value.environment?.lock ?? [], steps: order.value })
    : err(order.error.map((issue) => document.locate(issue)));
}

/** Some steps of a pipeline with all that they need. */
export function withUpstream(pipeline: Pipeline, names: ReadonlySet<string>): Pipeline {
  const wanted = new Set(names);
  for (const step of pipeline.steps.toReversed())
    if (wanted.has(step.name)) for (const from of Object.values(step.deps)) if (from.kind === "step") wanted.add(from.step);
  return { ...pipeline, steps: pipeline.steps.filter(({ name }) => wanted.has(name)) };
}

function toSteps(spec: PipelineSpec): Step[] {
  return Object.entries(spec.steps).map(([name, step]) => ({
    name,
    role: step.role,
    cmd: step.cmd,
    code: (step.code ?? []).map((path) => path.replace(/\/+$/, "")),
    params: step.params ?? [],
    deps: Object.fromEntries(Object.entries(step.deps ?? {}).map(([dep, from]): [string, DepSource] => [dep, sourceOf(from)])),
    outs: step.outs,
    metrics: step.metrics ?? null,
    timeoutMs: step.timeoutMs ?? STEP_TIMEOUT_MS,
    isOrderInsensitive: step.order === "insensitive",
    env: step.env ?? [],
  }));
}

function sourceOf(from: NonNullable<PipelineSpec["steps"][string]["deps"]>[string]): DepSource {
  if (typeof from === "string") {
    const [step = "", out = ""] = from.split(".");
    return { kind: "step", step, out };
  }
  if ("file" in from) return { kind: "file", path: from.file };
  return "external" in from ? { kind: "external", ...from } : { kind: "dataset", reference: from.dataset };
}

/** Ours, or those by which it is seen what a step reads. */
const RESERVED = /^(EVENKEEL_.*|NODE_OPTIONS|PYTHONPATH|LD_PRELOAD)$/;
const SECRET = /PASSWORD|PASSWD|SECRET|TOKEN|CREDENTIAL|API_?KEY|PRIVATE_?KEY/i;

/** What a variable holds is kept with the run, for all who may read it. */
function badVariables(steps: readonly Step[]): Issue[] {
  return steps.flatMap(({ name, env }) =>
    env.flatMap((variable, i): Issue[] => {
      const path = `/steps/${name}/env/${i}`;
      if (RESERVED.test(variable)) return [{ path, expected: "a variable that the runner doesn't set itself", got: variable }];
      if (!SECRET.test(variable)) return [];
      const hint = "its value would be kept with the run: programs find secrets in files below HOME, which every step is told";
      return [{ path, expected: "a variable that holds no secret", got: variable, hint }];
    }),
  );
}

function danglingDeps(steps: readonly Step[]): Issue[] {
  const issues: Issue[] = [];
  const byName = new Map(steps.map((step) => [step.name, step]));
  for (const step of steps) {
    for (const [dep, from] of Object.entries(step.deps)) {
      if (from.kind !== "step") continue;
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

/** Everything in braces in a command must be something that will be there, and declared code is run from where it is captured. */
function badCommands(steps: readonly Step[]): Issue[] {
  return steps.flatMap((step) => {
    const path = `/steps/${step.name}/cmd`;
    const words = wordsOf(step.cmd);
    if (!words.ok) return [{ path, expected: "every quote to be closed", got: words.error }];
    const known = [
      "code",
      "params",
      "seed",
      ...Object.keys(step.deps).map((dep) => `deps.${dep}`),
      ...Object.keys(step.outs).map((out) => `outs.${out}`),
      ...(step.metrics ? ["metrics"] : []),
    ];
    const unknown = [...step.cmd.matchAll(/\{([a-z][a-z0-9_.-]*)\}/g)]
      .map(([, name = ""]) => name)
      .filter((name) => !known.includes(name))
      .map((name): Issue => ({
        path,
        expected: `one of ${known.map((one) => `{${one}}`).join(", ")}`,
        got: `{${name}}`,
        ...didYouMean(name, known),
      }));
    const uncaptured = words.value
      .filter((word) => step.code.some((code) => word === code || word.startsWith(`${code}/`)))
      .map((word): Issue => ({ path, expected: "the captured copy of declared code", got: word, hint: `write {code}/${word}` }));
    return [...unknown, ...uncaptured];
  });
}

/** Two outputs of a step in one place would be one output under two names. */
function sharedPaths(steps: readonly Step[]): Issue[] {
  return steps.flatMap((step) => {
    const owners = new Map<string, string>();
    const outs = Object.entries(step.outs).map(([out, { path }]) => ({ at: `/outs/${out}/path`, path }));
    const places = step.metrics ? [...outs, { at: "/metrics", path: step.metrics }] : outs;
    return places.flatMap(({ at, path }): Issue[] => {
      const owner = owners.get(path);
      owners.set(path, at);
      return owner === undefined
        ? []
        : [{ path: `/steps/${step.name}${at}`, expected: "a path of its own", got: path, hint: `${owner.slice(1)} has it already` }];
    });
  });
}

function inOrder(steps: readonly Step[]): Result<readonly Step[], readonly Issue[]> {
  const done: Step[] = [];
  const waiting = new Set(steps);
  const isWaiting = (name: string) => [...waiting].find((step) => step.name === name);
  const waitedFor = (step: Step) => Object.values(step.deps).flatMap((from) => (from.kind === "step" ? (isWaiting(from.step) ?? []) : []));
  while (waiting.size > 0) {
    const ready = [...waiting].find((step) => waitedFor(step).length === 0);
    if (!ready) return err([circleFrom([...waiting][0], waitedFor)]);
    waiting.delete(ready);
    done.push(ready);
  }
  return ok(done);
}

/** The circle itself, without the steps that merely wait for it. */
function circleFrom(first: Step | undefined, waitedFor: (step: Step) => readonly Step[]): Issue {
  const path: Step[] = [];
  let at = first;
  while (at && !path.includes(at)) {
    path.push(at);
    at = waitedFor(at)[0];
  }
  const circle = path.slice(at ? path.indexOf(at) : 0).map(({ name }) => name);
  return {
    path: `/steps/${circle[0] ?? ""}`,
    expected: "steps that don't wait for each other in a circle",
    got: [...circle, circle[0] ?? ""].map((name, i) => (i === 0 ? name : `needs ${name}`)).join(", which "),
  };
}

function didYouMean(name: string, known: readonly string[]): { readonly hint?: string } {
  const near = nearest(name, known);
  return near ? { hint: `did you mean "${near}"?` } : {};
}
