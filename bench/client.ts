/**
 * The load's own process: `node bench/client.ts BODIES TOKEN` reads one JSON body a line from a file, then an order a line from standard
 * input (`LoadOrder`), and prints a result a line.
 */
import { appendFileSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { closedLoop, post } from "./closed-loop.ts";

export interface LoadOrder {
  readonly port: number;
  readonly connections: number;
  readonly warmUpMs: number;
  readonly durationMs: number;
  /** A rate to keep; as many as the connections carry when left out. */
  readonly perSecond?: number;
  /** A file that the replies are added to, one a line. */
  readonly keep?: string;
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
  const { port, connections, warmUpMs, durationMs, perSecond, keep } = asOrder(line);
  const replies: string[] = [];
  const common = {
    port,
    connections,
    requests,
    ...(perSecond === undefined ? {} : { perSecond }),
    ...(keep === undefined ? {} : { onReply: (body: string) => void replies.push(body) }),
  };
  if (warmUpMs > 0) await closedLoop({ ...common, durationMs: warmUpMs });
  const result = await closedLoop({ ...common, durationMs });
  if (keep !== undefined) appendFileSync(keep, replies.map((reply) => `${reply}\n`).join(""));
  console.log(JSON.stringify(result));
}
