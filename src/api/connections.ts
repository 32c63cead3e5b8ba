/** How a server stops without failing anybody: it answers whoever still comes, then lets go of its connections. */
import type { Server } from "node:http";
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

interface Closing {
  readonly server: Server;
  addHook(name: "preClose", hook: () => Promise<void>): unknown;
}

const QUIET_MS = 100;
const POLL_MS = 20;
const AT_MOST_MS = 5000;

/**
 * Before it closes it goes on answering (Fastify tells each that this was the last answer on its connection) until no request has come
 * or been under way for a tenth of a second, or for five seconds: a connection that is closed the moment its client writes to it is a
 * failed request, one that has been idle for a while is not. Then all that is idle is closed. Node would close what is idle at one
 * moment only; a connection on which nothing was ever asked (browsers open some in advance), or that becomes idle later, would hold the
 * server for as long as its client likes.
 */
export function letGoWhenClosing(app: Closing): void {
  const open = new Set<Socket>();
  const busy = new Set<Socket>();
  let isClosing = false;
  let requests = 0;
  app.server.on("connection", (socket) => {
    if (isClosing) return void socket.destroy();
    open.add(socket);
    socket.on("close", () => open.delete(socket));
  });
  app.server.on("request", ({ socket }, response) => {
    requests++;
    busy.add(socket);
    response.on("close", () => {
      busy.delete(socket);
      if (isClosing) socket.destroySoon();
    });
  });
  app.addHook("preClose", async () => {
    let seen = requests;
    let quietMs = 0;
    for (let waitedMs = 0; waitedMs < AT_MOST_MS && quietMs < QUIET_MS && open.size > 0; waitedMs += POLL_MS) {
      await sleep(POLL_MS);
      quietMs = busy.size > 0 || requests !== seen ? 0 : quietMs + POLL_MS;
      seen = requests;
    }
    isClosing = true;
    for (const socket of open) if (!busy.has(socket)) socket.destroy();
  });
}
