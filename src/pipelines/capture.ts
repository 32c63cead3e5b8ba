/** Captures a pipeline as it is now: code, named parameters, inputs, all by content. */
import { readdir, realpath, stat } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { nearest } from "../checked.ts";
import type { Json } from "../store/index.ts";
import { err, ok, type BlobId, type Issue, type Result } from "../std.ts";
import type { Pipeline, Step } from "./declaration.ts";
import type { TableIds } from "./known-tables.ts";
import type { KnownDataset, Recipe, RecipeStep } from "./recipe.ts";
import { isTableFile } from "./step-inputs.ts";

export interface CaptureOptions {
  /** Where the declaration lies. */
  readonly folder: string;
  readonly params: Readonly<Record<string, Json>>;
  readonly seed: number;
  /** What the steps run in, in words that differ where it differs. */
  readonly environment: string;
  /** The id of a file's bytes; keeps them where they are to be run from later. */
  readonly blobOf: (path: string) => Promise<BlobId>;
  /** Where steps find the variables that they name; none when left out. */
  readonly variables?: Readonly<Record<string, string | undefined>>;
  /** Told of tables in the pipeline's folder whose rows count, and not their order: their bytes may never leave it. */
  readonly tables?: Pick<TableIds, "learn">;
  /** @param reference - `name@tag` or `name@number` @throws when there is none */
  readonly dataset: (reference: string) => Promise<KnownDataset>;
}

/** Never code of the project: what tools put there. */
const NOT_CODE = new Set([".git", ".hg", ".scratch", "node_modules", "__pycache__", ".venv", ".ipynb_checkpoints", ".DS_Store"]);
const FILES_MAX = 5000;

/** What is declared and isn't there comes as issues whose paths point into the declaration. */
export async function capture(pipeline: Pipeline, options: CaptureOptions): Promise<Result<Recipe, readonly Issue[]>> {
  const issues: Issue[] = [];
  const datasets: Record<string, KnownDataset> = {};
  const files: Record<string, BlobId> = {};
  const steps: RecipeStep[] = [];
  const root = await realpath(options.folder);
  for (const step of pipeline.steps) {
    const at = `/steps/${step.name}`;
    const code = await codeOf(step, root, options);
    issues.push(...code.issues);
    const params: Record<string, Json> = {};
    for (const [i, name] of step.params.entries()) {
      const value = subtree(options.params, name);
      if (value !== undefined) params[name] = value;
      else issues.push(missingParam(`${at}/params/${i}`, name, options.params));
    }
    for (const [dep, from] of Object.entries(step.deps)) {
      if (from.kind === "dataset") datasets[from.reference] ??= await options.dataset(from.reference);
      if (from.kind !== "file") continue;
      const found = await filesAt(root, from.path);
      if (found?.kind === "file") {
        const blob = (files[from.path] ??= await options.blobOf(join(root, from.path)));
        if (step.isOrderInsensitive && isTableFile(from.path)) await options.tables?.learn(blob, join(root, from.path));
      } else issues.push(await missingFile(`${at}/deps/${dep}/file`, from.path, { root, found, wanted: "a file" }));
    }
    const { name, role, cmd, deps, outs, metrics, timeoutMs } = step;
    const executable = code.executable.length > 0 ? { executable: code.executable } : {};
    const order = step.isOrderInsensitive ? { order: "insensitive" as const } : {};
    const env = step.env.length > 0 ? { env: variablesOf(step, options.variables) } : {};
    steps.push({ name, role, cmd, capsule: code.capsule, ...executable, params, deps, outs, metrics, timeoutMs, ...order, ...env });
  }
  if (issues.length > 0) return err(issues);
  const { seed, environment } = options;
  const inputs = Object.keys(files).length > 0 ? { files } : {};
  const locks = pipeline.locks.length > 0 ? { locks: pipeline.locks } : {};
  return ok({ pipeline: pipeline.name, steps, datasets, ...inputs, environment, ...locks, seed });
}

const variablesOf = ({ env }: Step, known: CaptureOptions["variables"] = {}) =>
  Object.fromEntries(env.map((name): [string, string | null] => [name, known[name] ?? null]));

interface CapturedCode {
  readonly capsule: Record<string, BlobId>;
  readonly executable: readonly string[];
  readonly issues: readonly Issue[];
}

async function codeOf(step: Step, root: string, { blobOf }: CaptureOptions): Promise<CapturedCode> {
  const capsule: Record<string, BlobId> = {};
  const executable: string[] = [];
  const issues: Issue[] = [];
  for (const [i, declared] of step.code.entries()) {
    const at = `/steps/${step.name}/code/${i}`;
    const found = await filesAt(root, declared);
    if (!found || found.kind === "outside") {
      issues.push(await missingFile(at, declared, { root, found, wanted: "a file or folder" }));
      continue;
    }
    if (found.files.length > FILES_MAX) {
      issues.push({ path: at, expected: `at most ${FILES_MAX.toLocaleString("en")} files`, got: `more in ${declared}` });
      continue;
    }
    for (const { path, isProgram } of found.files) {
      capsule[path] = await blobOf(join(root, path));
      if (isProgram && !executable.includes(path)) executable.push(path);
    }
  }
  return { capsule, executable: executable.toSorted(), issues };
}

type Found =
  | {
      readonly kind: "file" | "folder";
      readonly files: readonly { readonly path: string; readonly isProgram: boolean }[];
    }
  | { readonly kind: "outside" };

/** The files at a path, sorted; undefined where nothing is. A link out of the folder is no part of it. */
async function filesAt(root: string, path: string): Promise<Found | undefined> {
  const real = await realpath(join(root, path)).catch(() => undefined);
  if (real === undefined) return undefined;
  if (real !== root && !real.startsWith(root + sep)) return { kind: "outside" };
  const { isFolder, isFile, isProgram } = await looked(real);
  if (isFile) return { kind: "file", files: [{ path, isProgram }] };
  if (!isFolder) return undefined;
  const files: { path: string; isProgram: boolean }[] = [];
  const waiting = [path];
  for (let folder = waiting.shift(); folder !== undefined && files.length <= FILES_MAX; folder = waiting.shift()) {
    const names = (await readdir(join(root, folder))).filter((name) => !NOT_CODE.has(name) && !name.endsWith(".pyc"));
    for (const name of names.toSorted()) {
      const inner = join(folder, name);
      const target = await realpath(join(root, inner)).catch(() => undefined);
      if (target === undefined || !target.startsWith(root + sep)) continue;
      const what = await looked(join(root, inner));
      if (what.isFile) files.push({ path: inner, isProgram: what.isProgram });
      // A link to a folder above would go round for ever.
      else if (what.isFolder && target === join(root, inner)) waiting.push(inner);
    }
  }
  return { kind: "folder", files };
}

async function looked(path: string) {
  const found = await stat(path);
  return { isFolder: found.isDirectory(), isFile: found.isFile(), isProgram: (found.mode & 0o100) !== 0 };
}

async function missingFile(
  at: string,
  path: string,
  { root, found, wanted }: { readonly root: string; readonly found: Found | undefined; readonly wanted: string },
): Promise<Issue> {
  const expected = `${wanted} in the pipeline's folder`;
  if (found?.kind === "outside") return { path: at, expected, got: `${path}, which leads out of it` };
  if (found) return { path: at, expected, got: `${path}, which is a ${found.kind}` };
  const names = await readdir(join(root, path, ".."), { withFileTypes: true }).catch(() => []);
  const near = nearest(
    path,
    names.map((entry) => relative(root, join(root, path, "..", entry.name))),
  );
  return { path: at, expected, got: `${path}: there is none`, ...(near ? { hint: `did you mean "${near}"?` } : {}) };
}

/** The part of the parameters that a dotted path names. */
export function subtree(params: Readonly<Record<string, Json>>, path: string): Json | undefined {
  let at: Json | undefined = params;
  for (const part of path.split(".")) at = isTree(at) && Object.hasOwn(at, part) ? at[part] : undefined;
  return at;
}
export const isTree = (value: Json | undefined): value is Readonly<Record<string, Json | undefined>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function missingParam(at: string, name: string, params: Readonly<Record<string, Json>>): Issue {
  const known = pathsOf(params);
  const near = nearest(name, known);
  const some = known.length > 12 ? `${known.slice(0, 12).join(", ")}, …` : known.join(", ");
  const hint = near ? { hint: `did you mean "${near}"?` } : {};
  return { path: at, expected: `a part of the parameters${some ? `: ${some}` : ", which are empty"}`, got: name, ...hint };
}

/** Every dotted path that names something, in the order of the file. */
export function pathsOf(params: Readonly<Record<string, Json | undefined>>, above = ""): string[] {
  return Object.entries(params).flatMap(([name, value]) => [
    `${above}${name}`,
    ...(isTree(value) ? pathsOf(value, `${above}${name}.`) : []),
  ]);
}
