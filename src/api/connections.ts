/** How a server that stops lets go of its connections: what is under way is answered, all else is closed at once. */
import type { Server } from "node:http";
import type { Socket } from "node:net";

interface Closing {
  readonly server: Server;
  addHook(name: "preClose", hook: () => Promise<void>): unknown;
}

/**
 * Node closes connections that are idle at that moment; one on which nothing was ever asked (browsers open some in advance), or that
 * becomes idle later, would hold the server for as long as its client likes.
 */
export function letGoWhenClosing(app: Closing): void {
  const open = new Set<Socket>();
  const busy = new Set<Socket>();
  let isClosing = false;
  app.server.on("connection", (socket) => {
    if (isClosing) return void socket.destroy();
    open.add(socket);
    socket.on("close", () => open.delete(socket));
  });
  app.server.on("request", ({ socket }, response) => {
    busy.add(socket);
    response.on("close", () => {
      busy.delete(socket);
      if (isClosing) socket.destroySoon();
    });
  });
  app.addHook("preClose", async () => {
    isClosing = true;
    for (const socket of open) if (!busy.has(socket)) socket.destroy();
  });
}
