/**
 * The lender's web application with its applicants, as a process of its own: `node applicants.ts '<order as JSON>'`.
 * Prints its counts as a line of JSON four times a second, and once more when it ends (SIGTERM, or no applicants left).
 */
import { tellStory } from "./data.ts";
import { OpenLoop, type OpenLoopOptions } from "./open-loop.ts";

export interface ApplicantsOrder extends OpenLoopOptions {
  readonly seed: number;
}

const REPORT_MS = 250;

/** Only the demo starts this, with an order of this form. */
const asOrder = (value: unknown): ApplicantsOrder => value as ApplicantsOrder;

const order = asOrder(JSON.parse(process.argv[2] ?? "{}"));
const loop = new OpenLoop(order);
const stop = new AbortController();
process.on("SIGTERM", () => stop.abort());
process.on("SIGINT", () => undefined); // the demo decides when the applicants go home
const timer = setInterval(() => console.log(JSON.stringify(loop.counts())), REPORT_MS);
await loop.run(tellStory(order.seed).applications.values(), stop.signal);
clearInterval(timer);
await loop.close();
console.log(JSON.stringify({ ...loop.counts(), isLast: true }));
