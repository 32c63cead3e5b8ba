/**
 * An HTTP client that costs little: requests are built once, replies are only measured by their length. As a closed loop it finds the
 * ceiling of a server; at a given rate it tells what people wait, counted from when each was due.
 */
import { connect, type Socket } from "node:net";

export interface ClosedLoopOptions {
  readonly port: number;
  readonly connections: number;
  readonly durationMs: number;
  /** Whole requests as bytes, sent in turn. */
  readonly requests: readonly Buffer[];
  /** Which of them is the first; those before have been sent already. 0 when left out. */
  readonly first?: number;
  /** Of all connections together; as many as they carry when left out. */
  readonly perSecond?: number;
  /** Given the body of every reply with status 200. */
  readonly onReply?: (body: string) => void;
}

export interface ClosedLoopResult {
  readonly requests: number;
  /** Replies with another status than 200. */
  readonly failed: number;
  readonly seconds: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Sends one request after the other on each connection until the time is over. */
export async function closedLoop(options: ClosedLoopOptions): Promise<ClosedLoopResult> {
  const { perSecond, onReply } = options;
  const latencies: number[] = [];
  let failed = 0;
  let next = options.first ?? 0;
  const startedMs = performance.now();
  const untilMs = startedMs + options.durationMs;
  const everyMs = perSecond === undefined ? 0 : (options.connections * 1000) / perSecond;
  const one = (_: unknown, connection: number): Promise<void> =>
    new Promise((resolve, reject) => {
      const socket: Socket = connect(options.port, "127.0.0.1");
      socket.setNoDelay(true);
      let dueMs = startedMs + (everyMs * connection) / options.connections - everyMs;
      let fromMs = 0;
      let pending: Buffer | null = null;
      const send = () => {
        const nowMs = performance.now();
        if (nowMs >= untilMs) return void socket.end(() => resolve());
        dueMs += everyMs;
        if (dueMs > nowMs) return void setTimeout(write, dueMs - nowMs);
        // The reply before was late, and this one waited for it; without a rate nobody was due.
        write(perSecond === undefined ? nowMs : dueMs);
      };
      const write = (sinceMs?: number) => {
        // A timer of the client that is late says nothing about the server.
        fromMs = sinceMs ?? performance.now();
        const request = options.requests[next++ % options.requests.length];
        if (request) socket.write(request);
      };
      socket.on("connect", send);
      socket.on("error", reject);
      socket.on("data", (chunk: Buffer) => {
        const bytes: Buffer = pending ? Buffer.concat([pending, chunk]) : chunk;
        const bodyAt = bytes.indexOf("\r\n\r\n");
        const length = bodyAt < 0 ? -1 : contentLength(bytes, bodyAt);
        if (length < 0 || bytes.length < bodyAt + 4 + length) {
          pending = bytes;
          return;
        }
        pending = null;
        if (bytes[9] !== 0x32) failed++;
        else onReply?.(bytes.toString("utf8", bodyAt + 4));
        latencies.push(performance.now() - fromMs);
        send();
      });
    });
  await Promise.all(Array.from({ length: options.connections }, one));
  const seconds = (performance.now() - startedMs) / 1000;
  latencies.sort((a, b) => a - b);
  const quantile = (share: number) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? Number.NaN;
  return {
    requests: latencies.length,
    failed,
    seconds,
    perSecond: latencies.length / seconds,
    p50Ms: quantile(0.5),
    p99Ms: quantile(0.99),
  };
}

function contentLength(bytes: Buffer, headerEnd: number): number {
  const found = /content-length: (\d+)/i.exec(bytes.toString("latin1", 0, headerEnd));
  return found ? Number(found[1]) : 0;
}

/** One POST with a JSON body, ready to be written to a socket. */
export function post(path: string, body: string, headers: Readonly<Record<string, string>> = {}): Buffer {
  const bytes = Buffer.byteLength(body);
  const lines = Object.entries({ host: "127.0.0.1", "content-type": "application/json", "content-length": String(bytes), ...headers });
  return Buffer.from(`POST ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}`).join("\r\n")}\r\n\r\n${body}`);
}
