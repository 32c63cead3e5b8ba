import { once } from "node:events";
import { readdirSync, statSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { freshServer, type FreshServer } from "../../test/server.ts";
import { simulatedRuntime, type SimulatedRuntime } from "../store/index.ts";

let runtime: SimulatedRuntime;
let server: FreshServer;
const troubles: Error[] = [];
beforeAll(async () => {
  runtime = simulatedRuntime(1, Date.UTC(2026, 0, 2));
  server = await freshServer({ runtime, onError: (error) => troubles.push(error) });
});
afterAll(async () => {
  await server.drop();
});

interface Sending {
  readonly socket: Socket;
  readonly said: () => string;
}

/** A request whose body is announced; the test sends it. */
async function begin(method: string, path: string, type: string, bytes: number): Promise<Sending> {
  const token = await server.token("trainer");
  const socket = connect(Number(new URL(server.url).port), "127.0.0.1");
  let said = "";
  socket.setEncoding("utf8").on("data", (chunk) => (said += String(chunk)));
  socket.on("error", () => undefined);
  const headers = `Host: localhost\r\nAuthorization: Bearer ${token}\r\nContent-Type: ${type}\r\nContent-Length: ${bytes}\r\nExpect: 100-continue`;
  socket.write(`${method} ${path} HTTP/1.1\r\n${headers}\r\n\r\n`);
  await vi.waitFor(() => expect(said).toContain("100 Continue"), PATIENCE); // the server is at the body now
  return { socket, said: () => said };
}
const uploads = () => readdirSync(join(server.folder, "uploads")).map((name) => join(server.folder, "uploads", name));
/** Resolves once the server has as many bytes of the upload as this makes. */
async function write(socket: Socket, text: string, ofAll = text.length): Promise<void> {
  socket.write(text);
  await vi.waitFor(() => expect(uploads().reduce((sum, path) => sum + statSync(path).size, 0)).toBe(ofAll), { timeout: 10_000 });
}

/** A busy machine takes its time. */
const PATIENCE = { timeout: 10_000 };

test("a body that comes drop by drop ends after 15 s with a problem", async () => {
  const { socket, said } = await begin("POST", "/v1/runs", "application/json", 1000);
  for (let s = 0; s < 17 && !socket.closed; s++) {
    socket.write(" ");
    await runtime.advance(1000);
  }
  await vi.waitFor(() => expect(said()).toMatch(/HTTP\/1.1 408 .*application\/problem\+json/s), PATIENCE);
  if (!socket.closed) await once(socket, "close");
});

test("an upload may take as long as it keeps coming", async () => {
  const pieces = 12;
  const piece = "x".repeat(100_000);
  const { socket, said } = await begin("PUT", "/v1/blobs", "application/octet-stream", pieces * piece.length);
  for (let i = 0; i < pieces; i++) {
    if (i < pieces - 1) await write(socket, piece, (i + 1) * piece.length);
    else socket.write(piece);
    await runtime.advance(10_000);
  }
  await vi.waitFor(() => expect(said()).toContain(`"bytes":${pieces * piece.length}`), PATIENCE);
  socket.destroy();
});

test("an upload that stops coming, or comes drop by drop, ends, and leaves nothing behind", async () => {
  for (const drop of ["", "x"]) {
    const { socket, said } = await begin("PUT", "/v1/blobs", "application/octet-stream", 1_000_000);
    await write(socket, "x".repeat(100_000));
    for (let s = 0; s < 40 && !socket.closed; s++) {
      if (drop) socket.write(drop);
      await runtime.advance(1000);
    }
    // Who goes on sending may have its connection reset before it has read the answer.
    const isTold = () => /HTTP\/1.1 408 /.test(said()) || (drop !== "" && socket.closed);
    await vi.waitFor(() => expect(isTold()).toBe(true), PATIENCE);
    await vi.waitFor(() => expect(uploads()).toEqual([]), PATIENCE);
    socket.destroy();
  }
});

test("whoever has sent the whole body isn't hurried any more, on that connection neither", async () => {
  const { socket, said } = await begin("PUT", "/v1/blobs", "application/octet-stream", 5);
  socket.write("hello");
  await vi.waitFor(() => expect(said()).toContain('"bytes":5'), PATIENCE);
  await runtime.advance(60_000);
  socket.write("GET /healthz/live HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await vi.waitFor(() => expect(said()).toContain('{"status":"up"}'), PATIENCE);
  socket.destroy();
});

test("none of that is an error of the server's", () => {
  expect(troubles).toEqual([]);
});
