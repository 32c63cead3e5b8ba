/** The product as `evenkeel up` starts it, with a choice of how decisions are recorded: `node bench/server.ts FOLDER off|memory|durable` prints `{"url"}`. */
import { startApp, type AppOptions } from "../src/app.ts";

const [folder = "", ack = ""] = process.argv.slice(2);
const app = await startApp({
  folder,
  port: 0,
  ack: asAck(ack),
  onError: (error, reference) => console.error(`${reference}: ${error.message}`),
});
console.log(JSON.stringify({ url: app.url }));
process.once("SIGTERM", () => void app.stop().then(() => process.exit(0)));

function asAck(word: string): NonNullable<AppOptions["ack"]> {
  if (word === "off" || word === "memory" || word === "durable") return word;
  throw new Error(`expected off, memory or durable, not "${word}"`);
}
