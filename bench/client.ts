/** The load's own process: `node bench/client.ts '{"port":…,"connections":64,"durationMs":3000,"requests":[{"path","body","headers"}]}'` prints one JSON line. */
import { closedLoop, post } from "./closed-loop.ts";

interface Order {
  readonly port: number;
  readonly connections: number;
  readonly warmUpMs: number;
  readonly durationMs: number;
  readonly requests: readonly { readonly path: string; readonly body: string; readonly headers?: Readonly<Record<string, string>> }[];
}

/** Only `bench/run.ts` starts this, with an order of this form on standard input. */
const asOrder = (value: unknown): Order => value as Order;

const chunks: Buffer[] = [];
for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk));
const order = asOrder(JSON.parse(Buffer.concat(chunks).toString("utf8")));
const requests = order.requests.map((request) => post(request.path, request.body, request.headers));
const common = { port: order.port, connections: order.connections, requests };
await closedLoop({ ...common, durationMs: order.warmUpMs });
console.log(JSON.stringify(await closedLoop({ ...common, durationMs: order.durationMs })));
