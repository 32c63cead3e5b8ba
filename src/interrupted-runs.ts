/**
 * Runs whose runner was killed: what it left running is ended, what it left lying is removed, and its record on the server is taken up
 * again by whoever runs the same, or else ended as failed.
 */
import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Type, type Static } from "typebox";
import { checked, object } from "./checked.ts";
import { WORK_MARK } from "./pipelines/index.ts";

const Note = object({ pid: Type.Integer({ minimum: 1 }), order: Type.String(), run: Type.String() });
type Note = Static<typeof Note>;
const check = checked(Note);

export class InterruptedRuns {
  readonly #folder: string;
  readonly #left: Map<string, Note>;

  private constructor(folder: string, left: Map<string, Note>) {
    this.#folder = folder;
    this.#left = left;
  }

  /** Looks for what dead runners left in a scratch folder, and clears it away. */
  static async open(scratch: string): Promise<InterruptedRuns> {
    await clearWork(join(scratch, "work"));
    await clearWork(join(scratch, "watch"));
    const folder = join(scratch, "runs");
    await mkdir(folder, { recursive: true });
    const left = new Map<string, Note>();
    for (const name of await readdir(folder)) {
      const note = await noteIn(join(folder, name));
      if (!note) await rm(join(folder, name), { force: true });
      else if (!isAlive(note.pid)) left.set(note.order, note);
    }
    return new InterruptedRuns(folder, left);
  }

  /** The run that was interrupted while it did this very thing; it is no longer left. */
  take(order: string): string | undefined {
    const note = this.#left.get(order);
    this.#left.delete(order);
    return note?.run;
  }

  /** What nobody has taken up. */
  left(): readonly string[] {
    return [...this.#left.values()].map(({ run }) => run);
  }

  async begin(run: string, order: string): Promise<void> {
    await writeFile(join(this.#folder, `${run}.json`), JSON.stringify({ pid: process.pid, order, run } satisfies Note));
  }

  async end(run: string): Promise<void> {
    await rm(join(this.#folder, `${run}.json`), { force: true });
  }
}

async function noteIn(path: string): Promise<Note | undefined> {
  try {
    const note = check(JSON.parse(await readFile(path, "utf8")));
    return note.ok ? note.value : undefined;
  } catch {
    return undefined; // half written when the power went
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

/** Folders are named by the process that worked in them. */
async function clearWork(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    const pid = Number(/^(\d+)-/.exec(name)?.[1] ?? 0);
    if (pid > 0 && isAlive(pid)) continue;
    await endProcessesOf(join(folder, name));
    await rm(join(folder, name), { recursive: true, force: true });
  }
}

/** Ends what still works in a folder whose runner is dead: only processes that carry its very mark. Where there is no /proc, none is found. */
async function endProcessesOf(work: string): Promise<void> {
  for (const pid of await readdir("/proc").catch(() => [])) {
    if (!/^\d+$/.test(pid)) continue;
    const environment = await readFile(`/proc/${pid}/environ`, "utf8").catch(() => "");
    if (!environment.split("\0").includes(`${WORK_MARK}=${work}`)) continue;
    try {
      process.kill(Number(pid), "SIGKILL");
    } catch {
      // It has ended meanwhile.
    }
  }
}
