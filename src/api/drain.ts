/** How a server stops without failing anybody. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Server } from "node:http";

interface Closing {
  readonly server: Server;
  addHook(name: "onRequest" | "onResponse" | "preClose", hook: () => Promise<void>): unknown;
}

const QUIET_MS = 100;
const POLL_MS = 20;
const AT_MOST_MS = 5000;

/**
 * Before the server closes it goes on answering whoever still comes (Fastify tells each that this was the last answer on its connection)
 * until no request has come or been under way for a tenth of a second, or for five seconds. A connection that is closed the moment its
 * client writes to it is a failed request; one that has been idle for a while is not.
 */
export function drainBeforeClosing(app: Closing): void {
  let underWay = 0;
  let quietMs = 0;
  app.addHook("onRequest", async () => {
    underWay++;
    quietMs = 0;
  });
  app.addHook("onResponse", async () => {
    underWay--;
    quietMs = 0;
  });
  app.addHook("preClose", async () => {
    for (let waitedMs = 0; waitedMs < AT_MOST_MS && quietMs < QUIET_MS && (await connections(app)) > 0; waitedMs += POLL_MS) {
      await sleep(POLL_MS);
      quietMs = underWay > 0 ? 0 : quietMs + POLL_MS;
    }
  });
}

const connections = (app: Closing) =>
  new Promise<number>((resolve) => app.server.getConnections((error, count) => resolve(error ? 0 : count)));
