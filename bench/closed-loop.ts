/**
 * A closed-loop HTTP client that costs little: requests are built once, replies are only measured by their length.
 * It finds the ceiling of a server; for latencies under a given load an open loop is the right tool.
 */
import { connect, type Socket } from "node:net";

export interface ClosedLoopOptions {
  readonly port: number;
  readonly connections: number;
  readonly durationMs: number;
  /** Whole requests as bytes, sent in turn. */
  readonly requests: readonly Buffer[];
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
  const latencies: number[] = [];
  let failed = 0;
  let next = 0;
  const startedMs = performance.now();
  const untilMs = startedMs + options.durationMs;
  const one = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const socket: Socket = connect(options.port, "127.0.0.1");
      socket.setNoDelay(true);
      let sentMs = 0;
      let pending: Buffer | null = null;
      const send = () => {
        sentMs = performance.now();
        if (sentMs >= untilMs) return void socket.end(() => resolve());
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
        latencies.push(performance.now() - sentMs);
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
