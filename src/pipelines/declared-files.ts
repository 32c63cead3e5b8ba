/** Which of the files that a step opened it has not declared. */
import { realpath, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import type { RecipeStep } from "./recipe.ts";
import type { FileAccess } from "./watch.ts";

export interface UndeclaredFiles {
  /** In the project relative to it, elsewhere absolute; sorted. */
  readonly reads: readonly string[];
  readonly writes: readonly string[];
}

export interface StepPlaces {
  /** Where the pipeline is declared. */
  readonly project: string;
  readonly scratch: string;
  /** The step's own folder, and that of its captured code. */
  readonly work: string;
  readonly code: string;
  readonly step: RecipeStep;
}

const SHOWN_MAX = 200;

/** What belongs to the machine and its programs: the environment says which, as far as it is told by lock files. */
const SYSTEM = [
  "/usr",
  "/lib",
  "/lib32",
  "/lib64",
  "/libx32",
  "/bin",
  "/sbin",
  "/etc",
  "/proc",
  "/sys",
  "/dev",
  "/run",
  "/var",
  "/opt",
  "/nix",
  "/snap",
].concat(["/System", "/Library", "/Applications", "/private"]);
const PACKAGE = fileURLToPath(new URL("../..", import.meta.url));
const INSTALLED = new Set(["node_modules", "site-packages", "dist-packages", "__pycache__", "venv"]);
/** Looked at by Node on its way to a module, whatever is in it. */
const BY_THE_WAY = new Set(["package.json"]);

export async function undeclaredFiles(accesses: readonly FileAccess[], places: StepPlaces): Promise<UndeclaredFiles> {
  const real = await realPlaces(places);
  const reads = new Set<string>();
  const writes = new Set<string>();
  for (const { path, isWrite } of accesses) {
    const into = isWrite ? writes : reads;
    if (into.size >= SHOWN_MAX || isInside(path, real.work)) continue;
    const found = await realpath(path).catch(() => undefined);
    if (found === undefined || !(await isFile(found))) continue;
    const name = isWrite ? undeclaredWrite(found, real) : undeclaredRead(found, real, places.step);
    if (name !== undefined) into.add(name);
  }
  for (const path of writes) reads.delete(path);
  return { reads: [...reads].toSorted(), writes: [...writes].toSorted() };
}

type RealPlaces = Omit<StepPlaces, "step"> & { readonly machine: readonly string[] };

async function realPlaces({ project, scratch, work, code }: StepPlaces): Promise<RealPlaces> {
  const real = (path: string) => realpath(path).catch(() => path);
  const machine = [...SYSTEM, await real(tmpdir()), await real(dirname(dirname(process.execPath)))];
  return {
    project: await real(project),
    scratch: await real(scratch),
    work: await real(work),
    code: await real(code),
    machine: [...machine, join(await real(PACKAGE), "src"), join(await real(PACKAGE), "dist")],
  };
}

function undeclaredRead(path: string, { project, scratch, work, code, machine }: RealPlaces, step: RecipeStep): string | undefined {
  if (isInside(path, work) || isInside(path, code)) return undefined;
  if (isInside(path, scratch)) return isInside(path, join(scratch, "watch")) ? undefined : relative(project, path);
  if (isInstalled(path, project) || BY_THE_WAY.has(path.slice(path.lastIndexOf(sep) + 1))) return undefined;
  if (!isInside(path, project)) return machine.some((folder) => isInside(path, folder)) ? undefined : path;
  const name = relative(project, path);
  const isDeclared =
    Object.hasOwn(step.capsule, name) || Object.values(step.deps).some((from) => from.kind === "file" && from.path === name);
  return isDeclared || machine.some((folder) => isInside(path, folder) && isInside(folder, project)) ? undefined : name;
}

/** Only what belongs to the project: a command may keep caches of its own in the user's home or where files are temporary. */
function undeclaredWrite(path: string, { project, scratch, work, code }: RealPlaces): string | undefined {
  if (!isInside(path, project) || isInside(path, work) || isInstalled(path, project)) return undefined;
  if (isInside(path, code)) return `{code}/${relative(code, path)}`;
  return isInside(path, join(scratch, "watch")) ? undefined : relative(project, path);
}

const isInside = (path: string, folder: string) => path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep);

/** By tools, or hidden; in the project only what is hidden below it counts as such. */
const isInstalled = (path: string, project: string) =>
  (isInside(path, project) ? relative(project, path) : path)
    .split(sep)
    .some((part) => INSTALLED.has(part) || (part.startsWith(".") && part.length > 1 && part !== ".scratch"));

async function isFile(path: string): Promise<boolean> {
  return await stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}
