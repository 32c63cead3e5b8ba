/**
 * A scorer process: loads one model, then answers batches until its server is gone. Native code can only be stopped by killing its
 * process, so this one holds nothing that anybody would miss.
 */
import { readFile } from "node:fs/promises";
import { createHash } from "node:crypto";
import { writeSync } from "node:fs";
import { Socket } from "node:net";
import { Worker } from "node:worker_threads";
import { Type } from "typebox";
import { checked } from "../checked.ts";
import { FAILED, FrameReader, READY, REFUSED, SCORE, SCORES, writeFrame, type Frame } from "./frames.ts";
import { OnnxSession, messageOf } from "./onnx-session.ts";

const Config = Type.Object({
  path: Type.String(),
  /** Hex digits of the SHA-256 that the file must have. */
  sha256: Type.Optional(Type.String()),
  width: Type.Integer({ minimum: 1 }),
  output: Type.Optional(Type.String()),
  column: Type.Optional(Type.Integer()),
  threads: Type.Integer({ minimum: 1 }),
  maxBytes: Type.Integer({ minimum: 1 }),
});
const FRAMES_FD = 3;

// The server's end of descriptor 4 closes when the server dies, however it dies; a thread waits for that, since the main one may hang.
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

const config = checked(Config)(JSON.parse(process.argv[2] ?? "null"));
if (!config.ok) throw new Error(JSON.stringify(config.error));
const { path, sha256, ...options } = config.value;
const socket = new Socket({ fd: FRAMES_FD, readable: true, writable: true });
const sendJson = (kind: number, value: unknown) => writeFrame(socket, kind, 0, 0, Buffer.from(JSON.stringify(value)));

const bytes = await readFile(path);
if (sha256 !== undefined && createHash("sha256").update(bytes).digest("hex") !== sha256) {
  sendJson(REFUSED, [{ path: "", expected: `a file with the SHA-256 ${sha256}`, got: "other bytes", hint: "restore it from a backup" }]);
} else {
  const session = await OnnxSession.load(bytes, options);
  if (!session.ok) sendJson(REFUSED, session.error);
  else serve(session.value);
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
