/**
 * A scorer process: loads one model, then answers batches until its server is gone. Native code can only be stopped by killing its
 * process, so this one holds nothing that anybody would miss.
 */
import { readFile } from "node:fs/promises";
import { createHash } from "node:crypto";
import { writeSync } from "node:fs";
import { Socket } from "node:net";
import { Worker } from "node:worker_threads";
import { FAILED, FrameReader, READY, REFUSED, SCORE, SCORES, writeFrame, type Frame } from "./frames.ts";
import { OnnxSession, messageOf, type SessionOptions } from "./onnx-session.ts";

/** Written by `model-process.ts`, which is ours and of the same version. No schema checks it: TypeBox would be half of the process. */
interface Config extends SessionOptions {
  /** The kernel ends this process with its server. */
  readonly isTied: boolean;
  readonly path: string;
  /** Hex digits of the SHA-256 that the file must have. */
  readonly sha256?: string;
  readonly maxBytes: number;
}
const asConfig = (value: unknown) => value as Config;
const FRAMES_FD = 3;

const { path, sha256, isTied, ...options } = asConfig(JSON.parse(process.argv[2] ?? "null"));
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

await load();

/** In a function of its own: what a module holds is never freed, and the file is as large as the model. */
async function load(): Promise<void> {
  const bytes = await readFile(path);
  if (sha256 !== undefined && createHash("sha256").update(bytes).digest("hex") !== sha256) {
    sendJson(REFUSED, [{ path: "", expected: `a file with the SHA-256 ${sha256}`, got: "other bytes", hint: "restore it from a backup" }]);
    return;
  }
  const session = await OnnxSession.load(bytes, options);
  if (session.ok) serve(session.value);
  else sendJson(REFUSED, session.error);
}

function serve(session: OnnxSession): void {
  const waiting: Frame[] = [];
  let isBusy = false;
  const drain = async () => {
    if (isBusy) return;
    isBusy = true;
    for (let frame = waiting.shift(); frame; frame = waiting.shift()) {
      try {
        const scores = await session.run(new Float32Array(frame.payload));
        writeFrame(socket, SCORES, frame.batch, frame.rows, new Uint8Array(scores.buffer));
      } catch (error) {
        writeFrame(socket, FAILED, frame.batch, frame.rows, Buffer.from(messageOf(error).slice(0, 1000)));
      }
    }
    isBusy = false;
  };
  const reader = new FrameReader(options.maxBytes, (frame) => {
    if (frame.kind !== SCORE) throw new RangeError(`an unexpected frame of kind ${frame.kind}`);
    waiting.push(frame);
    void drain();
  });
  socket.on("data", (chunk: Buffer) => reader.push(chunk));
  sendJson(READY, { model: session.model, call: session.call });
}
