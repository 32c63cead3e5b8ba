/** One life of one scorer process, seen from the server: started, asked, killed. */
import { spawn, type ChildProcess } from "node:child_process";
import { accessSync, constants, realpathSync } from "node:fs";
import { basename, delimiter, join } from "node:path";
import { Duplex, Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { err, ok, siblingModule, type Issue, type Result } from "../std.ts";
import { FAILED, FrameReader, LOAD, READY, REFUSED, SCORE, SCORES, TEXTS, writeFrame, type Frame } from "./frames.ts";
import type { ModelFiles } from "./model-files.ts";
import type { RowForm, ScoreCall, WantedOutput } from "./onnx-call.ts";
import type { OnnxModel } from "./onnx-model.ts";
import { ScorerError } from "./scorer.ts";
import type { TextColumns } from "./text-codes.ts";
import { encodeTexts, textBytesOf } from "./text-frames.ts";

/** Limits that the operating system keeps, where it has `prlimit` (util-linux). */
export interface ProcessLimits {
  readonly dataBytes: number;
  readonly cpuSeconds?: number;
}

export interface ModelProcessOptions {
  readonly files: ModelFiles;
  readonly form: RowForm;
  /** What the codes in the rows stand for, where features are texts. */
  readonly texts?: TextColumns;
  readonly wanted?: WantedOutput;
  readonly threads: number;
  /** Loading may take this long. */
  readonly startTimeoutMs: number;
  readonly limits?: ProcessLimits;
}

/** A scorer process makes little garbage; every one of several should be small. */
const SMALL_HEAP = ["--max-semi-space-size=1"];
/** For glibc: what loading a model needed goes back to the system, 5 MB of a forest of 100 trees; one arena for all threads, 1 MB less. */
const GIVE_BACK = { MALLOC_TRIM_THRESHOLD_: "131072", MALLOC_MMAP_THRESHOLD_: "131072", MALLOC_ARENA_MAX: "1" };

/** Rows in one batch at most: a batch must not keep those who wait longer than they have. */
export const MAX_BATCH_ROWS = 1024;

/** Scores of a batch are 8 KiB; names of 2,000 inputs and outputs and their classes are more. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;

/** What a process says of its model once it is loaded. */
export interface LoadedModel {
  readonly model: OnnxModel;
  readonly call: ScoreCall;
}

interface Batch {
  resolve(scores: Float64Array): void;
  reject(error: ScorerError): void;
}

export class ModelProcess {
  /** Resolves with how it ended, in words. */
  readonly ended: Promise<string>;
  readonly #child: ChildProcess;
  readonly #socket: Duplex;
  readonly #verdict: Promise<Result<LoadedModel, readonly Issue[]>>;
  readonly #batches = new Map<number, Batch>();
  readonly #width: number;
  readonly #texts: TextColumns;
  #lastBatch = 0;
  #hasEnded = false;

  private constructor(options: ModelProcessOptions) {
    const { files, form, texts = new Map(), wanted = {}, threads, limits } = options;
    this.#width = form.width;
    this.#texts = texts;
    const load = Buffer.from(JSON.stringify({ files, form, wanted, threads }));
    const rowBytes = MAX_BATCH_ROWS * form.width * Float32Array.BYTES_PER_ELEMENT;
    const maxBytes = Math.max(load.length, rowBytes, textBytesOf(texts.size, MAX_BATCH_ROWS));
    const tied = tie();
    const config = JSON.stringify({ maxBytes, isTied: tied.length > 0 });
    const program = fileURLToPath(siblingModule(import.meta.url, "./onnx-process"));
    const command = [...tied, ...limiter(limits), process.execPath, ...SMALL_HEAP, program, config];
    this.#child = spawn(command[0] ?? process.execPath, command.slice(1), {
      stdio: ["ignore", "ignore", "pipe", "pipe", "pipe"],
      // The environment stays here: it may hold secrets, and a model needs none of it.
      env: { PATH: process.env["PATH"] ?? "", NODE_NO_WARNINGS: "1", ...GIVE_BACK },
    });
    const [, , stderr, frames] = this.#child.stdio;
    if (!(stderr instanceof Readable && frames instanceof Duplex)) throw new ScorerError("down", "no pipe to a scorer process");
    this.#socket = frames;
    frames.on("error", () => undefined); // a write to a process that has just died; `ended` tells
    writeFrame(frames, LOAD, 0, 0, load);
    let lastWords = "";
    stderr.on("data", (chunk: Buffer) => void (lastWords = (lastWords + chunk.toString("latin1")).slice(-4000)));
    this.ended = new Promise((resolve) => {
      this.#child.once("error", (error) => resolve(error.message));
      this.#child.once("close", (code, signal) => resolve(`${signal ?? `exit code ${code}`}${lastLine(lastWords)}`));
    });
    this.#verdict = new Promise((resolve) => {
      const reader = new FrameReader(MAX_ANSWER_BYTES, (frame) => {
        if (frame.kind === READY) resolve(ok(asLoadedModel(jsonOf(frame))));
        else if (frame.kind === REFUSED) resolve(err(asIssues(jsonOf(frame))));
        else this.#settle(frame);
      });
      frames.on("data", (chunk: Buffer) => {
        try {
          reader.push(chunk);
        } catch {
          this.#child.kill("SIGKILL"); // native code has broken the process: those who wait hear that it ended
        }
      });
      void this.ended.then((how) => {
        this.#hasEnded = true;
        resolve(err([{ path: "", expected: "a model that can be loaded", got: `loading it ended its process: ${how}` }]));
        for (const batch of this.#batches.values()) batch.reject(new ScorerError("crashed", `the scorer process ended: ${how}`));
        this.#batches.clear();
      });
    });
  }

  /**
   * Loads a model in a fresh process. Issues say why it is refused, also when loading takes too long or ends the process.
   * @throws ScorerError when no process can be started
   */
  static async start(options: ModelProcessOptions): Promise<Result<{ process: ModelProcess; loaded: LoadedModel }, readonly Issue[]>> {
    const started = new ModelProcess(options);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<Result<LoadedModel, readonly Issue[]>>((resolve) => {
      const issue = { path: "", expected: `a model that loads within ${options.startTimeoutMs / 1000} s`, got: "one that takes longer" };
      timer = setTimeout(() => resolve(err([issue])), options.startTimeoutMs);
    });
    const verdict = await Promise.race([started.#verdict, late]);
    clearTimeout(timer);
    if (verdict.ok) return ok({ process: started, loaded: verdict.value });
    if (started.pid === undefined) throw new ScorerError("down", `no scorer process can be started: ${await started.ended}`);
    await started.kill();
    return verdict;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** @throws ScorerError `crashed` or `failed`. There is no time limit here: the caller kills what takes too long. */
  run(rows: Float32Array, count: number): Promise<Float64Array> {
    if (this.#hasEnded) return Promise.reject(new ScorerError("crashed", "the scorer process has ended"));
    this.#lastBatch = (this.#lastBatch + 1) % 2 ** 32;
    const number = this.#lastBatch;
    return new Promise((resolve, reject) => {
      if (this.#texts.size > 0) writeFrame(this.#socket, TEXTS, number, count, encodeTexts(rows, this.#width, this.#texts));
      this.#batches.set(number, { resolve, reject });
      writeFrame(this.#socket, SCORE, number, count, new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength));
    });
  }

  /** Ends it at once, whatever it does; resolves when it is gone. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.ended;
  }

  #settle(frame: Frame): void {
    const batch = this.#batches.get(frame.batch);
    this.#batches.delete(frame.batch);
    if (frame.kind === SCORES && frame.payload.byteLength === frame.rows * Float64Array.BYTES_PER_ELEMENT)
      batch?.resolve(new Float64Array(frame.payload));
    else if (frame.kind === FAILED) batch?.reject(new ScorerError("failed", Buffer.from(frame.payload).toString()));
    else throw new RangeError(`an unexpected frame of kind ${frame.kind}`);
  }
}

const jsonOf = (frame: Frame): unknown => JSON.parse(Buffer.from(frame.payload).toString());
/** Written by `onnx-process.ts`, which is ours and of the same version. */
const asLoadedModel = (value: unknown) => value as LoadedModel;
const asIssues = (value: unknown) => value as readonly Issue[];

/** Where V8 reserves address space, limits on it would refuse Node itself; data is what a process really fills. */
function limiter(limits: ProcessLimits | undefined): readonly string[] {
  if (limits === undefined) return [];
  const prlimit = executable("prlimit");
  if (prlimit === undefined) return [];
  const cpu = limits.cpuSeconds === undefined ? [] : [`--cpu=${limits.cpuSeconds}`];
  return [prlimit, `--data=${limits.dataBytes}`, ...cpu, "--core=0"];
}

/** Has the kernel end a process with the one that started it, in whatever way it ends and whatever the process is doing. */
function tie(): readonly string[] {
  const setpriv = process.platform === "linux" ? executable("setpriv") : undefined;
  // Busybox has one that can't.
  return setpriv && basename(realpathSync(setpriv)) === "setpriv" ? [setpriv, "--pdeathsig", "KILL"] : [];
}

function executable(name: string): string | undefined {
  if (process.platform === "win32") return undefined;
  return (process.env["PATH"] ?? "")
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** The last thing that was said before the end, such as an error's message. */
function lastLine(words: string): string {
  const said = words.split("\n").filter((line) => /\S/.test(line) && !/^\s+at |^Node\.js v/.test(line));
  return said.length > 0 ? `: ${said.at(-1)?.trim().slice(0, 300)}` : "";
}
