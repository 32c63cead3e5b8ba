/**
 * The load's own process: `node bench/client.ts BODIES TOKEN` reads one JSON body a line from a file, then an order a line from standard
 * input (`{"port","connections","warmUpMs","durationMs"}`), and prints a result a line.
 */
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { closedLoop, post } from "./closed-loop.ts";

export interface LoadOrder {
  readonly port: number;
  readonly connections: number;
  readonly warmUpMs: number;
  readonly durationMs: number;
}
/** Only `bench/run.ts` writes them. */
const asOrder = (text: string): LoadOrder => JSON.parse(text) as LoadOrder;

const [bodies = "", token = ""] = process.argv.slice(2);
const headers = { authorization: `Bearer ${token}` };
const requests = readFileSync(bodies, "utf8")
  .split("\n")
  .filter(Boolean)
  .map((body) => post("/v1/endpoints/loans/decisions", body, headers));
for await (const line of createInterface({ input: process.stdin })) {
  const { port, connections, warmUpMs, durationMs } = asOrder(line);
  await closedLoop({ port, connections, requests, durationMs: warmUpMs });
  console.log(JSON.stringify(await closedLoop({ port, connections, requests, durationMs })));
}
