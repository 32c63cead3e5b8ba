/**
 * The load's own process: `node bench/client.ts BODIES [TOKEN] [PATH]` reads one JSON body a line from a file, then an order a line from
 * standard input (`LoadOrder`), and prints a result a line.
 */
import { appendFileSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { closedLoop, post, type ClosedLoopResult } from "./closed-loop.ts";

export interface LoadOrder {
  readonly port: number;
  readonly connections: number;
  readonly warmUpMs: number;
  readonly durationMs: number;
  /** A rate to keep; as many as the connections carry when left out. */
  readonly perSecond?: number;
  /** A file that the replies are added to, one a line. */
  readonly keep?: string;
  /** The line of the bodies to begin with; the first when left out. */
  readonly first?: number;
}
export interface LoadResult extends ClosedLoopResult {
  /** Answered before the measurement, in the same order. */
  readonly warmUpRequests: number;
}
/** Only `bench/` writes them. */
const asOrder = (text: string): LoadOrder => JSON.parse(text) as LoadOrder;

const [bodies = "", token = "", path = "/v1/endpoints/loans/decisions"] = process.argv.slice(2);
const headers: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {};
const requests = readFileSync(bodies, "utf8")
  .split("\n")
  .filter(Boolean)
  .map((body) => post(path, body, headers));
for await (const line of createInterface({ input: process.stdin })) {
  const { port, connections, warmUpMs, durationMs, perSecond, keep, first = 0 } = asOrder(line);
  const replies: string[] = [];
  const common = {
    port,
    connections,
    requests,
    ...(perSecond === undefined ? {} : { perSecond }),
    ...(keep === undefined ? {} : { onReply: (body: string) => void replies.push(body) }),
  };
  const warmUpRequests = warmUpMs > 0 ? (await closedLoop({ ...common, first, durationMs: warmUpMs })).requests : 0;
  const result: LoadResult = { ...(await closedLoop({ ...common, first: first + warmUpRequests, durationMs })), warmUpRequests };
  if (keep !== undefined) appendFileSync(keep, replies.map((reply) => `${reply}\n`).join(""));
  console.log(JSON.stringify(result));
}
