/** How far a scoring job is, beside its answers: whoever runs it again after it was killed goes on from here. */
import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { open, readFile, rename, rm, stat, truncate, type FileHandle } from "node:fs/promises";
import { Type, type Static } from "typebox";
import { checked, object } from "../checked.ts";

const JournalEntry = object({
  version: Type.Literal(1),
  endpoint: Type.String(),
  /** SHA-256 of the input. */
  input: Type.String(),
  /** Hash of the token: keys hold for one token only. */
  token: Type.String(),
  /** Rows of the input that are done, bad ones that were skipped included. */
  rows: Type.Integer({ minimum: 0 }),
  skipped: Type.Integer({ minimum: 0 }),
  /** Bytes of the answers that belong to them. */
  bytes: Type.Integer({ minimum: 0 }),
});
export type JournalEntry = Static<typeof JournalEntry>;
const parse = checked(JournalEntry);

/** Why a job can't begin or go on, for a person. */
export class JournalProblem extends Error {
  override readonly name = "JournalProblem";
}

export async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(asBytes(chunk));
  return hash.digest("hex");
}
/** A stream without encoding gives buffers. */
const asBytes = (chunk: unknown): Buffer => chunk as Buffer;

export class Answers {
  readonly #journal: string;
  readonly #file: FileHandle;
  #entry: JournalEntry;

  private constructor(journal: string, file: FileHandle, entry: JournalEntry) {
    this.#journal = journal;
    this.#file = file;
    this.#entry = entry;
  }

  /** Begins a job, or goes on with one that was stopped. @throws JournalProblem */
  static async open(path: string, job: Pick<JournalEntry, "endpoint" | "input" | "token">): Promise<Answers> {
    const journal = `${path}.journal`;
    if (!existsSync(journal)) {
      if (existsSync(path)) throw new JournalProblem(`${path} is there already: name another file with --out, or remove it`);
      const answers = new Answers(journal, await open(path, "ax"), { version: 1, ...job, rows: 0, skipped: 0, bytes: 0 });
      await answers.#save();
      return answers;
    }
    const entry = await readJournal(journal);
    const again = `remove ${path} and ${journal} to begin anew`;
    if (entry.endpoint !== job.endpoint) throw new JournalProblem(`${journal} is of a job for ${entry.endpoint}: ${again}`);
    if (entry.input !== job.input)
      throw new JournalProblem(
        `the input is not what this job began with: go on with that one (--skip-bad passes over its bad rows), or ${again}`,
      );
    if (entry.token !== job.token) throw new JournalProblem(`this job began with another token: go on with that one, or ${again}`);
    const size = existsSync(path) ? (await stat(path)).size : 0;
    if (size < entry.bytes) throw new JournalProblem(`${path} is shorter than its journal says: ${again}`);
    // What was written after the last entry is asked for again, and comes out the same.
    await truncate(path, entry.bytes);
    return new Answers(journal, await open(path, "a"), entry);
  }

  get progress(): Pick<JournalEntry, "rows" | "skipped"> {
    return this.#entry;
  }

  /** Adds lines; once it resolves they are on disk, and so is how far the job is. */
  async add(lines: string, rows: number, skipped: number): Promise<void> {
    const bytes = Buffer.from(lines);
    await this.#file.appendFile(bytes);
    await this.#file.datasync();
    const { rows: before, skipped: skippedBefore, bytes: bytesBefore } = this.#entry;
    this.#entry = { ...this.#entry, rows: before + rows, skipped: skippedBefore + skipped, bytes: bytesBefore + bytes.length };
    await this.#save();
  }

  /** The job is done: nothing to go on with is left. */
  async finish(): Promise<void> {
    await this.#file.close();
    await rm(this.#journal, { force: true });
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  async #save(): Promise<void> {
    const file = await open(`${this.#journal}.new`, "w");
    await file.writeFile(JSON.stringify(this.#entry));
    await file.datasync();
    await file.close();
    await rename(`${this.#journal}.new`, this.#journal);
  }
}

async function readJournal(path: string): Promise<JournalEntry> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, "utf8"));
  } catch {
    throw new JournalProblem(`${path} can't be read: remove it and the answers to begin anew`);
  }
  const entry = parse(value);
  if (!entry.ok) throw new JournalProblem(`${path} is no journal of a scoring job: remove it to begin anew`);
  return entry.value;
}
