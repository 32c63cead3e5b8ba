/**
 * A scorer process: loads one model, then answers batches until its server is gone. Native code can only be stopped by killing its
 * process, so this one holds nothing that anybody would miss.
 */
import { writeSync } from "node:fs";
import { Socket } from "node:net";
import { Worker } from "node:worker_threads";
import { giveBackMemory } from "../give-back-memory.ts";
import { FAILED, FrameReader, LOAD, READY, REFUSED, SCORE, SCORES, TEXTS, writeFrame, type Frame } from "./frames.ts";
import { readModelFiles, type ModelFiles } from "./model-files.ts";
import { OnnxSession, messageOf, type SessionOptions } from "./onnx-session.ts";
import { decodeTexts, type TextOf } from "./text-frames.ts";

/** Written by `model-process.ts`, which is ours and of the same version. No schema checks it: TypeBox would be half of the process. */
interface Config {
  /** The kernel ends this process with its server. */
  readonly isTied: boolean;
  /** Of one frame at most. */
  readonly maxBytes: number;
}
const asConfig = (value: unknown) => value as Config;
/** What the frame LOAD holds; likewise. */
interface Load extends SessionOptions {
  readonly files: ModelFiles;
}
const asLoad = (value: unknown) => value as Load;
const FRAMES_FD = 3;

const { isTied, maxBytes } = asConfig(JSON.parse(process.argv[2] ?? "null"));
// Where the kernel doesn't: the server's end of descriptor 4 closes when the server dies, however it dies; a thread, and 9 MB, wait for
// that, since the main one may hang.
if (!isTied)
  new Worker(`try { require("node:fs").readSync(4, Buffer.alloc(1)); } catch {} process.kill(process.pid, "SIGKILL");`, {
    eval: true,
  }).unref();
// Leaving in the ordinary way would wait for that thread.
process.on("uncaughtException", (error) => {
  writeSync(2, `${error.message}\n`);
  process.kill(process.pid, "SIGKILL");
});
// Ctrl-C reaches the whole group of processes; the server decides when its scorers go.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => undefined);

const socket = new Socket({ fd: FRAMES_FD, readable: true, writable: true });
// The server may have died before the kernel knew of the tie.
socket.on("close", () => process.kill(process.pid, "SIGKILL"));
const sendJson = (kind: number, value: unknown) => writeFrame(socket, kind, 0, 0, Buffer.from(JSON.stringify(value)));
const jsonOf = ({ payload }: Frame): unknown => JSON.parse(Buffer.from(payload).toString());

let session: OnnxSession | null = null;
let textOf: TextOf = () => "";
const waiting: Frame[] = [];
let isBusy = false;

/** In a function of its own: what a module holds is never freed, and the file is as large as the model. */
async function load({ files, ...options }: Load): Promise<void> {
  const bytes = await readModelFiles(files);
  if (!bytes.ok) return sendJson(REFUSED, bytes.error);
  const loaded = await OnnxSession.load(bytes.value, options);
  if (!loaded.ok) return sendJson(REFUSED, loaded.error);
  session = loaded.value;
  sendJson(READY, { model: session.model, call: session.call });
  // Of the file's bytes, which nobody needs any more: in a turn of its own, when this function no longer holds them.
  setImmediate(giveBackMemory);
}

async function handle(frame: Frame): Promise<void> {
  switch (frame.kind) {
    case LOAD:
      await load(asLoad(jsonOf(frame)));
      break;
    case TEXTS:
      textOf = decodeTexts(new Uint8Array(frame.payload));
      break;
    case SCORE:
      await score(frame);
      break;
    default:
      throw new RangeError(`an unexpected frame of kind ${frame.kind}`);
  }
}

async function score(frame: Frame): Promise<void> {
  try {
    if (session === null) throw new Error("no model is loaded");
    const scores = await session.run(new Float32Array(frame.payload), textOf);
    writeFrame(socket, SCORES, frame.batch, frame.rows, new Uint8Array(scores.buffer));
  } catch (error) {
    writeFrame(socket, FAILED, frame.batch, frame.rows, Buffer.from(messageOf(error).slice(0, 1000)));
  }
}

async function drain(): Promise<void> {
  if (isBusy) return;
  isBusy = true;
  for (let frame = waiting.shift(); frame; frame = waiting.shift()) await handle(frame);
  isBusy = false;
}

const reader = new FrameReader(maxBytes, (frame) => {
  waiting.push(frame);
  void drain();
});
socket.on("data", (chunk: Buffer) => reader.push(chunk));
