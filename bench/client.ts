/**
 * The load's own process: `node bench/client.ts BODIES [TOKEN] [PATH]` reads one JSON body a line from a file, then an order a line from
 * standard input (`{"port","connections","warmUpMs","durationMs"}`), and prints a result a line.
 */
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { closedLoop, post, type ClosedLoopResult } from "./closed-loop.ts";

export interface LoadOrder {
  readonly port: number;
  readonly connections: number;
  readonly warmUpMs: number;
  readonly durationMs: number;
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
  const { port, connections, warmUpMs, durationMs } = asOrder(line);
  const warmUp = await closedLoop({ port, connections, requests, durationMs: warmUpMs });
  const result: LoadResult = { ...(await closedLoop({ port, connections, requests, durationMs })), warmUpRequests: warmUp.requests };
  console.log(JSON.stringify(result));
}
